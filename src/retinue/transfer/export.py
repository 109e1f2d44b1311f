"""Exports: everything that a project or a thread has, from one snapshot, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from ..errors import Unavailable
from ..store.files import blob_of
from ..store.store import Store
from ..store.transfer import Snapshot
from . import lines

#: Bytes of a file that one line carries.
_PIECE = 256 * 1024


async def export(store: Store, project: str, thread: str | None = None) -> AsyncGenerator[bytes]:
    """The lines of an export.

    Args:
        store: where the objects are.
        project: the project.
        thread: the id of one of its threads, to export only that with its messages, runs and run steps.

    Raises:
        Unavailable: database or blob store are away; the export is not whole then.
    """
    objects = 0
    async with store.transfers.snapshot(project, thread) as snapshot, aclosing(_objects(store, snapshot)) as parts:
        yield lines.header(int(time.time()), thread)
        async for part, is_object in parts:
            objects += is_object
            yield part
        yield lines.end(objects)


async def _objects(store: Store, snapshot: Snapshot) -> AsyncGenerator[tuple[bytes, bool]]:
    """All lines between header and end; whether each is an object. Files that are deleted meanwhile are left out."""
    deleted: set[str] = set()
    for kind in snapshot.kinds:
        async with aclosing(snapshot.bodies(kind)) as bodies:
            async for body in bodies:
                if kind == "file":
                    async with aclosing(_file(store, body, deleted)) as parts:
                        async for part in parts:
                            yield part
                elif not (deleted and kind == "vector_store.file" and orjson.loads(body)["id"] in deleted):
                    yield body + b"\n", True
    async with aclosing(snapshot.agent_files()) as files:
        async for agent, path, content, modified_at in files:
            yield lines.agent_file(agent, path, content, modified_at), True
            for start in range(0, len(content), _PIECE):
                yield lines.agent_content(agent, path, content[start : start + _PIECE]), False


async def _file(store: Store, body: bytes, deleted: set[str]) -> AsyncGenerator[tuple[bytes, bool]]:
    """A file and what is in it."""
    identifier: str = orjson.loads(body)["id"]
    begun = False
    try:
        async with aclosing(store.blobs.read(blob_of(identifier))) as pieces:
            async for piece in pieces:
                if not begun:
                    yield body + b"\n", True
                begun = True
                for start in range(0, len(piece), _PIECE):
                    yield lines.content(identifier, piece[start : start + _PIECE]), False
        if not begun:
            yield body + b"\n", True
    except FileNotFoundError as error:
        if begun:
            raise Unavailable(f"The file {identifier} was deleted while it was exported. Please try again.") from error
        deleted.add(identifier)
