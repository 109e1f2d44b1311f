"""The queue of jobs stops, whatever its workers have heard."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from retinue.store import queue
from retinue.store.queue import Queue


async def test_a_worker_that_has_lost_its_cancellation_is_stopped_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_GRACE", 0.01)
    asked, lost = Queue("host=nowhere"), asyncio.Event()

    async def deaf(**_: Any) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if lost.is_set():
                raise
            lost.set()
            await asyncio.Event().wait()

    async def closed() -> None:
        pass

    monkeypatch.setattr(asked._app, "run_worker_async", deaf)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(asked._app, "close_async", closed)  # pyright: ignore[reportPrivateUsage]
    asked.work(_nothing, _nothing, 1)
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await asked.close()
    assert lost.is_set()


async def _nothing(*_: Any) -> None:
    pass
