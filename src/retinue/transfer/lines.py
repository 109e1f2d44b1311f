"""The lines of an export: a header, objects, the content of files in pieces, and an end that tells a whole export."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass
from typing import Any, cast

import orjson

from ..errors import InvalidRequest

Json = dict[str, Any]

#: Of the format. A server reads its own version and earlier ones.
VERSION = 1

HEADER = "export"
CONTENT = "file.content"
AGENT_FILE = "agent.file"
AGENT_CONTENT = "agent.file.content"
END = "export.end"


def header(created_at: int, thread: str | None) -> bytes:
    """The first line.

    Args:
        created_at: when the export began, in Unix seconds.
        thread: the id of the thread that is exported; None for a project.
    """
    return orjson.dumps(
        {"object": HEADER, "version": VERSION, "created_at": created_at, "thread_id": thread},
        option=orjson.OPT_APPEND_NEWLINE,
    )


def content(file: str, data: bytes) -> bytes:
    """A piece of what is in a file."""
    encoded = base64.b64encode(data).decode()
    return orjson.dumps({"object": CONTENT, "file_id": file, "data": encoded}, option=orjson.OPT_APPEND_NEWLINE)


def agent_file(agent: str, path: str, data: bytes, modified_at: int) -> bytes:
    """A file in an agent's workspace, whose content follows."""
    told = {"object": AGENT_FILE, "agent_id": agent, "path": path, "bytes": len(data), "modified_at": modified_at}
    digest = hashlib.sha256(data).hexdigest()
    return orjson.dumps({**told, "sha256": digest}, option=orjson.OPT_APPEND_NEWLINE)


def agent_content(agent: str, path: str, data: bytes) -> bytes:
    """A piece of what is in such a file."""
    told = {"object": AGENT_CONTENT, "agent_id": agent, "path": path, "data": base64.b64encode(data).decode()}
    return orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE)


def end(objects: int) -> bytes:
    """The last line: without it an export is not whole."""
    return orjson.dumps({"object": END, "objects": objects}, option=orjson.OPT_APPEND_NEWLINE)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an export."""

    #: From 1.
    number: int
    #: Its `object`.
    kind: str
    value: Json
    #: Bytes.
    size: int

    def fault(self, what: str) -> InvalidRequest:
        """The error for something wrong in this line."""
        return invalid(self.number, what)

    def data(self) -> bytes:
        """What a line of content carries."""
        try:
            return base64.b64decode(self.value["data"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise self.fault("'data' is not base64.") from error


def invalid(number: int, what: str) -> InvalidRequest:
    """The error for something wrong in a line."""
    return InvalidRequest(f"Line {number}: {what} Nothing was imported.", code="invalid_import")


async def read(pieces: AsyncIterable[bytes], *, max_line: int) -> AsyncGenerator[Line]:
    """The lines of an export, as they come in; empty ones are passed over.

    Args:
        pieces: the export, cut anywhere.
        max_line: the longest line, in bytes.

    Raises:
        InvalidRequest: a line is too long or no JSON object.
    """
    number = 0
    rest: list[bytes] = []
    size = 0
    async for piece in pieces:
        *whole, last = piece.split(b"\n")
        for line in whole:
            number += 1
            size += len(line)
            if size > max_line:
                raise _too_long(number, max_line)
            joined = b"".join([*rest, line]).strip()
            rest, size = [], 0
            if joined:
                yield _parse(number, joined)
        if last:
            rest.append(last)
            size += len(last)
            if size > max_line:
                raise _too_long(number + 1, max_line)
    if joined := b"".join(rest).strip():
        yield _parse(number + 1, joined)


def _too_long(number: int, max_line: int) -> InvalidRequest:
    return invalid(number, f"it is longer than {max_line} bytes.")


def _parse(number: int, line: bytes) -> Line:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise invalid(number, "it is not JSON.") from error
    if not isinstance(value, dict) or not isinstance(value.get("object"), str):
        raise invalid(number, "it is not a JSON object with 'object'.")
    if b"\\u0000" in line:
        raise invalid(number, "it holds a NUL character, which cannot be stored.")
    return Line(number, value["object"], cast(Json, value), len(line))
