"""`/v1/threads/{thread_id}/shares` and `/v1/shares`: links for people outside, and what they show. An extension.

A link shows what was said, and the pictures and files that answers show. It shows no instructions, tools or what these
returned, metadata, names, sources, or files that came with messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from ..accounts.keys import Caller, token_hash
from ..accounts.scopes import Need, allowed
from ..accounts.sessions import new_token
from ..errors import Forbidden, NotFound
from ..settings import Settings
from ..store.shares import NewShare, Opened, ShareRow
from ..store.store import Store
from ..wire.common import Deleted, Id, ObjectList, WireObject, to_json
from ..wire.messages import Message, Text
from ..wire.shares import SharedImage, SharedMessage, SharedText, SharedThread, ThreadShare, ThreadShareCreate
from .files import content_of
from .http import JsonRoute, ProjectId, TheCaller, TheStore, ok

router = APIRouter(prefix="/v1", tags=["Sharing"], route_class=JsonRoute)

#: What needs no key: the token in the address stands in for it.
PREFIX = "/v1/shares/"
_NO_KEY: dict[str, Any] = {"security": []}
_OF_THREAD = "/threads/{thread_id}/shares"
#: Messages of one answer.
_PAGE = 100
_LONGEST_TOKEN = 64
#: Nothing of it is kept, found by searching the web, or told to other sites; what is revoked is gone at once.
_HEADERS: Mapping[str, str] = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
}
#: Pictures that browsers show, by the ends of their names.
_SHOWN = {"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_PICTURE_URL = re.compile(r"https?://|data:image/(png|jpeg|gif|webp);base64,")


# --- for those who may read the thread


@router.post(_OF_THREAD, response_model=ThreadShare)
async def create_share(
    thread_id: str,
    request: Request,
    project: ProjectId,
    caller: TheCaller,
    store: TheStore,
    body: ThreadShareCreate | None = None,
) -> Response:
    """Make a link by which everybody who has it can read the thread as it is now."""
    settings: Settings = request.app.state.settings
    if not settings.share_links:
        raise Forbidden("Links are switched off on this server (setting `share_links`).", code="share_links_off")
    await _check_files(caller, store, project, thread_id)
    wanted, token = body or ThreadShareCreate(), new_token()
    new = NewShare(token, token_hash(token), wanted.title.strip(), wanted.expires_in)
    return ok(_share(await store.shares.add(project, thread_id, new), settings))


@router.get(_OF_THREAD, response_model=ObjectList[ThreadShare])
async def list_shares(thread_id: str, request: Request, project: ProjectId, store: TheStore) -> Response:
    """List the thread's links that are good, newest first."""
    settings: Settings = request.app.state.settings
    found = [_share(row, settings) for row in await store.shares.list(project, thread_id)]
    first, last = (found[0].id, found[-1].id) if found else ("", "")
    return ok(ObjectList[ThreadShare](data=found, first_id=first, last_id=last, has_more=False))


@router.delete(_OF_THREAD + "/{share_id}", response_model=Deleted)
async def delete_share(thread_id: str, share_id: str, project: ProjectId, store: TheStore) -> Response:
    """Revoke a link, at once."""
    await store.shares.delete(project, thread_id, share_id)
    return ok(Deleted(id=share_id, object="thread.share.deleted"))


async def _check_files(caller: Caller, store: Store, project: str, thread: str) -> None:
    """See to it that a caller gives away no files that are withheld from the caller.

    Raises:
        Forbidden: they would.
    """
    if allowed(caller.scopes, Need("assistants", "admin")):
        return
    files = await store.shares.files(project, thread)
    if not files:
        return
    if not allowed(caller.scopes, Need("assistants", "read")) or not allowed(caller.scopes, Need("files", "read")):
        raise Forbidden(
            "The thread has files, which go with it. This takes a key with the scopes assistants:read and files:read.",
            code="confidential",
        )
    if await store.assistants.files_of_any(project, files, protected_only=True):
        raise Forbidden("The thread has files of a protected assistant.", code="confidential")


