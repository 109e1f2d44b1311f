"""The events of a run on their way to whoever listens: encoded once, kept for slow readers up to a limit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable

from ..errors import ApiError
from ..wire.common import WireObject, to_json
from ..wire.events import ErrorDetail, EventName

#: Bytes that may wait for one reader. One that falls further behind is cut off; the run goes on.
_MOST_WAITING = 16 * 1024 * 1024

#: A comment that fills silence. No empty line follows: after an event with an id the Python client would take that for
#: the end of an event, and fail on its missing data.
KEEP_ALIVE = b": keep-alive\n"

DONE = b"event: done\ndata: [DONE]\n\n"

#: How a reader is shown events: from the name and the object as they are, to those that are sent.
View = Callable[[EventName, WireObject], tuple[EventName, WireObject]]


def encode(name: EventName, data: WireObject, at: str | None = None) -> bytes:
    """One server-sent event.

    Args:
        name: its name.
        data: its object.
        at: what tells it from other events of the same object; None for an event without an id.
    """
    if at is None:
        return b"event: %s\ndata: %s\n\n" % (name.encode(), to_json(data))
    identifier = f"{getattr(data, 'id', '')}.{at}"
    return b"event: %s\ndata: %s\nid: %s\n\n" % (name.encode(), to_json(data), identifier.encode())


def encode_error(error: ApiError) -> bytes:
    """The event for something that went wrong in mid-stream."""
    detail = ErrorDetail(message=error.message, type=error.type, param=error.param, code=error.code)
    return encode("error", detail)


class EventStream:
    """What one client reads of a run: events in order, and `done` at the end.

    The writer never waits for the reader.
    """

    def __init__(self, view: View | None = None) -> None:
        """`view`: how the reader is shown events; None: as they are."""
        self._view = view
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._news = asyncio.Event()

    def send(self, name: EventName, data: WireObject, at: str) -> None:
        """Add an event; `at` tells it from other events of the same object."""
        if self._view:
            name, data = self._view(name, data)
        self._put(encode(name, data, at))

    def fail(self, error: ApiError) -> None:
        """Add an `error` event."""
        self._put(encode_error(error))

    def close(self) -> None:
        """Say that nothing follows."""
        if not self._closed:
            self._put(DONE)
            self._closed = True
            self._news.set()

    def _put(self, event: bytes) -> None:
        if self._closed:
            return
        self._waiting.append(event)
        self._size += len(event)
        if self._size > _MOST_WAITING:
            self._waiting.clear()
            self._waiting.append(encode_error(ApiError("The stream was read too slowly and was cut off.")) + DONE)
            self._closed = True
        self._news.set()

    async def read(self, keep_alive: float) -> AsyncGenerator[bytes, None]:
        """Everything that waits, joined, whenever something does; a comment after `keep_alive` seconds of silence."""
        while True:
            if self._waiting:
                joined = b"".join(self._waiting)
                self._waiting.clear()
                self._size = 0
                yield joined
            elif self._closed:
                return
            else:
                self._news.clear()
                try:
                    async with asyncio.timeout(keep_alive):
                        await self._news.wait()
                except TimeoutError:
                    yield KEEP_ALIVE
