"""Vector stores, their files and batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import InvalidRequest, NotFound
from ..wire.files import FileObject
from ..wire.vector_stores import FileBatch, ProcessingError, ProcessingStatus, VectorStore, VectorStoreFile
from .chunks import Claim
from .database import Connection, Database
from .objects import Objects
from .queue import Queue
from .storage import Storage

#: The kind of job that makes a file of a vector store searchable. Its id is the file's position.
INGEST = "ingest_file"

_ADD_STORE = "insert into vector_stores (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb)"

#: Also locks the store until the transaction ends: files come into a store one request after the other.
_TOUCH = """
    update vector_stores set body = active(body)
    where id = %(store)s and project_id = %(project)s and (expires_at is null or expires_at > extract(epoch from now()))
    returning id
"""

_MODIFY = """
    update vector_stores set body = case when expires_at <= extract(epoch from now()) then body || %(patch)s::jsonb
        else active(body || %(patch)s::jsonb) end
    where id = %(store)s and project_id = %(project)s returning shown(vector_stores)
"""

#: Takes out of a store what is about to be put in anew; says how many others there are.
_MAKE_ROOM = """
    with gone as (
        delete from vector_store_files where vector_store_id = %(store)s and id = any(%(ids)s) returning id
    )
    select count(*) - (select count(*) from gone) from vector_store_files where vector_store_id = %(store)s
"""

_THERE = """
    select id from vector_store_files
    where vector_store_id = %(store)s and project_id = %(project)s and id = any(%(ids)s)
"""

_TAKE_OUT = """
    delete from vector_store_files
    where vector_store_id = %(store)s and project_id = %(project)s and id = any(%(ids)s)
"""

_ADD_BATCH = """
    insert into file_batches (id, project_id, vector_store_id, body)
    values (%(batch)s, %(project)s, %(store)s, %(body)s::jsonb)
"""

_ADD_FILES = """
    insert into vector_store_files (id, project_id, vector_store_id, batch_id, body)
    select files.id, %(project)s, %(store)s, %(batch)s, new_file.body::jsonb
    from unnest(%(ids)s::text[], %(bodies)s::text[]) with ordinality as new_file (id, body, number)
    join files on files.id = new_file.id and files.project_id = %(project)s
    order by number returning id, position
"""

_FILE_IDS = """
    select store, file.id from unnest(%(stores)s::text[]) as store, lateral (
        select id, position from vector_store_files where vector_store_id = store and project_id = %(project)s
        order by position limit %(limit)s
    ) as file
    order by file.position
"""

_CANCEL_BATCH = """
    with batch as (
        update file_batches set body = body || '{"status": "cancelled"}'
        where id = %(batch)s and vector_store_id = %(store)s and project_id = %(project)s
            and exists (select from vector_store_files where batch_id = %(batch)s and status = 'in_progress')
        returning id
    )
    update vector_store_files set body = vector_store_files.body || '{"status": "cancelled"}'
    from batch where batch_id = batch.id and status = 'in_progress'
"""

_CLAIM = """
    update vector_store_files as claimed set attempts = attempts + 1
    from vector_stores as store
    where claimed.position = %(position)s and claimed.status = 'in_progress' and store.id = claimed.vector_store_id
    returning attempts, claimed.body, (select body from files where files.id = claimed.id), claimed.project_id,
        store.id, store.position, store.embedding_model, case when cut then claimed.chunks end
"""

_NAME_EMBEDDER = """
    update vector_stores set embedding_model = coalesce(embedding_model, %(model)s)
    where id = %(store)s and project_id = %(project)s returning embedding_model
"""

#: The file's state tells of its chunks from now on; who is late finds the file no longer in progress.
_COMPLETE = """
    update vector_store_files set body = body || '{"status": "completed"}' || jsonb_build_object('usage_bytes', (
        select coalesce(sum(octet_length(text)), 0) from chunks where file = %(position)s
    ) + (select coalesce(sum(pg_column_size(vector)), 0) from chunk_vectors where file = %(position)s))
    where position = %(position)s and attempts = %(attempt)s and status = 'in_progress'
"""

_FAIL = """
    update vector_store_files set body = body || %(patch)s::jsonb
    where position = %(position)s and attempts = %(attempt)s and status = 'in_progress'
"""

_PROGRESS = """
    select status, attempts, cut, (select count(*) from chunks where file = position),
        case when status = 'in_progress' then (select count(*) from chunk_vectors where file = position) else chunks end
    from vector_store_files
    where id = %(file)s and vector_store_id = %(store)s and project_id = %(project)s
"""

#: Chunks overlap: of each, what lies behind the end of the one before.
_CONTENT = """
    select coalesce(string_agg(substr(text, greatest(before - start_index, 0) + 1), '' order by number), '')
    from (
        select number, start_index, text, lag(start_index + length(text), 1, 0) over (order by number) as before
        from chunks join vector_store_files as held on held.position = chunks.file
        where held.vector_store_id = %(store)s and held.id = %(file)s and held.project_id = %(project)s
            and held.status = 'completed'
    ) as chunk
