"""`/v1/threads/{thread_id}/messages` in version 1, and the files of messages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Response

from ...errors import NotFound
from ...knowledge import resources
from ...runs import compose
from ...store.store import Store
from ...wire import v1
from ...wire.common import Id, ObjectList
from ...wire.messages import Message, MessageModify
from ..http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list
from . import quotes, requests, views
from .paging import page_of

router = APIRouter(prefix="/v1/threads/{thread_id}/messages", tags=["Messages"], route_class=JsonRoute)


@router.post("", response_model=v1.Message)
async def create_message(thread_id: str, body: v1.MessageCreate, project: ProjectId, store: TheStore) -> Response:
    """Append a message to a thread on which no run is active."""
    wanted = requests.message_create(body)
    new = compose.message(thread_id, wanted)
    await resources.attach(store, project, thread_id, [wanted])
    await store.messages.add(project, thread_id, [new])
    return ok(views.message(new.message))


@router.get("", response_model=ObjectList[v1.Message])
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
        found = await store.messages.page(project, page, thread_id, "run_id = %(run_id)s", run_id=run_id)
    else:
        found = await store.messages.page(project, page, thread_id)
    known = await quotes.of_messages(store, project, found.data)
    # Choosing quotes takes the processor for a while, with long passages.
    return ok_list(await asyncio.to_thread(views.listed, found, lambda one: _view(one, known)))


@router.get("/{message_id}", response_model=v1.Message)
async def get_message(thread_id: str, message_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a message."""
    return ok(await _shown(store, project, await store.messages.get(project, message_id, thread_id)))


@router.post("/{message_id}", response_model=v1.Message)
async def modify_message(
    thread_id: str, message_id: str, body: MessageModify, project: ProjectId, store: TheStore
) -> Response:
    """Modify a message's metadata."""
    patch = {"metadata": body.metadata or {}} if "metadata" in body.model_fields_set else {}
    return ok(await _shown(store, project, await store.messages.patch(project, message_id, patch, thread_id)))


@router.get("/{message_id}/files", response_model=ObjectList[v1.MessageFile])
async def list_message_files(
    thread_id: str, message_id: str, page: Page, project: ProjectId, store: TheStore
) -> Response:
    """List the files of a message."""
    return ok_list(page_of(_files(await store.messages.get(project, message_id, thread_id)), page, "message file"))


@router.get("/{message_id}/files/{file_id}", response_model=v1.MessageFile)
async def get_message_file(
    thread_id: str, message_id: str, file_id: str, project: ProjectId, store: TheStore
) -> Response:
    """Retrieve a file of a message."""
    for file in _files(await store.messages.get(project, message_id, thread_id)):
        if file.id == file_id:
            return ok(file)
    raise NotFound(f"No message file found with id '{file_id}'.")


async def _shown(store: Store, project: str, message: Message) -> v1.Message:
    known = await quotes.of_messages(store, project, [message])
    return await asyncio.to_thread(_view, message, known)


def _view(message: Message, known: Mapping[str, quotes.Quotes]) -> v1.Message:
    return views.message(message, known.get(message.run_id or "", quotes.NO_QUOTES))


def _files(message: Message) -> list[v1.MessageFile]:
    """The files of a message, which have been its since it was created."""
    return [
        v1.MessageFile(id=file_id, created_at=message.created_at, message_id=message.id)
        for file_id in views.message_files(message)
    ]
