"""What was published: when, by whom, what was new; and back to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain
from ...elements.dialogs import question
from ...elements.moment import Moment
from ...visitor import Visitor
from .common import Around, hint, name_files
from .compare import Difference, compare
from .draft import GptDraft

Json = Mapping[str, Any]
_PAGE = 20
#: How the ids begin of those who publish with a key.
_KEYS = ("svcacct_", "key_")
#: Stands for the draft where versions are chosen.
_DRAFT = 0
#: Lines of a difference that are shown.
_MOST_LINES = 400


class Versions:
    """The list, and a comparison of any two."""

    def __init__(
        self, visitor: Visitor, draft: GptDraft, known: Around, on_restored: Callable[[], Awaitable[None]]
    ) -> None:
        """Built in the current slot; `load` fills it.

        Args:
            visitor: who looks.
            draft: of the GPT.
            known: what there is beside it.
            on_restored: is called when the draft is another.
        """
        self._visitor, self._draft, self._known, self._on_restored = visitor, draft, known, on_restored
        self._versions: dict[int, Json] = {}
        self._last = ""
        text = visitor.text
        self._list = ui.element("ol").classes("gpt-versions")
        self._list.props["aria-label"] = text("gpt_form.versions")
        self._none = ui.label(text("gpt_form.no_versions")).classes("empty")
        self._more = plain(text("playground.more"), lambda: self._read(more=True)).classes("own-width")
        self._compared = ui.element("section").classes("stack")
        self._compared.props["aria-label"] = text("gpt_form.compare")

    async def load(self) -> None:
        """Show the newest versions. Raises `openai.APIError`."""
        self._versions.clear()
        await self._read(more=False)

    async def _read(self, *, more: bool) -> None:
        after = self._last if more else None
        page = await self._visitor.get(f"{self._draft.path}/versions", limit=_PAGE, after=after)
        if self._list.is_deleted:
            return
        self._last = page["last_id"]
        self._versions |= {one["number"]: one for one in page["data"]}
        self._list.clear()
        with self._list:
            for one in self._versions.values():
                self._version(one)
        self._more.set_visibility(page["has_more"])
        self._none.set_visibility(not self._versions)
        self._compared.clear()
        if self._versions:
            with self._compared:
                await self._choose()

    def _version(self, version: Json) -> None:
        text, number = self._visitor.text, version["number"]
        with ui.element("li"):
            with ui.element("div").classes("grow"):
                with ui.element("div").classes("gpt-version-head"):
                    ui.label(text("gpt_form.version", number=number)).classes("name")
                    if number == self._draft.gpt["version"]:
                        ui.label(text("gpt_form.in_use")).classes("pill good")
                    Moment(self._visitor, version["created_at"])
                    by = version["published_by"] or ""
                    author = self._known.people.get(by) or (text("gpt_form.by_key") if by.startswith(_KEYS) else by)
                    ui.label(author).classes("quiet")
                ui.label(version["notes"] or text("gpt_form.no_notes")).classes("" if version["notes"] else "quiet")
            with ui.element("div").classes("gpt-version-buttons"):
                plain(text("gpt_form.restore"), partial(self._restore, number)).props("dense")
                if number != self._draft.gpt["version"]:
                    plain(text("gpt_form.publish_again"), partial(self._again, number)).props("dense")

    def _restore(self, number: int) -> None:
        text = self._visitor.text

        async def restore() -> None:
            await self._visitor.post(f"{self._draft.path}/versions/{number}/restore")
            with self._list:
                await self._on_restored()
                ui.notify(text("gpt_form.restored", number=number))

        title = text("gpt_form.restore_title", number=number)
        question(self._visitor, title, text("gpt_form.restore_lost"), text("gpt_form.restore"), restore)

    def _again(self, number: int) -> None:
        text = self._visitor.text

        async def publish() -> None:
            await self._visitor.post(f"{self._draft.path}/versions/{number}/restore")
            body = {"notes": text("gpt_form.again_notes", number=number)}
            made = await self._visitor.post(f"{self._draft.path}/publish", body)
            with self._list:
                await self._on_restored()
                ui.notify(text("gpt_form.published", number=made["number"]), type="positive")

        title = text("gpt_form.again_title", number=number)
        hint = f"{text('gpt_form.again_hint')} {text('gpt_form.restore_lost')}"
        question(self._visitor, title, hint, text("gpt_form.publish_again"), publish)

    async def _choose(self) -> None:
        """Which two are compared: at first the newest version with the draft."""
        text = self._visitor.text
        heading(text("gpt_form.compare"), 2)
        names = {number: text("gpt_form.version", number=number) for number in self._versions}
        newest = max(names)
        with ui.element("div").classes("pair"):
            before = ui.select(names, value=newest, label=text("gpt_form.before")).props("outlined dense")
            names = {_DRAFT: text("gpt_form.draft"), **names}
            after = ui.select(names, value=_DRAFT, label=text("gpt_form.after")).props("outlined dense")
        place = ui.element("div").classes("stack")

        async def show() -> None:
            ends = [self._versions[one.value]["content"] if one.value else self._draft.state for one in (before, after)]
            found = await differences(self._visitor, self._known, *ends)
            if not place.is_deleted:
                place.clear()
                with place:
                    show_differences(self._visitor, found)

        before.on_value_change(show)
        after.on_value_change(show)
        await show()


async def differences(visitor: Visitor, known: Around, before: Json, after: Json) -> list[Difference]:
    """What differs between two contents, with names in the place of ids. Raises `openai.APIError`."""
    files = {file for one in (before, after) for file in (*(one.get("knowledge") or ()), one.get("picture")) if file}
    await name_files(visitor, known, files)
    connections = {one["id"]: one["name"] for one in known.connections}
    text = visitor.text

    def said(field: str, line: str) -> str:
        if field in ("knowledge", "picture"):
            return known.files.get(line, line)
        if field == "connections":
            return connections.get(line, line)
        if field == "capabilities":
            return text(f"playground.{line}")
        return text(f"gpt_categories.{line}") if field == "category" else line

    return [
        Difference(one.field, [(sign, said(one.field, line)) for sign, line in one.lines])
        for one in compare(before, after)
    ]


def show_differences(visitor: Visitor, found: Sequence[Difference]) -> None:
    """Show what differs, in the current slot."""
    text = visitor.text
    if not found:
        hint(text("gpt_form.no_difference"))
    for one in found:
        with ui.element("div").classes("gpt-difference"):
            heading(text(f"gpt_form.{one.field}"), 3)
            with ui.element("ul"):
                for sign, line in one.lines[:_MOST_LINES]:
                    with ui.element("li").classes({"+": "came", "-": "went"}.get(sign, "stayed")):
                        ui.label({"+": "+", "-": "−"}.get(sign, " ")).props("aria-hidden=true").classes("sign")
                        if sign in "+-":
                            said = text("gpt_form.came" if sign == "+" else "gpt_form.went")
                            ui.label(said).classes("visually-hidden")
                        ui.label("…" if sign == "…" else line).classes("line")
            if len(one.lines) > _MOST_LINES:
                hint(text("gpt_form.more_lines", count=len(one.lines) - _MOST_LINES))
