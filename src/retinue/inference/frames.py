"""What the server and a child process that holds a model send each other through pipes: JSON, binary parts behind it.

A frame is the JSON's length as four bytes (big-endian), the JSON, and the parts one after the other; the JSON is an
object whose `parts` are the parts' lengths.
"""

from __future__ import annotations

import json
from asyncio import StreamReader
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

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
    """The next frame of a blocking stream; None at its end."""
    prefix = stream.read(_LENGTH_BYTES)
    if len(prefix) < _LENGTH_BYTES:
        return None
    head: dict[str, Any] = json.loads(stream.read(int.from_bytes(prefix, "big")))
    return Frame(head, [stream.read(size) for size in head.pop("parts")])
