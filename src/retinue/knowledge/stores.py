"""Vector stores: how they begin, and how files come into them and leave."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

from ..errors import NotFound
from ..store.database import Connection
from ..store.ids import new_id
from ..store.store import Store
from ..wire.common import Deleted
from ..wire.vector_stores import (
    DEFAULT_CHUNKING,
    Chunking,
    FileBatch,
    FileProgress,
    StaticChunking,
    StoreExpiration,
    VectorStore,
    VectorStoreFile,
    VectorStoreFileCreate,
)


async def create(
    store: Store,
    project: str,
    file_ids: Sequence[str] = (),
    *,
    chunking: Chunking | None = None,
    name: str | None = None,
    description: str | None = None,
    expires_after: StoreExpiration | None = None,
    metadata: dict[str, str] | None = None,
) -> VectorStore:
    """Make a vector store with its first files, which are processed then.

    Args:
        store: where everything is.
        project: the caller's project.
        file_ids: ids of the files.
        chunking: how to cut them.
        name: see `VectorStore`, as for what follows.
        description: see there.
        expires_after: see there.
        metadata: see there.

    Raises:
        NotFound: there is no such file.
        InvalidRequest: there are too many files.
    """
    now = int(time.time())
    made = VectorStore(
        id=new_id("vs_"),
        created_at=now,
        name=name or "",
        description=description,
        expires_after=expires_after,
        expires_at=now + expires_after.days * 86_400 if expires_after else None,
        last_active_at=now,
        metadata=metadata or {},
    )
    await store.vector_stores.add(project, made, _files(made.id, _wanted(file_ids, chunking)))
    return await store.vector_stores.get(project, made.id)


async def attach(
    store: Store, project: str, vector_store: str, file_ids: Sequence[str], chunking: Chunking | None = None
) -> None:
    """Put files into a vector store; they are processed then. One that is there already is processed anew.

    Args:
        store: where everything is.
        project: the caller's project.
        vector_store: the store's id.
        file_ids: ids of the files.
        chunking: how to cut them.

    Raises:
        NotFound: there is no such store or file.
        InvalidRequest: the store has expired, or would have too many files.
    """
    await store.vector_stores.attach(project, vector_store, _files(vector_store, _wanted(file_ids, chunking)))


async def ensure(
    store: Store,
    project: str,
    given: str | None,
    file_ids: Sequence[str],
    *,
    expires_after: StoreExpiration | None = None,
) -> str:
    """The id of a vector store that holds these files: the given one, or a new one if it is none or no longer usable.

    Args:
        store: where everything is.
        project: the caller's project.
        given: a store's id. If that store has expired, a new one takes over its files.
        file_ids: ids of the files. Those that are there already are left as they are.
        expires_after: of a new store.

    Raises:
        NotFound: there is no such file.
        InvalidRequest: the store would have too many files.
    """
    found: VectorStore | None = None
    there: list[str] = []
    if given:
        with contextlib.suppress(NotFound):
            found = await store.vector_stores.get(project, given)
    if found:
        there = await store.vector_stores.file_ids(project, found.id, found.file_counts.total)
        if found.status != "expired":
            await attach(store, project, found.id, [file for file in file_ids if file not in there])
            return found.id
    return (await create(store, project, [*there, *file_ids], expires_after=expires_after)).id


async def attach_one(store: Store, project: str, vector_store: str, wanted: VectorStoreFileCreate) -> VectorStoreFile:
    """Put one file into a vector store. As `attach` otherwise."""
    files = _files(vector_store, [wanted])
    await store.vector_stores.attach(project, vector_store, files)
    return files[0]


async def attach_batch(
    store: Store, project: str, vector_store: str, wanted: Sequence[VectorStoreFileCreate]
) -> FileBatch:
    """Put files into a vector store as a batch. As `attach` otherwise."""
    batch = FileBatch(id=new_id("vsfb_"), created_at=int(time.time()), vector_store_id=vector_store)
    await store.vector_stores.attach(project, vector_store, _files(vector_store, wanted), batch)
    return await store.file_batches.get(project, batch.id, vector_store)


async def detach(store: Store, project: str, vector_store: str, file: str) -> Deleted:
    """Take a file out of a vector store, with its chunks. The file itself stays.

    Raises:
        NotFound: there is no such file in such a store.
    """
    return await store.vector_store_files.delete(project, file, "vector_store.file.deleted", vector_store)


async def exchange(
    store: Store,
    connection: Connection,
    project: str,
    vector_store: str,
    come: Sequence[str],
    leave: Sequence[str],
) -> None:
    """Put files into a vector store and take others out, as a part of a transaction; the new ones are processed then.

    Args:
        store: where everything is.
        connection: in the transaction.
        project: the caller's project.
        vector_store: the store's id.
        come: ids of files to put in. Those that are there already are left as they are.
        leave: ids of files to take out. Those that are not there need not be.

    Raises:
        NotFound: there is no such store or file.
        InvalidRequest: the store has expired, or would have too many files.
    """
    files = _files(vector_store, _wanted(come, None))
    await store.vector_stores.exchange(connection, project, vector_store, files, leave)


async def progress(store: Store, project: str, vector_store: str, file: str) -> FileProgress:
    """How far the processing of a file has come.

    Raises:
        NotFound: there is no such file in such a store.
    """
    found = await store.vector_store_files.progress(project, vector_store, file)
    match found.status:
        case "in_progress":
            stage = "embedding" if found.cut else "reading" if found.attempts else "waiting"
        case "completed":
            stage = "done"
        case "failed" | "cancelled":
            stage = found.status
    return FileProgress(
        vector_store_id=vector_store,
        file_id=file,
        stage=stage,
        chunks=found.chunks,
        chunks_embedded=found.embedded,
        attempts=found.attempts,
    )


def _wanted(file_ids: Sequence[str], chunking: Chunking | None) -> list[VectorStoreFileCreate]:
    return [VectorStoreFileCreate(file_id=file, chunking_strategy=chunking) for file in file_ids]


def _files(vector_store: str, wanted: Sequence[VectorStoreFileCreate]) -> list[VectorStoreFile]:
    """The files as they are in the store before they are processed, each once."""
    now = int(time.time())
    files = {
        one.file_id: VectorStoreFile(
            id=one.file_id,
            created_at=now,
            vector_store_id=vector_store,
            chunking_strategy=(
                one.chunking_strategy if isinstance(one.chunking_strategy, StaticChunking) else DEFAULT_CHUNKING
            ),
            attributes=one.attributes or {},
        )
        for one in wanted
    }
    return list(files.values())
