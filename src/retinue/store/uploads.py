"""Uploads: the parts of a file as they come, and the file that they become."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InvalidRequest
from ..wire.uploads import MOST_PARTS, Upload, UploadComplete, UploadPart
from .blobs import Blobs
from .database import Database
from .files import Files, Received
from .ids import new_id
from .loose_blobs import TAKEN, LooseBlobs
from .objects import Objects

#: Seconds after its end for which an upload is still known.
_KNOWN = 86_400

_ADD = "insert into uploads (id, project_id, body) values (%(id)s, %(project)s, %(body)s::jsonb)"

_OVER = "expires_at <= extract(epoch from now())"

_MINE = "id = %(upload)s and project_id = %(project)s"

_SHOWN = f"case when status = 'pending' and {_OVER} then body || '{{\"status\": \"expired\"}}' else body end"

_STATE = f"select {_SHOWN}, part_bytes, parts, file_id, request from uploads where {_MINE}"  # noqa: S608

#: The part takes over its blob, as long as the upload is open and has room for it.
_ADD_PART = f"""
    with upload as (
        update uploads set parts = parts + 1, part_bytes = part_bytes + %(size)s
        where {_MINE} and status = 'pending' and not {_OVER}
            and parts < %(most)s and part_bytes + %(size)s <= 2 * (body ->> 'bytes')::bigint returning id
    ), taken as (
        delete from loose_blobs using upload where {TAKEN} returning key
    )
    insert into upload_parts (id, upload_id, bytes) select %(part)s, id, %(size)s from upload, taken
"""  # noqa: S608

_SIZES = "select id, bytes from upload_parts where upload_id = %(upload)s and id = any(%(parts)s)"

#: Whoever began to complete it before it expired may end later.
_COMPLETE = f"""
    update uploads set body = body || '{{"status": "completed"}}', file_id = %(file)s, request = %(request)s
    where {_MINE} and status = 'pending'
"""  # noqa: S608

_CANCEL = f"""
    update uploads set body = body || '{{"status": "cancelled"}}'
    where {_MINE} and status = 'pending' and not {_OVER}
"""  # noqa: S608

_DROP_PARTS = "delete from upload_parts where upload_id = %(upload)s returning id"

_EXPIRE = f"""
    with due as (
        select id from uploads where status = 'pending' and {_OVER}
        order by expires_at limit %(limit)s for update skip locked
    ), expired as (
        update uploads set body = body || '{{"status": "expired"}}' from due where uploads.id = due.id
        returning uploads.id
    )
    delete from upload_parts using expired where upload_id = expired.id
"""  # noqa: S608

_FORGET = """
    delete from uploads
    where status in ('completed', 'cancelled', 'expired') and expires_at <= extract(epoch from now()) - %(known)s
