"""The token bucket by which limits are meant, and how its times are written."""

from __future__ import annotations

#: Nanoseconds.
SECOND = 1_000_000_000
_MILLISECOND = 1_000_000


def duration(nanoseconds: int) -> bytes:
    """A time as the official headers write it: ``6ms``, ``1s``, ``7.66s``, ``6m0s``; rounded up to milliseconds."""
    milliseconds = -(-nanoseconds // _MILLISECOND)
    if 0 < milliseconds < 1000:
        return b"%dms" % milliseconds
    minutes, milliseconds = divmod(milliseconds, 60_000)
    seconds = b"%gs" % (milliseconds / 1000)
    return b"%dm%b" % (minutes, seconds) if minutes else seconds


class Bucket:
    """A token bucket: it holds `limit` and fills evenly, in `seconds` from empty.

    Exact, since it knows only whole numbers: a nanosecond brings `limit` parts, and one request or token is as many
    parts as the time in which it fills has nanoseconds.
    """

    __slots__ = ("_full_at", "_part", "limit")

    def __init__(self, limit: int, seconds: int = 60) -> None:
        """A full bucket.

        Args:
            limit: requests or tokens that it holds.
            seconds: in which it fills.
        """
        self.limit = limit
        #: Parts of one request or token.
        self._part = seconds * SECOND
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
        wait = self.wait(amount, now)
        if not wait:
            self.correct(amount, now)
        return wait

    def wait(self, amount: int, now: int) -> int:
        """Nanoseconds until `amount` is there; 0 if it is."""
        short = max(0, self._full_at - now * self.limit) + (amount - self.limit) * self._part
        return max(0, -(-short // self.limit))

    def correct(self, amount: int, now: int) -> None:
        """Take `amount` whether it is there or not; less than nothing is put back."""
        self._full_at = max(self._full_at, now * self.limit) + amount * self._part

    def level(self, now: int) -> tuple[int, int]:
        """What can be taken at once, and the nanoseconds until the bucket is full."""
        missing = max(0, self._full_at - now * self.limit)
        return max(0, self.limit * self._part - missing) // self._part, -(-missing // self.limit)

    def fill(self, full_in: int, now: int) -> None:
        """Have the bucket be full in so many nanoseconds."""
        self._full_at = (now + full_in) * self.limit
