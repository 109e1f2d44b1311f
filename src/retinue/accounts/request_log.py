"""The log of requests: what is noted of each while it is answered, and written once a second.

The gate begins and ends a note. In between, whoever learns something of the request says it with `note_model`,
`note_run` or `note_error`; these know by the context which request they are in, and do nothing outside of one.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from ..errors import ApiError
from ..store.request_log import RequestRow, RequestRows
from ..wire.runs import Run
from .batches import Batches
from .bucket import Bucket
from .keys import Caller

#: Most rows that are written by one statement.
_BATCH = 500
#: Most requests that wait for a database that is away; further ones are not noted.
_MOST_WAITING = 20_000
#: Requests of nobody whom the server knows that are noted in an hour, by each process: of those who were refused, and
#: of those who were not, since a link let them in.
_REFUSED_AN_HOUR, _LET_IN_AN_HOUR = 600, 6_000
#: Characters of a text.
_LONGEST = 256
#: What keys look like, ours and OpenAI's, and what guests of GPTs have, should one have got into an address or in the
#: place of a model; and the ids of people, which nobody would find again who has to erase them.
_MASKED = re.compile(r"(?<![A-Za-z0-9])(?:(sk-|user-)[\w-]+|(g[ls]_)\w{8,})")
#: What other servers' logs have for a client that went away.
_WENT_AWAY = 499
_HOUR = 3600


@dataclass(slots=True, eq=False)
class Noted:
    """What is known of a request."""

    #: 32 hexadecimal digits, after `req_` in `x-request-id`.
    id: str = field(default_factory=lambda: f"{random.getrandbits(128):032x}")
    #: Whether it came with a session.
    by_page: bool = False
    caller: Caller | None = None
    model: str | None = None
    called_model: bool = False
    run: Run | None = None
    error: ApiError | None = None
    #: Of the answer. Zero until there is one.
    status: int = 0
    bytes: int = 0
    #: By the clock that only runs, in seconds.
    began: float = field(default_factory=time.perf_counter)
    first_byte: float | None = None


_current: ContextVar[Noted | None] = ContextVar("noted", default=None)


def note_model(name: str, *, called: bool = False) -> None:
    """Which model a request asks for; with `called`, which one it is that is asked, by its name here."""
    noted = _current.get()
    if noted is not None and (called or not noted.called_model):
        noted.model = name
        noted.called_model = called


def note_run(run: Run) -> None:
    """The run that a request is about."""
    noted = _current.get()
    if noted is not None:
        noted.run = run


def note_error(error: ApiError) -> None:
    """What a request is refused with, or what ends its answer in the middle."""
    noted = _current.get()
    if noted is not None:
        noted.error = error


class RequestLog:
    """Notes the requests of this process."""

    def __init__(self, rows: RequestRows, *, days: float) -> None:
        """Describe the log.

        Args:
            rows: where they are written.
            days: for how long they are kept; zero: nothing is noted.
        """
        self._rows = rows
        self._on = days > 0
        self._batches: Batches[str, RequestRow] = Batches("requests were", self._add, size=_BATCH, most=_MOST_WAITING)
        self._refused, self._let_in = Bucket(_REFUSED_AN_HOUR, _HOUR), Bucket(_LET_IN_AN_HOUR, _HOUR)

    def start(self) -> None:
        """Begin to write."""
        self._batches.start()

    async def stop(self) -> None:
        """Write what there is, and stop."""
        await self._batches.stop()

    def begin(self, noted: Noted) -> None:
        """From here on in this context, what is learned is about this request."""
        if self._on:
            _current.set(noted)

    def end(self, noted: Noted, method: str, path: str, route: str | None) -> None:
        """A request has been answered, or its client went away.

        Args:
            noted: what is known of it.
            method: HTTP method.
            path: without the query.
            route: the route's template, if it came so far.
        """
        status = noted.status or _WENT_AWAY
        if not self._on or not self._has_place(noted.caller, status) or not self._batches.has_room():
            return
        now = time.perf_counter()
        caller, run, error = noted.caller, noted.run, noted.error
        model = noted.model or (run.model if run else None)
        first = None if noted.first_byte is None else round((noted.first_byte - noted.began) * 1000)
        self._batches.waiting[noted.id] = RequestRow(
            noted.id,
            time.time() - (now - noted.began),
            caller.project if caller else "",
            (caller.key or None) if caller else None,
            (caller.user or None) if caller else None,
            noted.by_page,
            _told(method),
            route,
            _told(path),
            None if model is None else _told(model),
            noted.called_model,
            run.assistant_id if run else None,
            run.thread_id if run else None,
            run.id if run else None,
            status,
            # A model's server may have said so.
            _told(error.type) if error else None,
            _told(error.code) if error and error.code is not None else None,
            first,
            round((now - noted.began) * 1000),
            noted.bytes,
        )

    def _has_place(self, caller: Caller | None, status: int) -> bool:
        """Whether there is a place for a request of this caller. Strangers have few: they could fill the disk."""
        if caller is not None:
            return True
        return not (self._refused if status >= 400 else self._let_in).take(1, time.monotonic_ns())

    async def _add(self, number: int, rows: Sequence[tuple[str, RequestRow]]) -> None:
        await self._rows.add([row for _, row in rows])


def _told(text: str) -> str:
    """A text as it may stand in the log: short, without keys and people, and such that a column takes it."""
    text = _MASKED.sub(r"\1\2…", text[:_LONGEST])
    if text.isascii():
        return text.replace("\x00", "")
    return text.encode("utf-8", "replace").decode().replace("\x00", "")
