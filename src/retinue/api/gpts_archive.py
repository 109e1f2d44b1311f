"""`/v1/gpts`: copies, one file out and in, and whom a GPT can be shared with. Extensions."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from typing import IO
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from ..errors import InvalidRequest, TooLarge
from ..gpts.archive import MOST_BYTES, Archives
from ..gpts.copies import duplicate
from ..settings import Settings
from ..wire.common import ObjectList
from ..wire.gpts import Gpt
from ..wire.gpts_archive import GptDuplicate, GptImport, GptPerson
from .files import FORM_BYTES
from .forms import FILE, bounded, coming_in, form_of, parts
from .gpts import TheGpts
from .http import JsonRoute, TheCaller, TheStore, ok
from .organization import After, Limit, listed

router = APIRouter(prefix="/v1/gpts", tags=["Extensions"], route_class=JsonRoute)
#: Most bytes of the body of an import.
IMPORT_BYTES = MOST_BYTES + FORM_BYTES
_PIECE = 256 * 1024
_FORM = form_of({"file": FILE}, "file")


@router.get("/people", response_model=ObjectList[GptPerson])
async def list_gpt_people(caller: TheCaller, store: TheStore, limit: Limit = 20, after: After = None) -> Response:
    """List the people of the project by name."""
    page = await store.members.page(caller.project, limit=limit, after=after)
    people = [GptPerson(id=one.id, name=one.name, you=True if one.id == caller.user else None) for one in page.rows]
    return listed(people, more=page.has_more)


@router.post("/import", response_model=GptImport, openapi_extra=_FORM)
async def import_gpt(request: Request, caller: TheCaller, gpts: TheGpts) -> Response:
    """Make a GPT of a file that another was exported to."""
    with tempfile.TemporaryFile() as archive:
        settings: Settings = request.app.state.settings
        async with coming_in(settings.upload_timeout):
            await _receive(request, archive)
        return ok(await _archives(request, gpts).load(caller, archive))


@router.get("/{gpt_id}/export", response_class=Response)
async def export_gpt(gpt_id: str, request: Request, caller: TheCaller, gpts: TheGpts) -> Response:
    """A GPT's draft as one file: profile, instructions, knowledge, Actions without secrets."""
    slug, archive = await _archives(request, gpts).export(caller, gpt_id)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(slug, safe='')}.zip",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(_pieces(archive), media_type="application/zip", headers=headers)


@router.post("/{gpt_id}/duplicate", response_model=Gpt)
async def duplicate_gpt(
    gpt_id: str, caller: TheCaller, gpts: TheGpts, store: TheStore, body: GptDuplicate | None = None
) -> Response:
    """Make a copy of a GPT, where its owner allows it."""
    return ok(await duplicate(store, gpts, caller, gpt_id, body or GptDuplicate()))


def _archives(request: Request, gpts: TheGpts) -> Archives:
    state = request.app.state
    return Archives(state.store, gpts, state.connections, state.models, state.settings)


async def _receive(request: Request, archive: IO[bytes]) -> None:
    """Write the file of the form."""
    found = False
    async for part in parts(request):
        if part.name != "file" or part.filename is None or found:
            raise InvalidRequest("Send one file, as the form's part 'file', and nothing else.", param="file")
        found = True
        too_large = TooLarge(f"The file is larger than the limit of {MOST_BYTES} bytes.", param="file")
        async for piece in bounded(part, MOST_BYTES, too_large):
            await asyncio.to_thread(archive.write, piece)
    if not found:
        raise InvalidRequest("Missing required parameter: 'file'.", param="file", code="missing_required_parameter")


async def _pieces(archive: IO[bytes]) -> AsyncGenerator[bytes]:
    with archive:
        while piece := await asyncio.to_thread(archive.read, _PIECE):
            yield piece
