"""From a request for images to a job of a local model; what such a model cannot do is refused by name."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Literal

from ...errors import InvalidRequest
from ...model_settings import ModelSettings
from ...wire.images import ImageRequest
from .job import GRAIN, DiffusionJob

#: The values of parameters that a local model honours, by doing what it always does.
_POSSIBLE: Mapping[str, tuple[object, ...]] = {
    "quality": ("auto", "standard"),
    "style": (),
    "background": ("auto", "opaque"),
    "moderation": ("auto",),
    "input_fidelity": ("low",),
    "stream": (False,),
    "partial_images": (0,),
}
#: Smallest width and height, in pixels.
_LEAST_SIDE = 64
_FORMATS: Mapping[str, Literal["PNG", "JPEG", "WEBP"]] = {"png": "PNG", "jpeg": "JPEG", "webp": "WEBP"}


def job_of(request: ImageRequest, model: ModelSettings, name: str, images: int, max_side: int) -> DiffusionJob:
    """The job that a request asks for.

    Args:
        request: the request.
        model: how the model is configured.
        name: what it is called.
        images: how many images the request brings, without the mask.
        max_side: largest width and height, in pixels.

    Raises:
        InvalidRequest: a local model cannot do this.
    """
    sent: dict[str, Any] = request.model_dump(exclude_none=True)
    for parameter, possible in _POSSIBLE.items():
        if parameter in sent and sent[parameter] not in possible:
            raise _unsupported(parameter, f"the local model `{name}` does not support this value")
    kind = sent.get("output_format", "png")
    if kind == "png" and sent.get("output_compression", 100) != 100:
        raise _unsupported("output_compression", "only `jpeg` and `webp` images are compressed with loss")
    if images > 1:
        raise _unsupported("image", f"the local model `{name}` edits one image at a time")
    width, height = _size(sent.get("size", "auto"), max_side)
    prompt: str = sent.get("prompt", "")
    return DiffusionJob(
        prompt=prompt,
        count=sent.get("n", 1),
        seed=secrets.randbelow(2**31),
        format=_FORMATS[kind],
        quality=max(1, sent.get("output_compression", 100)),
        width=width,
        height=height,
        max_side=max_side,
        steps=model.steps,
        guidance_scale=model.guidance_scale,
        variation=not prompt,
    )


def _size(size: str, most: int) -> tuple[int, int] | tuple[None, None]:
    if size == "auto":
        return None, None
    width, height = map(int, size.split("x"))
    if width % GRAIN or height % GRAIN or not _LEAST_SIDE <= min(width, height) <= max(width, height) <= most:
        raise InvalidRequest(
            f"Invalid 'size': width and height must be multiples of {GRAIN} from {_LEAST_SIDE} to {most}.",
            param="size",
            code="invalid_value",
        )
    return width, height


def _unsupported(parameter: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"Unsupported value: '{parameter}': {reason}.", param=parameter, code="unsupported_value")
