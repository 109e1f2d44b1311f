"""What the server and a child process that holds a model send each other through pipes: JSON, binary parts behind it.

A frame is the JSON's length as four bytes (big-endian), the JSON, and the parts one after the other; the JSON is an
object whose `parts` are the parts' lengths.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:  # child processes need none of it
    from asyncio import StreamReader

_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    head: dict[str, Any]
    parts: Sequence[bytes] = ()

    def encoded(self) -> bytes:
        """The frame as it goes through a pipe."""
        head = json.dumps({**self.head, "parts": [len(part) for part in self.parts]}).encode()
        return b"".join([len(head).to_bytes(_LENGTH_BYTES, "big"), head, *self.parts])


async def receive(stream: StreamReader) -> Frame:
    """The next frame.

    Raises:
        asyncio.IncompleteReadError: the other side is gone.
    """
    length = int.from_bytes(await stream.readexactly(_LENGTH_BYTES), "big")
    head: dict[str, Any] = json.loads(await stream.readexactly(length))
    return Frame(head, [await stream.readexactly(size) for size in head.pop("parts")])


def read(stream: BinaryIO) -> Frame | None:
    """The next frame of a blocking stream; None at its end, be it within a frame."""
    try:
        length = int.from_bytes(_exactly(stream, _LENGTH_BYTES), "big")
        head: dict[str, Any] = json.loads(_exactly(stream, length))
        return Frame(head, [_exactly(stream, size) for size in head.pop("parts")])
    except EOFError:
        return None


def _exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise EOFError
    return content
