"""Requests for images, to the servers of a model or to a local one."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import aiohttp
from pydantic import ValidationError

from ..errors import InvalidRequest, ModelError, ModelNotFound, NotFound
from ..settings import Settings
from ..wire.images import NAMED_SIZES, Image, ImageFormat, ImageRequest, ImagesResponse, ImageUsage
from .chat import Json
from .diffusion.process import DiffusionModel
from .diffusion.request import job_of
from .models import Models, ServedModel
from .slots import FairSlots

#: How the kinds of pictures begin that models take, but for WebP.
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
#: What an official answer may say beside its images.
_NAMED: Mapping[str, tuple[str, ...]] = {
    "background": ("transparent", "opaque"),
    "output_format": get_args(ImageFormat),
    "size": NAMED_SIZES,
    "quality": ("low", "medium", "high"),
}
_DEFAULT = "default-image"


def media_type(content: bytes) -> str | None:
    """The media type of a picture, by its first bytes; None where it is none that models take."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS if content.startswith(beginning)), None)


def usage_of(answer: Json) -> ImageUsage | None:
    """What an answer, or the event that completes one, says about tokens; None where that is not the official usage."""
    try:
        return ImageUsage.model_validate(answer.get("usage"))
    except ValidationError:
        return None


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that a request brings."""

    content: bytes
    media_type: str

    @property
    def data_url(self) -> str:
        """The image as a URL."""
        return f"data:{self.media_type};base64,{b64encode(self.content).decode()}"


@dataclass(frozen=True, slots=True)
class ImageCall:
    """A request for images with all that belongs to it."""

    operation: Literal["generations", "edits", "variations"]
    request: ImageRequest
    images: tuple[Picture, ...] = ()
    mask: Picture | None = None

    @property
    def fields(self) -> Json:
        """What the request says, without the model and the images."""
        return self.request.model_dump(exclude_none=True, exclude={"model", "images", "mask"})

    def form(self) -> aiohttp.FormData:
        """The request as a form."""
        form = aiohttp.FormData(default_to_multipart=True)
        for name, value in self.fields.items():
            form.add_field(name, str(value).lower() if isinstance(value, bool) else str(value))
        name = "image" if len(self.images) == 1 else "image[]"
        for part, picture in [*((name, image) for image in self.images), *([("mask", self.mask)] if self.mask else [])]:
            ending = picture.media_type.removeprefix("image/")
            form.add_field(
                part, picture.content, filename=f"{part.strip('[]')}.{ending}", content_type=picture.media_type
            )
        return form

    def body(self) -> Json:
        """The request as JSON."""
        if not self.images:
            return self.fields
        mask = {"mask": {"image_url": self.mask.data_url}} if self.mask else {}
        return {**self.fields, "images": [{"image_url": image.data_url} for image in self.images], **mask}


class Images:
    """The image models of one process."""

    def __init__(self, models: Models, settings: Settings) -> None:
        """`models`: the table of names."""
        self._models = models
        self._settings = settings
        self._local: dict[Path, DiffusionModel] = {}

    async def close(self) -> None:
        """End the local models."""
        for model in self._local.values():
            await model.close()

    def resolve(self, name: str | None) -> ServedModel:
        """The image model of a name, or the default one.

        Raises:
            NotFound: there is none.
            InvalidRequest: the model makes no images.
        """
        try:
            model = self._models.resolve(name or _DEFAULT)
        except ModelNotFound as error:
            missing = f"The image model `{name}` does not exist" if name else "No image model is configured"
            raise NotFound(
                f"{missing}. The setting `default_image_model` names the one for requests without a model and for "
                "OpenAI's names; `retinue models add` or retinue.toml adds one.",
                param="model",
                code="model_not_found",
            ) from error
        if model.settings.backend not in ("openai", "diffusion"):
            raise InvalidRequest(
                f"The model `{model.name}` does not make images.", param="model", code="unsupported_value"
            )
        return model

    async def answer(self, model: ServedModel, call: ImageCall, caller: str) -> ImagesResponse:
        """The images that a request asks for, where they are or what they are.

        Args:
            model: what makes them.
            call: the request.
            caller: whose it is, for the fair queue.

        Raises:
            InvalidRequest: the model does not support what it asks for.
            ModelError: the model's server refused or broke; the local model failed.
        """
        if model.settings.backend == "diffusion":
            return await self._made_here(model, call, caller)
        _check_supported(model, call)
        if call.images:
            return _official(await model.route.post_form(f"/images/{call.operation}", call.form, caller))
        return _official(await model.route.post("/images/generations", call.body(), caller))

    async def events(self, model: ServedModel, call: ImageCall, caller: str) -> AsyncGenerator[list[Json], None]:
        """The same as official stream events, those that came together in one list.

        Raises:
            InvalidRequest: the model gives no events.
            ModelError: as `answer`; also in the middle.
        """
        if model.settings.backend == "diffusion":
            job_of(call.request, model.settings, model.name, len(call.images), self._settings.max_image_side)
        _check_supported(model, call)
        async with aclosing(model.route.chunks(f"/images/{call.operation}", call.body(), caller)) as events:
            async for batch in events:
                if any("type" not in event for event in batch):
                    raise InvalidRequest(
                        f"Unsupported value: 'stream': the server of the model `{model.name}` answers as a whole.",
                        param="stream",
                        code="unsupported_value",
                    )
                yield batch

    async def _made_here(self, model: ServedModel, call: ImageCall, caller: str) -> ImagesResponse:
        side = self._settings.max_image_side
        job = job_of(call.request, model.settings, model.name, len(call.images), side)
        parts = [picture.content for picture in (*call.images, call.mask) if picture]
        images = await self._model(model).images(job, parts, caller)
        size = f"{job.width}x{job.height}"
        return ImagesResponse.model_validate(
            {
                "created": int(time.time()),
                "data": [{"b64_json": b64encode(image).decode()} for image in images],
                "background": "opaque",
                "output_format": job.format.lower(),
                "size": size if size in NAMED_SIZES else None,
            }
        )

    def _model(self, model: ServedModel) -> DiffusionModel:
        weights = Path(model.settings.weights or "").expanduser().absolute()
        if weights not in self._local:
            self._local[weights] = DiffusionModel(
                model.name,
                weights,
                threads=self._settings.local_threads,
                timeout=self._settings.image_timeout,
                slots=FairSlots(1, waiting=model.settings.max_waiting, timeout=model.settings.wait_timeout),
            )
        return self._local[weights]


def _check_supported(model: ServedModel, call: ImageCall) -> None:
    for name in model.settings.unsupported:
        if name in call.fields:
            raise InvalidRequest(
                f"Unsupported parameter: '{name}' is not supported with the model `{model.name}`.",
                param=name,
                code="unsupported_parameter",
            )


def _official(answer: Json) -> ImagesResponse:
    """What a server answered, in the official shape: what has no place there, or another value than it allows, goes.

    Raises:
        ModelError: there are no images in it.
    """
    try:
        images = [Image.model_validate(image) for image in answer.get("data") or ()]
    except (ValidationError, TypeError):
        images = []
    if not images or not all(image.url or image.b64_json for image in images):
        raise ModelError("The model's server sent an answer without images.")
    created = answer.get("created")
    told = {name: answer[name] for name, allowed in _NAMED.items() if answer.get(name) in allowed}
    return ImagesResponse(
        created=created if isinstance(created, int) else int(time.time()), data=images, usage=usage_of(answer), **told
    )
