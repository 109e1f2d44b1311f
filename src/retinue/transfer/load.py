"""Imports: the lines of an export become objects of a project, all of them or none."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Container, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from ..accounts.keys import Caller
from ..errors import InvalidRequest, Unavailable
from ..settings import Settings
from ..store.ids import new_id
from ..store.store import Store
from ..store.transfer import LONGEST, Importing, NewObject
from . import lines, objects
from .lines import Line

#: Objects, and bytes of them, that are written at once.
_BATCH = 200
_BATCH_BYTES = 4 * 1024 * 1024
#: Names that the answer tells.
_MOST_NAMES = 1000
#: Kinds whose new names it tells: what everything else hangs on.
_TOLD = frozenset({"file", "vector_store", "assistant", "thread", "agent"})


@dataclass(slots=True)
class Imported:
    """What an import has made."""

    #: How many objects of each kind.
    counts: dict[str, int] = field(default_factory=dict[str, int])
    #: New ids by old ones, of files, vector stores, assistants, threads and agents; the first 1,000.
    ids: dict[str, str] = field(default_factory=dict[str, str])
    #: Whether there are more ids.
    has_more: bool = False


async def load(
    store: Store, settings: Settings, caller: Caller, pieces: AsyncIterable[bytes], *, keep_ids: bool
) -> Imported:
    """Import an export into a project: all of it or nothing.

    Args:
        store: where the objects go.
        settings: for the limits.
        caller: who imports it, into their project: agents work on for them.
        pieces: the lines of the export, cut anywhere.
        keep_ids: keep all ids, which must be free; else every object gets a new one, and is named by it.

    Raises:
        InvalidRequest: the export is not whole or not valid; the message names the line.
        Unavailable: the database or the blob store is away, or too many exports and imports are under way.
    """
    received: list[str] = []
    try:
        transaction = store.transfers.importing(caller.project, key=caller.key, user=caller.user)
        async with asyncio.timeout(LONGEST), transaction as importing:
            async with aclosing(lines.read(pieces, max_line=settings.max_body_bytes)) as reader:
                loader = _Loader(store, settings, importing, _Lookahead(reader), received, keep_ids)
                await loader.load()
            if store_id := await importing.crowded(settings.max_vector_store_files):
                most = settings.max_vector_store_files
                raise InvalidRequest(f"The vector store {store_id} has more than {most} files.", code="invalid_import")
            if agent := await importing.large_workspace(settings.agent_max_files, settings.agent_max_bytes):
                most = f"{settings.agent_max_files} files or {settings.agent_max_bytes} bytes"
                raise InvalidRequest(f"The workspace of agent {agent} has more than {most}.", code="invalid_import")
        return loader.imported
    except TimeoutError as error:
        raise InvalidRequest(f"The import took longer than {LONGEST} seconds.", code="invalid_import") from error
    finally:
        with contextlib.suppress(Unavailable):
            await asyncio.shield(store.files.discard(received))


class _Lookahead:
    """Lines, of which the next can be looked at first."""

    def __init__(self, reader: AsyncGenerator[Line]) -> None:
        self._reader = reader
        self._next: Line | None = None

    async def peek(self) -> Line | None:
        """The next line; None at the end."""
        if self._next is None:
            self._next = await anext(self._reader, None)
        return self._next

    async def take(self) -> Line | None:
        """The next line, which is taken then; None at the end."""
        line = await self.peek()
        self._next = None
        return line


class _Loader:
    """One import."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        importing: Importing,
        reader: _Lookahead,
        received: list[str],
        keep_ids: bool,
    ) -> None:
        self._store = store
        self._settings = settings
        self._importing = importing
        self._lines = reader
        #: Ids of files whose content has been kept.
        self._received = received
        self._keep_ids = keep_ids
        self.imported = Imported()

    async def load(self) -> None:
        """Read and write everything."""
        await self._header()
        while True:
            line = await self._lines.peek()
            if line is None:
                raise InvalidRequest(
                    "The export is not whole: its last line is missing. Nothing was imported.", code="invalid_import"
                )
            if line.kind == lines.END:
                break
            if line.kind == "file":
                await self._file()
            elif line.kind == lines.AGENT_FILE:
                await self._agent_file()
            else:
                await self._add(await self._batch(line.kind))
        objects_there = sum(self.imported.counts.values())
        if line.value.get("objects") != objects_there:
            raise line.fault(f"there are {objects_there} objects before it, not {line.value.get('objects')}.")
        await self._lines.take()
        if further := await self._lines.peek():
            raise further.fault("something follows the end.")

    async def _header(self) -> None:
        line = await self._lines.take()
        if line is None or line.kind != lines.HEADER:
            raise lines.invalid(1, "it is not the header of an export.")
        if line.value.get("version") != lines.VERSION:
            raise line.fault(f"this server reads exports of version {lines.VERSION}.")

    async def _batch(self, kind: str) -> list[Line]:
        """The next lines of a kind, at least one."""
        batch: list[Line] = []
        size = 0
        while (line := await self._lines.peek()) and line.kind == kind and len(batch) < _BATCH:
            size += line.size
            if batch and size > _BATCH_BYTES:
                break
            batch.append(line)
            await self._lines.take()
        return batch

    async def _add(self, batch: Sequence[Line]) -> None:
        """Write objects of one kind."""
        kinds = [objects.check(line) for line in batch]
        kind, name = kinds[0], batch[0].kind
        ids = await self._name(kind, batch)
        named = {holder[key] for line in batch for holder, key in objects.references(line.value)}
        names = await self._importing.names([*named, *(line.value["id"] for line in batch)])
        new: list[NewObject] = []
        later = {line.value["id"] for line in batch} if kind.parent_kind == name else set[str]()
        for line, identifier in zip(batch, ids, strict=True):
            value = line.value
            own = value["id"] if kind.prefix else _required(line, names, value["id"], "file")
            parent = _parent(line, names, kind, later)
            later.discard(value["id"])
            for holder, key in objects.references(value):
                holder[key] = names.get(holder[key], (holder[key], ""))[0]
            value["id"] = identifier or own
            objects.settle(name, value)
            body, tokens = objects.stored(kind, line)
            new.append(NewObject(value["id"], name, body, parent, tokens))
        await self._importing.add(name, new)
        self.imported.counts[name] = self.imported.counts.get(name, 0) + len(new)

    async def _name(self, kind: objects.Kind, batch: Sequence[Line]) -> list[str]:
        """The new id of each object; `""` where the kind has none of its own."""
        if not kind.prefix:
            return [""] * len(batch)
        name = batch[0].kind
        old: list[str] = [line.value["id"] for line in batch]
        new = old if self._keep_ids else [new_id(kind.prefix) for _ in batch]
        free = await self._importing.name([(one, other, name) for one, other in zip(old, new, strict=True)])
        taken = await self._importing.existing(name, new) if self._keep_ids else set[str]()
        for line, identifier in zip(batch, old, strict=True):
            if identifier not in free:
                raise line.fault(f"the id '{identifier}' was there before.")
            free.remove(identifier)
            if identifier in taken:
                raise line.fault(f"there is an object with the id '{identifier}' already.")
        if name in _TOLD:
            for one, other in zip(old, new, strict=True):
                if len(self.imported.ids) < _MOST_NAMES:
                    self.imported.ids[one] = other
                else:
                    self.imported.has_more = True
        return new

    async def _file(self) -> None:
        """Write a file with its content, which follows it."""
        line = await self._lines.take()
        assert line is not None  # noqa: S101 (it was looked at)
        kind = objects.check(line)
        old = line.value["id"]
        (identifier,) = await self._name(kind, [line])
        line.value["id"] = identifier
        body, _ = objects.stored(kind, line)
        self._received.append(identifier)
        received = await self._store.files.receive(self._content(old), identifier, within=2 * LONGEST)
        if (received.size, received.sha256) != (line.value["bytes"], line.value["sha256"]):
            raise line.fault("what follows it is not its content: size or SHA-256 differ.")
        await self._importing.add("file", [NewObject(identifier, "file", body)])
        self.imported.counts["file"] = self.imported.counts.get("file", 0) + 1

    async def _agent_file(self) -> None:
        """Write a file of a workspace with its content, which follows it."""
        line = await self._lines.take()
        assert line is not None  # noqa: S101 (it was looked at)
        file = objects.workspace_file(line)
        names = await self._importing.names([file.agent_id])
        agent = _required(line, names, file.agent_id, "agent")
        whole = bytearray()
        while (piece := await self._lines.peek()) and piece.kind == lines.AGENT_CONTENT:
            if (piece.value.get("agent_id"), piece.value.get("path")) != (file.agent_id, file.path):
                raise piece.fault(f"it belongs to another file than '{file.path}', which it follows.")
            whole += piece.data()
            if len(whole) > self._settings.agent_max_bytes:
                raise piece.fault(f"the file is larger than {self._settings.agent_max_bytes} bytes.")
            await self._lines.take()
        content = bytes(whole)
        if (len(content), hashlib.sha256(content).hexdigest()) != (file.bytes, file.sha256):
            raise line.fault("what follows it is not its content: size or SHA-256 differ.")
        await self._importing.add_agent_file(agent, file.path, content, file.modified_at)
        self.imported.counts[lines.AGENT_FILE] = self.imported.counts.get(lines.AGENT_FILE, 0) + 1

    async def _content(self, file: str) -> AsyncGenerator[bytes]:
        size = 0
        while (line := await self._lines.peek()) and line.kind == lines.CONTENT:
            if line.value.get("file_id") != file:
                raise line.fault(f"it belongs to another file than '{file}', which it follows.")
            piece = line.data()
            size += len(piece)
            most = max(self._settings.max_file_bytes, self._settings.max_upload_bytes)
            if size > most:
                raise line.fault(f"the file is larger than {most} bytes.")
            await self._lines.take()
            yield piece


def _parent(line: Line, names: dict[str, tuple[str, str]], kind: objects.Kind, later: Container[str]) -> str:
    """The new id of what an object belongs to, which must have come before; `""` if it belongs to nothing."""
    old = line.value.get(kind.parent) if kind.parent else None
    if not kind.parent or (kind.alone and old is None):
        return ""
    return _required(line, {} if isinstance(old, str) and old in later else names, old, kind.parent_kind)


def _required(line: Line, names: dict[str, tuple[str, str]], old: object, kind: str) -> str:
    """The new id of something that must have come before."""
    new, its_kind = names.get(old, ("", "")) if isinstance(old, str) else ("", "")
    if its_kind != kind:
        raise line.fault(f"there is no {kind} '{str(old)[:128]}' before it.")
    return new
