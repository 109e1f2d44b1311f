"""What one process has of the buckets that all share: a little taken ahead, so that few requests ask the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..store.limits import Taken, Wanted
from .bucket import SECOND, Bucket

#: What part of a limit a process takes ahead, at most. Two processes together stay within one per cent.
_PART = 200
#: Nanoseconds for which a refusal is believed. What others put back meanwhile is not seen.
_BELIEVED = SECOND // 10

Kind = Literal["requests", "tokens", "seconds"]

_PERIODS = {60: "minute", 86_400: "day"}


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of somebody.

    Attributes:
        whose: as people are told, such as ``project proj_x``.
        kind: of what.
        most: how much in `seconds`.
        seconds: a minute or a day.
        owner: whose, as the name of the bucket begins; no other has it.
    """

    owner: str
    whose: str
    kind: Kind
    most: int
    seconds: int

    @property
    def period(self) -> str:
        """`minute` or `day`."""
        return _PERIODS[self.seconds]

    @property
    def bucket(self) -> str:
        """The name of the bucket."""
        return f"{self.owner}/{self.kind}/{self.period}"


class Share:
    """This process's share of one bucket.

    Attributes:
        limit: what the bucket is for.
        held: what was taken ahead and is not used yet; less than nothing is owed to the bucket.
        coming: what the database is being asked for.
        used: whether it has been used since the last round of `Limits`.
        seen: how the bucket is as far as known here, with what is held counted as being in it.
    """

    __slots__ = ("_refused_at", "_refused_for", "_there_at", "coming", "held", "limit", "name", "seen", "used")

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.name = limit.bucket
        self.held = 0
        self.coming = 0
        self.used = False
        self.seen = Bucket(limit.most, limit.seconds)
        #: The shortage for which the bucket had too little, when that was, and when there will be enough.
        self._refused_for = 0
        self._refused_at = 0
        self._there_at = 0

    @property
    def ahead(self) -> int:
        """The most that is held of what nobody has asked for yet."""
        return self.limit.most // _PART

    def count(self, amount: int, now: int) -> None:
        """Count so much as used, here alone; less than nothing is given back."""
        self.held -= amount
        self.seen.correct(amount, now)
        self.used = True

    def wanted(self) -> Wanted:
        """What to take from the bucket, since more has been counted than is held."""
        return self._wanted(max(0, -self.held), max(0, self.ahead - self.held))

    def settled(self, *, everything: bool) -> Wanted:
        """What to take from the bucket, or to put back, so that no more is held than may be.

        Args:
            everything: put all back that is held.
        """
        held = self.held + self.coming
        need = min(0, (0 if everything else self.ahead) - held) if held > 0 else -held
        return self._wanted(need, need)

    def _wanted(self, need: int, share: int) -> Wanted:
        return Wanted(self.name, self.limit.most, self.limit.seconds, need, share)

    def saw(self, taken: Taken, now: int) -> None:
        """Learn how the bucket is, without what is held here."""
        self.seen.fill(taken.full_in, now)
        self.seen.correct(-self.held, now)

    def refused(self, taken: Taken, short: int, now: int) -> None:
        """Remember that the bucket had too little for a shortage."""
        self._refused_for, self._refused_at, self._there_at = short, now, now + taken.wait

    def known_wait(self, amount: int, now: int) -> int:
        """Nanoseconds until there is `amount`, if a refusal of a moment ago tells that it is not there; else 0."""
        short = amount - self.held
        if short <= 0 or short < self._refused_for or now >= min(self._there_at, self._refused_at + _BELIEVED):
            return 0
        more = (short - self._refused_for) * self.limit.seconds * SECOND
        return self._there_at - now + -(-more // self.limit.most)
