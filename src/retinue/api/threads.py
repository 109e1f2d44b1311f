"""`/v1/threads`"""

from __future__ import annotations

from fastapi import APIRouter, Response

from ..runs import compose
from ..wire.common import Deleted
from ..wire.threads import Thread, ThreadCreate, ThreadModify
from .http import JsonRoute, ProjectId, TheStore, ok

router = APIRouter(prefix="/v1/threads", tags=["Threads"], route_class=JsonRoute)


@router.post("", response_model=Thread)
async def create_thread(project: ProjectId, store: TheStore, body: ThreadCreate | None = None) -> Response:
    """Create a thread, with first messages if there are any."""
    thread, messages = compose.thread(body or ThreadCreate())
    await store.threads.add(project, thread, messages)
    return ok(thread)


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
    return ok(await store.threads.patch(project, thread_id, patch))


@router.delete("/{thread_id}", response_model=Deleted)
async def delete_thread(thread_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a thread with its messages and runs."""
    return ok(await store.threads.delete(project, thread_id, "thread.deleted"))
