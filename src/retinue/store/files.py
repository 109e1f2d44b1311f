"""Files: what they are called in the database, what is in them in the blob store."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psycopg

from ..errors import InvalidRequest
from ..wire.common import Deleted
from ..wire.files import FileExpiration, FileObject, FilePurpose
from .audit import PRINCIPAL, principal
from .database import Connection, Database
from .ids import new_id
from .loose_blobs import TAKEN, LooseBlobs
from .objects import Objects
from .storage import Storage

#: The key of a file's blob is the file's id, in a folder of its own.
_KEY = "'files/' || id"

#: Seconds after which a file for a batch expires unless its upload says otherwise.
_BATCH_EXPIRY = 30 * 86_400

#: The file takes over its blob, unless the sweep was quicker, or the project may not store so much.
_ADD = f"""
    with taken as (
        delete from loose_blobs
        where {TAKEN} and coalesce(storage_left(%(project)s, %(most)s::bigint) >= %(size)s, true)
        returning key
    )
    insert into files (id, project_id, uploaded_by, body)
    select %(id)s, %(project)s, {PRINCIPAL}, %(body)s::jsonb from taken
"""  # noqa: S608

_FIND = "select id, body from files where project_id = %(project)s and id = any(%(ids)s)"

_UPLOADS = f"""
    select id, uploaded_by is not distinct from {PRINCIPAL} from files
    where project_id = %(project)s and id = any(%(ids)s) and uploaded_by is not null
"""  # noqa: S608
_OTHERS_IN_STORE = f"""
    select true from vector_store_files join files using (id)
    where vector_store_id = %(store)s and files.project_id = %(project)s
        and uploaded_by is distinct from {PRINCIPAL} and uploaded_by is not null
    limit 1
