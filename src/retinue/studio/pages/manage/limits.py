"""The page of projects: what each may use and cost, and how long it keeps what it has."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain, primary
from ...elements.dialogs import form, question
from ...elements.rows import Rows
from ...visitor import Visitor
from .budget import show_budget
from .common import PROJECTS, Json, choose_project, every, filled, page, projects_of
from .numbers import Numbers
from .retention import show_retention

#: Limits by their names on the wire, and the keys of their words.
_RATES = {
    "max_requests_per_1_minute": "rpm",
    "max_tokens_per_1_minute": "tpm",
    "max_requests_per_1_day": "rpd",
    "max_tokens_per_1_day": "tpd",
}
_OTHERS = {"max_concurrent_runs": "runs", "max_sandbox_seconds_per_1_day": "sandbox", "max_storage_bytes": "storage"}
_MIB = 1024 * 1024
_ALL = "rl-*"


class _Limits:
    """The limits of a project."""

    def __init__(self, visitor: Visitor, projects: dict[str, str]) -> None:
        self._visitor, self._projects, text = visitor, projects, visitor.text
        with ui.element("div").classes("top"):
            heading(text("limits.title"))
            self._project = choose_project(visitor, projects, self._choose)
            plain(text("limits.rename"), self._rename)
            plain(text("limits.archive"), self._archive)
            primary(text("limits.new"), self._new)
        ui.label(text("limits.hint")).classes("lead")
        self._content = ui.element("div").classes("of-project")
        self._begin()

    def _begin(self) -> None:
        """Places for what is told of a project: what comes late for another one finds its own gone."""
        self._content.clear()
        with self._content:
            self._budget = ui.element("section").classes("card")
            self._all = ui.element("section").classes("card")
            self._models = ui.element("section")
            self._retention = ui.element("section").classes("card")

    @property
    def _path(self) -> str:
        return f"{PROJECTS}/{self._project}"

    async def show(self) -> None:
        """Show what is there now."""
        await asyncio.gather(
            show_budget(self._visitor, self._project, self._budget),
            self._show_limits(),
            show_retention(self._visitor, self._project, self._retention),
        )

    async def _choose(self, project: str) -> None:
        self._project = project
        self._begin()
        await self.show()

    async def _show_limits(self) -> None:
        project = self._project
        first, *models = await every(self._visitor, f"{self._path}/rate_limits")
        if project == self._project:
            self._show_all(first)
            self._show_models(models)

    # --- all models together

    def _show_all(self, limit: Json) -> None:
        text = self._visitor.text
        self._all.clear()
        with self._all:
            heading(text("limits.all_models"), 2)
            ui.label(text("limits.all_models_hint")).classes("quiet")
            rates = Numbers(self._visitor, _RATES, limit)
            heading(text("limits.each_key"), 3)
            each_key = Numbers(self._visitor, _RATES, limit["each_key"])
            heading(text("limits.each_user"), 3)
            each_user = Numbers(self._visitor, _RATES, limit["each_user"])
            heading(text("limits.others"), 3)
            others = Numbers(self._visitor, _OTHERS, limit, units={"max_storage_bytes": _MIB})

            async def save() -> None:
                parts = [rates.changes(), others.changes()]
                inner = {"each_key": each_key.changes(), "each_user": each_user.changes()}
                if any(part is None for part in (*parts, *inner.values())):
                    return
                body: dict[str, Any] = {name: most for part in parts for name, most in (part or {}).items()}
                for name, part in inner.items():
                    if part:
                        body[name] = part
                if body:
                    await self._save(_ALL, body)

            with ui.element("div").classes("ends"):
                plain(text("frame.save"), save)

    async def _save(self, limit: str, body: Json) -> None:
        await self._visitor.post(f"{self._path}/rate_limits/{limit}", body)
        await self._show_limits()
        with self._all:
            ui.notify(self._visitor.text("manage.saved"))

    # --- single models

    def _show_models(self, limits: list[Json]) -> None:
        text = self._visitor.text
        self._models.clear()
        with self._models:
            heading(text("limits.models"), 2)
            ui.label(text("limits.models_hint")).classes("quiet")
            words = [text(f"limits.{word}") for word in _RATES.values()]
            table = Rows(text("limits.models"), [text("limits.model"), *words, ""])
            for limit in limits:
                with table.row() as row:
                    row.text(limit["model"], "name")
                    for name in _RATES:
                        most = limit.get(name)
                        row.text(f"{most:,}" if most else text("limits.unlimited"), "" if most else "quiet")
                    with row.cell():
                        button = plain(text("manage.edit"), self._changing(limit))
                        button.props["aria-label"] = text("limits.limits_of", name=limit["model"])

    def _changing(self, limit: Json) -> Callable[[], None]:
        visitor, text = self._visitor, self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            numbers = Numbers(visitor, _RATES, limit)

            async def save() -> object:
                changes = numbers.changes()
                if changes:
                    await self._save(limit["id"], changes)
                return changes is not None

            return save

        title = text("limits.limits_of", name=limit["model"])
        return lambda: form(visitor, title, text("frame.save"), fill, text("limits.all_models_hint"))

    # --- the project

    def _named(self, title: str, button: str, value: str, do: Callable[[str], Awaitable[str]]) -> None:
        visitor = self._visitor

        def fill() -> Callable[[], Awaitable[object]]:
            name = ui.input(visitor.text("manage.name"), value=value).props("outlined dense autofocus maxlength=256")

            async def done() -> object:
                if not (written := filled(visitor, name)):
                    return False
                _open(await do(written))
                return True

            return done

        form(visitor, title, button, fill)

    def _new(self) -> None:
        projects, text = self._visitor.client.admin.organization.projects, self._visitor.text

        async def make(name: str) -> str:
            return (await projects.create(name=name)).id

        self._named(text("limits.new"), text("manage.add"), "", make)

    def _rename(self) -> None:
        projects, text = self._visitor.client.admin.organization.projects, self._visitor.text

        async def rename(name: str) -> str:
            return (await projects.update(self._project, name=name)).id

        self._named(text("limits.rename_of"), text("limits.rename"), self._projects[self._project], rename)

    def _archive(self) -> None:
        text, name = self._visitor.text, self._projects[self._project]

        async def archive() -> None:
            await self._visitor.client.admin.organization.projects.archive(self._project)
            _open("")

        title, hint = text("limits.archive_question", name=name), text("limits.archive_hint")
        question(self._visitor, title, hint, text("limits.archive"), archive, typed=name)


def _open(project: str) -> None:
    """The page again, with another project chosen: the frame has a list of them, too."""
    ui.navigate.to(f"/limits?project={project}" if project else "/limits")


async def _build(visitor: Visitor) -> None:
    await _Limits(visitor, await projects_of(visitor)).show()


PAGES = (page("/limits", "limits.title", "speed", _build),)
