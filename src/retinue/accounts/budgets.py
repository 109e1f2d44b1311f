"""Budgets: what projects may cost in a month, and an end to their calls of models once they have."""

from __future__ import annotations

from dataclasses import replace

import structlog

from ..errors import InsufficientQuota
from ..store.spending import SpendLimitRow, SpendLimits

log = structlog.get_logger(__name__)

#: The share of a limit at which log and webhooks warn.
_WARN_AT = 0.8


class Budgets:
    """The spend limits of all projects, as this process last saw them."""

    def __init__(self, limits: SpendLimits) -> None:
        """`limits`: where they are kept."""
        self._limits = limits
        self._known: dict[str, SpendLimitRow] = {}

    def require(self, project: str) -> None:
        """See to it that a project may ask a model.

        Raises:
            InsufficientQuota: it has reached its limit of this month.
        """
        limit = self._known.get(project)
        if limit and limit.share >= 1:
            raise InsufficientQuota(
                f"You exceeded your current quota: project {project} has reached its spend limit of "
                f"${limit.threshold // 100}.{limit.threshold % 100:02} for this month. An administrator can raise it."
            )

    def spend(self, project: str, cost: int) -> None:
        """Count what this process spends, in nano-dollars, until the database tells of it."""
        if limit := self._known.get(project):
            self._known[project] = replace(limit, spent=limit.spent + cost)

    async def refresh(self) -> None:
        """See what has been spent; tell, once in a month, of limits that are reached or nearly.

        Raises:
            Unavailable: the database is away.
        """
        limits = await self._limits.all()
        self._known = {limit.project: limit for limit in limits}
        for limit in limits:
            if limit.share >= _WARN_AT and not limit.warned and await self._limits.tell("warned", limit):
                log.warning(
                    "a project has nearly reached its spend limit",
                    project=limit.project,
                    percent=int(limit.share * 100),
                    limit_cents=limit.threshold,
                )
            if limit.share >= 1 and not limit.reached:
                await self._limits.tell("reached", limit)
