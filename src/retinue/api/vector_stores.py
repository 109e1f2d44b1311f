"""`/v1/vector_stores`, their files and file batches."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from ..errors import InvalidRequest
from ..knowledge import stores
from ..wire.common import Deleted, ObjectList
from ..wire.vector_stores import (
    FileBatch,
    FileBatchCreate,
    FileContent,
    FileContentPart,
    FileProgress,
    ProcessingStatus,
    VectorStore,
    VectorStoreCreate,
    VectorStoreFile,
    VectorStoreFileCreate,
    VectorStoreFileModify,
    VectorStoreModify,
)
from .http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/vector_stores", tags=["Vector stores"], route_class=JsonRoute)

Filter = Annotated[ProcessingStatus | None, Query()]


# --- stores


@router.post("", response_model=VectorStore)
async def create_vector_store(project: ProjectId, store: TheStore, body: VectorStoreCreate | None = None) -> Response:
    """Create a vector store, with files if there are any."""
    wanted = body or VectorStoreCreate()
    made = await stores.create(
        store,
        project,
        wanted.file_ids,
        chunking=wanted.chunking_strategy,
        name=wanted.name,
        description=wanted.description,
        expires_after=wanted.expires_after,
        metadata=wanted.metadata,
    )
    return ok(made)


@router.get("", response_model=ObjectList[VectorStore])
async def list_vector_stores(page: Page, project: ProjectId, store: TheStore) -> Response:
    """List vector stores."""
    return ok_list(await store.vector_stores.page(project, page))


@router.get("/{vector_store_id}", response_model=VectorStore)
async def get_vector_store(vector_store_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a vector store."""
    return ok(await store.vector_stores.get(project, vector_store_id))


@router.post("/{vector_store_id}", response_model=VectorStore)
async def modify_vector_store(
    vector_store_id: str, body: VectorStoreModify, project: ProjectId, store: TheStore
) -> Response:
    """Modify a vector store: fields that are not sent stay as they are."""
    empty: dict[str, Any] = {"name": "", "metadata": {}}
    patch = {
        name: empty.get(name) if value is None else value for name, value in body.model_dump(exclude_unset=True).items()
    }
    if "expires_after" in patch and (await store.vector_stores.get(project, vector_store_id)).status == "expired":
        raise InvalidRequest(f"The vector store {vector_store_id} has expired.", param="expires_after")
    return ok(await store.vector_stores.modify(project, vector_store_id, patch))


@router.delete("/{vector_store_id}", response_model=Deleted)
async def delete_vector_store(vector_store_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a vector store. The files themselves stay."""
    return ok(await store.vector_stores.delete(project, vector_store_id, "vector_store.deleted"))


# --- files


@router.post("/{vector_store_id}/files", response_model=VectorStoreFile)
async def create_vector_store_file(
    vector_store_id: str, body: VectorStoreFileCreate, project: ProjectId, store: TheStore
) -> Response:
    """Put a file into a vector store, to be made searchable."""
    return ok(await stores.attach_one(store, project, vector_store_id, body))


@router.get("/{vector_store_id}/files", response_model=ObjectList[VectorStoreFile])
async def list_vector_store_files(
    vector_store_id: str, page: Page, project: ProjectId, store: TheStore, filter: Filter = None
) -> Response:
    """List the files of a vector store, those in one state if `filter` is given."""
    await store.vector_stores.get(project, vector_store_id)
    where, values = _in_state(filter)
    return ok_list(await store.vector_store_files.page(project, page, vector_store_id, where, None, **values))


@router.get("/{vector_store_id}/files/{file_id}", response_model=VectorStoreFile)
async def get_vector_store_file(vector_store_id: str, file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a file of a vector store."""
    return ok(await store.vector_store_files.get(project, file_id, vector_store_id))


@router.post("/{vector_store_id}/files/{file_id}", response_model=VectorStoreFile)
async def modify_vector_store_file(
    vector_store_id: str, file_id: str, body: VectorStoreFileModify, project: ProjectId, store: TheStore
) -> Response:
    """Modify the attributes of a file of a vector store."""
    patch = {"attributes": body.attributes or {}}
    return ok(await store.vector_store_files.patch(project, file_id, patch, vector_store_id))


@router.delete("/{vector_store_id}/files/{file_id}", response_model=Deleted)
async def delete_vector_store_file(vector_store_id: str, file_id: str, project: ProjectId, store: TheStore) -> Response:
    """Take a file out of a vector store. The file itself stays."""
    return ok(await stores.detach(store, project, vector_store_id, file_id))


@router.get("/{vector_store_id}/files/{file_id}/progress", response_model=FileProgress)
async def get_vector_store_file_progress(
    vector_store_id: str, file_id: str, project: ProjectId, store: TheStore
) -> Response:
    """Retrieve how far the processing of a file of a vector store has come."""
    return ok(await stores.progress(store, project, vector_store_id, file_id))


@router.get("/{vector_store_id}/files/{file_id}/content", response_model=FileContent)
async def get_vector_store_file_content(
    vector_store_id: str, file_id: str, project: ProjectId, store: TheStore
) -> Response:
    """Retrieve the text that was read in a file of a vector store."""
    await store.vector_store_files.get(project, file_id, vector_store_id)
    text = await store.vector_store_files.content(project, vector_store_id, file_id)
    return ok(FileContent(data=[FileContentPart(text=text)] if text else []))


# --- batches


@router.post("/{vector_store_id}/file_batches", response_model=FileBatch)
async def create_file_batch(
    vector_store_id: str, body: FileBatchCreate, project: ProjectId, store: TheStore
) -> Response:
    """Put several files into a vector store together."""
    if (body.file_ids is None) == (body.files is None):
        raise InvalidRequest("Give either 'file_ids' or 'files'.", param="file_ids")
    wanted = body.files or [
        VectorStoreFileCreate(file_id=one, chunking_strategy=body.chunking_strategy, attributes=body.attributes)
        for one in body.file_ids or ()
    ]
    return ok(await stores.attach_batch(store, project, vector_store_id, wanted))


@router.get("/{vector_store_id}/file_batches/{batch_id}", response_model=FileBatch)
async def get_file_batch(vector_store_id: str, batch_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a file batch."""
    return ok(await store.file_batches.get(project, batch_id, vector_store_id))


@router.post("/{vector_store_id}/file_batches/{batch_id}/cancel", response_model=FileBatch)
async def cancel_file_batch(vector_store_id: str, batch_id: str, project: ProjectId, store: TheStore) -> Response:
    """Cancel those files of a batch that are not searchable yet."""
    return ok(await store.file_batches.cancel(project, vector_store_id, batch_id))


@router.get("/{vector_store_id}/file_batches/{batch_id}/files", response_model=ObjectList[VectorStoreFile])
async def list_file_batch_files(
    vector_store_id: str, batch_id: str, page: Page, project: ProjectId, store: TheStore, filter: Filter = None
) -> Response:
    """List the files of a batch, those in one state if `filter` is given."""
    await store.file_batches.get(project, batch_id, vector_store_id)
    where, values = _in_state(filter)
    where = f"{where} and batch_id = %(batch)s" if where else "batch_id = %(batch)s"
    values["batch"] = batch_id
    return ok_list(await store.vector_store_files.page(project, page, vector_store_id, where, None, **values))


def _in_state(filter: ProcessingStatus | None) -> tuple[str, dict[str, str]]:
    """A condition on files, and its parameters."""
    return ("status = %(status)s", {"status": filter}) if filter else ("", {})
