"""Delivers events to webhook endpoints: each by one process at a time, until it is taken or given up."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from typing import Any

import psycopg
import structlog

from ..egress import Egress, EgressFailed, EgressRefused
from ..errors import ApiError
from ..settings import Settings
from ..store.ids import new_id
from ..store.secretbox import SecretUnreadable
from ..store.store import Store
from ..store.webhooks import CHANNEL, DueDelivery
from ..wire.webhooks import WebhookEvent
from .sender import Sender

log = structlog.get_logger(__name__)

#: Deliveries to one endpoint at once, roughly: a slow receiver holds up its own events only.
_EACH = 4
#: Seconds after which a process looks for deliveries that it was not told of.
_SWEEP = 5.0
#: Seconds beyond `webhook_timeout` for which a delivery belongs to whoever claimed it.
_LEASE_MARGIN = 5.0
#: Seconds between two deletions of old deliveries.
_FORGET_EVERY = 3600.0
_GROWTH = 3
_LONGEST_WAIT = 9 * 3600.0
#: HTTP status by which a receiver says that it wants no more.
_GONE = 410


class Deliverer:
    """Delivers events, of all projects. Any number of processes may do so on one database."""

    def __init__(self, store: Store, egress: Egress, settings: Settings) -> None:
        """To be made before the store is opened: it listens for what there is to deliver."""
        self._store = store
        self._sender = Sender(egress, store.secrets, settings.webhook_timeout)
        self._settings = settings
        self._owner = new_id("proc_")
        self._woken = asyncio.Event()
        self._forget_at = 0.0
        self._working: asyncio.Task[None] | None = None
        self._under_way: dict[asyncio.Task[None], str] = {}
        store.notices.on(CHANNEL, lambda _: self._woken.set())

    def start(self) -> None:
        """Begin to deliver."""
        self._working = asyncio.create_task(self._keep_working())

    async def stop(self) -> None:
        """Stop; what was under way is sent again, by whoever works on the same database."""
        tasks = [*self._under_way, *([self._working] if self._working else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._working:
            with contextlib.suppress(ApiError, psycopg.Error):
                await self._store.webhook_deliveries.release(self._owner)

    async def _keep_working(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._forget()
                found = await self._take()
            except (ApiError, psycopg.Error) as error:
                log.warning("cannot look for deliveries", error=str(error))
                found = False
            if not found:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._woken.wait(), _SWEEP)

    async def _take(self) -> bool:
        """Begin the deliveries that are due and for which there is room. False if there were none."""
        room = self._settings.webhook_concurrency - len(self._under_way)
        if room < 1:
            return False
        counts = Counter(self._under_way.values())
        claimed = await self._store.webhook_deliveries.claim(
            self._owner,
            lease=self._settings.webhook_timeout + _LEASE_MARGIN,
            limit=room,
            each=_EACH,
            busy=[endpoint for endpoint, count in counts.items() if count >= _EACH],
        )
        for due in claimed:
            task = asyncio.create_task(self._deliver(due))
            self._under_way[task] = due.endpoint
            task.add_done_callback(self._done)
        return bool(claimed)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._woken.set()

    async def _deliver(self, due: DueDelivery) -> None:
        try:
            event = WebhookEvent.model_validate_json(due.event)
            status, error = await self._sender.send(event, due.receiver), None
            if not 200 <= status < 300:
                error = f"The receiver answered with status {status}."
        except (EgressRefused, EgressFailed, SecretUnreadable) as failure:
            status, error = None, str(failure)
        except Exception:
            log.exception("delivery failed on a defect", delivery=due.id)
            status, error = None, "A defect of the server; its log says more."
        patch: dict[str, Any] = {"response_status": status, "last_error": error, "next_attempt_at": None}
        if error is None:
            patch["status"] = "delivered"
        elif status == _GONE or due.attempt >= self._settings.webhook_attempts:
            patch["status"] = "failed"
        else:
            wait = self._wait(due.attempt)
            patch["next_attempt_at"] = int(time.time() + wait)
            asyncio.get_running_loop().call_later(wait, self._woken.set)
        if error is not None:
            log.info("delivery failed", delivery=due.id, endpoint=due.endpoint, attempt=due.attempt, error=error)
        try:
            await self._store.webhook_deliveries.settle(due.id, self._owner, patch, disable=status == _GONE)
        except (ApiError, psycopg.Error) as failure:
            # Its claim runs out, and it is sent again: receivers know it by its id.
            log.warning("cannot write down a delivery", delivery=due.id, error=str(failure))

    def _wait(self, attempt: int) -> float:
        """Seconds until the next attempt, different ones for deliveries that failed together."""
        wait = min(self._settings.webhook_retry_after * _GROWTH ** (attempt - 1), _LONGEST_WAIT)
        return wait * random.uniform(0.8, 1.2)  # noqa: S311 (no secret)

    async def _forget(self) -> None:
        if time.monotonic() >= self._forget_at:
            await self._store.webhook_deliveries.forget(time.time() - self._settings.webhook_keep_days * 86400)
            self._forget_at = time.monotonic() + _FORGET_EVERY
