"""The job that erases what a person has left."""

from __future__ import annotations

import asyncio
import time

import structlog

from ..errors import Unavailable
from ..store.erasures import ERASE
from ..store.store import Store
from ..wire.erasures import Erasure

log = structlog.get_logger(__name__)

#: Seconds that blobs and index entries may take to go; then the job is tried again with a later sweep.
_PATIENCE = 60.0
#: Seconds between two looks whether they are gone: somebody else may be deleting them.
_PAUSE = 0.1


class Erasing:
    """Works on erasures. What was done stays done when it breaks off, and the next attempt goes on from there."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def start(self) -> None:
        """Take part in the work on the queue, from when that begins."""
        self._store.queue.take(ERASE, self.erase, 1)
        self._store.queue.sweep_too(self._store.erasures.requeue)

    async def erase(self, identifier: str) -> None:
        """A job: erase all, unless that was done.

        Raises:
            Unavailable: database or blob store are away; the sweep will put the erasure on the queue again.
        """
        erasure = await self._store.erasures.get(identifier)
        if erasure.status == "completed":
            return
        await self._rows(erasure)
        await self._remains()
        await self._store.erasures.complete(erasure)
        log.info("a person's data were erased", erasure=identifier)

    async def _rows(self, erasure: Erasure) -> None:
        while await self._store.erasures.step(erasure):
            pass

    async def _remains(self) -> None:
        """See blobs and index entries go, which wait for the sweep of any process."""
        deadline = time.monotonic() + _PATIENCE
        leftovers = await self._store.erasures.leftovers()
        while await self._store.erasures.remain(leftovers):
            if time.monotonic() > deadline:
                raise Unavailable("Some files or index entries could not be deleted yet.")
            await self._store.files.sweep()
            await self._store.vector_index.sweep()
            await asyncio.sleep(_PAUSE)
