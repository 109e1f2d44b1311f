"""Requests that bring images: as a form, or as JSON that names them."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.requests import ClientDisconnect

from ..egress import Egress
from ..errors import InvalidRequest, TooLarge
from ..inference.images import ImageCall, Picture, media_type
from ..settings import Settings
from ..store.files import blob_of
from ..store.store import Store
from ..wire.common import WireRequest
from ..wire.images import ImageEditForm, ImageReference, ImageReferences, ImageVariationForm
from .forms import Part, parts

#: Most images of a request, without the mask.
MOST_IMAGES = 16
_KINDS = ("image/png", "image/jpeg", "image/webp")
#: Seconds for an image that is named by its URL, and how often that may lead elsewhere.
_FETCH_TIMEOUT, _REDIRECTS = 30.0, 3

RequestT = TypeVar("RequestT", bound=WireRequest)


class _Pictures:
    """The images of one request, counted as they come in."""

    def __init__(self, most: int) -> None:
        """`most`: bytes, all together."""
        self._most = most
        self.left = most
        self.images: list[Picture] = []
        self.mask: Picture | None = None

    def add(self, content: bytes, param: str) -> None:
        """Take an image.

        Raises:
            InvalidRequest: it is none, or one too many.
            TooLarge: together they are larger than the limit.
        """
        self.left -= len(content)
        self.check()
        kind = media_type(content)
        if kind not in _KINDS or (param == "mask" and kind != "image/png"):
            wanted = "PNG" if param == "mask" else "PNG, JPEG or WebP"
            raise InvalidRequest(f"Invalid '{param}': expected a {wanted} image.", param=param, code="invalid_value")
        if param == "mask":
            if self.mask:
                raise InvalidRequest("Invalid 'mask': one image is expected, but got several.", param="mask")
            self.mask = Picture(content, kind)
        elif len(self.images) == MOST_IMAGES:
            raise InvalidRequest(
                f"Invalid 'image': more than {MOST_IMAGES}.", param="image", code="array_above_max_length"
            )
        else:
            self.images.append(Picture(content, kind))

    def check(self, coming: int = 0) -> None:
        """See that `coming` further bytes are within the limit.

        Raises:
            TooLarge: they are not.
        """
        if self.left < coming:
            raise TooLarge(f"The images are larger than the limit of {self._most} bytes.", param="image")

    async def read(self, part: Part, param: str) -> None:
        """Take an image from a form."""
        content = bytearray()
        async for piece in part.content:
            content += piece
            self.check(len(content))
        self.add(bytes(content), param)


async def read_edit(request: Request, project: str, store: Store, egress: Egress) -> ImageCall:
    """An edit, as a form or as JSON.

    Args:
        request: the request.
        project: whose files it may name.
        store: where they are.
        egress: the way to URLs that it names.

    Raises:
        InvalidRequest, RequestValidationError: it is not what it must be.
        TooLarge: its images are larger than the limit.
        NotFound: a file that it names is not there.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
        return await _read_references(request, project, store, egress)
    fields, pictures = await _read_form(request, ("image", "image[]", "mask"))
    return ImageCall("edits", _validated(ImageEditForm, fields), tuple(pictures.images), pictures.mask)


async def read_variation(request: Request) -> ImageCall:
    """A variation, which is always a form. Raises as `read_edit`."""
    fields, pictures = await _read_form(request, ("image",))
    if len(pictures.images) > 1:
        raise InvalidRequest("Invalid 'image': one image is expected, but got several.", param="image")
    return ImageCall("variations", _validated(ImageVariationForm, fields), tuple(pictures.images))


async def _read_form(request: Request, names: Sequence[str]) -> tuple[dict[str, str], _Pictures]:
    """The fields of a form, and the images that it has under these names; at least one that is no mask."""
    settings: Settings = request.app.state.settings
    fields: dict[str, str] = {}
    pictures = _Pictures(settings.max_image_bytes)
    try:
        async with asyncio.timeout(settings.upload_timeout):
            async for part in parts(request):
                if part.name in names and part.filename is not None:
                    await pictures.read(part, part.name.removesuffix("[]"))
                else:
                    fields[part.name] = await part.text()
    except ClientDisconnect as error:
        raise InvalidRequest("The connection was closed before the form was complete.") from error
    except TimeoutError as error:
        raise InvalidRequest(f"The form took longer than {settings.upload_timeout:g} seconds.") from error
    for name in names:
        if name in fields:
            raise InvalidRequest(f"Invalid '{name}': expected a file, with a file name.", param=name)
    if not pictures.images:
        raise InvalidRequest("Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
    return fields, pictures


async def _read_references(request: Request, project: str, store: Store, egress: Egress) -> ImageCall:
    try:
        body = await request.json()
    except ValueError as error:
        raise RequestValidationError([{"type": "json_invalid", "loc": ("body",)}]) from error
    wanted = _validated(ImageReferences, body)
    settings: Settings = request.app.state.settings
    pictures = _Pictures(settings.max_image_bytes)
    for number, reference in enumerate(wanted.images):
        content = await _fetched(reference, f"images[{number}]", pictures, project, store, egress)
        pictures.add(content, f"images[{number}]")
    if wanted.mask:
        pictures.add(await _fetched(wanted.mask, "mask", pictures, project, store, egress), "mask")
    return ImageCall("edits", wanted, tuple(pictures.images), pictures.mask)


async def _fetched(
    reference: ImageReference, param: str, pictures: _Pictures, project: str, store: Store, egress: Egress
) -> bytes:
    if reference.file_id is not None:
        file = await store.files.get(project, reference.file_id)
        pictures.check(file.bytes)
        return await store.blobs.read_whole(blob_of(file.id))
    url = reference.image_url or ""
    if url.startswith("data:"):
        head, _, data = url.partition(",")
        try:
            if head.endswith(";base64"):
                return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            pass
        raise InvalidRequest(f"Invalid '{param}.image_url': expected base64.", param=f"{param}.image_url")
    async with egress.request(
        "GET", url, max_bytes=pictures.left, timeout=_FETCH_TIMEOUT, redirects=_REDIRECTS
    ) as response:
        if response.status != 200:
            raise InvalidRequest(
                f"Invalid '{param}.image_url': it was answered with status {response.status}.",
                param=f"{param}.image_url",
            )
        return await response.read()


def _validated(kind: type[RequestT], body: Any) -> RequestT:
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(errors, body=body) from error
