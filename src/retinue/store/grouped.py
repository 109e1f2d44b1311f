"""Sums over what was recorded, by buckets of time and groups: as many as can be told at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import InvalidRequest
from .database import Database, Row

#: Most rows of one query, and seconds that it may take.
_MOST = 10_000
_TIMEOUT = 20


async def grouped(database: Database, sql: str, values: Mapping[str, Any], groups: int) -> list[Row]:
    """The rows of a query in their order.

    Args:
        database: where they are.
        sql: the query up to its conditions. Its first columns are the bucket and the groups; the others are aggregates.
        values: its parameters.
        groups: how many columns after the bucket are groups.

    Raises:
        InvalidRequest: that is more than can be told at once.
    """
    order = ", ".join(map(str, range(1, groups + 2)))
    try:
        rows = await database.rows(f"{sql} group by {order} order by {order} limit {_MOST + 1}", values, _TIMEOUT)
    except TimeoutError:
        rows = None
    if rows is None or len(rows) > _MOST:
        raise InvalidRequest("This is too much to be told at once. Ask for fewer buckets or groups.", param="limit")
    return rows
