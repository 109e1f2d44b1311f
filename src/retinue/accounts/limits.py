"""Rate limits: how many requests and tokens a project may ask models for in a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import RateLimited
from .keys import Caller

#: Nanoseconds for which a limit is meant, and in which an empty bucket fills.
_MINUTE = 60_000_000_000
_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000
#: Projects whose buckets are kept before the full ones are forgotten.
_MANY = 1_000

Headers = list[tuple[bytes, bytes]]


def duration(nanoseconds: int) -> bytes:
    """A time as the official headers write it: ``6ms``, ``1s``, ``7.66s``, ``6m0s``; rounded up to milliseconds."""
    milliseconds = -(-nanoseconds // _MILLISECOND)
    if 0 < milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, milliseconds = divmod(milliseconds, 60_000)
    seconds = b"%gs" % (milliseconds / 1000)
    return b"%dm%b" % (minutes, seconds) if minutes else seconds


class Bucket:
    """A token bucket: it holds `limit` and fills evenly, in a minute from empty.

    Exact, since it knows only whole numbers: a nanosecond brings `limit` parts, and one request or token is as many
    parts as a minute has nanoseconds.
    """

    __slots__ = ("_capacity", "_full_at", "limit")

    def __init__(self, limit: int) -> None:
        """A full bucket. `limit`: requests or tokens a minute."""
        self.limit = limit
        self._capacity = limit * _MINUTE
        #: When the bucket is full, in nanoseconds times `limit`.
        self._full_at = 0

    def take(self, amount: int, now: int) -> int:
        """Take `amount`, at most `limit`, if it is there.

        Args:
            amount: requests or tokens.
            now: nanoseconds of a clock that never goes back, here and below the same.

        Returns:
            0, or the nanoseconds until there will be enough; then nothing was taken.
        """
        now *= self.limit
        full_at = max(self._full_at, now) + amount * _MINUTE
        short = full_at - now - self._capacity
        if short > 0:
            return -(-short // self.limit)
        self._full_at = full_at
        return 0

    def correct(self, amount: int, now: int) -> None:
        """Take `amount` whether it is there or not; less than nothing is put back."""
        self._full_at = max(self._full_at, now * self.limit) + amount * _MINUTE

    def level(self, now: int) -> tuple[int, int]:
        """What can be taken at once, and the nanoseconds until the bucket is full."""
        missing = max(0, self._full_at - now * self.limit)
        return max(0, self._capacity - missing) // _MINUTE, -(-missing // self.limit)


class Admission:
    """A model call that was let in; its tokens were estimated."""

    __slots__ = ("_counted", "_limits", "_project")

    def __init__(self, limits: Limits, project: str, tokens: int) -> None:
        self._limits = limits
        self._project = project
        self._counted = tokens

    def settle(self, tokens: int) -> None:
        """Count the tokens that the call really took instead of those counted so far: 0 if it came to nothing."""
        self._limits.correct(self._project, tokens - self._counted)
        self._counted = tokens


class Limits:
    """The limits of all projects, as this process counts them."""

    def __init__(
        self, requests_per_minute: int, tokens_per_minute: int, *, clock: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """Describe the limits.

        Args:
            requests_per_minute: of each project.
            tokens_per_minute: the same; tokens of prompts and answers together.
            clock: nanoseconds since any moment.
        """
        self._requests = requests_per_minute
        self._tokens = tokens_per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[Bucket, Bucket]] = {}
        self._many = _MANY
        self._limit_headers = (
            (b"x-ratelimit-limit-requests", b"%d" % requests_per_minute),
            (b"x-ratelimit-limit-tokens", b"%d" % tokens_per_minute),
        )

    def admit(self, caller: Caller, tokens: int) -> Admission:
        """Let a model call in, and count it.

        Args:
            caller: who asks.
            tokens: what the call will take, by estimate: its prompt, and the longest answer where that is known.

        Raises:
            RateLimited: the project has used up its minute; nothing was counted. `retry_after` says when there will be
                room, None that there never will.
        """
        now = self._clock()
        project = caller.project
        requests, budget = self._buckets.get(project) or self._open(project, now)
        if tokens > self._tokens:
            raise RateLimited(
                f"Request too large for project {project} on tokens per minute: Limit {self._tokens}, "
                f"Requested {tokens}. The input or the answer must be shorter.",
                type="tokens",
                retry_after=None,
            )
        if wait := requests.take(1, now):
            raise _refusal(project, "requests", requests, 1, wait, now)
        if wait := budget.take(tokens, now):
            requests.correct(-1, now)
            raise _refusal(project, "tokens", budget, tokens, wait, now)
        return Admission(self, project, tokens)

    def headers(self, project: str) -> Headers:
        """The headers ``x-ratelimit-*``: what a project may ask for now, and when it may ask for everything again."""
        now = self._clock()
        requests, budget = self._buckets.get(project) or self._open(project, now)
        remaining_requests, requests_full_in = requests.level(now)
        remaining_tokens, tokens_full_in = budget.level(now)
        return [
            *self._limit_headers,
            (b"x-ratelimit-remaining-requests", b"%d" % remaining_requests),
            (b"x-ratelimit-remaining-tokens", b"%d" % remaining_tokens),
            (b"x-ratelimit-reset-requests", duration(requests_full_in)),
            (b"x-ratelimit-reset-tokens", duration(tokens_full_in)),
        ]

    def correct(self, project: str, tokens: int) -> None:
        """Count so many tokens more, or less; may leave the project in debt."""
        now = self._clock()
        _, budget = self._buckets.get(project) or self._open(project, now)
        budget.correct(tokens, now)

    def _open(self, project: str, now: int) -> tuple[Bucket, Bucket]:
        """New buckets for a project: of requests and of tokens."""
        if len(self._buckets) >= self._many:
            # Buckets that are full are no different from new ones.
            self._buckets = {
                known: buckets
                for known, buckets in self._buckets.items()
                if any(bucket.level(now)[1] for bucket in buckets)
            }
            # Not again for each further project where many are busy.
            self._many = max(_MANY, 2 * len(self._buckets))
        buckets = self._buckets[project] = Bucket(self._requests), Bucket(self._tokens)
        return buckets


def _refusal(project: str, kind: str, bucket: Bucket, requested: int, wait: int, now: int) -> RateLimited:
    used = bucket.limit - bucket.level(now)[0]
    return RateLimited(
        f"Rate limit reached for project {project} on {kind} per minute: Limit {bucket.limit}, Used {used}, "
        f"Requested {requested}. Please try again in {duration(wait).decode()}.",
        type=kind,
        retry_after=wait / _SECOND,
    )