"""  # noqa: S608

_OF_CODE_INTERPRETER = """
    select body from files where project_id = %(project)s and id in (
        select jsonb_array_elements_text(owner #> '{tool_resources,code_interpreter,file_ids}') from (
            select body as owner from assistants where id = %(assistant)s and project_id = %(project)s
            union all select body from threads where id = %(thread)s and project_id = %(project)s
        ) as owners
        where jsonb_typeof(owner #> '{tool_resources,code_interpreter,file_ids}') = 'array'
    )
    order by position
"""

_DELETE = f"""
    with gone as (
        delete from files where id = %(id)s and project_id = %(project)s returning id
    ), loose as (
        insert into loose_blobs (key, due_at) select {_KEY}, now() from gone
    )
    select id from gone
"""  # noqa: S608

_EXPIRE = f"""
    with due as (
        select id from files where expires_at <= extract(epoch from now()) order by expires_at limit %(limit)s
        for update skip locked
    ), gone as (
        delete from files using due where files.id = due.id returning files.id
    )
    insert into loose_blobs (key, due_at) select {_KEY}, now() from gone
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Received:
    """Content that has been kept and belongs to no file yet."""

    #: Of the file that is to be.
    id: str
    size: int
    #: In hexadecimal digits.
    sha256: str

    def file(self, filename: str, purpose: FilePurpose, expires_after: FileExpiration | None = None) -> FileObject:
        """The file that becomes of it now."""
        now = int(time.time())
        seconds = expires_after.seconds if expires_after else _BATCH_EXPIRY if purpose == "batch" else None
        return FileObject(
            id=self.id,
            bytes=self.size,
            created_at=now,
            expires_at=None if seconds is None else now + seconds,
            filename=filename,
            purpose=purpose,
            sha256=self.sha256,
        )


#: Where the server itself has made something.
_BY_NOBODY: Mapping[str, str | None] = {"by_user": None, "by_key": None}


async def _once(content: bytes) -> AsyncGenerator[bytes]:
    yield content


def blob_of(file: str) -> str:
    """The key of what is in a file, in the blob store."""
    return f"files/{file}"


class Files(Objects[FileObject]):
    """Files of a project."""

    def __init__(self, database: Database, loose: LooseBlobs, storage: Storage, *, upload_timeout: float) -> None:
        """`upload_timeout`: seconds within which content becomes a file; it is deleted after twice that."""
        super().__init__(database, "files", FileObject, "file")
        self._delete = _DELETE
        self._loose = loose
        self._storage = storage
        self._upload_timeout = upload_timeout

    async def receive(
        self, content: AsyncIterable[bytes], identifier: str | None = None, *, within: float | None = None
    ) -> Received:
        """Keep content for a file that `add` or an import will make of it.

        If `content` raises, nothing is kept. What a process that died has left is deleted by a sweep.

        Args:
            content: the bytes.
            identifier: the id of the file that is to be; no file has it. Unset: a new one.
            within: seconds after which content that has become no file is deleted, if not twice `upload_timeout`.

        Raises:
            InvalidRequest: content for a file of this id is being kept already.
            Unavailable: database or blob store do not answer.
        """
        identifier = identifier or new_id("file-")
        try:
            written = await self._loose.write(blob_of(identifier), content, within=within or 2 * self._upload_timeout)
        except psycopg.errors.UniqueViolation as error:
            raise InvalidRequest(f"Content for a file with the id '{identifier}' is being kept already.") from error
        return Received(identifier, written.size, written.sha256)

    @asynccontextmanager
    async def receiving(self, content: AsyncIterable[bytes]) -> AsyncGenerator[Received]:
        """Keep content for a file that the block makes of it; if that fails, nothing is kept. Raises as `receive`."""
        received = await self.receive(content)
        try:
            yield received
        except BaseException:
            await self.discard([received.id])
            raise

    async def keep(
        self, project: str, content: bytes | AsyncIterable[bytes], filename: str, purpose: FilePurpose
    ) -> FileObject:
        """Make a file of content, whole or in pieces as they come: all or nothing. Raises as `receive` and `add`."""
        async with self.receiving(_once(content) if isinstance(content, bytes) else content) as received:
            file = received.file(filename, purpose)
            await self.add(project, file)
        return file

    async def discard(self, ids: Sequence[str]) -> None:
        """Drop the content kept under these ids as far as it has not become files."""
        await self._loose.purge([blob_of(identifier) for identifier in ids])

    async def add(self, project: str, file: FileObject, connection: Connection | None = None) -> None:
        """Keep a new file, whose id is that of its `Received` content, uploaded by whoever acts, unless a run made it.

        Args:
            project: the caller's project.
            file: the file.
            connection: the transaction that this belongs to, if to one.

        Raises:
            InvalidRequest: the content was dropped meanwhile, because this came too late; or the project may not store
                so much.
        """
        values = {
            "id": file.id,
            "key": blob_of(file.id),
            "project": project,
            "body": file.model_dump_json(),
            "size": file.bytes,
            "most": self._storage.most,
            **(principal() if file.purpose != "assistants_output" else _BY_NOBODY),
        }
        if connection:
            added = (await connection.execute(_ADD, values)).rowcount
        else:
            added = await self._database.execute(_ADD, values)
        if not added:
            await self._storage.require(project, file.bytes, connection)
            raise InvalidRequest("The upload took too long. Please try again.")

    async def find(self, project: str, ids: Sequence[str]) -> dict[str, FileObject]:
        """Those files with these ids that the project has, by id."""
        if not ids:
            return {}
        rows = await self._database.rows(_FIND, {"project": project, "ids": list(ids)})
        found = {str(row[0]): FileObject.model_validate_json(row[1]) for row in rows}
        return {identifier: found[identifier] for identifier in ids if identifier in found}

    async def require(self, project: str, ids: Sequence[str]) -> list[FileObject]:
        """The files with these ids, in their order.

        Raises:
            NotFound: names the first one that the project does not have.
        """
        found = await self.find(project, ids)
        for identifier in ids:
            if identifier not in found:
                raise self.not_found(identifier)
        return [found[identifier] for identifier in ids]

    async def uploads(self, project: str, ids: Collection[str]) -> dict[str, bool]:
        """Those of these files that somebody has uploaded, and whether it was whoever acts now.

        Files that runs have made, and those of which nobody knows who uploaded them, are left out.
        """
        rows = await self._database.rows(_UPLOADS, {"project": project, "ids": list(ids), **principal()})
        return {row[0]: row[1] for row in rows}

    async def others_in(self, project: str, vector_store: str) -> bool:
        """Whether a vector store has a file that somebody else than whoever acts now has uploaded."""
        return bool(
            await self._database.row(_OTHERS_IN_STORE, {"project": project, "store": vector_store, **principal()})
        )

    async def of_code_interpreter(self, project: str, assistant: str, thread: str) -> list[FileObject]:
        """The files that an assistant and a thread have for the code interpreter, as far as they are there."""
        values = {"project": project, "assistant": assistant, "thread": thread}
        rows = await self._database.rows(_OF_CODE_INTERPRETER, values)
        return [FileObject.model_validate_json(row[0]) for row in rows]

    async def delete(self, project: str, identifier: str, kind: str = "file", parent: str | None = None) -> Deleted:
        """Delete a file: it leaves every vector store, and what is in it goes.

        Raises:
            NotFound: the project has no such file.
        """
        deleted = await super().delete(project, identifier, kind, parent)
        await self._loose.purge([blob_of(identifier)])
        return deleted

    async def sweep(self, limit: int = 100) -> None:
        """Delete files that have expired, and blobs that belong to no file."""
        await self._database.execute(_EXPIRE, {"limit": limit})
        await self._loose.sweep(limit)
