"""Answers as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson

from ..errors import ApiError
from ..inference.chat import Json

#: After everything.
DONE = b"data: [DONE]\n\n"


def encoded(chunks: list[Json]) -> bytes:
    """Chunks as events."""
    return b"".join([b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks])


async def with_errors(events: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The events; what goes wrong after the first is an event with an `error`, the last.

    Raises:
        ApiError: nothing has been answered yet.
    """
    begun = False
    try:
        async with aclosing(events):
            async for some in events:
                yield some
                begun = True
    except ApiError as error:
        if not begun:
            raise
        yield encoded([error.body()])
