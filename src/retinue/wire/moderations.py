"""Moderations: the request and the answer of `POST /moderations`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, StringConstraints, Tag

from .common import ModelName, WireObject, WireRequest

Category = Literal[
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/intent",
    "self-harm/instructions",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
]
CATEGORIES: tuple[Category, ...] = get_args(Category)
InputType = Literal["text", "image"]


class ModerationText(WireRequest):
    """A text among several inputs."""

    type: Literal["text"]
    text: str


class ModerationImageUrl(WireRequest):
    """Where an image is: an address, or the image itself as a `data:` URL."""

    url: Annotated[str, StringConstraints(min_length=1)]


class ModerationImage(WireRequest):
    """An image among several inputs."""

    type: Literal["image_url"]
    image_url: ModerationImageUrl


ModerationPart = Annotated[ModerationText | ModerationImage, Field(discriminator="type")]


def _shape(value: Any) -> str:
    """Which shape of input is meant, so that errors are about that one."""
    if not isinstance(value, list):
        return "text"
    return "parts" if value and isinstance(value[0], dict | WireRequest) else "texts"


class ModerationCreate(WireRequest):
    """What is to be judged: a text, several texts each by itself, or texts and images together."""

    input: Annotated[
        Annotated[str, Tag("text")]
        | Annotated[list[str], Field(min_length=1, max_length=2048), Tag("texts")]
        | Annotated[list[ModerationPart], Field(min_length=1, max_length=2048), Tag("parts")],
        Discriminator(_shape),
    ]
    model: ModelName = "omni-moderation-latest"

    @property
    def texts(self) -> list[str]:
        """All texts."""
        given = [self.input] if isinstance(self.input, str) else self.input
        texts = [part.text if isinstance(part, ModerationText) else part for part in given]
        return [text for text in texts if isinstance(text, str)]


class ModerationResult(WireObject):
    """The judgement of one input."""

    #: Whether any category is.
    flagged: bool
    categories: dict[Category, bool]
    #: 0 to 1.
    category_scores: dict[Category, float]
    category_applied_input_types: dict[Category, list[InputType]]


class Moderation(WireObject):
    """The judgements, in the order of the inputs."""

    id: str
    model: str
    results: list[ModerationResult]
