"""Rate limits: buckets are exact, and what is refused or corrected is counted right."""

import asyncio
import contextlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.accounts.bucket import Bucket, duration
from retinue.accounts.keys import Caller
from retinue.accounts.limits import Limits
from retinue.accounts.quotas import Quotas, Rates
from retinue.errors import RateLimited, Unavailable
from retinue.store.limits import Taken, Wanted

from ..limiting import Clock, MemoryBuckets, limits_of

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

#: Nanoseconds that pass: often none, sometimes long.
pauses = st.one_of(st.just(0), st.integers(0, SECOND), st.integers(0, 3 * MINUTE))
limits = st.one_of(st.integers(1, 100), st.integers(1, 10**12))
#: Shares of a limit, in thousandths.
shares = st.integers(0, 1000)


@given(limits, st.integers(0, 10**19), st.lists(st.tuples(pauses, shares)))
def test_a_bucket_is_exact(limit: int, now: int, steps: list[tuple[int, int]]):
    """It gives what a bucket of exact fractions would give, and says to the nanosecond when it will give more."""
    bucket, level = Bucket(limit), Fraction(limit)
    for pause, share in steps:
        now += pause
        level = min(Fraction(limit), level + Fraction(pause * limit, MINUTE))
        amount = limit * share // 1000
        wait = bucket.take(amount, now)
        if level >= amount:
            assert wait == 0
            level -= amount
        else:
            assert wait > 0
            assert level + Fraction(wait * limit, MINUTE) >= amount > level + Fraction((wait - 1) * limit, MINUTE)
        remaining, full_in = bucket.level(now)
        assert remaining == int(level)
        assert full_in == -(-(limit - level) * MINUTE // limit)


@given(st.integers(1, 1000), st.lists(st.tuples(pauses, shares), max_size=30))
def test_no_window_has_more_than_a_full_bucket_and_what_flowed_in(limit: int, steps: list[tuple[int, int]]):
    bucket, now = Bucket(limit), 0
    taken: list[tuple[int, int]] = []
    for pause, share in steps:
        now += pause
        amount = limit * share // 1000
        if bucket.take(amount, now) == 0:
            taken.append((now, amount))
    for first, (begin, _) in enumerate(taken):
        total = 0
        for end, amount in taken[first:]:
            total += amount
            assert total * MINUTE <= limit * MINUTE + limit * (end - begin)


@given(limits, st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_a_correction_can_be_taken_back(limit: int, amount: int, now: int):
    bucket = Bucket(limit)
    bucket.take(limit, now)
    before = bucket.level(now)
    bucket.correct(abs(amount), now)
    bucket.correct(-abs(amount), now)
    assert bucket.level(now) == before


def test_what_is_put_back_never_makes_more_than_a_full_bucket():
    bucket = Bucket(5)
    bucket.take(1, 0)
    bucket.correct(-100, 0)
    assert bucket.level(0) == (5, 0)
    assert bucket.take(5, 0) == 0
    assert bucket.take(1, 0) == MINUTE // 5


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, b"0s"),
        (1, b"1ms"),
        (6_000_000, b"6ms"),
        (6_000_001, b"7ms"),
        (SECOND - 1, b"1s"),
        (SECOND, b"1s"),
        (7_660_000_000, b"7.66s"),
        (MINUTE - SECOND // 1000, b"59.999s"),
        (MINUTE - 1, b"1m0s"),
        (86_400_000_000, b"1m26.4s"),
        (6 * MINUTE, b"6m0s"),
        (90 * MINUTE, b"90m0s"),
    ],
)
def test_durations(nanoseconds: int, text: bytes):
    assert duration(nanoseconds) == text


# --- limits of projects

ADA, BOB = Caller("proj_a", "key_1"), Caller("proj_b", "key_2")


def shown(limits: Limits, project: str) -> dict[str, str]:
    return {
        name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in limits.headers(Caller(project))
    }


async def test_requests_run_out_for_one_project_and_come_back():
    clock = Clock()
    limits = limits_of(3, 1000, clock=clock)
    for left in (2, 1, 0):
        await limits.admit(ADA, "m", 10)
        assert shown(limits, "proj_a")["remaining-requests"] == str(left)
    with pytest.raises(RateLimited) as refused:
        await limits.admit(Caller("proj_a", "key_9"), "m", 10)
    assert (refused.value.status, refused.value.type, refused.value.code) == (429, "requests", "rate_limit_exceeded")
    assert refused.value.retry_after == 20
    assert refused.value.message == (
        "Rate limit reached for project proj_a on requests per minute: Limit 3, Used 3, Requested 1. "
        "Please try again in 20s."
    )
    await limits.admit(BOB, "m", 10)
    clock.now += 20 * SECOND - 1
    with pytest.raises(RateLimited):
        await limits.admit(ADA, "m", 10)
    clock.now += 1
    await limits.admit(ADA, "m", 10)
    assert shown(limits, "proj_a") == {
        "limit-requests": "3",
        "limit-tokens": "1000",
        "remaining-requests": "0",
        "remaining-tokens": "995",
        "reset-requests": "1m0s",
        "reset-tokens": "300ms",
    }


