"""`/v1/threads` in version 1"""

from __future__ import annotations

from fastapi import APIRouter, Response

from ...knowledge import resources
from ...runs import compose
from ...wire import v1
from ...wire.common import Deleted
from ..http import JsonRoute, ProjectId, TheStore, ok
from . import requests, views

router = APIRouter(prefix="/v1/threads", tags=["Threads"], route_class=JsonRoute)


@router.post("", response_model=v1.Thread)
async def create_thread(project: ProjectId, store: TheStore, body: v1.ThreadCreate | None = None) -> Response:
    """Create a thread, with first messages if there are any."""
    wanted = requests.thread_create(body or v1.ThreadCreate())
    thread, messages = compose.thread(wanted)
    thread.tool_resources = await resources.of_new_thread(store, project, wanted)
    await store.threads.add(project, thread, messages)
    return ok(views.thread(thread))


@router.get("/{thread_id}", response_model=v1.Thread)
async def get_thread(thread_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a thread."""
    return ok(views.thread(await store.threads.get(project, thread_id)))


@router.post("/{thread_id}", response_model=v1.Thread)
async def modify_thread(thread_id: str, body: v1.ThreadModify, project: ProjectId, store: TheStore) -> Response:
    """Modify a thread's metadata."""
    patch = {"metadata": body.metadata or {}} if "metadata" in body.model_fields_set else {}
    return ok(views.thread(await store.threads.patch(project, thread_id, patch)))


@router.delete("/{thread_id}", response_model=Deleted)
async def delete_thread(thread_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a thread with its messages and runs."""
    return ok(await store.threads.delete(project, thread_id, "thread.deleted"))
