"""What a project may cost in a month, on the page of projects."""

from __future__ import annotations

from datetime import UTC, datetime

import openai
from nicegui import ui

from ...elements.controls import heading, plain
from ...visitor import Visitor
from .common import ORGANIZATION

_CENTS = 100
#: Most dollars: what the API takes.
_MOST = 10**9


async def show_budget(visitor: Visitor, project: str, place: ui.element) -> None:
    """Show a project's limit and what was spent, with fields to change it.

    Args:
        visitor: who looks.
        project: its id.
        place: where; what is there goes. Nothing is shown where it is gone meanwhile.
    """
    text, limits = visitor.text, visitor.client.admin.organization.projects.spend_limit
    spent = await _spent(visitor, project)
    try:
        limit = await limits.retrieve(project)
    except openai.NotFoundError:
        limit = None
    if place.is_deleted:
        return

    async def save() -> None:
        value = field.value
        field.error = None if value is not None and 0 <= value <= _MOST else text("limits.amount_wrong")
        if field.error:
            return
        cents = round((value or 0) * _CENTS)
        await limits.update(project, threshold_amount=cents, currency="USD", interval="month")
        await changed()

    async def lift() -> None:
        await limits.delete(project)
        await changed()

    async def changed() -> None:
        await show_budget(visitor, project, place)
        with place:
            ui.notify(text("manage.saved"))

    place.clear()
    with place:
        heading(text("limits.budget"), 2)
        said = text("limits.spent", amount=f"{spent:,.2f}")
        if limit:
            said += " " + text("limits.of", amount=f"{limit.threshold_amount / _CENTS:,.2f}")
            share = spent * _CENTS / limit.threshold_amount if limit.threshold_amount else 1.0
            bar = ui.linear_progress(min(share, 1.0), show_value=False, color=None)
            bar.props["aria-label"] = said
        ui.label(said)
        if limit and limit.enforcement.status == "enforcing":
            ui.label(text("limits.enforcing")).classes("wrong")
        elif not limit:
            ui.label(text("limits.no_budget")).classes("quiet")
        with ui.element("div").classes("ends"):
            known = limit.threshold_amount / _CENTS if limit else None
            field = ui.number(text("limits.dollars"), value=known, min=0, format="%.2f")
            field.props("outlined dense hide-bottom-space prefix=$")
            plain(text("limits.set"), save)
            if limit:
                plain(text("limits.lift"), lift)


async def _spent(visitor: Visitor, project: str) -> float:
    """US dollars since the month began."""
    begin = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    query = {"start_time": int(begin.timestamp()), "project_ids[]": project, "limit": 31}
    buckets = await visitor.get(f"{ORGANIZATION}/costs", **query)
    return sum(float(one["amount"]["value"]) for bucket in buckets["data"] for one in bucket["results"])
