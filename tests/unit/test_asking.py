"""Asking a GPT: what becomes of a run whose asker goes away."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any, cast

import pytest

from retinue.accounts.keys import Caller
from retinue.errors import NotFound
from retinue.gpts.asking import Asking
from retinue.runs.engine import Engine
from retinue.store.store import Store
from retinue.wire.runs import Run, RunCreate

from .test_turn import RUN


class SlowEngine:
    """Stands for the run engine: it takes as long to create a run as a test wants."""

    def __init__(self, run: Run | Exception) -> None:
        self._run = run
        self.creating, self.go_on = asyncio.Event(), asyncio.Event()
        self.cancelled: list[str] = []

    async def create(self, *_: object) -> Run:
        self.creating.set()
        await self.go_on.wait()
        if isinstance(self._run, Exception):
            raise self._run
        return self._run

    async def cancel(self, project: str, thread: str, run: str) -> None:
        self.cancelled.append(run)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_run_is_ended_whose_asker_goes_away_while_it_is_created(fails: bool) -> None:
    run = RUN.model_copy(update={"spent": 7})
    engine = SlowEngine(NotFound("no") if fails else run)

    async def get(*_: object) -> Run:
        return run.model_copy(update={"status": "cancelled"})

    store = SimpleNamespace(runs=SimpleNamespace(get=get))
    asking, settled = Asking(cast(Store, store), cast(Engine, engine)), list[Run | None]()

    async def after(ended: Run | None) -> None:
        settled.append(ended)

    answer = asking.answer(Caller("proj_a"), run.thread_id, RunCreate(assistant_id="asst_x"), after)

    async def ask() -> Any:
        return await anext(answer)

    hearing = asyncio.create_task(ask())
    async with asyncio.timeout(20):
        await engine.creating.wait()
        hearing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await hearing
        engine.go_on.set()
        await asking.stop()
    assert engine.cancelled == ([] if fails else [run.id])
    assert [ended and (ended.status, ended.spent) for ended in settled] == [None if fails else ("cancelled", 7)]