async def test_a_call_without_tokens_to_go_costs_no_request():
    limits = limits_of(10, 100)
    await limits.admit(ADA, "m", 60)
    with pytest.raises(RateLimited) as refused:
        await limits.admit(ADA, "m", 50)
    assert (refused.value.type, refused.value.retry_after) == ("tokens", 6)
    assert shown(limits, "proj_a")["remaining-requests"] == "9"
    assert shown(limits, "proj_a")["remaining-tokens"] == "40"


async def test_a_call_that_would_never_fit():
    limits = limits_of(10, 100)
    with pytest.raises(RateLimited) as refused:
        await limits.admit(ADA, "m", 101)
    assert (refused.value.type, refused.value.retry_after) == ("tokens", None)
    assert shown(limits, "proj_a")["remaining-requests"] == "10"


async def test_settling_counts_what_was_really_used():
    clock = Clock()
    limits = limits_of(10, 100, clock=clock)
    admission = await limits.admit(ADA, "m", 60)
    admission.settle(25)
    assert shown(limits, "proj_a")["remaining-tokens"] == "75"
    admission.settle(30)
    assert shown(limits, "proj_a")["remaining-tokens"] == "70"
    admission.settle(0)
    assert shown(limits, "proj_a")["remaining-tokens"] == "100"
    # An answer longer than the limit leaves a debt.
    admission.settle(250)
    await limits.settle()
    assert shown(limits, "proj_a")["remaining-tokens"] == "0"
    assert shown(limits, "proj_a")["reset-tokens"] == "2m30s"
    with pytest.raises(RateLimited) as refused:
        await limits.admit(ADA, "m", 10)
    assert refused.value.retry_after == 96
    clock.now += 96 * SECOND
    await limits.admit(ADA, "m", 10)


async def test_idle_projects_are_forgotten_and_busy_ones_are_not():
    clock = Clock()
    limits = limits_of(2, 100, clock=clock)
    for number in range(5_000):
        clock.now += SECOND
        await limits.admit(Caller(f"proj_{number}"), "m", 100)
        await limits.admit(Caller("proj_busy"), "m", 1) if number % 30 == 0 else None
        assert len(limits._books) <= 1_001
    await limits.admit(Caller("proj_busy"), "m", 1)
    with pytest.raises(RateLimited):
        await limits.admit(Caller("proj_4999"), "m", 1)


async def test_many_busy_projects_are_all_limited():
    limits = limits_of(1, 100)
    callers = [Caller(f"proj_{number}") for number in range(3_000)]
    for caller in callers:
        await limits.admit(caller, "m", 1)
    for caller in callers:
        with pytest.raises(RateLimited):
            await limits.admit(caller, "m", 1)


async def test_retry_after_is_enough_and_shrinks():
    clock = Clock()
    limits = limits_of(7, 100, clock=clock)
    for _ in range(7):
        await limits.admit(ADA, "m", 0)
    waits: list[float] = []
    for _ in range(5):
        with pytest.raises(RateLimited) as refused:
            await limits.admit(ADA, "m", 0)
        assert refused.value.retry_after
        waits.append(refused.value.retry_after)
        clock.now += SECOND
    assert all(0.9999 < before - after < 1.0001 for before, after in pairwise(waits))


# --- shares of one process


