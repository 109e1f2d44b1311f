"""Forms with files (multipart/form-data), read as they come in: no part is held in memory or on disk."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from ..errors import ApiError, InvalidRequest

#: Most parts of a form.
_MOST_PARTS = 64
#: Most bytes of a part that is no file.
_MOST_FIELD_BYTES = 64 * 1024

_BROKEN = "We could not parse the form of your request. It must be multipart/form-data, with every part in full."

#: A file in a form, as our document tells of it.
FILE: dict[str, Any] = {"type": "string", "format": "binary"}


def form_of(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    """What our document tells of an operation that takes a form: `openapi_extra` of its route.

    Args:
        properties: the JSON schema of each field.
        required: names of the fields that must be there.
    """
    schema = {"type": "object", "required": list(required), "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form. Its content must be read before the next part is asked for."""

    name: str
    #: None where the part is a plain field.
    filename: str | None
    content: AsyncGenerator[bytes]

    async def text(self) -> str:
        """The content of a plain field.

        Raises:
            InvalidRequest: it is too long, or not UTF-8.
        """
        content = b""
        async for piece in self.content:
            content += piece
            if len(content) > _MOST_FIELD_BYTES:
                raise InvalidRequest(f"Invalid '{self.name}': longer than {_MOST_FIELD_BYTES} bytes.", param=self.name)
        return _decoded(content)


async def parts(request: Request) -> AsyncGenerator[Part]:
    """The parts of a form, one after the other.

    Raises:
        InvalidRequest: the body is no form, breaks off or has too many parts.
        ClientDisconnect: the client hung up.
    """
    reader = _Reader(request)
    number = 0
    while (part := await reader.next_part()) is not None:
        number += 1
        if number > _MOST_PARTS:
            raise InvalidRequest(f"The form has more than {_MOST_PARTS} parts.")
        yield part


@asynccontextmanager
async def coming_in(within: float) -> AsyncGenerator[None]:
    """What is done while an upload comes in.

    Args:
        within: seconds that it may take.

    Raises:
        InvalidRequest: it takes longer, or the client hangs up.
    """
    try:
        async with asyncio.timeout(within):
            yield
    except ClientDisconnect as error:
        raise InvalidRequest("The connection was closed before the upload was complete.") from error
    except TimeoutError as error:
        raise InvalidRequest(f"The upload took longer than {within:g} seconds.") from error


async def bounded(part: Part, most: int, too_much: ApiError) -> AsyncGenerator[bytes]:
    """The content of a part; `too_much` is raised where that is more than `most` bytes."""
    size = 0
    async for piece in part.content:
        size += len(piece)
        if size > most:
            raise too_much
        yield piece


class _End:
    """The end of a part."""


class _Reader:
    """Pulls what the parser has found out of the body, as much as is asked for."""

    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type"))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidRequest("Send this request as a form: Content-Type multipart/form-data, with a boundary.")
        self._body = request.stream()
        #: The begin of a part with what it is called, pieces of it, its end.
        self._found: deque[dict[bytes, bytes] | bytes | _End] = deque()
        self._header = (b"", b"")
        self._disposition = b""
        self._ended = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": self._on_part_data,
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    async def next_part(self) -> Part | None:
        """The next part; None at the end of the form. What is left of the part before is passed over."""
        while not isinstance(found := await self._next(), dict):
            if found is None:
                return None
        filename = found.get(b"filename")
        return Part(
            _decoded(found.get(b"name", b"")), None if filename is None else _decoded(filename), self._content()
        )

    async def _content(self) -> AsyncGenerator[bytes]:
        while isinstance(piece := await self._next(), bytes):
            yield piece

    async def _next(self) -> dict[bytes, bytes] | bytes | _End | None:
        while not self._found:
            if self._ended:
                return None
            piece = await anext(self._body, b"")
            if not piece:
                # The body ends with an empty piece; whoever ends it before the form does has broken off.
                raise InvalidRequest(_BROKEN)
            try:
                self._parser.write(piece)
            except FormParserError as error:
                raise InvalidRequest(_BROKEN) from error
        return self._found.popleft()

    # --- what the parser calls

    def _on_part_begin(self) -> None:
        self._disposition = b""

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], b"")

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _on_header_end(self) -> None:
        if self._header[0].lower() == b"content-disposition":
            self._disposition = self._header[1]
        self._header = (b"", b"")

    def _on_headers_finished(self) -> None:
        self._found.append(parse_options_header(self._disposition)[1])

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._found.append(data[start:end])

    def _on_part_end(self) -> None:
        self._found.append(_End())

    def _on_end(self) -> None:
        self._ended = True


def _decoded(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest("The form holds text that is not encoded in UTF-8.") from error
    if "\x00" in text:
        raise InvalidRequest("The form holds a NUL character, which cannot be stored.")
    return text
