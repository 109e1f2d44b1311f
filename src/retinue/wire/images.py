"""Images: made from a prompt, edited, varied."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from .common import Id, ModelName, WireObject, WireRequest, is_none

#: The longest prompt of any model, in characters.
_LONGEST_PROMPT = 32_000

ImageFormat = Literal["png", "jpeg", "webp"]
ImagePrompt = Annotated[str, StringConstraints(min_length=1, max_length=_LONGEST_PROMPT)]
#: `auto`, or width and height in pixels.
ImageSize = Annotated[str, StringConstraints(pattern=r"^(auto|[1-9][0-9]{0,4}x[1-9][0-9]{0,4})$")]
#: The sizes that official answers can name.
NamedSize = Literal["1024x1024", "1024x1536", "1536x1024"]
NAMED_SIZES: tuple[str, ...] = get_args(NamedSize)


class ImageRequest(WireRequest):
    """What every request for images may say. A field that is null is as if it were not sent."""

    model: ModelName | None = None
    #: How many images.
    n: Annotated[int, Field(ge=1, le=10)] | None = None
    size: ImageSize | None = None
    response_format: Literal["url", "b64_json"] | None = None
    #: Who asks, in the client's own words.
    user: str | None = None


class _PromptedRequest(ImageRequest):
    """What requests with a prompt may say."""

    prompt: ImagePrompt
    quality: Literal["standard", "hd", "low", "medium", "high", "auto"] | None = None
    background: Literal["transparent", "opaque", "auto"] | None = None
    moderation: Literal["low", "auto"] | None = None
    output_format: ImageFormat | None = None
    #: In percent, for `jpeg` and `webp`; 100 keeps the most.
    output_compression: Annotated[int, Field(ge=0, le=100)] | None = None
    stream: bool | None = None
    #: How many unfinished images a stream shows on the way.
    partial_images: Annotated[int, Field(ge=0, le=3)] | None = None


class ImageGeneration(_PromptedRequest):
    """The body of `POST /images/generations`."""

    style: Literal["vivid", "natural"] | None = None


class ImageEdit(_PromptedRequest):
    """The body of `POST /images/edits`, without its images."""

    input_fidelity: Literal["high", "low"] | None = None


class ImageReference(WireRequest):
    """An image by the id of its file or by its URL: one of the two."""

    file_id: Id | None = None
    #: `https://…`, or the image itself as `data:image/png;base64,…`.
    image_url: Annotated[str, StringConstraints(max_length=20_971_520)] | None = None

    @model_validator(mode="after")
    def _one(self) -> ImageReference:
        if (self.file_id is None) == (self.image_url is None):
            raise ValueError("expected either 'file_id' or 'image_url'")
        return self


class ImageReferences(ImageEdit):
    """The body of `POST /images/edits` as JSON."""

    images: Annotated[list[ImageReference], Field(min_length=1, max_length=16)]
    mask: ImageReference | None = None


class ImageEditForm(ImageEdit):
    """The fields of `POST /images/edits` as a form: fields of a form are text, so numbers are read from text here."""

    model_config = ConfigDict(extra="forbid", strict=False)


class ImageVariationForm(ImageRequest):
    """The fields of `POST /images/variations`, which is always a form."""

    model_config = ConfigDict(extra="forbid", strict=False)


class Image(WireObject):
    """One image: where it is, or what it is."""

    b64_json: str | None = Field(default=None, exclude_if=is_none)
    url: str | None = Field(default=None, exclude_if=is_none)
    #: The prompt that the model was given instead of the one that was sent.
    revised_prompt: str | None = Field(default=None, exclude_if=is_none)


class ImageTokens(WireObject):
    """Tokens of text and of images."""

    text_tokens: int
    image_tokens: int


class ImageUsage(WireObject):
    """Tokens that models which count any have used."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: ImageTokens
    output_tokens_details: ImageTokens | None = Field(default=None, exclude_if=is_none)


class ImagesResponse(WireObject):
    """The answer to every request for images."""

    created: int
    data: list[Image]
    background: Literal["transparent", "opaque"] | None = Field(default=None, exclude_if=is_none)
    output_format: ImageFormat | None = Field(default=None, exclude_if=is_none)
    #: Stays away where the images have a size that the official schema has no name for.
    size: NamedSize | None = Field(default=None, exclude_if=is_none)
    quality: Literal["low", "medium", "high"] | None = Field(default=None, exclude_if=is_none)
    usage: ImageUsage | None = Field(default=None, exclude_if=is_none)
