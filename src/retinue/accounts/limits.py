"""Rate limits: how much projects, their keys and users may ask models for in a minute and in a day.

Counts are exact over all processes: buckets lie in the database (`store.limits`), and each process holds a small share
of them (`shares`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from typing import Protocol

import psycopg
import structlog

from ..errors import RateLimited, Unavailable
from ..store.limits import Taken, Wanted
from .bucket import SECOND, duration
from .keys import Caller
from .quotas import Quotas, Rates
from .shares import Kind, Limit, Share

log = structlog.get_logger(__name__)

#: Seconds between two rounds, in which what is owed is paid and what lies idle is put back.
_EVERY = 1.0
#: Rounds after which full buckets are forgotten.
_SWEEP_EVERY = 600
#: Buckets that one statement settles.
_BATCH = 500
#: Projects whose shares are kept before idle ones are forgotten, and callers of each.
_MANY = 1_000

#: The most that one call is taken to have used, whatever a model's server says.
_MOST_USED = 10**12

_MINUTE, _DAY = 60, 86_400

#: What the current request has asked for last.
_asked: ContextVar[tuple[Caller, str] | None] = ContextVar("asked", default=None)

Headers = list[tuple[bytes, bytes]]


class Buckets(Protocol):
    """Where buckets are: `store.limits.RateBuckets`, in all but tests."""

    async def take(self, wanted: Sequence[Wanted], *, owed: bool = False) -> list[Taken]:
        """See there."""
        ...

    async def sweep(self) -> None:
        """See there."""
        ...


class QuotaSource(Protocol):
    """Who knows the limits: `quotas.ProjectQuotas`, in all but tests."""

    def known(self, project: str) -> Quotas:
        """See there."""
        ...

    async def of(self, project: str) -> Quotas:
        """See there."""
        ...


class Admission:
    """Something that was let in; what it takes was estimated."""

    __slots__ = ("_correct", "_counted", "_shares")

    def __init__(self, shares: Sequence[Share], counted: int, correct: Callable[[Sequence[Share], int], None]) -> None:
        self._shares = shares
        self._counted = counted
        self._correct = correct

    def settle(self, amount: int) -> None:
        """Count what it really took instead of what was counted so far: 0 if it came to nothing."""
        amount = max(0, min(amount, _MOST_USED))
        if amount != self._counted:
            self._correct(self._shares, amount - self._counted)
            self._counted = amount


class _Books:
    """A project's shares, and those of its keys, users and models."""

    def __init__(self, project: str, quotas: Quotas) -> None:
        self._project = project
        self.quotas = quotas
        self._shares: dict[str, Share] = {}
        self._of: dict[tuple[str, str, str], tuple[list[Share], list[Share]]] = {}
        #: Held while the database is asked: those who come meanwhile then find what was taken ahead for them too.
        self.asking = asyncio.Lock()
        self.used_at = 0

    def revise(self, quotas: Quotas) -> list[Share]:
        """Other limits are in force, if they differ. Returns the shares of the old ones, which are used no more."""
        old: list[Share] = []
        if quotas != self.quotas:
            old = list(self._shares.values())
            self._shares, self._of = {}, {}
        self.quotas = quotas
        return old

    def of(self, caller: Caller, model: str) -> tuple[list[Share], list[Share]]:
        """The shares that a call of a model takes from: of requests and of tokens.

        Args:
            caller: who asks.
            model: the model; empty: those of all models only.
        """
        name = (caller.key, caller.user, model)
        if (found := self._of.get(name)) is None:
            if len(self._of) >= _MANY:
                self._of = {}
                self._shares = {name: share for name, share in self._shares.items() if share.held or share.used}
            found = self._of[name] = self._open(caller, model)
        return found

    def seconds(self) -> list[Share]:
        """The share that the code interpreter takes from, if it is limited."""
        most = self.quotas.sandbox_seconds_per_day
        if most is None:
            return []
        owner = f"project/{self._project}"
        return [self._share(Limit(owner, f"project {self._project}", "seconds", most, _DAY))]

    def _open(self, caller: Caller, model: str) -> tuple[list[Share], list[Share]]:
        project = self._project
        limits = [(f"project/{project}", f"project {project}", self.quotas.project)]
        if caller.key:
            limits.append((f"key/{caller.key}", f"API key {caller.key}", self.quotas.each_key))
        if caller.user:
            limits.append((f"user/{project}/{caller.user}", f"user {caller.user}", self.quotas.each_user))
        if model in self.quotas.models:
            limits.append((f"model/{project}/{model}", f"model {model} in {project}", self.quotas.models[model]))
        found = [limit for owner, whose, rates in limits for limit in _limits(owner, whose, rates)]
        return (
            [self._share(limit) for limit in found if limit.kind == "requests"],
            [self._share(limit) for limit in found if limit.kind == "tokens"],
        )

    def _share(self, limit: Limit) -> Share:
        return self._shares.setdefault(limit.bucket, Share(limit))


