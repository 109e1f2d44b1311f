"""Spend limits of projects, as rows, with what has been spent of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..wire.usage import SpendEnforcement, SpendLimit, SpendLimitEvent
from .audit import Act, perform
from .database import Database, Row

_MONTH = "date_trunc('month', now(), 'UTC')"
#: Nano-dollars of a cent.
CENT = 10_000_000

_SHOWN = f"""
    project_id, threshold, coalesce((
        select cost from spend_months where spend_months.project_id = spend_limits.project_id and month = {_MONTH}
    ), 0), warned is not distinct from {_MONTH}, reached is not distinct from {_MONTH}
"""  # noqa: S608
_ALL = f"select {_SHOWN} from spend_limits"  # noqa: S608
_ONE = f"select {_SHOWN} from spend_limits where project_id = %(project)s"  # noqa: S608
_SET = f"""
    insert into spend_limits (project_id, threshold) values (%(project)s, %(threshold)s)
    on conflict (project_id) do update set threshold = excluded.threshold, warned = null, reached = null
    returning {_SHOWN}
"""  # noqa: S608
_DELETE = "delete from spend_limits where project_id = %(project)s returning project_id"
#: What is marked with the month is told, in one statement, so that one process tells it and none forgets to.
_TELL = f"""
    with marked as (
        update spend_limits set {{change}} = {_MONTH}
        where project_id = %(project)s and {{change}} is distinct from {_MONTH} returning project_id
    )
    select publish_event(project_id, 'project.spend_limit.{{change}}', %(event)s::jsonb) from marked
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class SpendLimitRow:
    """How much a project may cost in a month, and what it has cost in this one."""

    project: str
    #: In cents.
    threshold: int
    #: In nano-dollars.
    spent: int
    #: Whether somebody was warned this month, and told that it is reached.
    warned: bool
    reached: bool

    @property
    def share(self) -> float:
        """How much of the limit has been spent: 1 or more where it has been reached."""
        return self.spent / (self.threshold * CENT) if self.threshold else 1.0

    @property
    def shown(self) -> SpendLimit:
        """The limit as clients see it."""
        status = "enforcing" if self.share >= 1 else "inactive"
        return SpendLimit(threshold_amount=self.threshold, enforcement=SpendEnforcement(status=status))


class SpendLimits:
    """The spend limits of projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[SpendLimitRow]:
        """Those of all projects that have one."""
        return [SpendLimitRow(*row) for row in await self._database.rows(_ALL, {})]

    async def get(self, project: str) -> SpendLimitRow | None:
        """A project's limit, if it has one."""
        return _made(await self._database.row(_ONE, {"project": project}))

    async def set(self, project: str, threshold: int) -> SpendLimitRow:
        """Limit what a project may cost in a month, in cents, or change its limit."""
        values = {"project": project, "threshold": threshold}
        changed = Act("spend_limit.updated", project, project, {"threshold_amount": threshold})
        row = _made(await perform(self._database, _SET, values, lambda _: changed))
        assert row is not None  # noqa: S101 (an insertion returns its row)
        return row

    async def delete(self, project: str) -> bool:
        """Lift a project's limit; False if it has none."""
        deleted = Act("spend_limit.deleted", project, project)
        return await perform(self._database, _DELETE, {"project": project}, lambda _: deleted) is not None

    async def tell(self, change: Literal["warned", "reached"], limit: SpendLimitRow) -> bool:
        """Tell the project's webhook endpoints of a limit, unless that was done this month, by whatever process.

        Args:
            change: that it is nearly reached, or that it is.
            limit: as it is.

        Returns:
            Whether it was told now.
        """
        shown = limit.shown.model_dump()
        event = SpendLimitEvent(project_id=limit.project, spent_amount=limit.spent // CENT, **shown)
        values = {"project": limit.project, "event": event.model_dump_json()}
        return await self._database.row(_TELL.format(change=change), values) is not None


def _made(row: Row | None) -> SpendLimitRow | None:
    return SpendLimitRow(*row) if row else None
