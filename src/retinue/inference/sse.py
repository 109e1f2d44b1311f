"""Reading server-sent events from a model's server."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable

from ..errors import ModelError

#: No event of a model's stream is longer than this many bytes.
_LONGEST_EVENT = 4 * 1024 * 1024


async def batches(chunks: AsyncIterable[bytes]) -> AsyncGenerator[list[bytes], None]:
    """The data of the events, in order, those that came together in one list.

    Bytes may be cut anywhere; comments and other fields are passed over.

    Raises:
        ModelError: an event is longer than 4 MiB.
    """
    rest = b""
    async for chunk in chunks:
        lines = (rest + chunk if rest else chunk).split(b"\n")
        rest = lines.pop()
        if len(rest) > _LONGEST_EVENT:
            raise ModelError("The model's server sent an event that is too long.")
        if found := [line[5:].strip() for line in lines if line.startswith(b"data:")]:
            yield found
    if rest.startswith(b"data:"):
        yield [rest[5:].strip()]
