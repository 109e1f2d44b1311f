"""Rate limits: buckets are exact, and what is refused or corrected is counted right."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.accounts.keys import Caller
from retinue.accounts.limits import Bucket, Limits, duration
from retinue.errors import RateLimited

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

#: Nanoseconds that pass: often none, sometimes long.
pauses = st.one_of(st.just(0), st.integers(0, SECOND), st.integers(0, 3 * MINUTE))
limits = st.one_of(st.integers(1, 100), st.integers(1, 10**12))
#: Shares of a limit, in thousandths.
shares = st.integers(0, 1000)


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


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
    return {name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in limits.headers(project)}


def test_requests_run_out_for_one_project_and_come_back():
    clock = Clock()
    limits = Limits(3, 1000, clock=clock)
    for left in (2, 1, 0):
        limits.admit(ADA, 10)
        assert shown(limits, "proj_a")["remaining-requests"] == str(left)
    with pytest.raises(RateLimited) as refused:
        limits.admit(Caller("proj_a", "key_9"), 10)
    assert (refused.value.status, refused.value.type, refused.value.code) == (429, "requests", "rate_limit_exceeded")
    assert refused.value.retry_after == 20
    assert refused.value.message == (
        "Rate limit reached for project proj_a on requests per minute: Limit 3, Used 3, Requested 1. "
        "Please try again in 20s."
    )
    limits.admit(BOB, 10)
    clock.now += 20 * SECOND - 1
    with pytest.raises(RateLimited):
        limits.admit(ADA, 10)
    clock.now += 1
    limits.admit(ADA, 10)
    assert shown(limits, "proj_a") == {
        "limit-requests": "3",
        "limit-tokens": "1000",
        "remaining-requests": "0",
        "remaining-tokens": "990",
        "reset-requests": "1m0s",
        "reset-tokens": "600ms",
    }


def test_a_call_without_tokens_to_go_costs_no_request():
    limits = Limits(10, 100, clock=Clock())
    limits.admit(ADA, 60)
    with pytest.raises(RateLimited) as refused:
        limits.admit(ADA, 50)
    assert (refused.value.type, refused.value.retry_after) == ("tokens", 6)
    assert shown(limits, "proj_a")["remaining-requests"] == "9"
    assert shown(limits, "proj_a")["remaining-tokens"] == "40"


def test_a_call_that_would_never_fit():
    limits = Limits(10, 100, clock=Clock())
    with pytest.raises(RateLimited) as refused:
        limits.admit(ADA, 101)
    assert (refused.value.type, refused.value.retry_after) == ("tokens", None)
    assert shown(limits, "proj_a")["remaining-requests"] == "10"


def test_settling_counts_what_was_really_used():
    clock = Clock()
    limits = Limits(10, 100, clock=clock)
    admission = limits.admit(ADA, 60)
    admission.settle(25)
    assert shown(limits, "proj_a")["remaining-tokens"] == "75"
    admission.settle(30)
    assert shown(limits, "proj_a")["remaining-tokens"] == "70"
    admission.settle(0)
    assert shown(limits, "proj_a")["remaining-tokens"] == "100"
    # An answer longer than the limit leaves a debt.
    admission.settle(250)
    assert shown(limits, "proj_a")["remaining-tokens"] == "0"
    assert shown(limits, "proj_a")["reset-tokens"] == "2m30s"
    with pytest.raises(RateLimited) as refused:
        limits.admit(ADA, 10)
    assert refused.value.retry_after == 96
    clock.now += 96 * SECOND
    limits.admit(ADA, 10)


def test_idle_projects_are_forgotten_and_busy_ones_are_not():
    clock = Clock()
    limits = Limits(2, 100, clock=clock)
    for number in range(5_000):
        clock.now += SECOND
        limits.admit(Caller(f"proj_{number}"), 100)
        limits.admit(Caller("proj_busy"), 1) if number % 30 == 0 else None
        assert len(limits._buckets) <= 1_001
    limits.admit(Caller("proj_busy"), 1)
    with pytest.raises(RateLimited):
        limits.admit(Caller("proj_4999"), 1)


def test_many_busy_projects_are_all_limited():
    limits = Limits(1, 100, clock=Clock())
    callers = [Caller(f"proj_{number}") for number in range(3_000)]
    for caller in callers:
        limits.admit(caller, 1)
    for caller in callers:
        with pytest.raises(RateLimited):
            limits.admit(caller, 1)


def test_retry_after_is_enough_and_shrinks():
    clock = Clock()
    limits = Limits(7, 100, clock=clock)
    for _ in range(7):
        limits.admit(ADA, 0)
    waits: list[float] = []
    for _ in range(5):
        with pytest.raises(RateLimited) as refused:
            limits.admit(ADA, 0)
        assert refused.value.retry_after
        waits.append(refused.value.retry_after)
        clock.now += SECOND
    assert all(0.9999 < before - after < 1.0001 for before, after in pairwise(waits))
