"""Usage is added up, written in batches that are never counted twice, and bounded while the database is away."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import pytest

from retinue.accounts import batches
from retinue.accounts.keys import Caller
from retinue.accounts.usage import UsageMeter
from retinue.errors import Unavailable
from retinue.store.usage import UsageKey, UsageRecords, Used

ADA = Caller("proj_a", "key_1")


class Records:
    """Stands for the table: knows the last batch, and loses answers."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.sizes: list[int] = []
        self.requests: Counter[str] = Counter()
        self.tokens = 0
        #: Whether the database is away: before it has taken a batch, or after.
        self.away: str | None = None
        self.tried = asyncio.Event()

    async def add(self, writer: str, batch: int, used: Sequence[tuple[UsageKey, Used]]) -> None:
        self.tried.set()
        if self.away == "before":
            raise Unavailable("away")
        if not self.batches or batch > self.batches[-1]:
            self.batches.append(batch)
            self.sizes.append(len(used))
            for key, counts in used:
                self.requests[key.model] += counts.requests
                self.tokens += counts.prompt_tokens + counts.completion_tokens
        if self.away == "after":
            raise Unavailable("away")


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> Records:
    monkeypatch.setattr(batches, "_EVERY", 0.001)
    return Records()


def metering(records: Records) -> UsageMeter:
    return UsageMeter(cast(UsageRecords, records))


async def tried(records: Records, times: int = 1) -> None:
    for _ in range(times):
        records.tried.clear()
        await asyncio.wait_for(records.tried.wait(), 20)


async def test_calls_are_added_up(records: Records, monkeypatch: pytest.MonkeyPatch):
    taken: list[Any] = []

    async def add(writer: str, batch: int, used: Sequence[tuple[UsageKey, Used]]) -> None:
        taken.extend(used)

    monkeypatch.setattr(records, "add", add)
    monkeypatch.setattr(time, "time", lambda: 120.5)
    meter = metering(records)
    meter.start()
    for _ in range(3):
        meter.record(ADA, "chat.completions", "m", prompt_tokens=10, cached_tokens=4, completion_tokens=5)
    meter.record(ADA, "images", "m", images=2)
    meter.record(Caller("proj_a"), "runs", "m", prompt_tokens=1)
    await meter.stop()
    assert taken == [
        (UsageKey("proj_a", 2, "key_1", "chat.completions", "m"), Used(3, 30, 12, 15, 0)),
        (UsageKey("proj_a", 2, "key_1", "images", "m"), Used(1, 0, 0, 0, 2)),
        (UsageKey("proj_a", 2, "", "runs", "m"), Used(1, 1, 0, 0, 0)),
    ]


@pytest.mark.parametrize("away", ["before", "after"])
async def test_an_outage_loses_nothing_and_counts_nothing_twice(records: Records, away: str):
    meter = metering(records)
    meter.start()
    records.away = away
    for number in range(10):
        meter.record(ADA, "chat.completions", "m", prompt_tokens=1, completion_tokens=number)
        await tried(records)
    records.away = None
    await tried(records)
    meter.record(ADA, "chat.completions", "m", prompt_tokens=1)
    await meter.stop()
    assert records.requests == {"m": 11}
    assert records.tokens == 10 + 45 + 1


async def test_stopping_in_the_middle_of_a_writing_counts_it_once(records: Records, monkeypatch: pytest.MonkeyPatch):
    meter = metering(records)
    add, begun = records.add, asyncio.Event()

    async def slow(*values: Any) -> None:
        await add(*values)
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()

    monkeypatch.setattr(records, "add", slow)
    meter.start()
    meter.record(ADA, "embeddings", "m")
    await asyncio.wait_for(begun.wait(), 20)
    await meter.stop()
    assert records.requests == {"m": 1}


async def test_much_is_written_in_pieces(records: Records):
    meter = metering(records)
    meter.start()
    for number in range(1_000):
        meter.record(ADA, "embeddings", f"m{number}")
    await meter.stop()
    assert max(records.sizes) <= 250
    assert records.requests == {f"m{number}": 1 for number in range(1_000)}


async def test_memory_is_bounded_while_the_database_is_away(records: Records):
    meter = metering(records)
    meter.start()
    records.away = "before"
    for number in range(21_000):
        meter.record(ADA, "embeddings", f"m{number}")
    # What is counted already goes on being counted.
    meter.record(ADA, "embeddings", "m0")
    await tried(records)
    records.away = None
    await meter.stop()
    assert records.requests["m0"] == 2
    assert len(records.requests) == 20_000
