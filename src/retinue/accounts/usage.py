"""Usage records: who uses what, and what it costs, added up in memory and written once a second."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Literal

import psycopg
import structlog

from ..errors import Unavailable
from ..store.ids import new_id
from ..store.usage import UsageKey, UsageRecords, Used
from .batches import Batches
from .budgets import Budgets
from .keys import Caller
from .prices import FREE, Prices

log = structlog.get_logger(__name__)

#: Most records that are written by one statement.
_BATCH = 250
#: Most records that wait for a database that is away; usage that would need a further one is lost.
_MOST_WAITING = 20_000

#: By which way a model was asked; `runs` are calls of the run engine, `vector_stores` rewrite queries of searches. The
#: last three ask no model: searches of files and of the web, and code interpreter sessions.
Endpoint = Literal[
    "chat.completions",
    "completions",
    "embeddings",
    "rerank",
    "moderations",
    "images",
    "vector_stores",
    "runs",
    "file_search",
    "web_search",
    "code_interpreter",
]


class UsageMeter:
    """Adds up what is used in this process. A process that is killed loses what it had not yet written."""

    def __init__(
        self, records: UsageRecords, prices: Prices = FREE, budgets: Budgets | None = None, *, run_days: float = 30
    ) -> None:
        """Describe the meter.

        Args:
            records: where usage is written.
            prices: what it costs.
            budgets: what projects may spend; None: anything.
            run_days: days after which the usage of single runs is added up.
        """
        self._records = records
        self._prices = prices
        self._budgets = budgets
        self._run_days = run_days
        self._writer = new_id("proc_")
        self._batches: Batches[UsageKey, Used] = Batches(
            "usage was", self._add, size=_BATCH, most=_MOST_WAITING, then=self._refresh
        )

    def start(self) -> None:
        """Begin to write."""
        self._batches.start()

    async def stop(self) -> None:
        """Write what there is, and stop."""
        await self._batches.stop()

    @property
    def written(self) -> bool:
        """Whether the database has everything."""
        return self._batches.written

    def require(self, caller: Caller) -> None:
        """See to it that a caller's project may spend more. What other processes spent last may not be known yet.

        Raises:
            InsufficientQuota: it has reached its limit of this month.
        """
        if self._budgets:
            self._budgets.require(caller.project)

    def record(
        self,
        caller: Caller,
        endpoint: Endpoint,
        model: str = "",
        *,
        prompt_tokens: int = 0,
        cached_tokens: int = 0,
        completion_tokens: int = 0,
        images: int = 0,
    ) -> None:
        """Count one use. What it costs is fixed now, and counts for its run too.

        Args:
            caller: who asked.
            endpoint: by which way.
            model: the model that served, if one did.
            prompt_tokens: tokens of the prompt, cached ones included.
            cached_tokens: how many of them the model's server had kept from earlier calls.
            completion_tokens: tokens of the answer.
            images: pictures that were made.
        """
        cached_tokens = min(cached_tokens, prompt_tokens)
        cost = self._prices.cost(endpoint, model, prompt_tokens, cached_tokens, completion_tokens, images)
        minute, origin = int(time.time()) // 60, caller.origin
        key = UsageKey(caller.project, minute, caller.key, endpoint, model, caller.user)
        if origin:
            origin.spent += cost
            key = key._replace(assistant=origin.assistant, thread=origin.thread, run=origin.run)
        used = self._batches.waiting.get(key)
        if used is None:
            if not self._batches.has_room():
                return
            used = self._batches.waiting[key] = Used()
        used.requests += 1
        used.prompt_tokens += prompt_tokens
        used.cached_tokens += cached_tokens
        used.completion_tokens += completion_tokens
        used.images += images
        used.cost += cost
        if self._budgets:
            self._budgets.spend(caller.project, cost)

    async def sweep(self) -> None:
        """Once an hour: put the storage of vector stores on the books, and add up what old runs used.

        Raises:
            Unavailable: the database is away.
        """
        if await self._records.count_storage(self._prices.storage):
            while await self._records.fold(self._run_days):
                pass

    async def _add(self, number: int, used: Sequence[tuple[UsageKey, Used]]) -> None:
        await self._records.add(self._writer, number, used)

    async def _refresh(self) -> None:
        if self._budgets is None:
            return
        try:
            await self._budgets.refresh()
        except Unavailable:
            return
        except psycopg.Error:
            log.exception("spend limits cannot be read")
