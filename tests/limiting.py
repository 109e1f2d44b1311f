"""Limits without a database, for tests: buckets in memory, which the plain model of a bucket fills and empties."""

from __future__ import annotations

from collections.abc import Sequence

from retinue.accounts.bucket import Bucket
from retinue.accounts.limits import Limits
from retinue.accounts.quotas import Quotas, Rates
from retinue.errors import Unavailable
from retinue.store.limits import Taken, Wanted


class Clock:
    """A clock that a test turns."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


class MemoryBuckets:
    """What the database's function does, by the plain model."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        #: How often it was asked to take.
        self.asked = 0
        self.away = False

    async def take(self, wanted: Sequence[Wanted], *, owed: bool = False) -> list[Taken]:
        self.asked += 1
        if self.away:
            raise Unavailable("The database cannot be reached at the moment. Please try again.")
        now = self._clock()
        buckets = [self._buckets.setdefault(one.bucket, Bucket(one.limit, one.seconds)) for one in wanted]
        waits = [
            0 if owed or one.need <= 0 else bucket.wait(one.need, now)
            for bucket, one in zip(buckets, wanted, strict=True)
        ]
        taken: list[Taken] = []
        for bucket, one, wait in zip(buckets, wanted, waits, strict=True):
            granted = 0
            if not any(waits):
                bucket.correct(one.need, now)
                more = max(0, min(one.share - one.need, bucket.level(now)[0]))
                bucket.correct(more, now)
                granted = one.need + more
            taken.append(Taken(granted, bucket.level(now)[1], wait))
        return taken

    async def sweep(self) -> None:
        pass


class FixedQuotas:
    """The same limits for every project."""

    def __init__(self, quotas: Quotas) -> None:
        self.quotas = quotas

    def known(self, project: str) -> Quotas:
        return self.quotas

    async def of(self, project: str) -> Quotas:
        return self.quotas


def limits_of(
    requests: int,
    tokens: int,
    *,
    clock: Clock | None = None,
    buckets: MemoryBuckets | None = None,
    quotas: Quotas | None = None,
) -> Limits:
    """Limits of one process, of so many requests and tokens a minute for each project."""
    clock = clock or Clock()
    chosen = quotas or Quotas(Rates(requests, tokens), Rates(), Rates())
    return Limits(buckets or MemoryBuckets(clock), FixedQuotas(chosen), clock=clock)
