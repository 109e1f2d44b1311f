"""How requests and runs fared, as the administration API shows it: in buckets of time, by groups."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import InvalidRequest
from ..store.measures import REQUESTS, RUNS, Measured, MeasureQuery, Measures
from ..wire import measures as wire
from ..wire.usage import Bucket, BucketPage
from .spans import DAY, HOUR, Span, span_of

#: The most days of a page.
MOST_DAYS = 92
#: Seconds of a bucket, how many there are by default, and at most.
_WIDTHS = {"1h": (HOUR, 24, 168), "1d": (DAY, 7, MOST_DAYS)}
#: Parameters that select, and the fields that they select by.
_ONLY = {
    "project_ids": "project_id",
    "user_ids": "user_id",
    "api_key_ids": "api_key_id",
    "assistant_ids": "assistant_id",
    "models": "model",
    "routes": "route",
}


async def requests(measures: Measures, params: wire.RequestsUsageParams) -> BucketPage[wire.RequestsUsage]:
    """How requests fared.

    Raises:
        InvalidRequest: the parameters do not fit together, or it is too much to be told at once.
    """
    span, query = _query(params)
    if params.by_page is not None:
        query = replace(query, only={**query.only, "by_page": [params.by_page]})
    found = await measures.measure(REQUESTS, query) if span.start < span.end else []
    return _page(span, query, [(one.start, wire.RequestsUsage.model_validate(_told(one))) for one in found])


async def runs(measures: Measures, params: wire.RunsUsageParams) -> BucketPage[wire.RunsUsage]:
    """How runs fared; raises as `requests`."""
    span, query = _query(params)
    found = await measures.measure(RUNS, query) if span.start < span.end else []
    return _page(span, query, [(one.start, wire.RunsUsage.model_validate(_told(one))) for one in found])


def _query(params: wire.MeasureParams) -> tuple[Span, MeasureQuery]:
    if params.bucket_width == "all":
        span, origin = _whole(params), params.start_time
    else:
        span, origin = span_of(params, *_WIDTHS[params.bucket_width]), 0
    only = {field: values for name, field in _ONLY.items() if (values := getattr(params, name, ()))}
    group_by = list(dict.fromkeys(params.group_by))
    return span, MeasureQuery(span.start, span.end, span.width, origin, group_by, only)


def _whole(params: wire.MeasureParams) -> Span:
    """The whole time as one bucket."""
    end = int(time.time()) + 1 if params.end_time is None else params.end_time
    if end <= params.start_time:
        raise InvalidRequest("Invalid 'end_time': it must lie behind 'start_time'.", param="end_time")
    if end - params.start_time > MOST_DAYS * DAY:
        raise InvalidRequest(
            f"Invalid 'start_time': with 'bucket_width' all, the time may be {MOST_DAYS} days long at most.",
            param="start_time",
        )
    return Span(params.start_time, end, end - params.start_time, more=False)


def _told(one: Measured) -> dict[str, Any]:
    """A result's fields. Groups of nothing are null."""
    group = {name: value or None for name, value in one.group.items()}
    return {**group, **{name: _percentiles(value) for name, value in one.measures.items()}}


def _percentiles(value: Any) -> Any:
    return wire.Percentiles(p50=value[0], p95=value[1]) if isinstance(value, list) else value


def _page(span: Span, query: MeasureQuery, results: Sequence[tuple[int, Any]]) -> BucketPage[Any]:
    by_start: dict[int, list[Any]] = {}
    for start, result in results:
        by_start.setdefault(start, []).append(result)
    bounds = [(span.start, span.end)] if query.origin else span.bounds()
    buckets = [
        Bucket(
            start_time=start,
            end_time=end,
            results=by_start.get(start - (start - query.origin) % span.width, []),
        )
        for start, end in bounds
    ]
    return BucketPage(data=buckets, has_more=span.more, next_page=span.next_page)