"""

#: Files that wait to be processed although there is no job for them: their job failed.
_FORGOTTEN = """
    select position from vector_store_files where status = 'in_progress' and not exists (
        select from procrastinate_jobs
        where task_name = %(kind)s and status in ('todo', 'doing') and args ->> 'identifier' = position::text
    )
    order by position limit %(limit)s
"""

_EMPTY_EXPIRED = """
    with due as (
        update vector_stores
        set emptied = true, chunks = 0, words = 0, tail = 0, generation = generation + 1 where id in (
            select id from vector_stores where not emptied and expires_at <= extract(epoch from now())
            order by expires_at limit %(limit)s for update skip locked
        )
        returning id, position
    ), gone as (
        insert into gone_files (file, store)
        select held.position, due.position from due join vector_store_files as held on held.vector_store_id = due.id
        on conflict do nothing
    )
    update vector_store_files set body = body || '{"usage_bytes": 0}'
        || case when status = 'in_progress' then '{"status": "cancelled"}'::jsonb else '{}' end
    from due where vector_store_id = due.id
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the processing of a file has come."""

    status: ProcessingStatus
    #: How often it has begun.
    attempts: int
    #: Whether all chunks have been written.
    cut: bool
    #: Chunks that there are, and how many of them have vectors.
    chunks: int
    embedded: int


class VectorStores(Objects[VectorStore]):
    """Vector stores of a project."""

    def __init__(self, database: Database, queue: Queue, storage: Storage, *, max_files: int) -> None:
        """`max_files`: the most files in one store."""
        super().__init__(database, "vector_stores", VectorStore, "vector store", shown="shown(vector_stores)")
        self._queue = queue
        self._storage = storage
        self._max_files = max_files

    async def add(self, project: str, store: VectorStore, files: Sequence[VectorStoreFile] = ()) -> None:
        """Keep a new store with its first files, which are processed then: all or nothing.

        Raises:
            NotFound: the project has no such file.
            InvalidRequest: there are too many files.
        """
        async with self._database.transaction() as connection:
            values = {"id": store.id, "project": project, "body": store.model_dump_json()}
            await connection.execute(_ADD_STORE, values)
            await self._put(connection, project, store.id, files, None)

    async def modify(self, project: str, identifier: str, patch: dict[str, Any]) -> VectorStore:
        """Replace the given top-level fields of a store; it counts as active now, unless it has expired.

        Raises:
            NotFound: the project has no such store.
        """
        values = {"project": project, "store": identifier, "patch": orjson.dumps(patch).decode()}
        row = await self._database.row(_MODIFY, values)
        if row is None:
            raise self.not_found(identifier)
        return VectorStore.model_validate_json(row[0])

    async def attach(
        self, project: str, identifier: str, files: Sequence[VectorStoreFile], batch: FileBatch | None = None
    ) -> None:
        """Put files into a store, to be processed: all or nothing. One that is there already is processed anew.

        Args:
            project: the caller's project.
            identifier: the store's id.
            files: the files, each once.
            batch: the batch that they make up, if they are to.

        Raises:
            NotFound: the project has no such store or file.
            InvalidRequest: the store has expired, or would have too many files.
        """
        async with self._database.transaction() as connection:
            await self._touch(connection, project, identifier)
            await self._put(connection, project, identifier, files, batch)

    async def exchange(
        self,
        connection: Connection,
        project: str,
        identifier: str,
        come: Sequence[VectorStoreFile],
        leave: Sequence[str],
    ) -> None:
        """Put files into a store and take others out, as a part of a transaction.

        Args:
            connection: in the transaction.
            project: the caller's project.
            identifier: the store's id.
            come: the files to put in, each once. Those that are there already are left as they are.
            leave: the ids of the files to take out. Those that are not there need not be.

        Raises:
            NotFound: the project has no such store or file.
            InvalidRequest: the store has expired, or would have too many files.
        """
        await self._touch(connection, project, identifier)
        values = {"project": project, "store": identifier}
        await connection.execute(_TAKE_OUT, {**values, "ids": list(leave)})
        rows = await connection.execute(_THERE, {**values, "ids": [file.id for file in come]})
        there = {str(row[0]) for row in await rows.fetchall()}
        await self._put(connection, project, identifier, [file for file in come if file.id not in there], None)

    async def _touch(self, connection: Connection, project: str, identifier: str) -> None:
        """Count a store as active, and lock it until the transaction ends. Raises as `attach`."""
        touched = await connection.execute(_TOUCH, {"project": project, "store": identifier})
        if await touched.fetchone() is None:
            await self.get(project, identifier)
            raise InvalidRequest(f"The vector store {identifier} has expired. Make a new one with its files.")

    async def _put(
        self,
        connection: Connection,
        project: str,
        store: str,
        files: Sequence[VectorStoreFile],
        batch: FileBatch | None,
    ) -> None:
        if not files:
            return
        values: dict[str, Any] = {
            "project": project,
            "store": store,
            "batch": batch.id if batch else None,
            "body": batch.model_dump_json() if batch else None,
            "ids": [file.id for file in files],
            "bodies": [file.model_dump_json() for file in files],
        }
        # How much it will be is not known yet: whoever has anything left may go on.
        await self._storage.require(project, 1, connection)
        others = await (await connection.execute(_MAKE_ROOM, values)).fetchone()
        if others and others[0] + len(files) > self._max_files:
            raise InvalidRequest(f"A vector store takes at most {self._max_files} files.")
        if batch:
            await connection.execute(_ADD_BATCH, values)
        rows = await (await connection.execute(_ADD_FILES, values)).fetchall()
        added = {str(row[0]) for row in rows}
        for file in files:
            if file.id not in added:
                raise NotFound(f"No file found with id '{file.id}'.")
        await self._queue.defer_all(INGEST, [str(row[1]) for row in rows], connection)

    async def file_ids(self, project: str, identifier: str, limit: int) -> list[str]:
        """The ids of the files in a store, in the order in which they came, at most `limit`."""
        return (await self.file_ids_of(project, [identifier], limit))[identifier]

    async def file_ids_of(self, project: str, identifiers: Sequence[str], limit: int) -> dict[str, list[str]]:
        """As `file_ids`, of several stores."""
        values = {"project": project, "stores": list(set(identifiers)), "limit": limit}
        found: dict[str, list[str]] = {identifier: [] for identifier in identifiers}
        for row in await self._database.rows(_FILE_IDS, values):
            found[str(row[0])].append(str(row[1]))
        return found

    async def name_embedder(self, project: str, identifier: str, model: str) -> str | None:
        """Settle which model a store's vectors are of: the one it has, or else this one. None if the store is gone."""
        values = {"project": project, "store": identifier, "model": model}
        row = await self._database.row(_NAME_EMBEDDER, values)
        return str(row[0]) if row else None

    async def sweep(self, limit: int = 100) -> None:
        """Drop the chunks of stores that have expired, and put files without a job on the queue again."""
        await self._database.execute(_EMPTY_EXPIRED, {"limit": limit})
        forgotten = await self._database.rows(_FORGOTTEN, {"kind": INGEST, "limit": limit})
        if forgotten:
            await self._queue.defer_all(INGEST, [str(row[0]) for row in forgotten])