"""


@dataclass(frozen=True, slots=True)
class _State:
    """An upload, and what clients do not see of it."""

    upload: Upload
    #: Of all parts that have come.
    part_bytes: int
    parts: int
    #: The file that it became.
    file: str | None
    #: The hash of the request that completed it.
    request: bytes | None

    @property
    def room(self) -> int:
        """Bytes that may still come: in all twice those of the file, so that parts can be sent again."""
        return 2 * self.upload.bytes - self.part_bytes


class _PartGone(Exception):
    """The blob of a part is not there."""


class _Overtaken(Exception):
    """The upload is not pending any more."""


class Uploads(Objects[Upload]):
    """Uploads of a project."""

    def __init__(
        self, database: Database, blobs: Blobs, loose: LooseBlobs, files: Files, *, upload_timeout: float
    ) -> None:
        """`upload_timeout`: seconds from an upload's creation until it expires."""
        super().__init__(database, "uploads", Upload, "upload", shown=_SHOWN)
        self._blobs = blobs
        self._loose = loose
        self._files = files
        self._upload_timeout = upload_timeout

    async def add(self, project: str, upload: Upload) -> None:
        """Keep a new upload."""
        await self._database.execute(_ADD, {"id": upload.id, "project": project, "body": upload.model_dump_json()})

    async def room(self, project: str, identifier: str) -> int:
        """Bytes that may still come for an upload, in parts.

        Raises:
            NotFound: the project has no such upload.
            InvalidRequest: it takes no further parts.
        """
        state = await self._state(project, identifier)
        _require_pending(state.upload)
        if state.parts >= MOST_PARTS:
            raise InvalidRequest(f"Upload '{identifier}' has {MOST_PARTS} parts, the most that are allowed.")
        return state.room

    async def receive(self, project: str, identifier: str, content: AsyncIterable[bytes]) -> UploadPart:
        """Add a part. If `content` raises, or the upload ends meanwhile, nothing is kept.

        Raises:
            NotFound: the project has no such upload.
            InvalidRequest: it takes no further parts, or has no room for this one.
            Unavailable: database or blob store do not answer.
        """
        part = new_id("part_")
        key = _blob_of(part)
        written = await self._loose.write(key, content, within=2 * self._upload_timeout)
        values = {"project": project, "upload": identifier, "part": part, "key": key, "size": written.size}
        try:
            if not await self._database.execute(_ADD_PART, {**values, "most": MOST_PARTS}):
                await self.room(project, identifier)
                raise no_room(identifier)
        except BaseException:
            await self._loose.purge([key])
            raise
        return UploadPart(id=part, created_at=int(time.time()), upload_id=identifier)

    async def complete(self, project: str, identifier: str, wanted: UploadComplete) -> Upload:
        """Make a file of the parts. The same request again is answered with the same file.

        Raises:
            NotFound: the project has no such upload.
            InvalidRequest: it has ended otherwise, or these parts do not make up the file that was announced. Then it
                stays pending.
            Unavailable: database or blob store do not answer.
        """
        request = hashlib.sha256(wanted.model_dump_json().encode()).digest()
        state = await self._state(project, identifier)
        if state.request == request:
            return await self._completed(project, state)
        _require_pending(state.upload)
        sizes = await self._sizes(identifier, wanted.part_ids)
        if sum(sizes.values()) != state.upload.bytes:
            raise InvalidRequest(
                f"The parts hold {sum(sizes.values())} bytes, but the upload was created for {state.upload.bytes}.",
                param="part_ids",
            )
        try:
            return await self._become(project, state.upload, wanted, request)
        except (_PartGone, _Overtaken) as error:
            state = await self._state(project, identifier)
            if state.request == request:
                return await self._completed(project, state)
            _require_pending(state.upload)
            raise InvalidRequest(f"What is in part '{error}' is lost. Send it again.", param="part_ids") from error

    async def cancel(self, project: str, identifier: str) -> Upload:
        """Cancel an upload; one that was cancelled stays so.

        Raises:
            NotFound: the project has no such upload.
            InvalidRequest: it is completed or has expired.
        """
        values = {"project": project, "upload": identifier}
        async with self._database.transaction() as connection:
            cancelled = (await connection.execute(_CANCEL, values)).rowcount
            gone = await (await connection.execute(_DROP_PARTS, values)).fetchall() if cancelled else []
        await self._loose.purge([_blob_of(str(row[0])) for row in gone])
        upload = await self.get(project, identifier)
        if upload.status != "cancelled":
            _require_pending(upload)
        return upload

    async def sweep(self, limit: int = 100) -> None:
        """End uploads that have expired, and forget those that ended long ago."""
        await self._database.execute(_EXPIRE, {"limit": limit})
        await self._database.execute(_FORGET, {"known": _KNOWN})

    async def _state(self, project: str, identifier: str) -> _State:
        row = await self._database.row(_STATE, {"project": project, "upload": identifier})
        if row is None:
            raise self.not_found(identifier)
        return _State(Upload.model_validate_json(row[0]), row[1], row[2], row[3], row[4])

    async def _completed(self, project: str, state: _State) -> Upload:
        """A completed upload, with its file as far as that is still there."""
        files = await self._files.find(project, [state.file] if state.file else [])
        return state.upload.model_copy(update={"file": next(iter(files.values()), None)})

    async def _sizes(self, identifier: str, parts: Sequence[str]) -> Mapping[str, int]:
        """The bytes of these parts of an upload.

        Raises:
            InvalidRequest: one is named twice, or is none of this upload.
        """
        rows = await self._database.rows(_SIZES, {"upload": identifier, "parts": list(parts)})
        sizes = {str(row[0]): int(row[1]) for row in rows}
        seen: set[str] = set()
        for part in parts:
            if part not in sizes:
                raise InvalidRequest(f"Upload '{identifier}' has no part '{part}'.", param="part_ids")
            if part in seen:
                raise InvalidRequest(f"Part '{part}' is named twice.", param="part_ids")
            seen.add(part)
        return sizes

    async def _become(self, project: str, upload: Upload, wanted: UploadComplete, request: bytes) -> Upload:
        """Put the parts together."""
        md5 = hashlib.md5(usedforsecurity=False) if wanted.md5 else None
        async with self._files.receiving(self._whole(wanted.part_ids, md5.update if md5 else None)) as received:
            if md5 and wanted.md5 and md5.hexdigest() != wanted.md5.lower():
                raise InvalidRequest(
                    f"The md5 of the file is {md5.hexdigest()}, not {wanted.md5.lower()}.", param="md5"
                )
            return await self._commit(project, upload, received, request)

    async def _commit(self, project: str, upload: Upload, received: Received, request: bytes) -> Upload:
        file = received.file(upload.filename, upload.purpose, upload.expires_after)
        values = {"project": project, "upload": upload.id, "file": file.id, "request": request}
        async with self._database.transaction() as connection:
            if not (await connection.execute(_COMPLETE, values)).rowcount:
                raise _Overtaken
            await self._files.add(project, file, connection)
            gone = await (await connection.execute(_DROP_PARTS, values)).fetchall()
        await self._loose.purge([_blob_of(str(row[0])) for row in gone])
        return upload.model_copy(update={"status": "completed", "file": file})

    async def _whole(self, parts: Sequence[str], read: Callable[[bytes], None] | None) -> AsyncGenerator[bytes]:
        """What is in these parts, one after the other; `read` is shown it too, in a thread."""
        for part in parts:
            try:
                async for piece in self._blobs.read(_blob_of(part)):
                    if read:
                        await asyncio.to_thread(read, piece)
                    yield piece
            except FileNotFoundError as error:
                raise _PartGone(part) from error


def no_room(identifier: str) -> InvalidRequest:
    """The error for a part that is too much."""
    return InvalidRequest(
        f"The parts of upload '{identifier}' may hold twice the bytes that it was created for, and not more.",
        param="data",
    )


def _blob_of(part: str) -> str:
    """The key of what is in a part, in the blob store."""
    return f"parts/{part}"


def _require_pending(upload: Upload) -> None:
    if upload.status != "pending":
        how = "has expired" if upload.status == "expired" else f"is {upload.status}"
        raise InvalidRequest(f"Upload '{upload.id}' {how}.")
