"""`/v1/images`"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from ..accounts.metering import Metered, Metering
from ..accounts.request_log import note_error
from ..errors import ApiError, InvalidRequest, ModelError
from ..inference.chat import Json
from ..inference.images import ImageCall, Images, media_type, usage_of
from ..inference.models import ServedModel
from ..inference.tokens import estimate_tokens
from ..settings import Settings
from ..store.generated_images import ImageAddress
from ..store.store import Store
from ..wire.common import Id
from ..wire.images import (
    Image,
    ImageEditForm,
    ImageGeneration,
    ImageReferences,
    ImageRequest,
    ImagesResponse,
    ImageUsage,
    ImageVariationForm,
)
from .files import FORM_BYTES
from .forms import FILE, form_of
from .http import EVENT_STREAM_HEADERS, JsonRoute, ProjectId, TheStore, ok
from .image_forms import MOST_IMAGES, read_edit, read_variation

router = APIRouter(prefix="/v1/images", tags=["Images"], route_class=JsonRoute)

#: Where images lie that were answered as URLs. Their signature stands in for a key.
CONTENT_PREFIX = "/v1/images/content/"

#: What OpenAI's older models allow: the longest prompt, the most images, the sizes.
_OLDER: Mapping[str, tuple[int, int, tuple[str, ...]]] = {
    "dall-e-2": (1000, 10, ("auto", "256x256", "512x512", "1024x1024")),
    "dall-e-3": (4000, 1, ("auto", "1024x1024", "1792x1024", "1024x1792")),
}
#: Models whose images are never answered as URLs unless that is asked for.
_NO_URLS = ("gpt-image-", "chatgpt-image-")
_ENDINGS = {"image/png": "png", "image/jpeg": "jpeg", "image/webp": "webp"}
_MEDIA_TYPES = {ending: kind for kind, ending in _ENDINGS.items()}


def body_limit(settings: Settings) -> int:
    """Most bytes of a body with images: JSON that holds them in base64 is a third longer than they are."""
    return settings.max_image_bytes * 4 // 3 + FORM_BYTES


def _schema(model: type[Any]) -> Json:
    return model.model_json_schema(ref_template="#/components/schemas/{model}")


def _form(model: type[Any], files: Json) -> Json:
    schema = _schema(model)
    return form_of({**files, **schema["properties"]}, "image", *schema.get("required", []))


_FILES: Json = {"anyOf": [FILE, {"type": "array", "maxItems": MOST_IMAGES, "items": FILE}]}
_EDIT = _form(ImageEditForm, {"image": _FILES, "mask": FILE})
_VARIATION = _form(ImageVariationForm, {"image": FILE})


@router.post("/generations", response_model=ImagesResponse)
async def create_images(body: ImageGeneration, request: Request, store: TheStore) -> Response:
    """Make images from a prompt."""
    return await _answer(request, store, ImageCall("generations", body), stream=bool(body.stream))


@router.post("/edits", response_model=ImagesResponse, openapi_extra=_EDIT)
async def edit_images(request: Request, project: ProjectId, store: TheStore) -> Response:
    """Edit images, the first of them only where a mask allows it."""
    call = await read_edit(request, project, store, request.app.state.egress)
    assert isinstance(call.request, ImageEditForm | ImageReferences)  # noqa: S101 (that is what was read)
    return await _answer(request, store, call, stream=bool(call.request.stream))


@router.post("/variations", response_model=ImagesResponse, openapi_extra=_VARIATION)
async def vary_image(request: Request, store: TheStore) -> Response:
    """Make variations of an image."""
    return await _answer(request, store, await read_variation(request), stream=False)


@router.get("/content/{name}", response_class=Response)
async def get_image_content(
    name: str,
    store: TheStore,
    expires: Annotated[int, Query(ge=0, le=2**53)],
    signature: Annotated[Id, Query()],
) -> Response:
    """An image that was answered as a URL. Needs no key: the signature is one for this image, until it expires."""
    address = ImageAddress(name, expires, signature)
    content = await store.generated_images.content(address)
    headers = {
        "cache-control": f"private, max-age={max(0, expires - int(time.time()))}",
        "x-content-type-options": "nosniff",
    }
    return Response(content, media_type=_MEDIA_TYPES[name.rpartition(".")[2]], headers=headers)


async def _answer(request: Request, store: Store, call: ImageCall, *, stream: bool) -> Response:
    """Have the images made, and answer with them."""
    images: Images = request.app.state.images
    _check_older(call)
    model = images.resolve(call.request.model)
    project: str = request.scope["project"]
    tokens = estimate_tokens(call.fields.get("prompt", ""))
    metering: Metering = request.app.state.metering
    metered = await metering.call(request.scope["caller"], "images", model.name, tokens)
    headers = {"openai-model": model.name}
    if stream:
        events = _stream(images.events(model, call, project), metered)
        shown = _with_first(await anext(events, b""), events)
        return StreamingResponse(shown, media_type="text/event-stream", headers={**EVENT_STREAM_HEADERS, **headers})
    with metered:
        answer = await images.answer(model, call, project)
        metered.images = len(answer.data)
        metered.usage = _usage(answer.usage)
    if _wants_urls(call.request, model):
        answer = answer.model_copy(update={"data": [await _as_url(image, request, store) for image in answer.data]})
    return ok(answer, headers)


def _check_older(call: ImageCall) -> None:
    """Hold requests for OpenAI's older models to what these allow.

    Raises:
        InvalidRequest: they do not allow it.
    """
    fields = call.fields
    longest, most, sizes = _OLDER.get(call.request.model or "", (None, None, None))
    if longest and len(fields.get("prompt", "")) > longest:
        raise InvalidRequest(
            f"Invalid 'prompt': string too long. Expected a string with maximum length {longest}.",
            param="prompt",
            code="string_above_max_length",
        )
    if most and fields.get("n", 1) > most:
        raise InvalidRequest(
            f"Invalid 'n': value above maximum. Expected a value <= {most}.", param="n", code="integer_above_max_value"
        )
    if sizes and fields.get("size", "auto") not in sizes:
        raise InvalidRequest(
            f"Invalid value: '{fields['size']}'. Supported values are: {', '.join(sizes)}.",
            param="size",
            code="invalid_value",
        )


def _usage(usage: ImageUsage | None) -> Json | None:
    return usage.model_dump() if usage else None


def _wants_urls(request: ImageRequest, model: ServedModel) -> bool:
    """Whether images that came as data are to be answered as URLs."""
    if request.response_format is not None:
        return request.response_format == "url"
    return model.settings.backend == "diffusion" and not (request.model or "").startswith(_NO_URLS)


async def _as_url(image: Image, request: Request, store: Store) -> Image:
    """The image at an address of this server; one that has an address keeps it."""
    if image.url is not None or image.b64_json is None:
        return image
    try:
        content = base64.b64decode(image.b64_json)
    except (binascii.Error, ValueError):
        content = b""
    ending = _ENDINGS.get(media_type(content) or "")
    if ending is None:
        raise ModelError("The model's server sent an image that is no PNG, JPEG or WebP image.")
    address = await store.generated_images.keep(content, ending)
    # As the client sees this server; the URL is for nobody else.
    host = request.headers.get("host") or "{}:{}".format(*(request.scope.get("server") or ("localhost", 80)))
    return Image(
        url=f"{request.scope['scheme']}://{host}{CONTENT_PREFIX}{address.name}"
        f"?expires={address.expires}&signature={address.signature}",
        revised_prompt=image.revised_prompt,
    )


async def _stream(batches: AsyncGenerator[list[Json], None], metered: Metered) -> AsyncGenerator[bytes]:
    """The events as they go out. An error before the first is raised; one in the middle is the last event."""
    begun = False
    with metered:
        async with aclosing(batches):
            try:
                async for batch in batches:
                    begun = True
                    for event in batch:
                        if str(event["type"]).endswith(".completed"):
                            metered.images += 1
                            metered.usage = _usage(usage_of(event))
                    yield b"".join(map(_encoded, batch))
            except ApiError as error:
                if not begun:
                    raise
                note_error(error)
                yield b"event: error\ndata: %s\n\n" % orjson.dumps(error.body())


async def _with_first(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


def _encoded(event: Json) -> bytes:
    name = str(event["type"]).replace("\n", " ").encode()
    return b"event: %s\ndata: %s\n\n" % (name, orjson.dumps(event))
