"""Processes that are asked through pipes: when they end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from retinue.inference.frames import Frame
from retinue.inference.worker import Died, Worker

QUESTION = Frame({"texts": ["a"], "input_type": None})


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    """A process that ends when it has had nothing to do for a moment."""
    config = {"context_length": 512}
    worker = Worker("retinue.inference.embeddings.use_child", config, name="words", timeout=60, idle=0.01)
    yield worker
    await worker.close()


async def ended(worker: Worker) -> None:
    async with asyncio.timeout(30):
        while True:
            if not worker.pid:
                return
            await asyncio.sleep(0.01)


async def test_an_idle_process_ends_and_the_next_question_starts_another(worker: Worker):
    first = await worker.ask(QUESTION)
    await ended(worker)
    assert (await worker.ask(QUESTION)).parts == first.parts
    await ended(worker)


async def test_questions_that_wait_are_work(worker: Worker):
    questions = [asyncio.create_task(worker.ask(QUESTION)) for _ in range(3)]
    await asyncio.sleep(0)
    assert worker.load == 3
    await questions[0]
    pid = worker.pid
    assert pid
    await asyncio.gather(*questions[1:])
    assert worker.pid in (pid, None)
    assert worker.load == 0


def workers() -> list[str]:
    """The processes of this kind that this one has."""
    here = os.getpid()
    pids = Path(f"/proc/{here}/task/{here}/children").read_text().split()
    return [pid for pid in pids if b"use_child" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.parametrize("seconds", [0, 0.001, 0.05])
async def test_what_is_closed_while_it_starts_leaves_no_process(worker: Worker, seconds: float):
    asking = [asyncio.create_task(worker.ask(QUESTION)) for _ in range(2)]
    await asyncio.sleep(seconds)
    await worker.close()
    for answer in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(answer, Died)
    assert workers() == []
    # A later question starts another one.
    assert (await worker.ask(QUESTION)).parts
