"""What each project may use: the limits of the settings, and those that administrators have set instead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import Unavailable
from ..settings import Settings
from ..store.limits import ALL_MODELS, LIMITS_CHANGED, LimitRows
from ..store.notices import Notices

#: Seconds that limits are believed without asking again, as long as changes are heard of at once.
_BELIEVED = 5.0
#: Seconds after which a database that was away is asked again.
_PAUSE = 1.0
#: Projects whose limits are known at most; then all are forgotten.
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Rates:
    """How much may be asked for; None: as much as one likes."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None

    def changed(self, row: Mapping[str, Any]) -> Rates:
        """These, but for what a row says otherwise."""
        return Rates(
            row.get("max_requests_per_1_minute", self.requests_per_minute),
            row.get("max_tokens_per_1_minute", self.tokens_per_minute),
            row.get("max_requests_per_1_day", self.requests_per_day),
            row.get("max_tokens_per_1_day", self.tokens_per_day),
        )


@dataclass(frozen=True, slots=True)
class Quotas:
    """All limits of a project."""

    #: Of all models together.
    project: Rates
    each_key: Rates
    each_user: Rates
    concurrent_runs: int | None = None
    sandbox_seconds_per_day: int | None = None
    storage_bytes: int | None = None
    #: Of single models.
    models: Mapping[str, Rates] = field(default_factory=dict[str, Rates])

    @classmethod
    def of_settings(cls, settings: Settings) -> Quotas:
        """The limits of a project for which none were set."""
        return cls(
            Rates(
                settings.requests_per_minute,
                settings.tokens_per_minute,
                settings.requests_per_day,
                settings.tokens_per_day,
            ),
            Rates(
                settings.key_requests_per_minute,
                settings.key_tokens_per_minute,
                settings.key_requests_per_day,
                settings.key_tokens_per_day,
            ),
            Rates(
                settings.user_requests_per_minute,
                settings.user_tokens_per_minute,
                settings.user_requests_per_day,
                settings.user_tokens_per_day,
            ),
            settings.max_concurrent_runs,
            settings.sandbox_seconds_per_day,
            settings.max_storage_bytes,
        )

    def changed(self, rows: Mapping[str, Mapping[str, Any]]) -> Quotas:
        """These, but for what rows, by model, say otherwise."""
        row = rows.get(ALL_MODELS, {})
        return Quotas(
            self.project.changed(row),
            self.each_key.changed(row.get("each_key", {})),
            self.each_user.changed(row.get("each_user", {})),
            row.get("max_concurrent_runs", self.concurrent_runs),
            row.get("max_sandbox_seconds_per_1_day", self.sandbox_seconds_per_day),
            row.get("max_storage_bytes", self.storage_bytes),
            {model: Rates().changed(limits) for model, limits in rows.items() if model != ALL_MODELS},
        )


class ProjectQuotas:
    """The limits of all projects, as far as this process has asked for them."""

    def __init__(self, rows: LimitRows, notices: Notices, defaults: Quotas) -> None:
        """Before `notices` are opened. `defaults` are those of projects without `rows`."""
        self._rows = rows
        self._notices = notices
        self._defaults = defaults
        self._known: dict[str, tuple[float, Quotas]] = {}
        #: Who asks for a project's limits now.
        self._asking: dict[str, asyncio.Task[Quotas]] = {}
        notices.on(LIMITS_CHANGED, self._outdate)

    def _outdate(self, project: str) -> None:
        self._asking.pop(project, None)
        if known := self._known.get(project):
            self._known[project] = (0.0, known[1])

    def known(self, project: str) -> Quotas:
        """A project's limits as they were when last asked for; until then those of the settings."""
        return self._known.get(project, (0.0, self._defaults))[1]

    async def of(self, project: str) -> Quotas:
        """A project's limits. While the database is away, those that were last known.

        Raises:
            Unavailable: the database is away, and nothing is known of the project.
        """
        until, quotas = self._known.get(project, (0.0, None))
        if quotas and until > time.monotonic():
            return quotas
        task = self._asking.get(project)
        if task is None:
            task = self._asking[project] = asyncio.create_task(self._ask(project))
        try:
            return await asyncio.shield(task)
        except Unavailable:
            if quotas is None:
                raise
            self._known[project] = (time.monotonic() + _PAUSE, quotas)
            return quotas

    async def _ask(self, project: str) -> Quotas:
        me = asyncio.current_task()
        try:
            rows = await self._rows.of(project)
            quotas = self._defaults.changed(rows) if rows else self._defaults
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            # What has changed meanwhile is asked for again.
            current = self._asking.get(project) is me and self._notices.heard
            self._known[project] = (time.monotonic() + _BELIEVED if current else 0.0, quotas)
            return quotas
        finally:
            if self._asking.get(project) is me:
                del self._asking[project]
