"""What is collected in memory and written once a second, in batches: usage, and the log of requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

import psycopg
import structlog

from ..errors import Unavailable

log = structlog.get_logger(__name__)

#: Seconds between two writings.
_EVERY = 1.0

K = TypeVar("K")
V = TypeVar("V")


class Batches(Generic[K, V]):
    """Entries by their keys, written in batches. A process that is killed loses what it had not yet written.

    Attributes:
        waiting: the entries that wait; whoever adds one asks `has_room` before.
    """

    def __init__(
        self,
        what: str,
        write: Callable[[int, Sequence[tuple[K, V]]], Awaitable[None]],
        *,
        size: int,
        most: int,
        then: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Describe them.

        Args:
            what: what the entries are, as messages of the log begin.
            write: writes a batch, whose number is given: one number stands for one batch, which comes again where it
                is not known whether the database has it.
            size: most entries of a batch.
            most: most entries that wait for a database that is away; what would need a further one is lost.
            then: what else is done once a second.
        """
        self._what = what
        self._write_batch = write
        self._size = size
        self._most = most
        self._then = then
        self.waiting: dict[K, V] = {}
        #: What is being written. It stays as it is until the database has said that it has it.
        self._batch: list[tuple[K, V]] = []
        self._number = 0
        self._lost = 0
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writing = asyncio.create_task(self._keep_writing())

    async def stop(self) -> None:
        """Write what there is, and stop."""
        if self._writing:
            self._writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._writing
            await self._write()
            if unwritten := len(self.waiting) + len(self._batch):
                log.warning(f"{self._what} not recorded: the database is away", records=unwritten)

    @property
    def written(self) -> bool:
        """Whether the database has everything."""
        return not self.waiting and not self._batch

    def has_room(self) -> bool:
        """Whether a further entry may wait; where not, it counts as lost."""
        if len(self.waiting) < self._most:
            return True
        self._lost += 1
        return False

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            await self._write()
            if self._then:
                await self._then()

    async def _write(self) -> None:
        """Write all that waits, in batches; what the database does not take now stays for the next time."""
        if self._lost:
            log.warning(f"{self._what} not recorded: too much waits for the database", calls=self._lost)
            self._lost = 0
        while not self.written:
            if not self._batch:
                self._batch = self._next_batch()
                self._number += 1
            try:
                await self._write_batch(self._number, self._batch)
            except Unavailable:
                return
            except psycopg.Error:
                log.exception(f"{self._what} not recorded: the database refuses it", records=len(self._batch))
            self._batch = []

    def _next_batch(self) -> list[tuple[K, V]]:
        keys = list(islice(self.waiting, self._size))
        return [(key, self.waiting.pop(key)) for key in keys]
