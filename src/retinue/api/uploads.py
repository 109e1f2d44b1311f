"""`/v1/uploads`: files that come in parts."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request, Response

from ..errors import ApiError, InvalidRequest, TooLarge
from ..settings import Settings
from ..store.ids import new_id
from ..store.uploads import no_room
from ..wire.uploads import Upload, UploadComplete, UploadCreate, UploadPart
from .files import FORM_BYTES, filename
from .forms import FILE, Part, bounded, coming_in, form_of, parts
from .http import JsonRoute, ProjectId, TheStore, ok

router = APIRouter(prefix="/v1/uploads", tags=["Uploads"], route_class=JsonRoute)

#: Most bytes of a part, as at OpenAI.
_MOST_PART_BYTES = 64 * 1024 * 1024

#: Most bytes of a request with a part.
PART_BODY_BYTES = _MOST_PART_BYTES + FORM_BYTES

_FORM = form_of({"data": FILE}, "data")


@router.post("", response_model=Upload)
async def create_upload(body: UploadCreate, request: Request, project: ProjectId, store: TheStore) -> Response:
    """Begin an upload, to which parts are added until it is completed."""
    settings: Settings = request.app.state.settings
    if body.bytes > settings.max_upload_bytes:
        raise InvalidRequest(
            f"Invalid 'bytes': the file is larger than the limit of {settings.max_upload_bytes} bytes.", param="bytes"
        )
    await store.storage.require(project, body.bytes)
    now = int(time.time())
    upload = Upload(
        id=new_id("upload_"),
        bytes=body.bytes,
        created_at=now,
        expires_at=now + int(settings.upload_timeout),
        filename=filename(body.filename, "filename"),
        purpose=body.purpose,
        expires_after=body.expires_after,
    )
    await store.uploads.add(project, upload)
    return ok(upload)


@router.post("/{upload_id}/parts", response_model=UploadPart, openapi_extra=_FORM)
async def add_upload_part(upload_id: str, request: Request, project: ProjectId, store: TheStore) -> Response:
    """Add a part: bytes of the file that is to be."""
    settings: Settings = request.app.state.settings
    room = await store.uploads.room(project, upload_id)
    too_much: ApiError = TooLarge(f"A part has at most {_MOST_PART_BYTES} bytes.", param="data")
    if room < _MOST_PART_BYTES:
        too_much = no_room(upload_id)
    content = _data(parts(request), min(room, _MOST_PART_BYTES), too_much)
    async with coming_in(settings.upload_timeout):
        return ok(await store.uploads.receive(project, upload_id, content))


@router.post("/{upload_id}/complete", response_model=Upload)
async def complete_upload(
    upload_id: str, body: UploadComplete, request: Request, project: ProjectId, store: TheStore
) -> Response:
    """Make a file of the parts, in the given order."""
    settings: Settings = request.app.state.settings
    async with coming_in(settings.upload_timeout):
        return ok(await store.uploads.complete(project, upload_id, body))


@router.post("/{upload_id}/cancel", response_model=Upload)
async def cancel_upload(upload_id: str, project: ProjectId, store: TheStore) -> Response:
    """Cancel an upload: it takes no further parts, and those that have come go."""
    return ok(await store.uploads.cancel(project, upload_id))


async def _data(form: AsyncGenerator[Part], most: int, too_much: ApiError) -> AsyncGenerator[bytes]:
    """What is in `data`, the one field of the form; `too_much` is raised where that is more than `most` bytes."""
    found = False
    async for part in form:
        if part.name != "data":
            raise InvalidRequest(f"Unknown parameter: '{part.name}'.", param=part.name, code="unknown_parameter")
        if found:
            raise InvalidRequest("Invalid 'data': one part is expected, but got several.", param="data")
        found = True
        async for piece in bounded(part, most, too_much):
            yield piece
    if not found:
        raise InvalidRequest("Missing required parameter: 'data'.", param="data", code="missing_required_parameter")
