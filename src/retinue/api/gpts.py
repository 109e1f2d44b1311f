"""`/v1/gpts`: assistants with a profile, drafts and versions. An extension."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from ..gpts import pictures
from ..gpts.registry import Gpts
from ..store.gpts import Listing
from ..wire.common import Deleted, ObjectList
from ..wire.gpts import Category, Gpt, GptCreate, GptModify, GptPublish, GptVersion, Scope, Sort
from .http import JsonRoute, Page, TheCaller, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/gpts", tags=["Extensions"], route_class=JsonRoute)

#: Pictures are shown and never run: an SVG that somebody opens by itself must do nothing.
PICTURE_HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "x-content-type-options": "nosniff",
    "cache-control": "private, max-age=300",
}


async def _gpts(request: Request) -> Gpts:
    return request.app.state.gpts


async def _listing(
    scope: Annotated[Scope, Query()] = "store",
    sort: Annotated[Sort, Query()] = "newest",
    q: Annotated[str | None, Query(max_length=256)] = None,
    category: Annotated[Category | None, Query()] = None,
    tag: Annotated[str | None, Query(max_length=32)] = None,
    language: Annotated[str | None, Query(max_length=35)] = None,
) -> Listing:
    return Listing(scope, sort, q, category, tag, language)


TheGpts = Annotated[Gpts, Depends(_gpts)]
TheListing = Annotated[Listing, Depends(_listing)]
Number = Annotated[int, Path(ge=1, le=2**31 - 1)]


@router.post("", response_model=Gpt)
async def create_gpt(body: GptCreate, caller: TheCaller, gpts: TheGpts) -> Response:
    """Make a GPT."""
    return ok(await gpts.create(caller, body))


@router.get("", response_model=ObjectList[Gpt])
async def list_gpts(page: Page, caller: TheCaller, gpts: TheGpts, listing: TheListing) -> Response:
    """List the GPTs in the store, or the caller's own."""
    return ok_list(await gpts.page(caller, page, listing))


@router.get("/{gpt_id}", response_model=Gpt)
async def get_gpt(gpt_id: str, caller: TheCaller, gpts: TheGpts) -> Response:
    """Retrieve a GPT by its id or slug."""
    return ok(await gpts.get(caller, gpt_id))


@router.post("/{gpt_id}", response_model=Gpt)
async def modify_gpt(gpt_id: str, body: GptModify, caller: TheCaller, gpts: TheGpts) -> Response:
    """Change a GPT's draft, or who may use it."""
    return ok(await gpts.modify(caller, gpt_id, body))


@router.delete("/{gpt_id}", response_model=Deleted)
async def delete_gpt(gpt_id: str, caller: TheCaller, gpts: TheGpts) -> Response:
    """Delete a GPT with its versions."""
    return ok(await gpts.delete(caller, gpt_id))


@router.get("/{gpt_id}/picture")
async def get_gpt_picture(
    gpt_id: str, caller: TheCaller, gpts: TheGpts, store: TheStore, draft: Annotated[bool, Query()] = False
) -> Response:
    """A GPT's picture: of what was published, or of the draft."""
    if draft:
        content = (await gpts.editable(caller, gpt_id)).state.draft
    else:
        row = await gpts.row(caller, gpt_id)
        content = row.published.content if row.published else row.state.draft
    if content.picture:
        picture = await pictures.uploaded(store, caller.project, content.picture)
        if picture:
            return Response(picture[0], media_type=picture[1], headers=PICTURE_HEADERS)
    return Response(pictures.drawn(content.name), media_type="image/svg+xml", headers=PICTURE_HEADERS)


@router.post("/{gpt_id}/publish", response_model=GptVersion)
async def publish_gpt(gpt_id: str, body: GptPublish, caller: TheCaller, gpts: TheGpts) -> Response:
    """Publish the draft as a new version."""
    return ok(await gpts.publish(caller, gpt_id, body))


@router.get("/{gpt_id}/versions", response_model=ObjectList[GptVersion])
async def list_gpt_versions(gpt_id: str, page: Page, caller: TheCaller, gpts: TheGpts) -> Response:
    """List what was published."""
    return ok_list(await gpts.versions(caller, gpt_id, page))


@router.get("/{gpt_id}/versions/{number}", response_model=GptVersion)
async def get_gpt_version(gpt_id: str, number: Number, caller: TheCaller, gpts: TheGpts) -> Response:
    """Retrieve what was published once."""
    return ok(await gpts.version(caller, gpt_id, number))


@router.post("/{gpt_id}/versions/{number}/restore", response_model=Gpt)
async def restore_gpt_version(gpt_id: str, number: Number, caller: TheCaller, gpts: TheGpts) -> Response:
    """Take a version as the draft again."""
    return ok(await gpts.restore(caller, gpt_id, number))
