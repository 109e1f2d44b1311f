"""How requests and runs fared: added up by time and group, of all projects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from .database import Database
from .grouped import grouped

_PERCENTILES = "percentile_cont(array[0.5, 0.95]) within group (order by {of}) filter (where {where})"
#: Calls of models that were answered to the end.
_ANSWERED = "called_model and status < 400 and error_type is null"


@dataclass(frozen=True, slots=True)
class Source:
    """What is measured.

    Attributes:
        rows: an expression in SQL: rows that have `at`, seconds since 1970, and what the others name.
        fields: from the names of groups to columns.
        measures: expressions in SQL, by their names.
    """

    rows: LiteralString
    fields: Mapping[str, str]
    measures: Mapping[str, str]


REQUESTS = Source(
    """
    select floor(extract(epoch from request_log.at))::bigint as at, project_id, user_id, key_id, assistant_id, model,
        route, by_page, called_model, status, error_type, first_ms, total_ms
    from request_log
    where request_log.at >= to_timestamp(%(start)s) and request_log.at < to_timestamp(%(end)s)
    """,
    {
        "project_id": "project_id",
        "user_id": "user_id",
        "api_key_id": "key_id",
        "assistant_id": "assistant_id",
        "model": "model",
        "route": "route",
        "by_page": "by_page",
    },
    {
        "num_requests": "count(*)",
        "num_client_errors": "count(*) filter (where status between 400 and 499 and status <> 429)",
        "num_rate_limited": "count(*) filter (where status = 429)",
        "num_server_errors": "count(*) filter (where status >= 500 or status < 400 and error_type is not null)",
        "num_model_requests": "count(*) filter (where called_model)",
        "duration_ms": _PERCENTILES.format(of="total_ms", where="true"),
        "model_first_byte_ms": _PERCENTILES.format(of="first_ms", where=_ANSWERED),
        "model_duration_ms": _PERCENTILES.format(of="total_ms", where=_ANSWERED),
    },
)
RUNS = Source(
    """
    select (body ->> 'created_at')::bigint as at, project_id, body ->> 'user' as user_id,
        body ->> 'assistant_id' as assistant_id, body ->> 'model' as model, status,
        (body ->> 'started_at')::bigint as started, (body ->> 'completed_at')::bigint as completed
    from runs
    where (body ->> 'created_at')::bigint >= %(start)s and (body ->> 'created_at')::bigint < %(end)s
    """,
    {name: name for name in ("project_id", "user_id", "assistant_id", "model")},
    {
        "num_runs": "count(*)",
        **{
            f"num_{status}": f"count(*) filter (where status = '{status}')"
            for status in ("completed", "incomplete", "failed", "cancelled", "expired")
        },
        "duration_seconds": _PERCENTILES.format(of="completed - at", where="completed is not null"),
        "queue_seconds": _PERCENTILES.format(of="started - at", where="started is not null"),
    },
)


@dataclass(frozen=True, slots=True)
class MeasureQuery:
    """What is to be measured.

    Attributes:
        start: Unix seconds from which on.
        end: Unix seconds before which.
        width: seconds of a bucket.
        origin: Unix seconds: buckets begin so many times `width` behind it.
        group_by: the fields that are told apart.
        only: of these fields, the values that count.
    """

    start: int
    end: int
    width: int
    origin: int
    group_by: Sequence[str]
    only: Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Measured:
    """How one group fared in one bucket."""

    #: Unix seconds: the beginning of the bucket.
    start: int
    #: The group's value of each field of `group_by`.
    group: Mapping[str, str | None]
    #: By name: numbers, or median and 95th percentile, or None where there is nothing to tell.
    measures: Mapping[str, Any]


class Measures:
    """How requests and runs of all projects fared."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def measure(self, source: Source, query: MeasureQuery) -> list[Measured]:
        """How they fared, by bucket and group, in this order; buckets and groups with nothing are left out.

        Args:
            source: `REQUESTS` or `RUNS`.
            query: what of them.

        Raises:
            InvalidRequest: that is more than can be told at once.
        """
        groups = [source.fields[name] for name in query.group_by]
        wanted = ["true", *(f"{source.fields[name]} = any(%({name})s)" for name in query.only)]
        bucket = "(at - %(origin)s) / %(width)s * %(width)s + %(origin)s"
        sql = f"""
            select {", ".join([bucket, *groups, *source.measures.values()])} from ({source.rows}) as measured
            where {" and ".join(wanted)}
        """  # noqa: S608 (the pieces are those above)
        values: dict[str, Any] = {
            **{name: getattr(query, name) for name in ("start", "end", "width", "origin")},
            **{name: list(only) for name, only in query.only.items()},
        }
        rows = await grouped(self._database, sql, values, len(groups))
        split = 1 + len(groups)
        return [
            Measured(
                row[0],
                dict(zip(query.group_by, row[1:split], strict=True)),
                dict(zip(source.measures, row[split:], strict=True)),
            )
            for row in rows
        ]
