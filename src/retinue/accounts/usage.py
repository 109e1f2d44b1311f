"""Usage records: what each key uses of each model, added up in memory and written once a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import islice
from typing import Literal

import psycopg
import structlog

from ..errors import Unavailable
from ..store.ids import new_id
from ..store.usage import UsageKey, UsageRecords, Used
from .keys import Caller

log = structlog.get_logger(__name__)

#: Seconds between two writings.
_EVERY = 1.0
#: Most records that are written by one statement.
_BATCH = 250
#: Most records that wait for a database that is away; usage that would need a further one is lost.
_MOST_WAITING = 20_000

#: By which way a model was asked; `runs` are calls of the run engine, `vector_stores` rewrite queries of searches.
Endpoint = Literal[
    "chat.completions", "completions", "embeddings", "rerank", "moderations", "images", "vector_stores", "runs"
]


class UsageMeter:
    """Adds up what is used in this process. A process that is killed loses what it had not yet written."""

    def __init__(self, records: UsageRecords) -> None:
        """`records`: where usage is written."""
        self._records = records
        self._writer = new_id("proc_")
        self._waiting: dict[UsageKey, Used] = {}
        #: What is being written. It stays as it is until the database has said that it has it.
        self._batch: list[tuple[UsageKey, Used]] = []
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
            if self._waiting or self._batch:
                log.warning(
                    "usage was not recorded: the database is away", records=len(self._waiting) + len(self._batch)
                )

    def record(
        self,
        caller: Caller,
        endpoint: Endpoint,
        model: str,
        *,
        prompt_tokens: int = 0,
        cached_tokens: int = 0,
        completion_tokens: int = 0,
        images: int = 0,
    ) -> None:
        """Count one call of a model.

        Args:
            caller: who asked.
            endpoint: by which way.
            model: the model that served.
            prompt_tokens: tokens of the prompt, cached ones included.
            cached_tokens: how many of them the model's server had kept from earlier calls.
            completion_tokens: tokens of the answer.
            images: pictures that were made.
        """
        key = UsageKey(caller.project, int(time.time()) // 60, caller.key, endpoint, model)
        used = self._waiting.get(key)
        if used is None:
            if len(self._waiting) >= _MOST_WAITING:
                self._lost += 1
                return
            used = self._waiting[key] = Used()
        used.requests += 1
        used.prompt_tokens += prompt_tokens
        used.cached_tokens += cached_tokens
        used.completion_tokens += completion_tokens
        used.images += images

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            await self._write()

    async def _write(self) -> None:
        """Write all that waits, in batches; what the database does not take now stays for the next time."""
        if self._lost:
            log.warning("usage was not recorded: too much waits for the database", calls=self._lost)
            self._lost = 0
        while self._batch or self._waiting:
            if not self._batch:
                self._batch = self._next_batch()
                self._number += 1
            try:
                await self._records.add(self._writer, self._number, self._batch)
            except Unavailable:
                return
            except psycopg.Error:
                log.exception("usage cannot be written", records=len(self._batch))
            self._batch = []

    def _next_batch(self) -> list[tuple[UsageKey, Used]]:
        keys = list(islice(self._waiting, _BATCH))
        return [(key, self._waiting.pop(key)) for key in keys]
