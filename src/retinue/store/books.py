"""The books: usage records added up by time and by who used what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from .database import Database
from .grouped import grouped

#: What stands on a bill.
_LINE_ITEM = """
    case endpoint when 'code_interpreter' then 'code interpreter' when 'vector_storage' then 'vector storage'
        when 'file_search' then 'file search' when 'web_search' then 'web search' else model end
"""
#: What usage can be grouped by, and what of it can be asked for.
_FIELDS = {
    "project_id": "project_id",
    "user_id": "user_id",
    "api_key_id": "key_id",
    "assistant_id": "assistant_id",
    "model": "model",
    "line_item": _LINE_ITEM,
}
_SUMS = """
    sum(requests), sum(prompt_tokens), sum(cached_tokens), sum(completion_tokens), sum(images), sum(byte_seconds),
    sum(cost)
"""


@dataclass(frozen=True, slots=True)
class SumQuery:
    """What is to be added up.

    Attributes:
        start: Unix seconds from which on, down to the minute.
        end: Unix seconds before which.
        width: seconds of a bucket: a divisor of a day, or a day. Buckets begin at its multiples since 1970, in UTC.
        endpoints: by which ways; None: all.
        group_by: the fields that are told apart: `project_id`, `user_id`, `api_key_id`, `assistant_id`,
            `model`, `line_item`.
        only: of these fields, the values that count.
    """

    start: int
    end: int
    width: int
    endpoints: Sequence[str] | None
    group_by: Sequence[str]
    only: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Sum:
    """What was used in one bucket by one group."""

    #: Unix seconds: the beginning of the bucket.
    start: int
    #: The group's value of each field of `group_by`; a field that has none is empty.
    group: Mapping[str, str]
    requests: int
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    images: int
    #: Bytes in vector stores, times the seconds that they were kept.
    byte_seconds: int
    #: In nano-dollars.
    cost: int


class Books:
    """Sums of usage, of all projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sums(self, query: SumQuery) -> list[Sum]:
        """What was used, by bucket and group, in this order; buckets and groups without use are left out.

        Raises:
            InvalidRequest: that is more than can be told at once.
        """
        groups = [_FIELDS[name] for name in query.group_by]
        wanted = ["minute >= %(start)s and minute < %(end)s"]
        wanted += ["endpoint = any(%(endpoints)s)"] if query.endpoints is not None else []
        wanted += [f"{_FIELDS[name]} = any(%({name})s)" for name in query.only]
        sql = f"""
            select {", ".join(["extract(epoch from minute)::bigint / %(width)s * %(width)s", *groups])}, {_SUMS}
            from usage_records where {" and ".join(wanted)}
        """  # noqa: S608 (the pieces are those above)
        values = {
            "start": datetime.fromtimestamp(query.start // 60 * 60, UTC),
            "end": datetime.fromtimestamp(query.end, UTC),
            "width": query.width,
            "endpoints": None if query.endpoints is None else list(query.endpoints),
            **{name: list(only) for name, only in query.only.items()},
        }
        rows = await grouped(self._database, sql, values, len(groups))
        split = 1 + len(groups)
        return [
            Sum(row[0], dict(zip(query.group_by, row[1:split], strict=True)), *map(int, row[split:])) for row in rows
        ]
