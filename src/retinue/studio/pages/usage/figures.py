"""Figures of usage and costs: asked of the administration API, and put together by day and group."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ...asking import assistant_names
from ...visitor import Visitor

#: Days of the longest period, and of one page of the API: of usage, and of costs.
MOST_DAYS = 366
_USAGE_PAGE, _COSTS_PAGE = 31, 180
#: Fields of usage that figures are broken down by, and what they are called in costs.
FIELDS = {
    "model": "line_item",
    "api_key_id": "api_key_id",
    "assistant_id": "assistant_id",
    "project_id": "project_id",
    "user_id": "user_id",
}
#: What stands on bills beside models.
LINE_ITEMS = ("code interpreter", "vector storage", "file search", "web search")
#: Names that are asked for: of projects, of each one's keys, of people, of assistants.
_MOST_NAMES = 500


@dataclass(slots=True)
class Figures:
    """What was used, and what it cost in US dollars."""

    requests: int = 0
    #: Cached ones included.
    input: int = 0
    cached: int = 0
    output: int = 0
    cost: float = 0.0

    def add(self, other: Figures) -> None:
        """Add others."""
        self.requests += other.requests
        self.input += other.input
        self.cached += other.cached
        self.output += other.output
        self.cost += other.cost

    @property
    def tokens(self) -> int:
        """Of input and output."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked for."""

    #: Both inclusive.
    first: date
    last: date
    #: One of `FIELDS`; "" for none.
    by: str = ""
    #: Id of a project; "" for all.
    project: str = ""

    @property
    def days(self) -> list[str]:
        """All days, as ISO has them."""
        count = (self.last - self.first).days + 1
        return [(self.first + timedelta(days=number)).isoformat() for number in range(count)]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was used."""

    question: Question
    #: By day and group; the group is "" where there is none. Days and groups without use are left out.
    cells: dict[tuple[str, str], Figures]

    def by_group(self) -> dict[str, Figures]:
        """Sums of the groups, the dearest first, then those with most tokens."""
        sums = _added((group, figures) for (_, group), figures in self.cells.items())
        return dict(sorted(sums.items(), key=lambda one: (-one[1].cost, -one[1].tokens, one[0])))

    def total(self) -> Figures:
        """All together."""
        return _added(("", figures) for figures in self.cells.values()).get("", Figures())


def _added(figures: Iterable[tuple[str, Figures]]) -> dict[str, Figures]:
    sums: dict[str, Figures] = {}
    for name, one in figures:
        sums.setdefault(name, Figures()).add(one)
    return sums


async def ask(visitor: Visitor, question: Question) -> Answer:
    """Ask for usage and costs.

    Raises:
        openai.APIError: the API refuses.
    """
    cells: dict[tuple[str, str], Figures] = {}
    usage, costs = await asyncio.gather(
        results(visitor, "/organization/usage/completions", question, question.by, _USAGE_PAGE),
        results(visitor, "/organization/costs", question, FIELDS.get(question.by, ""), _COSTS_PAGE),
    )
    for day, group, one in usage:
        figures = Figures(
            one["num_model_requests"], one["input_tokens"], one["input_cached_tokens"], one["output_tokens"]
        )
        cells.setdefault((day, group), Figures()).add(figures)
    for day, group, one in costs:
        cells.setdefault((day, group), Figures()).add(Figures(cost=one["amount"]["value"]))
    return Answer(question, {place: one for place, one in sorted(cells.items()) if one != Figures()})


async def results(
    visitor: Visitor, path: str, question: Question, field: str, limit: int, **more: str
) -> list[tuple[str, str, Any]]:
    """Day, group and result, of all pages.

    Args:
        visitor: who asks.
        path: of the administration API.
        question: which days, and of which project.
        field: what is told apart; "" for nothing.
        limit: days of a page.
        more: further parameters.

    Raises:
        openai.APIError: the API refuses.
    """
    found: list[tuple[str, str, Any]] = []
    async for bucket in _buckets(visitor, path, question, field, limit, more):
        day = datetime.fromtimestamp(bucket["start_time"], UTC).date().isoformat()
        found += [(day, (one.get(field) or "") if field else "", one) for one in bucket["results"]]
    return found


async def _buckets(
    visitor: Visitor, path: str, question: Question, field: str, limit: int, more: Mapping[str, str]
) -> AsyncIterator[dict[str, Any]]:
    page = None
    while True:
        answer = await visitor.get(
            path,
            start_time=_seconds(question.first),
            end_time=_seconds(question.last + timedelta(days=1)),
            limit=limit,
            page=page,
            group_by=[field] if field else None,
            project_ids=[question.project] if question.project else None,
            **{"bucket_width": "1d", **more},
        )
        for bucket in answer["data"]:
            yield bucket
        page = answer["next_page"]
        if not answer["has_more"] or page is None:
            return


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


async def projects_of(visitor: Visitor) -> dict[str, str]:
    """Names of the organization's projects by their ids."""
    return await _listed(visitor, "/organization/projects", include_archived=True)


async def names_of(visitor: Visitor, by: str, groups: Sequence[str]) -> dict[str, str]:
    """What groups are called, as far as that is known; for an empty group, words.

    Args:
        visitor: who asks.
        by: one of `FIELDS`, or "".
        groups: their ids.
    """
    names = {one: one for one in groups}
    if by == "project_id":
        names |= await projects_of(visitor)
    elif by == "user_id":
        names |= await _listed(visitor, "/organization/users")
    elif by == "api_key_id":
        for project in await projects_of(visitor):
            names |= await _listed(visitor, f"/organization/projects/{project}/api_keys")
    elif by == "assistant_id":
        names |= await assistant_names(visitor, [group for group in groups if group][:_MOST_NAMES])
    elif by == "model":
        names |= {one: visitor.text(f"usage.{one}") for one in LINE_ITEMS}
    return names | {"": visitor.text(f"usage.no_{by}" if by else "usage.all")}


async def _listed(visitor: Visitor, path: str, **query: Any) -> dict[str, str]:
    """Names by ids, of a list of the administration API."""
    names: dict[str, str] = {}
    after = None
    while len(names) < _MOST_NAMES:
        page = await visitor.get(path, limit=100, after=after, **query)
        names |= {one["id"]: one.get("name") or one["id"] for one in page["data"]}
        after = page["last_id"]
        if not page["has_more"] or not after:
            break
    return names
