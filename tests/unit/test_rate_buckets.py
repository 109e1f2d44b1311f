"""The database's function that takes from buckets does what the plain model of a bucket does."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.accounts.bucket import Bucket
from retinue.store.database import Database
from retinue.store.limits import RateBuckets, Taken, Wanted

SECOND = 1_000_000
#: A microsecond, in nanoseconds.
MICROSECOND = 1000

_names = itertools.count()

limits = st.one_of(st.integers(1, 5), st.integers(1, 1000), st.integers(1, 10**12))
buckets = st.lists(st.tuples(limits, st.sampled_from([60, 86_400])), min_size=1, max_size=3)
pauses = st.one_of(st.just(0), st.integers(0, SECOND), st.integers(0, 100_000 * SECOND))
#: What is asked of each bucket: a need and a share, in thousandths of the limit, and whether it may be owed.
steps = st.lists(
    st.tuples(
        pauses, st.lists(st.tuples(st.integers(-300, 1500), st.integers(0, 20)), min_size=3, max_size=3), st.booleans()
    ),
    max_size=12,
)


@pytest.fixture
async def rate_buckets(postgres: str) -> AsyncIterator[RateBuckets]:
    database = Database(postgres, connections=2)
    await database.open()
    yield RateBuckets(database)
    await database.close()


def expected(model: Bucket, want: Wanted, now: int, *, refused: bool) -> Taken:
    """What the plain model gives, `now` in nanoseconds. It is changed."""
    granted = 0
    if not refused:
        model.correct(want.need, now)
        more = max(0, min(want.share - want.need, model.level(now)[0]))
        model.correct(more, now)
        granted = want.need + more
    return Taken(granted, model.level(now)[1], 0)


def rounded(nanoseconds: int) -> int:
    """Up to microseconds, as the database counts them."""
    return -(-nanoseconds // MICROSECOND) * MICROSECOND


@given(buckets, steps)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_function_is_the_model(
    postgres: str, buckets: list[tuple[int, int]], steps: list[tuple[int, list[tuple[int, int]], bool]]
) -> None:
    async def play() -> None:
        database = Database(postgres, connections=2)
        await database.open()
        taking, now = RateBuckets(database), 1_700_000_000 * SECOND
        names = [f"test/{next(_names):09}" for _ in buckets]
        models = [Bucket(limit, seconds) for limit, seconds in buckets]
        try:
            for pause, asked, owed in steps:
                now += pause
                at = now * MICROSECOND
                wanted = [
                    Wanted(name, limit, seconds, limit * need // 1000, limit * (share if need > 0 else need) // 1000)
                    for name, (limit, seconds), (need, share) in zip(names, buckets, asked, strict=False)
                ]
                waits = [
                    0 if owed or one.need <= 0 else model.wait(one.need, at)
                    for model, one in zip(models, wanted, strict=True)
                ]
                # The last first: the function sorts them.
                taken = (await taking.take(wanted[::-1], owed=owed, moment=now))[::-1]
                for model, one, wait, got in zip(models, wanted, waits, taken, strict=True):
                    wish = expected(model, one, at, refused=any(waits))
                    assert got == Taken(wish.granted, rounded(wish.full_in), rounded(wait))
        finally:
            await database.close()

    asyncio.run(play())


async def test_all_or_nothing(rate_buckets: RateBuckets) -> None:
    name = f"test/{next(_names)}"
    full, small = Wanted(name + "a", 100, 60, 10, 10), Wanted(name + "b", 1, 60, 1, 1)
    assert [one.granted for one in await rate_buckets.take([full, small])] == [10, 1]
    second = await rate_buckets.take([small, full])
    assert [one.granted for one in second] == [0, 0]
    assert second[0].wait > 0
    assert second[1].wait == 0
    assert (await rate_buckets.take([Wanted(name + "a", 100, 60, 90, 90)]))[0].granted == 90


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_takers_side_by_side_get_what_there_is_and_no_more(rate_buckets: RateBuckets, limit: int) -> None:
    names = [f"test/{next(_names)}/{letter}" for letter in "ab"]
    moment = 1_700_000_000 * SECOND

    async def take(number: int) -> int:
        order = names if number % 2 else names[::-1]
        wanted = [Wanted(name, limit, 86_400, 1, 1) for name in order]
        return (await rate_buckets.take(wanted, moment=moment))[0].granted

    assert sum(await asyncio.gather(*map(take, range(limit + 50)))) == limit


async def test_full_buckets_are_forgotten(rate_buckets: RateBuckets, postgres: str) -> None:
    name = f"test/{next(_names)}"
    await rate_buckets.take([Wanted(name + "full", 1, 60, 1, 1)], moment=1_700_000_000 * SECOND)
    await rate_buckets.take([Wanted(name + "used", 1, 60, 1, 1)])
    await rate_buckets.sweep()
    database = Database(postgres, connections=2)
    await database.open()
    rows = await database.rows("select id from rate_buckets where id like %(name)s", {"name": name + "%"})
    await database.close()
    assert rows == [(name + "used",)]


async def test_a_debt_beyond_all_reason_is_kept_and_breaks_nothing(rate_buckets: RateBuckets) -> None:
    name = f"test/{next(_names)}"
    for _ in range(3):
        (owed,) = await rate_buckets.take([Wanted(name, 1, 86_400, 10**18, 10**18)], owed=True)
        assert owed.granted == 10**18
    (refused,) = await rate_buckets.take([Wanted(name, 1, 86_400, 1, 1)])
    assert (refused.granted, refused.wait) == (0, refused.full_in)
