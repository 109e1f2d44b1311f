"""Pages of buckets of time, as the administration API asks for them."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..errors import InvalidRequest
from ..wire.usage import BucketParams

HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Span:
    """The buckets of a page: from `start`, `width` seconds each, to `end`; and whether there are more behind."""

    start: int
    end: int
    width: int
    more: bool

    def bounds(self) -> list[tuple[int, int]]:
        """The buckets. They begin at multiples of their width; the first and the last may be cut."""
        first = self.start - self.start % self.width
        return [(max(at, self.start), min(at + self.width, self.end)) for at in range(first, self.end, self.width)]

    @property
    def next_page(self) -> str | None:
        """What asks for the buckets behind."""
        return f"page_{self.end}" if self.more else None


def span_of(params: BucketParams, width: int, default: int, most: int) -> Span:
    """The buckets that are asked for.

    Args:
        params: what is asked for.
        width: seconds of a bucket.
        default: how many buckets a page has, if nothing is said.
        most: how many it may have.

    Raises:
        InvalidRequest: the parameters do not fit together, or it is too much to be told at once.
    """
    limit = params.limit or default
    if limit > most:
        message = f"Invalid 'limit': with buckets of {params.bucket_width} at most {most}, but got {limit}."
        raise InvalidRequest(message, param="limit", code="integer_above_max_value")
    now = int(time.time())
    end = now - now % width + width if params.end_time is None else params.end_time
    if params.end_time is not None and end <= params.start_time:
        raise InvalidRequest("Invalid 'end_time': it must lie behind 'start_time'.", param="end_time")
    start = params.start_time
    if params.page is not None:
        start = int(params.page.removeprefix("page_"))
        if start % width or not params.start_time < start < end:
            raise InvalidRequest("Invalid 'page': it is no 'next_page' of this request.", param="page")
    last = min(end, start - start % width + limit * width)
    return Span(start, last, width, last < end)
