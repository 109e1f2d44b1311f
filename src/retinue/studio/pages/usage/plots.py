"""Plots of usage, as ECharts describes them. Colours of text come from the style sheet, so that they fit the theme."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...elements.plot import Plot
from ...visitor import Visitor
from .figures import Answer, Figures

#: Seen well on light and on dark; the last is for all others together.
_COLOURS = ("#b3781f", "#3f7fbf", "#4f9d69", "#b0567b", "#8a6fc0", "#2f9aa0", "#c2603a", "#7d8a2e", "#8a8a92")
#: Groups that have a colour of their own.
MOST_GROUPS = len(_COLOURS) - 1
_LINE = "rgba(128,128,128,.3)"


def tokens(visitor: Visitor, answer: Answer, names: Mapping[str, str]) -> None:
    """Tokens by day: of each group, or input, cached input and output."""
    if answer.question.by:
        series = _by_group(visitor, answer, names, lambda one: one.tokens)
    else:
        ways: dict[str, Callable[[Figures], float]] = {
            "uncached": lambda one: one.input - one.cached,
            "cached": lambda one: one.cached,
            "output": lambda one: one.output,
        }
        series = {visitor.text(f"usage.{key}"): _days(answer, ("",), of) for key, of in ways.items()}
    bars(visitor, visitor.text("usage.tokens"), answer.question.days, series)


def cost(visitor: Visitor, answer: Answer, names: Mapping[str, str]) -> None:
    """Cost by day, of each group."""
    series = _by_group(visitor, answer, names, lambda one: round(one.cost, 9))
    bars(visitor, visitor.text("usage.cost"), answer.question.days, series)


def _by_group(
    visitor: Visitor, answer: Answer, names: Mapping[str, str], of: Callable[[Figures], float]
) -> dict[str, list[float]]:
    """The groups with most, and the others together; of each a figure for every day."""
    ordered = sorted(((of(figures), group) for group, figures in answer.by_group().items()), reverse=True)
    groups = [group for figure, group in ordered if figure > 0]
    series: dict[str, list[float]] = {}
    for group in groups[:MOST_GROUPS]:
        name = names.get(group, group)
        # Two keys may be called the same.
        series[f"{name} ({group})" if name in series else name] = _days(answer, (group,), of)
    if rest := groups[MOST_GROUPS:]:
        series[visitor.text("usage.others")] = _days(answer, rest, of)
    return series


def _days(answer: Answer, groups: Sequence[str], of: Callable[[Figures], float]) -> list[float]:
    nothing = Figures()
    return [sum(of(answer.cells.get((day, group), nothing)) for group in groups) for day in answer.question.days]


def bars(
    visitor: Visitor,
    what: str,
    days: Sequence[str],
    series: Mapping[str, Sequence[float]],
    colours: Sequence[str] = _COLOURS,
    *,
    whole: bool = False,
) -> None:
    """A plot of bars on each other, by day.

    Args:
        visitor: who looks.
        what: what is plotted, in words.
        days: as ISO has them.
        series: by name, a figure for every day.
        colours: of the series, in their order.
        whole: whether the figures are whole numbers.
    """
    stacked = [
        {"name": name, "type": "bar", "stack": "all", "barMaxWidth": 36, "data": list(values)}
        for name, values in series.items()
    ]
    plot(visitor, what, days, stacked, colours, whole=whole)


def plot(
    visitor: Visitor,
    what: str,
    days: Sequence[str],
    series: Sequence[Mapping[str, Any]],
    colours: Sequence[str] = _COLOURS,
    *,
    percent: bool = False,
    whole: bool = False,
) -> None:
    """A plot by day.

    Args:
        visitor: who looks.
        what: what is plotted, in words.
        days: as ISO has them.
        series: as ECharts describes them.
        colours: of the series, in their order.
        percent: whether there is a second axis, of percent.
        whole: whether the figures are whole numbers.
    """
    look = {"backgroundColor": "var(--card)", "borderColor": "var(--line)", "textStyle": {"color": "var(--ink)"}}
    options: dict[str, Any] = {
        "animation": False,
        "color": list(colours),
        "grid": {"left": 8, "right": 8, "top": 12, "bottom": 36, "containLabel": True},
        "legend": {"type": "scroll", "bottom": 0, "itemWidth": 12, "itemHeight": 12, "icon": "rect"},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "shadow"}, "confine": True, **look},
        "xAxis": {
            "type": "category",
            "data": [day[5:] for day in days],
            "axisLine": {"lineStyle": {"color": _LINE}},
            "axisTick": {"show": False},
        },
        "yAxis": [
            {"type": "value", "minInterval": int(whole), "splitLine": {"lineStyle": {"color": _LINE}}},
            *([{"type": "value", "axisLabel": {"formatter": "{value} %"}, "splitLine": {"show": False}}] * percent),
        ],
        "series": list(series),
    }
    Plot(options, label=visitor.text("usage.plot", what=what))
