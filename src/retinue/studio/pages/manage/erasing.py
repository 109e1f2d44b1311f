"""Erasing what a person has left, on the page of people."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import form
from ...elements.rows import Rows
from ...visitor import Visitor
from .common import ORGANIZATION, Json, filled, written

#: Erasures that are shown: the latest.
_SHOWN = 20
#: Seconds between two looks at those that are under way.
_LOOK_EVERY = 2.0


class Erasing:
    """Erasures, and the order of another."""

    def __init__(self, visitor: Visitor, projects: dict[str, str]) -> None:
        """Built in the current slot. `projects`: names by id."""
        self._visitor, self._projects, text = visitor, projects, visitor.text
        with ui.element("div").classes("top"):
            heading(text("people.erasures"), 2)
            plain(text("people.erase"), self._ask)
        ui.label(text("people.erasures_hint")).classes("lead")
        self._list = ui.element("section").props("aria-live=polite")
        self._timer = ui.timer(_LOOK_EVERY, self.show, active=False)

    async def show(self) -> None:
        """Show what is there now, and go on looking while something is under way."""
        # Where that fails, once is enough to be told.
        self._timer.active = False
        found: list[Json] = (await self._visitor.get(f"{ORGANIZATION}/erasures", limit=_SHOWN))["data"]
        self._timer.active = any(one["status"] == "in_progress" for one in found)
        text = self._visitor.text
        self._list.clear()
        with self._list:
            if not found:
                ui.label(text("people.no_erasures")).classes("empty card")
                return
            columns = ["people.whose", "manage.project", "manage.status", "people.gone", "people.ordered"]
            table = Rows(text("people.erasures"), [text(column) for column in columns])
            for one in found:
                with table.row() as row:
                    row.text(one["user"] or text("people.forgotten"), "" if one["user"] else "quiet")
                    project = str(one["project_id"] or "")
                    row.text(self._projects.get(project, project) or text("manage.all_projects"))
                    row.text(text(f"people.{one['status']}"))
                    row.text(", ".join(f"{kind}: {count}" for kind, count in one["counts"].items() if count) or "–")
                    row.moment(self._visitor, one["created_at"])

    def _ask(self) -> None:
        visitor, text = self._visitor, self._visitor.text

        def fill() -> Callable[[], Awaitable[object]]:
            user = ui.input(text("people.erase_user")).props("outlined dense autofocus maxlength=512 autocomplete=off")
            projects = {"": text("manage.all_projects"), **self._projects}
            project = ui.select(projects, value="", label=text("manage.project")).props("outlined dense")
            again = ui.input(text("people.erase_confirm")).props("outlined dense maxlength=512 autocomplete=off")

            async def erase() -> object:
                if not filled(visitor, user):
                    return False
                again.error = None if written(again) == written(user) else text("people.erase_differs")
                if again.error:
                    return False
                body = {"user": written(user), "project_id": project.value or None}
                await visitor.post(f"{ORGANIZATION}/erasures", body)
                with self._list:
                    ui.notify(text("people.erase_started"))
                await self.show()
                return True

            return erase

        title, button, hint = (text(f"people.erase_{one}") for one in ("title", "button", "hint"))
        form(visitor, title, button, fill, hint, dangerous=True)
