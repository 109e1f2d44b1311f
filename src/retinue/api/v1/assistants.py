"""`/v1/assistants` in version 1, and the files of assistants."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ...errors import NotFound
from ...knowledge import resources
from ...runs import compose
from ...wire import v1
from ...wire.common import Deleted, ObjectList
from ...wire.files import FileObject
from ..http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list
from . import assistant_files, requests, views
from .paging import page_of

router = APIRouter(prefix="/v1/assistants", tags=["Assistants"], route_class=JsonRoute)

_NOUN = "assistant file"


@router.post("", response_model=v1.Assistant)
async def create_assistant(body: v1.AssistantCreate, request: Request, project: ProjectId, store: TheStore) -> Response:
    """Create an assistant."""
    request.app.state.models.resolve(body.model)
    wanted = requests.assistant_create(body)
    assistant = compose.assistant(wanted)
    if wanted.tool_resources:
        assistant.tool_resources = await resources.resolve(store, project, wanted.tool_resources)
    await store.assistants.add(project, assistant)
    return ok(views.assistant(assistant, body.file_ids or ()))


@router.get("", response_model=ObjectList[v1.Assistant])
async def list_assistants(page: Page, project: ProjectId, store: TheStore) -> Response:
    """List assistants."""
    found = await store.assistants.page(project, page)
    files = await assistant_files.of_all(store, project, found.data)
    return ok_list(views.listed(found, lambda one: views.assistant(one, files[one.id])))


@router.get("/{assistant_id}", response_model=v1.Assistant)
async def get_assistant(assistant_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve an assistant."""
    assistant = await store.assistants.get(project, assistant_id)
    return ok(views.assistant(assistant, await assistant_files.of(store, project, assistant)))


@router.post("/{assistant_id}", response_model=v1.Assistant)
async def modify_assistant(
    assistant_id: str, body: v1.AssistantModify, request: Request, project: ProjectId, store: TheStore
) -> Response:
    """Modify an assistant: fields that are not sent stay as they are."""
    if body.model is not None:
        request.app.state.models.resolve(body.model)
    patch = compose.assistant_patch(requests.assistant_modify(body))
    assistant = await assistant_files.modify(store, project, assistant_id, patch, body.file_ids)
    return ok(views.assistant(assistant, await assistant_files.of(store, project, assistant)))


@router.delete("/{assistant_id}", response_model=Deleted)
async def delete_assistant(assistant_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete an assistant. Its files, threads and runs stay."""
    return ok(await store.assistants.delete(project, assistant_id, "assistant.deleted"))


@router.post("/{assistant_id}/files", response_model=v1.AssistantFile)
async def create_assistant_file(
    assistant_id: str, body: v1.AssistantFileCreate, project: ProjectId, store: TheStore
) -> Response:
    """Give a file to an assistant."""
    assistant = await store.assistants.get(project, assistant_id)
    (file,) = await store.files.require(project, [body.file_id])
    await assistant_files.add(store, project, assistant, file.id)
    return ok(_shown(assistant_id, file))


@router.get("/{assistant_id}/files", response_model=ObjectList[v1.AssistantFile])
async def list_assistant_files(assistant_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List the files of an assistant."""
    assistant = await store.assistants.get(project, assistant_id)
    found = await store.files.find(project, await assistant_files.of(store, project, assistant))
    return ok_list(page_of([_shown(assistant_id, file) for file in found.values()], page, _NOUN))


@router.get("/{assistant_id}/files/{file_id}", response_model=v1.AssistantFile)
async def get_assistant_file(assistant_id: str, file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a file of an assistant."""
    assistant = await store.assistants.get(project, assistant_id)
    if file_id not in await assistant_files.of(store, project, assistant):
        raise _not_found(file_id)
    (file,) = await store.files.require(project, [file_id])
    return ok(_shown(assistant_id, file))


@router.delete("/{assistant_id}/files/{file_id}", response_model=Deleted)
async def delete_assistant_file(assistant_id: str, file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Take a file from an assistant. The file itself stays."""
    assistant = await store.assistants.get(project, assistant_id)
    if file_id not in await assistant_files.of(store, project, assistant):
        raise _not_found(file_id)
    await assistant_files.remove(store, project, assistant, file_id)
    return ok(Deleted(id=file_id, object="assistant.file.deleted"))


def _shown(assistant_id: str, file: FileObject) -> v1.AssistantFile:
    return v1.AssistantFile(id=file.id, created_at=file.created_at, assistant_id=assistant_id)


def _not_found(file_id: str) -> NotFound:
    return NotFound(f"No {_NOUN} found with id '{file_id}'.")
