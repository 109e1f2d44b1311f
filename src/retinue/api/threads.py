"""`/v1/threads`"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from ..knowledge import resources
from ..runs import compose
from ..store.ids import new_id
from ..wire.common import Deleted, ObjectList
from ..wire.threads import Thread, ThreadCreate, ThreadFork, ThreadModify
from .http import JsonRoute, Page, ProjectId, TheStore, metadata_filter, ok, ok_list

router = APIRouter(prefix="/v1/threads", tags=["Threads"], route_class=JsonRoute)


@router.post("", response_model=Thread)
async def create_thread(project: ProjectId, store: TheStore, body: ThreadCreate | None = None) -> Response:
    """Create a thread, with first messages if there are any."""
    wanted = body or ThreadCreate()
    thread, messages = compose.thread(wanted)
    thread.tool_resources = await resources.of_new_thread(store, project, wanted)
    await store.threads.add(project, thread, messages)
    return ok(thread)


@router.get("", response_model=ObjectList[Thread])
async def list_threads(
    page: Page,
    request: Request,
    project: ProjectId,
    store: TheStore,
    query: Annotated[str | None, Query(max_length=256)] = None,
    sort: Literal["created_at", "last_used_at"] = "created_at",
) -> Response:
    """List threads: of all, those with every `metadata[key]=value` and with messages that have the words of `query`."""
    metadata = metadata_filter(request)
    within: float = request.app.state.settings.search_timeout
    found = await store.threads.search(
        project, page, metadata=metadata, words=query, within=within, by_use=sort == "last_used_at"
    )
    return ok_list(found)


@router.post("/{thread_id}/fork", response_model=Thread)
async def fork_thread(thread_id: str, project: ProjectId, store: TheStore, body: ThreadFork | None = None) -> Response:
    """Copy a thread with its messages, all of them or up to `message_id`; its runs stay behind."""
    wanted = body or ThreadFork()
    patch: dict[str, Any] = {"created_at": int(time.time())}
    if wanted.metadata is not None:
        patch["metadata"] = wanted.metadata
    return ok(await store.threads.fork(project, thread_id, new_id("thread_"), patch, wanted.message_id))


@router.get("/{thread_id}", response_model=Thread)
async def get_thread(thread_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a thread."""
    return ok(await store.threads.get(project, thread_id))


@router.post("/{thread_id}", response_model=Thread)
async def modify_thread(thread_id: str, body: ThreadModify, project: ProjectId, store: TheStore) -> Response:
    """Modify a thread: fields that are not sent stay as they are."""
    patch = body.model_dump(exclude_unset=True)
    if "metadata" in patch:
        patch["metadata"] = patch["metadata"] or {}
    if body.tool_resources:
        await store.threads.get(project, thread_id)
        patch["tool_resources"] = (await resources.resolve(store, project, body.tool_resources)).model_dump()
    return ok(await store.threads.patch(project, thread_id, patch))


@router.delete("/{thread_id}", response_model=Deleted)
async def delete_thread(thread_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a thread with its messages and runs."""
    return ok(await store.threads.delete(project, thread_id, "thread.deleted"))