class Limits:
    """The limits of all projects."""

    def __init__(self, buckets: Buckets, quotas: QuotaSource, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Describe the limits.

        Args:
            buckets: that all processes take from.
            quotas: who knows how much each project may use.
            clock: nanoseconds since any moment.
        """
        self._buckets = buckets
        self._quotas = quotas
        self._clock = clock
        self._books: dict[str, _Books] = {}
        #: Shares that are used, or of which something is held or owed.
        self._busy: set[Share] = set()
        self._stopping = asyncio.Event()
        self._rounds: asyncio.Task[None] | None = None
        self._many = _MANY

    def start(self) -> None:
        """Begin with the rounds."""
        self._rounds = asyncio.create_task(self._keep_settling())

    async def stop(self) -> None:
        """Put back what is held, and stop."""
        self._stopping.set()
        if self._rounds:
            await self._rounds
        await self.settle(everything=True)

    async def admit(self, caller: Caller, model: str, tokens: int) -> Admission:
        """Let a model call in, and count it.

        Args:
            caller: who asks.
            model: the model that serves.
            tokens: what the call will take, by estimate: its prompt, and the longest answer where that is known.

        Raises:
            RateLimited: somebody's minute or day is used up; nothing was counted. `retry_after` says when there will be
                room, None that there never will.
            Unavailable: the database is away, and this process's share is used up.
        """
        books = await self._open(caller.project)
        _asked.set((caller, model))
        requests, budgets = books.of(caller, model)
        for share in budgets:
            if tokens > share.limit.most:
                raise RateLimited(
                    f"Request too large for {share.limit.whose} on tokens per {share.limit.period}: "
                    f"Limit {share.limit.most}, Requested {tokens}. The input or the answer must be shorter.",
                    type="tokens",
                    retry_after=None,
                )
        await self._take(books, [*((share, 1) for share in requests), *((share, tokens) for share in budgets)])
        return Admission(budgets, tokens, self._correct)

    async def admit_code(self, project: str) -> Admission:
        """Let the code interpreter run code, which takes a second at least. Raises as `admit`."""
        books = await self._open(project)
        shares = books.seconds()
        await self._take(books, [(share, 1) for share in shares])
        return Admission(shares, 1, self._correct)

    def headers(self, caller: Caller) -> Headers:
        """The headers ``x-ratelimit-*``: what a caller may ask for now, and when for everything again.

        They tell of the limit of which the least is left.
        """
        now = self._clock()
        books = self._books.get(caller.project) or _Books(caller.project, self._quotas.known(caller.project))
        asked = _asked.get()
        requests, budgets = books.of(caller, asked[1] if asked and asked[0] == caller else "")
        limit, remaining, full_in = _tightest(requests, now)
        token_limit, remaining_tokens, tokens_full_in = _tightest(budgets, now)
        return [
            (b"x-ratelimit-limit-requests", b"%d" % limit),
            (b"x-ratelimit-limit-tokens", b"%d" % token_limit),
            (b"x-ratelimit-remaining-requests", b"%d" % remaining),
            (b"x-ratelimit-remaining-tokens", b"%d" % remaining_tokens),
            (b"x-ratelimit-reset-requests", duration(full_in)),
            (b"x-ratelimit-reset-tokens", duration(tokens_full_in)),
        ]

    async def _open(self, project: str) -> _Books:
        quotas = await self._quotas.of(project)
        books = self._books.get(project)
        if books is None:
            if len(self._books) >= self._many:
                self._forget_idle()
            books = self._books[project] = _Books(project, quotas)
        elif books.quotas is not quotas and (old := books.revise(quotas)):
            # What was taken ahead of a generous limit would be a long debt of a small one.
            async with books.asking:
                await self._settle_batch(old, everything=True)
        books.used_at = self._clock()
        return books

    def _forget_idle(self) -> None:
        """Forget the shares of projects that have not asked for a while. What they hold is still put back."""
        since = self._clock() - _MINUTE * SECOND
        self._books = {project: books for project, books in self._books.items() if books.used_at > since}
        # Not again for each further project where many are busy.
        self._many = max(_MANY, 2 * len(self._books))

    # --- taking

    async def _take(self, books: _Books, amounts: Sequence[tuple[Share, int]]) -> None:
        """Take from shares, all or nothing; from the buckets where these hold too little."""
        if not books.asking.locked() and self._count_if_held(amounts):
            return
        async with books.asking:
            if self._count_if_held(amounts):
                return
            now = self._clock()
            known = [(share.known_wait(amount, now), share, amount) for share, amount in amounts]
            if any(wait for wait, _, _ in known):
                raise _refusal(known, now)
            refill = asyncio.create_task(self._refill(amounts))
            try:
                await asyncio.shield(refill)
            except asyncio.CancelledError:
                # The database may have granted it all the same.
                refill.add_done_callback(lambda done: self._give_back(done, amounts))
                raise

    def _count_if_held(self, amounts: Sequence[tuple[Share, int]]) -> bool:
        for share, amount in amounts:
            if share.held < amount:
                return False
        self._count(amounts)
        return True

    def _count(self, amounts: Iterable[tuple[Share, int]], sign: int = 1) -> None:
        now = self._clock()
        for share, amount in amounts:
            share.count(sign * amount, now)
            self._busy.add(share)

    async def _refill(self, amounts: Sequence[tuple[Share, int]]) -> None:
        """Count the amounts, and take from the buckets what is not held of them, with a little ahead."""
        self._count(amounts)
        wanted = [share.wanted() for share, _ in amounts]
        for (share, _), want in zip(amounts, wanted, strict=True):
            share.coming += want.need
        try:
            taken = await self._buckets.take(wanted)
        except BaseException:
            self._count(amounts, -1)
            raise
        finally:
            for (share, _), want in zip(amounts, wanted, strict=True):
                share.coming -= want.need
        now, refused = self._clock(), any(one.wait for one in taken)
        if refused:
            self._count(amounts, -1)
        waits: list[tuple[int, Share, int]] = []
        for (share, amount), one, want in zip(amounts, taken, wanted, strict=True):
            share.held += one.granted
            share.saw(one, now)
            if one.wait:
                share.refused(one, want.need, now)
            waits.append((one.wait, share, amount))
        if refused:
            raise _refusal(waits, now)

    def _give_back(self, refill: asyncio.Task[None], amounts: Sequence[tuple[Share, int]]) -> None:
        """Whoever asked has gone away meanwhile."""
        if not refill.cancelled() and refill.exception() is None:
            self._count(amounts, -1)

    def _correct(self, shares: Sequence[Share], amount: int) -> None:
        """Count so much more, or less; may leave a debt, which the next round tells all processes of."""
        self._count((share, amount) for share in shares)

    # --- rounds

    async def _keep_settling(self) -> None:
        rounds = 0
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _EVERY)
                break
            rounds += 1
            await self.settle()
            if rounds % _SWEEP_EVERY == 0:
                with contextlib.suppress(Unavailable, psycopg.Error):
                    await self._buckets.sweep()

    async def settle(self, *, everything: bool = False) -> None:
        """Pay what is owed, put back what lies idle, and learn what other processes have taken.

        Args:
            everything: put back what does not lie idle too.
        """
        busy, self._busy = sorted(self._busy, key=lambda share: share.name), set[Share]()
        # Two shares of one bucket there may be where its limit has changed: not in one statement.
        while busy:
            batch = {share.name: share for share in busy[:_BATCH]}
            shares = list(batch.values())
            chosen = set(shares)
            busy = [share for share in busy if share not in chosen]
            if not await self._settle_batch(shares, everything=everything):
                self._busy.update(busy)
                return

    async def _settle_batch(self, shares: Sequence[Share], *, everything: bool) -> bool:
        """As `settle`, for so many. Returns whether the database was there."""
        wanted: list[Wanted] = []
        for share in shares:
            wanted.append(share.settled(everything=everything or not share.used))
            share.held += wanted[-1].need
            share.used = False
        try:
            taken = await self._buckets.take(wanted, owed=True)
        except (Unavailable, psycopg.Error) as error:
            log.warning("limits cannot be settled; trying again", error=str(error))
            for share, want in zip(shares, wanted, strict=True):
                share.held -= want.need
            self._busy.update(shares)
            return False
        now = self._clock()
        for share, one in zip(shares, taken, strict=True):
            share.saw(one, now)
            if share.held:
                self._busy.add(share)
        return True


def _limits(owner: str, whose: str, rates: Rates) -> list[Limit]:
    limits: list[tuple[Kind, int | None, int]] = [
        ("requests", rates.requests_per_minute, _MINUTE),
        ("requests", rates.requests_per_day, _DAY),
        ("tokens", rates.tokens_per_minute, _MINUTE),
        ("tokens", rates.tokens_per_day, _DAY),
    ]
    return [Limit(owner, whose, kind, most, seconds) for kind, most, seconds in limits if most is not None]


def _tightest(shares: Sequence[Share], now: int) -> tuple[int, int, int]:
    """Limit, what remains of it, and the nanoseconds until all is there again, where the least remains."""
    levels = [(share.seen.level(now), share) for share in shares]
    (remaining, full_in), share = min(levels, key=lambda one: (one[0][0], -one[0][1]))
    return share.limit.most, remaining, full_in


def _refusal(waits: Sequence[tuple[int, Share, int]], now: int) -> RateLimited:
    """The refusal that says how long to wait for all that there is too little of."""
    wait, share, amount = max(waits, key=lambda one: one[0])
    limit = share.limit
    used = limit.most - share.seen.level(now)[0]
    return RateLimited(
        f"Rate limit reached for {limit.whose} on {limit.kind} per {limit.period}: Limit {limit.most}, Used {used}, "
        f"Requested {amount}. Please try again in {duration(wait).decode()}.",
        type=limit.kind,
        retry_after=wait / SECOND,
    )
