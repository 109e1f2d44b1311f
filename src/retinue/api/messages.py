"""`/v1/threads/{thread_id}/messages`"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from ..knowledge import resources
from ..runs import compose
from ..wire.common import Deleted, Id, ObjectList
from ..wire.messages import Message, MessageCreate, MessageModify
from .http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/threads/{thread_id}/messages", tags=["Messages"], route_class=JsonRoute)


@router.post("", response_model=Message)
async def create_message(
    thread_id: str,
    body: MessageCreate,
    request: Request,
    project: ProjectId,
    store: TheStore,
    when_locked: Literal["refuse", "queue"] = "refuse",
) -> Response:
    """Append a message to a thread; while a run is active on it, only if the message is to wait for the run's end."""
    new = compose.message(thread_id, body)
    await resources.attach(store, project, thread_id, [body])
    if when_locked == "queue":
        most: int = request.app.state.settings.max_queued_messages
        await store.messages.add_or_queue(project, thread_id, [new], most=most)
    else:
        await store.messages.add(project, thread_id, [new])
    return ok(new.message)


@router.get("", response_model=ObjectList[Message])
async def list_messages(
    thread_id: str,
    page: Page,
    project: ProjectId,
    store: TheStore,
    run_id: Annotated[Id | None, Query()] = None,
) -> Response:
    """List the messages of a thread, of one run if `run_id` is given."""
    await store.threads.get(project, thread_id)
    if run_id:
        return ok_list(await store.messages.page(project, page, thread_id, "run_id = %(run_id)s", run_id=run_id))
    return ok_list(await store.messages.page(project, page, thread_id))


@router.get("/{message_id}", response_model=Message)
async def get_message(thread_id: str, message_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a message."""
    return ok(await store.messages.get(project, message_id, thread_id))


@router.post("/{message_id}", response_model=Message)
async def modify_message(
    thread_id: str, message_id: str, body: MessageModify, project: ProjectId, store: TheStore
) -> Response:
    """Modify a message's metadata."""
    patch = {"metadata": body.metadata or {}} if "metadata" in body.model_fields_set else {}
    return ok(await store.messages.patch(project, message_id, patch, thread_id))


@router.delete("/{message_id}", response_model=Deleted)
async def delete_message(thread_id: str, message_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a message."""
    return ok(await store.messages.delete(project, message_id, "thread.message.deleted", thread_id))