def _share(row: ShareRow, settings: Settings) -> ThreadShare:
    return ThreadShare(
        id=row.id,
        thread_id=row.thread,
        title=row.title,
        url=f"{settings.browser_url()}/s/{row.token}" if row.token else None,
        created_at=row.created_at,
        expires_at=row.expires_at,
        message_count=row.messages,
    )


# --- for everybody who has the link


@router.get("/shares/{token}", response_model=SharedThread, openapi_extra=_NO_KEY)
async def get_shared_thread(token: str, request: Request, store: TheStore) -> Response:
    """What a link is about. Needs no key."""
    share = await _open(token, request, store)
    return _open_to_all(SharedThread(title=share.title, created_at=share.created_at, expires_at=share.expires_at))


@router.get("/shares/{token}/messages", response_model=ObjectList[SharedMessage], openapi_extra=_NO_KEY)
async def list_shared_messages(
    token: str,
    request: Request,
    store: TheStore,
    limit: Annotated[int, Query(ge=1, le=_PAGE)] = 20,
    after: Annotated[Id | None, Query()] = None,
) -> Response:
    """What a link shows, oldest first. Needs no key."""
    share = await _open(token, request, store)
    messages, more = await store.shares.messages(share, limit=limit, after=after)
    found = [_message(one, token) for one in messages]
    first, last = (found[0].id, found[-1].id) if found else ("", "")
    return _open_to_all(ObjectList[SharedMessage](data=found, first_id=first, last_id=last, has_more=more))


@router.get("/shares/{token}/files/{file_id}/content", response_class=Response, openapi_extra=_NO_KEY)
async def get_shared_file(token: str, file_id: str, request: Request, store: TheStore) -> Response:
    """A picture that a link shows, or a file to which an answer that it shows leads. Needs no key."""
    share = await _open(token, request, store)
    if not await store.shares.shows(share, file_id):
        raise NotFound(f"No file found with id '{file_id}'.")
    file = await store.files.get(share.project, file_id)
    kind = _SHOWN.get(file.filename.rpartition(".")[2].lower(), "")
    answer = await content_of(store, file, shown_as=kind)
    answer.headers.update({**_HEADERS, "content-security-policy": "default-src 'none'; sandbox"})
    return answer


async def _open(token: str, request: Request, store: Store) -> Opened:
    """What a token leads to. Raises `NotFound`, which says no more than that it leads nowhere."""
    settings: Settings = request.app.state.settings
    if not settings.share_links or len(token) > _LONGEST_TOKEN:
        raise NotFound("This link does not exist, or is no longer good.", code="share_not_found")
    return await store.shares.open(token_hash(token))


def _open_to_all(value: WireObject) -> Response:
    return Response(to_json(value), media_type="application/json", headers=dict(_HEADERS))


def _message(message: Message, token: str) -> SharedMessage:
    content: list[SharedText | SharedImage] = []
    for part in message.content:
        if part.type == "text":
            content.append(SharedText(text=_text(part.text, token)))
        elif part.type == "refusal":
            content.append(SharedText(text=part.refusal))
        elif part.type == "image_file":
            content.append(SharedImage(url=_address(token, part.image_file.file_id)))
        elif _PICTURE_URL.match(part.image_url.url):
            content.append(SharedImage(url=part.image_url.url))
    return SharedMessage(id=message.id, created_at=message.created_at, role=message.role, content=content)


def _text(text: Text, token: str) -> str:
    """Text without marks of sources, and with addresses of files in the place of paths in the sandbox."""
    pieces: list[str] = []
    at = 0
    for one in sorted(text.annotations, key=lambda one: (one.start_index, one.end_index)):
        if one.start_index < at or one.end_index > len(text.value):
            continue
        pieces.append(text.value[at : one.start_index])
        if one.type == "file_path":
            pieces.append(_address(token, one.file_path.file_id))
        at = one.end_index
    return "".join([*pieces, text.value[at:]])


def _address(token: str, file: str) -> str:
    return f"{PREFIX}{token}/files/{file}/content"
