"""`/v1/assistants`"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..knowledge import resources
from ..runs import compose
from ..wire.assistants import Assistant, AssistantCreate, AssistantModify
from ..wire.common import Deleted, ObjectList
from .http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/assistants", tags=["Assistants"], route_class=JsonRoute)


@router.post("", response_model=Assistant)
async def create_assistant(body: AssistantCreate, request: Request, project: ProjectId, store: TheStore) -> Response:
    """Create an assistant."""
    request.app.state.models.resolve(body.model)
    assistant = compose.assistant(body)
    if body.tool_resources:
        assistant.tool_resources = await resources.resolve(store, project, body.tool_resources)
    await store.assistants.add(project, assistant)
    return ok(assistant)


@router.get("", response_model=ObjectList[Assistant])
async def list_assistants(page: Page, project: ProjectId, store: TheStore) -> Response:
    """List assistants."""
    return ok_list(await store.assistants.page(project, page))


@router.get("/{assistant_id}", response_model=Assistant)
async def get_assistant(assistant_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve an assistant."""
    return ok(await store.assistants.get(project, assistant_id))


@router.post("/{assistant_id}", response_model=Assistant)
async def modify_assistant(
    assistant_id: str, body: AssistantModify, request: Request, project: ProjectId, store: TheStore
) -> Response:
    """Modify an assistant: fields that are not sent stay as they are."""
    if body.model is not None:
        request.app.state.models.resolve(body.model)
    patch = compose.assistant_patch(body)
    if body.tool_resources:
        await store.assistants.get(project, assistant_id)
        patch["tool_resources"] = (await resources.resolve(store, project, body.tool_resources)).model_dump()
    return ok(await store.assistants.patch(project, assistant_id, patch))


@router.delete("/{assistant_id}", response_model=Deleted)
async def delete_assistant(assistant_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete an assistant. Its threads and runs stay."""
    return ok(await store.assistants.delete(project, assistant_id, "assistant.deleted"))
