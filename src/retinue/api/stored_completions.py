"""`/v1/chat/completions`: those that were stored"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from ..store.objects import PageQuery
from ..wire.chat import ChatCompletionUpdate
from ..wire.common import Deleted, Id, ModelName, ObjectList
from ..wire.stored_completions import StoredCompletion, StoredMessage
from .http import JsonRoute, ProjectId, TheStore, metadata_filter, ok, ok_list

router = APIRouter(prefix="/v1/chat/completions", tags=["Chat"], route_class=JsonRoute)


async def _page(
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "asc",
    after: Annotated[Id | None, Query()] = None,
) -> PageQuery:
    return PageQuery(limit=limit, order=order, after=after)


OldestFirst = Annotated[PageQuery, Depends(_page)]


@router.get("", response_model=ObjectList[StoredCompletion])
async def list_chat_completions(
    page: OldestFirst,
    request: Request,
    project: ProjectId,
    store: TheStore,
    model: Annotated[ModelName | None, Query()] = None,
) -> Response:
    """List stored chat completions: of all, those of `model` with every `metadata[key]=value`."""
    metadata, within = metadata_filter(request), request.app.state.settings.search_timeout
    found = await store.chat_completions.search(project, page, model=model, metadata=metadata, within=within)
    return ok_list(found)


@router.get("/{completion_id}", response_model=StoredCompletion)
async def get_chat_completion(completion_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a stored chat completion."""
    return ok(await store.chat_completions.get(project, completion_id))


@router.post("/{completion_id}", response_model=StoredCompletion)
async def modify_chat_completion(
    completion_id: str, body: ChatCompletionUpdate, project: ProjectId, store: TheStore
) -> Response:
    """Replace the metadata of a stored chat completion."""
    return ok(await store.chat_completions.patch(project, completion_id, {"metadata": body.metadata or {}}))


@router.delete("/{completion_id}", response_model=Deleted)
async def delete_chat_completion(completion_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a stored chat completion with its messages."""
    return ok(await store.chat_completions.delete(project, completion_id, "chat.completion.deleted"))


@router.get("/{completion_id}/messages", response_model=ObjectList[StoredMessage])
async def list_chat_completion_messages(
    completion_id: str, page: OldestFirst, project: ProjectId, store: TheStore
) -> Response:
    """List the messages that a stored chat completion answers."""
    await store.chat_completions.get(project, completion_id)
    return ok_list(await store.chat_completion_messages.page(project, page, completion_id))
