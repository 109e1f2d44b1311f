"""Plots of times and of errors by day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...visitor import Visitor
from .fared import Fared, FaredAnswer, Ran
from .plots import MOST_GROUPS, plot

#: Fields that are plotted on each other, and their colours; and that of what went wrong among them.
_CLASSES: Mapping[str, Mapping[str, str]] = {
    "errors": {"refused": "#b3781f", "limited": "#8a6fc0", "failed": "#c2483a"},
    "ends": {
        "completed": "#4f9d69",
        "incomplete": "#2f9aa0",
        "cancelled": "#8a6fc0",
        "expired": "#b3781f",
        "failed": "#c2483a",
    },
}
_SHARE = "#8a8a92"

Answer = FaredAnswer[Fared] | FaredAnswer[Ran]
_Of = Callable[[Fared | Ran], float | None]


def times(visitor: Visitor, answer: Answer, names: Mapping[str, str], title: str, ways: Sequence[str]) -> None:
    """How long things took, by day, in seconds; of groups, 95 % of them.

    Args:
        visitor: who looks.
        answer: what is plotted.
        names: of groups.
        title: what it is, in words.
        ways: fields.
    """
    if answer.question.by:
        series = _of_groups(answer, names, lambda one: one.p95)
    else:
        series = {visitor.text(f"usage.{way}"): _days(answer, "", _field(way)) for way in ways}
    lines = [_line(name, [None if one is None else one / 1000 for one in values]) for name, values in series.items()]
    plot(visitor, title, answer.question.days, lines)


def ends(visitor: Visitor, answer: Answer, names: Mapping[str, str], title: str, kind: str) -> None:
    """How things ended, by day: by class, with the share of what went wrong; of groups, that share of each.

    Args:
        visitor: who looks.
        answer: what is plotted.
        names: of groups.
        title: what it is, in words.
        kind: which classes: `errors` or `ends`.
    """
    text, days = visitor.text, answer.question.days
    if answer.question.by:
        series = _of_groups(answer, names, lambda one: one.share)
        plot(visitor, title, days, [_line(name, values) for name, values in series.items()])
        return
    bars: list[dict[str, Any]] = [
        {
            "name": text(f"usage.{field}"),
            "type": "bar",
            "stack": "all",
            "barMaxWidth": 36,
            "itemStyle": {"color": colour},
            "data": [value or 0 for value in _days(answer, "", _field(field))],
        }
        for field, colour in _CLASSES[kind].items()
    ]
    share = _line(text("usage.share"), _days(answer, "", lambda one: one.share))
    share |= {"yAxisIndex": 1, "itemStyle": {"color": _SHARE}, "lineStyle": {"color": _SHARE, "type": "dashed"}}
    plot(visitor, title, days, [*bars, share], percent=True)


def _field(name: str) -> _Of:
    return lambda one: getattr(one, name)


def _of_groups(answer: Answer, names: Mapping[str, str], of: _Of) -> dict[str, list[float | None]]:
    """Of the groups with most, a figure for every day; groups that have none are left out."""
    series: dict[str, list[float | None]] = {}
    for group in answer.groups():
        values = _days(answer, group, of)
        if len(series) < MOST_GROUPS and any(value is not None for value in values):
            name = names.get(group, group)
            series[f"{name} ({group})" if name in series else name] = values
    return series


def _days(answer: Answer, group: str, of: _Of) -> list[float | None]:
    return [None if (one := answer.of_day(day, group)) is None else of(one) for day in answer.question.days]


def _line(name: str, values: list[float | None]) -> dict[str, Any]:
    # A point on each day that has a value, or days alone would not be seen.
    return {"name": name, "type": "line", "data": values, "symbol": "circle", "symbolSize": 5}
