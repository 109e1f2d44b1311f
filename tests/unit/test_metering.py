"""Calls of runs and agents wait for room, but not long, not many at once, and at no price where there is room."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import pytest

from retinue.accounts.keys import Caller
from retinue.accounts.metering import Metering
from retinue.accounts.usage import UsageMeter
from retinue.errors import InsufficientQuota, ModelError
from retinue.inference.chat import ChatRequest
from retinue.inference.tokens import estimate_prompt, estimate_usage

from ..limiting import Clock, MemoryBuckets, limits_of

ADA = Caller("proj_a", "key_1")
BOB = Caller("proj_b", "key_2")


class Running(Clock):
    """The time itself."""

    def __call__(self) -> int:
        return time.monotonic_ns()


class Spending:
    """Stands for the usage meter."""

    def __init__(self) -> None:
        self.spent = False
        self.recorded: list[dict[str, int]] = []

    def require(self, caller: Caller) -> None:
        if self.spent:
            raise InsufficientQuota("The budget is spent.")

    def record(self, caller: Caller, endpoint: str, model: str, **used: int) -> None:
        self.recorded.append(used)


def metering(requests: int, tokens: int, *, patience: float = 10, places: int = 10) -> tuple[Metering, MemoryBuckets]:
    clock = Running()
    buckets = MemoryBuckets(clock)
    limits = limits_of(requests, tokens, clock=clock, buckets=buckets)
    usage = cast(UsageMeter, Spending())
    return Metering(limits, usage, patience=patience, places=places), buckets


async def call(books: Metering, tokens: int, used: int | None = None, caller: Caller = ADA) -> None:
    with await books.patiently(caller, "runs", "m", tokens) as metered:
        metered.usage = {"prompt_tokens": tokens if used is None else used}


async def until_wait(books: Metering, calls: int) -> None:
    """Wait until so many calls of ADA's wait for room."""
    async with asyncio.timeout(10):
        while books._waiting[ADA.project] < calls:  # noqa: ASYNC110 (nothing tells when a call begins to wait)
            await asyncio.sleep(0.001)


async def test_where_there_is_room_the_database_is_hardly_asked():
    books, buckets = metering(1_000_000, 1_000_000_000)
    for _ in range(1000):
        await call(books, 500)
    assert buckets.asked == 1


async def test_what_it_used_is_counted_instead_of_the_estimate():
    books, _ = metering(1000, 6000)
    await call(books, 6000, used=10)
    began = time.monotonic()
    await call(books, 5900, used=6100)
    assert time.monotonic() - began < 5
    # 100 missing and 100 wanted, at 100 a second.
    await call(books, 100)
    assert 1.5 < time.monotonic() - began < 8


async def test_it_waits_no_longer_than_it_may():
    books, _ = metering(1000, 6000, patience=10)
    await call(books, 6000)
    began = time.monotonic()
    with pytest.raises(ModelError, match="Please try again in") as raised:
        await call(books, 3000)
    # It does not wait at all where it would wait for nothing.
    assert time.monotonic() - began < 5
    assert (raised.value.status, raised.value.run_code) == (429, "rate_limit_exceeded")
    assert (raised.value.type, raised.value.code) == ("tokens", "rate_limit_exceeded")
    assert raised.value.retry_after
    with pytest.raises(ModelError, match="Request too large") as raised:
        await call(books, 7000)
    assert raised.value.retry_after is None


async def test_no_more_of_a_project_wait_than_there_are_places():
    books, _ = metering(1000, 6000, places=2)
    await call(books, 6000)
    await call(books, 6000, caller=BOB)
    waiting = [asyncio.create_task(call(books, 300)) for _ in range(2)]
    await until_wait(books, 2)
    with pytest.raises(ModelError):
        await call(books, 200)
    # Another project has places of its own, and who goes away leaves one.
    await call(books, 50, caller=BOB)
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    await call(books, 200)
    await waiting[1]


async def test_many_that_wait_come_in_one_after_the_other():
    books, buckets = metering(1000, 6000, places=50)
    await call(books, 6000)
    began, asked = time.monotonic(), buckets.asked
    await asyncio.gather(*(call(books, 10) for _ in range(20)))
    # 200 at 100 a second.
    assert 1.9 < time.monotonic() - began < 8
    assert buckets.asked - asked < 100


async def test_whoever_waits_is_told_when_the_budget_is_spent_meanwhile():
    books, _ = metering(1000, 6000)
    await call(books, 6000)
    waiting = asyncio.create_task(call(books, 300))
    await until_wait(books, 1)
    cast(Spending, books.usage).spent = True
    with pytest.raises(ModelError, match="budget") as raised:
        await waiting
    assert (raised.value.run_code, raised.value.code) == ("rate_limit_exceeded", "insufficient_quota")


async def test_requests_run_out_too():
    books, _ = metering(2, 10**9, patience=0.2)
    await call(books, 1)
    await call(books, 1)
    with pytest.raises(ModelError, match="on requests per minute: Limit 2"):
        await call(books, 1)


async def test_a_call_that_came_to_nothing_takes_nothing():
    books, _ = metering(1000, 6000, patience=0)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), await books.patiently(ADA, "runs", "m", 6000):
            raise ZeroDivisionError
    assert not cast(Spending, books.usage).recorded


def test_pictures_count_alike_however_large_they_are():
    def request(url: str) -> ChatRequest:
        parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
        return ChatRequest([{"role": "user", "content": parts}])

    small, large = request("https://example.com/a.png"), request("data:image/png;base64," + "A" * 1_000_000)
    assert estimate_prompt(small) == estimate_prompt(large) < 1000
    assert estimate_usage(large, "A cat.").prompt_tokens == estimate_prompt(large)


def test_tools_are_part_of_a_prompt():
    bare = ChatRequest([{"role": "user", "content": "Hello"}])
    tool = {"type": "function", "function": {"name": "weather", "description": "Tells the weather. " * 30}}
    assert estimate_prompt(ChatRequest(bare.messages, tools=[tool])) > estimate_prompt(bare) + 100
