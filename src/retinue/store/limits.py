"""What projects may use: limits as rows, and the buckets that all processes take requests and tokens from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import NotFound
from .audit import Act, record
from .database import Database

#: Notices on this channel name a project whose limits have changed.
LIMITS_CHANGED = "rate_limits"
#: Stands for all models together.
ALL_MODELS = "*"
_MICROSECOND = 1000

_OF_PROJECT = "select model, limits from project_rate_limits where project_id = %(project)s"
#: Limits of null are those of the settings again.
_SET = """
    insert into project_rate_limits (project_id, model, limits)
    select id, %(model)s, jsonb_strip_nulls(%(limits)s::jsonb) from projects
    where id = %(project)s and archived_at is null
    on conflict (project_id, model) do update
        set limits = jsonb_strip_nulls(project_rate_limits.limits || %(limits)s::jsonb)
"""

_TAKE = """
    select granted, full_in, wait from take_from_buckets(
        %(ids)s::text[], %(limits)s::bigint[], %(seconds)s::bigint[], %(needs)s::bigint[], %(shares)s::bigint[],
        %(owed)s, %(moment)s::bigint)
"""
#: Buckets that are full are no different from none.
_SWEEP = """
    delete from rate_buckets where id in (
        select id from rate_buckets where full_at < extract(epoch from now()) * 1000000
        order by full_at limit %(limit)s for update skip locked
    )
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be taken from a bucket.

    Attributes:
        bucket: its name.
        limit: requests or tokens that it holds.
        seconds: in which it fills from empty.
        need: what must be there; less than nothing is put back.
        share: what is taken if there is more than is needed.
    """

    bucket: str
    limit: int
    seconds: int
    need: int
    share: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it. Times are in nanoseconds.

    Attributes:
        granted: requests or tokens that were taken: `need` at least; nothing where any bucket had too little.
        full_in: until the bucket is full, as it is now.
        wait: until there is what is needed; 0 if it is there.
    """

    granted: int
    full_in: int
    wait: int


class RateBuckets:
    """The buckets of all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, wanted: Sequence[Wanted], *, owed: bool = False, moment: int | None = None) -> list[Taken]:
        """Take from several buckets, all or nothing.

        Args:
            wanted: what to take, each from another bucket.
            owed: take it even if it is not there.
            moment: microseconds since 1970; None: now, by the database's clock.

        Returns:
            What was taken, in the order of `wanted`.

        Raises:
            Unavailable: the database is away. What was asked for may or may not have been taken.
        """
        ordered = sorted(wanted, key=lambda one: one.bucket)
        values = {
            "ids": [one.bucket for one in ordered],
            "limits": [one.limit for one in ordered],
            "seconds": [one.seconds for one in ordered],
            "needs": [one.need for one in ordered],
            "shares": [one.share for one in ordered],
            "owed": owed,
            "moment": moment,
        }
        row = await self._database.row(_TAKE, values)
        assert row is not None  # noqa: S101 (the function returns one)
        taken = {
            one.bucket: Taken(granted, full_in * _MICROSECOND, wait * _MICROSECOND)
            for one, granted, full_in, wait in zip(ordered, *row, strict=True)
        }
        return [taken[one.bucket] for one in wanted]

    async def sweep(self, limit: int = 1000) -> None:
        """Forget buckets that are full."""
        await self._database.execute(_SWEEP, {"limit": limit})


class LimitRows:
    """Limits of projects that differ from those of the settings."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, project: str) -> dict[str, Mapping[str, Any]]:
        """A project's limits by model: of each what was set, by the names of `wire.rate_limits`."""
        rows = await self._database.rows(_OF_PROJECT, {"project": project})
        return {str(model): orjson.loads(limits) for model, limits in rows}

    async def set(self, project: str, model: str, limits: Mapping[str, Any]) -> None:
        """Set some of a project's limits for a model; None takes one back.

        Raises:
            NotFound: there is no such project, or it is archived.
        """
        values = {"project": project, "model": model, "limits": orjson.dumps(limits).decode()}
        async with self._database.transaction() as connection:
            if not (await connection.execute(_SET, values)).rowcount:
                raise NotFound(f"No project found with id '{project}'.")
            changed = {"changes_requested": dict(limits)}
            await record(connection, Act("rate_limit.updated", f"rl-{model}", project, changed))
