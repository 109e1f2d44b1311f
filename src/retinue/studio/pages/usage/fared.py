"""How requests and runs fared: numbers, errors and times, asked of the administration API, by day and group."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from ...visitor import Visitor
from .figures import Question, results

#: Days of one page of the API, and of the longest time of which it tells percentiles.
_PAGE = 92


@dataclass(slots=True)
class Fared:
    """Requests, and how they fared. Times are of calls of models that went well, in milliseconds."""

    requests: int = 0
    #: Answered with 4xx but for 429; with 429; with 5xx, or broken off.
    refused: int = 0
    limited: int = 0
    failed: int = 0
    first_p50: float | None = None
    first_p95: float | None = None
    p50: float | None = None
    p95: float | None = None

    @property
    def number(self) -> int:
        """How many there were."""
        return self.requests

    @property
    def share(self) -> float | None:
        """Of those that went wrong, in percent."""
        return _percent(self.refused + self.limited + self.failed, self.requests)


@dataclass(slots=True)
class Ran:
    """Runs, and how they ended. Times are in milliseconds, as everywhere; the API knows whole seconds."""

    runs: int = 0
    completed: int = 0
    incomplete: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    queue_p50: float | None = None
    queue_p95: float | None = None
    p50: float | None = None
    p95: float | None = None

    @property
    def number(self) -> int:
        """How many there were."""
        return self.runs

    @property
    def share(self) -> float | None:
        """Of those that failed or expired, in percent."""
        return _percent(self.failed + self.expired, self.runs)


#: Fields of a row, in their order.
COLUMNS = ("requests", "refused", "limited", "failed", "share", "first_p50", "first_p95", "p50", "p95")
RUN_COLUMNS = (
    *("runs", "completed", "incomplete", "failed", "cancelled", "expired", "share"),
    *("queue_p50", "queue_p95", "p50", "p95"),
)
#: By what runs are told apart: which key began one is not known of it.
RUN_FIELDS = ("", "model", "assistant_id", "project_id", "user_id")

T = TypeVar("T", Fared, Ran)


@dataclass(frozen=True, slots=True)
class FaredAnswer(Generic[T]):
    """How requests or runs fared."""

    question: Question
    #: By day and group; days and groups without any are left out.
    cells: Mapping[tuple[str, str], T]
    #: By group, of the whole time; without times where it is longer than the API tells at once.
    sums: Mapping[str, T]

    def of_day(self, day: str, group: str = "") -> T | None:
        """How those of a group fared on a day."""
        return self.cells.get((day, group))

    def groups(self) -> Sequence[str]:
        """The groups, those with most first."""
        return sorted(self.sums, key=lambda group: (-self.sums[group].number, group))


async def ask_fared(visitor: Visitor, question: Question, *, by_page: bool | None = None) -> FaredAnswer[Fared]:
    """Ask how requests fared.

    Args:
        visitor: who asks.
        question: which ones.
        by_page: only those of pages, or only others.

    Raises:
        openai.APIError: the API refuses.
    """
    only = {} if by_page is None else {"by_page": str(by_page).lower()}
    return await _ask(visitor, "/organization/usage/requests", question, _fared, only)


async def ask_runs(visitor: Visitor, question: Question) -> FaredAnswer[Ran]:
    """Ask how runs fared; raises as `ask_fared`. By what runs are not told apart, there are none."""
    if question.by not in RUN_FIELDS:
        return FaredAnswer(question, {}, {})
    return await _ask(visitor, "/organization/usage/runs", question, _ran, {})


async def _ask(
    visitor: Visitor, path: str, question: Question, read: Callable[[Mapping[str, Any]], T], only: Mapping[str, str]
) -> FaredAnswer[T]:
    whole = len(question.days) <= _PAGE
    daily, sums = await asyncio.gather(
        results(visitor, path, question, question.by, _PAGE, **only),
        results(visitor, path, question, question.by, 1, bucket_width="all", **only) if whole else _nothing(),
    )
    cells = {(day, group): read(one) for day, group, one in daily}
    by_group = {group: read(one) for _, group, one in sums} if whole else _added(cells)
    return FaredAnswer(question, dict(sorted(cells.items())), by_group)


async def _nothing() -> list[tuple[str, str, Any]]:
    return []


def _added(cells: Mapping[tuple[str, str], T]) -> dict[str, T]:
    """Numbers add up; times do not."""
    sums: dict[str, T] = {}
    for (_, group), one in cells.items():
        found = sums.setdefault(group, type(one)())
        for name in (field.name for field in fields(one) if field.type == "int"):
            setattr(found, name, getattr(found, name) + getattr(one, name))
    return sums


def _percent(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 2) if whole else None


def _fared(one: Mapping[str, Any]) -> Fared:
    first, whole = one["model_first_byte_ms"] or {}, one["model_duration_ms"] or {}
    return Fared(
        one["num_requests"],
        one["num_client_errors"],
        one["num_rate_limited"],
        one["num_server_errors"],
        *(first.get("p50"), first.get("p95"), whole.get("p50"), whole.get("p95")),
    )


def _ran(one: Mapping[str, Any]) -> Ran:
    ends = (one[f"num_{end}"] for end in ("completed", "incomplete", "failed", "cancelled", "expired"))
    seconds = ((one[name] or {}).get(part) for name in ("queue_seconds", "duration_seconds") for part in ("p50", "p95"))
    return Ran(one["num_runs"], *ends, *(None if value is None else value * 1000 for value in seconds))