class VectorStoreFiles(Objects[VectorStoreFile]):
    """Files of a vector store, by the ids of the files."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "vector_store_files", VectorStoreFile, "vector store file", parent="vector_store_id")

    async def content(self, project: str, store: str, file: str) -> str:
        """The text that was read in a file; `""` as long as, or if, it could not be read."""
        row = await self._database.row(_CONTENT, {"project": project, "store": store, "file": file})
        return str(row[0]) if row else ""

    async def progress(self, project: str, store: str, file: str) -> Progress:
        """How far the processing of a file has come.

        Raises:
            NotFound: the project has no such file in this store.
        """
        row = await self._database.row(_PROGRESS, {"project": project, "store": store, "file": file})
        if row is None:
            raise self.not_found(file)
        return Progress(*row)

    async def claim(self, position: int) -> Claim | None:
        """What to process at a position; None if there is nothing to do there any more."""
        row = await self._database.row(_CLAIM, {"position": position})
        if row is None:
            return None
        return Claim(
            position=position,
            attempt=row[0],
            project=row[3],
            store=row[4],
            store_position=row[5],
            chunking=VectorStoreFile.model_validate_json(row[1]).chunking_strategy,
            file=FileObject.model_validate_json(row[2]),
            embedding_model=row[6],
            cut=row[7],
        )

    async def complete(self, claim: Claim) -> bool:
        """A file's chunks are all there. Says whether the claim stood (see `Chunks`)."""
        return bool(await self._database.execute(_COMPLETE, {"position": claim.position, "attempt": claim.attempt}))

    async def fail(self, claim: Claim, error: ProcessingError) -> bool:
        """Say why a file has no chunks; what there is of them goes. Says whether the claim stood."""
        patch = orjson.dumps({"status": "failed", "last_error": error.model_dump()}).decode()
        values = {"position": claim.position, "attempt": claim.attempt, "patch": patch}
        return bool(await self._database.execute(_FAIL, values))


class FileBatches(Objects[FileBatch]):
    """Batches of files of a vector store."""

    def __init__(self, database: Database) -> None:
        super().__init__(
            database,
            "file_batches",
            FileBatch,
            "file batch",
            parent="vector_store_id",
            shown="shown(file_batches)",
        )

    async def cancel(self, project: str, store: str, identifier: str) -> FileBatch:
        """Cancel the files of a batch that are not processed yet; a batch without such stays as it is.

        Raises:
            NotFound: the project has no such batch in this store.
        """
        await self._database.execute(_CANCEL_BATCH, {"project": project, "store": store, "batch": identifier})
        return await self.get(project, identifier, store)
