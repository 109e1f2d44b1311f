"""How long a project keeps what it has, on the page of projects."""

from __future__ import annotations

from collections.abc import Mapping

from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import question
from ...visitor import Visitor
from .common import PROJECTS
from .numbers import Numbers

_RULES = {name: name for name in ("thread_idle_days", "file_days", "completion_days", "agent_days")}


async def show_retention(visitor: Visitor, project: str, place: ui.element) -> None:
    """Show a project's rules with fields to change them.

    Args:
        visitor: who looks.
        project: its id.
        place: where; what is there goes. Nothing is shown where it is gone meanwhile.
    """
    text, path = visitor.text, f"{PROJECTS}/{project}/retention"
    rules = await visitor.get(path)
    if place.is_deleted:
        return

    async def save(changes: Mapping[str, int | None]) -> None:
        await visitor.post(path, changes)
        await show_retention(visitor, project, place)
        with place:
            ui.notify(text("manage.saved"))

    async def ask() -> None:
        changes = numbers.changes()
        if not changes:
            return
        if all(days is None for days in changes.values()):
            await save(changes)
            return
        title, hint = text("limits.retention_question"), text("limits.retention_sure")
        question(visitor, title, hint, text("frame.save"), lambda: save(changes))

    place.clear()
    with place:
        heading(text("limits.retention"), 2)
        ui.label(text("limits.retention_hint")).classes("quiet")
        numbers = Numbers(visitor, _RULES, rules, empty="limits.for_ever")
        with ui.element("div").classes("ends"):
            plain(text("frame.save"), ask)