class SlowBuckets(MemoryBuckets):
    """Buckets that answer when they are told to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.go_on = asyncio.Event()
        self.under_way = 0

    async def take(self, wanted: Sequence[Wanted], *, owed: bool = False) -> list[Taken]:
        self.under_way += 1
        await self.go_on.wait()
        return await super().take(wanted, owed=owed)


async def test_those_who_ask_at_once_share_one_answer():
    clock = Clock()
    buckets = SlowBuckets(clock)
    limits = limits_of(10_000, 10_000_000, buckets=buckets, clock=clock)
    asking = [asyncio.create_task(limits.admit(ADA, "m", 10)) for _ in range(50)]
    await asyncio.sleep(0)
    buckets.go_on.set()
    await asyncio.gather(*asking)
    assert (buckets.asked, buckets.under_way) == (1, 1)
    assert shown(limits, "proj_a")["remaining-requests"] == "9950"


async def test_a_crowd_that_is_refused_asks_once():
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limits = limits_of(1, 1000, buckets=buckets, clock=clock)
    await limits.admit(ADA, "m", 1)
    answers = await asyncio.gather(*(limits.admit(ADA, "m", 1) for _ in range(100)), return_exceptions=True)
    assert {answer.retry_after for answer in answers if isinstance(answer, RateLimited)} == {60}
    assert buckets.asked == 2
    # It is not believed for long.
    clock.now += SECOND // 5
    with pytest.raises(RateLimited) as refused:
        await limits.admit(ADA, "m", 1)
    assert (refused.value.retry_after, buckets.asked) == (59.8, 3)


async def test_without_the_database_the_share_is_used_up():
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limits = limits_of(2000, 1_000_000, buckets=buckets, clock=clock)
    await limits.admit(ADA, "m", 1)
    buckets.away = True
    for _ in range(10):
        await limits.admit(ADA, "m", 1)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await limits.admit(ADA, "m", 1)
    assert shown(limits, "proj_a")["remaining-requests"] == "1989"
    await limits.settle()
    buckets.away = False
    await limits.admit(ADA, "m", 1)
    assert shown(limits, "proj_a")["remaining-requests"] == "1988"


@pytest.mark.parametrize("refused", [False, True])
async def test_who_goes_away_while_asking_takes_nothing(refused: bool):
    clock = Clock()
    buckets = SlowBuckets(clock)
    limits = limits_of(5, 1000, buckets=buckets, clock=clock)
    if refused:
        await MemoryBuckets.take(buckets, [Wanted("project/proj_a/requests/minute", 5, 60, 5, 5)])
    gone = asyncio.create_task(limits.admit(ADA, "m", 10))
    for _ in range(5):
        await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    # A round in between does not take it for a debt.
    settling = asyncio.create_task(limits.settle())
    await asyncio.sleep(0)
    buckets.go_on.set()
    await settling
    await asyncio.sleep(0)
    await limits.settle(everything=True)
    (level,) = await buckets.take([Wanted("project/proj_a/requests/minute", 5, 60, 0, 0)])
    assert level.full_in == (MINUTE if refused else 0)


async def test_two_processes_let_in_what_one_may():
    """And what the first has put back after a round or two, the second may have."""
    clock = Clock()
    buckets = MemoryBuckets(clock)
    one, other = (limits_of(1000, 1_000_000, buckets=buckets, clock=clock) for _ in range(2))
    passed = 0
    for limits in (one, other) * 700:
        with contextlib.suppress(RateLimited):
            await limits.admit(ADA, "m", 1)
            passed += 1
    assert 990 <= passed <= 1000
    await one.settle()
    await one.settle()
    for _ in range(1000 - passed):
        clock.now += 1
        await other.admit(ADA, "m", 1)
    with pytest.raises(RateLimited):
        await other.admit(ADA, "m", 1)


@given(st.integers(0, 10**30), st.integers(0, 1000))
async def test_no_usage_breaks_the_books(used: int, estimate: int):
    clock = Clock()
    buckets = MemoryBuckets(clock)
    limits = limits_of(10, 1000, buckets=buckets, clock=clock)
    admission = await limits.admit(ADA, "m", estimate)
    admission.settle(used)
    admission.settle(-used)
    await limits.settle()
    await limits.settle(everything=True)
    assert shown(limits, "proj_a")["remaining-tokens"] == "1000"


async def test_keys_people_and_models_have_buckets_beside_the_projects():
    quotas = Quotas(Rates(100, 10_000), Rates(requests_per_minute=3), Rates(requests_per_day=4), models={"m": Rates(2)})
    limits = limits_of(0, 0, quotas=quotas)
    ada = Caller("proj_a", "key_1", user="user_ada")

    async def refused(caller: Caller, model: str) -> str:
        with pytest.raises(RateLimited) as error:
            await limits.admit(caller, model, 1)
        return error.value.message.partition(":")[0]

    await limits.admit(ada, "m", 1)
    await limits.admit(ada, "m", 1)
    assert await refused(ada, "m") == "Rate limit reached for model m in proj_a on requests per minute"
    await limits.admit(ada, "n", 1)
    assert await refused(ada, "n") == "Rate limit reached for API key key_1 on requests per minute"
    second = Caller("proj_a", "key_2", user="user_ada")
    await limits.admit(second, "n", 1)
    assert await refused(second, "n") == "Rate limit reached for user user_ada on requests per day"
    await limits.admit(Caller("proj_a", "key_2"), "n", 1)
