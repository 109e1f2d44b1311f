"""The page: the form and the versions at the left, a chat with the draft at the right."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any
from urllib.parse import quote

import openai
from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, primary, symbol
from ...elements.dialogs import question
from ...frame import tell
from ...visitor import Visitor
from ..gpts.preview import Preview
from ..playground.draft import Saving
from .actions import Actions
from .behaviour import Instructions, capability_switches, model_fields
from .common import STYLES, Around, around
from .draft import GptDraft
from .files import exporter
from .knowledge import Knowledge
from .profile import Profile, Starters
from .publish import Publish
from .versions import Versions

_PARTS = ("configure", "preview", "versions")


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page for the GPT that the address names. Raises `openai.APIError`."""
    ui.add_head_html(STYLES)
    gpt = await visitor.get(f"/gpts/{quote(request.path_params['gpt'], safe='')}")
    if not visitor.may_write or not gpt["may_edit"]:
        heading(visitor.text("gpt_form.title"))
        ui.label(visitor.text("gpt_builder.not_yours" if visitor.may_write else "gpt_builder.viewer")).classes("empty")
        return
    page = Edit(visitor, gpt, await around(visitor))
    publish = "publish" in request.query_params
    ui.timer(0, lambda: page.load(publish=publish), once=True)


class Edit:
    """Everything on the page."""

    def __init__(self, visitor: Visitor, gpt: Mapping[str, Any], known: Around) -> None:
        """Built in the current slot; `load` fills it.

        Args:
            visitor: who edits.
            gpt: as the API shows it to those who may.
            known: what there is beside it.
        """
        self._visitor, self._known = visitor, known
        self._draft = GptDraft(visitor, gpt)
        self._publish = Publish(visitor, self._draft, known, self._published)
        with ui.element("div").classes("gpt-form playground") as self._page:
            self._head()
            self._tabs()
            with ui.element("div").classes("split"):
                with ui.element("div").classes("middle gpt-left"):
                    self._fields = ui.element("div").classes("fields gpt-fields").props("role=tabpanel")
                    self._fields.props["aria-label"] = visitor.text("gpt_form.configure")
                    self._history = ui.element("div").classes("gpt-fields").props("role=tabpanel")
                    self._history.props["aria-label"] = visitor.text("gpt_form.versions")
                with ui.element("div").classes("side end gpt-right"):
                    self._preview = Preview(visitor)
        with self._history:
            self._versions = Versions(visitor, self._draft, known, self._restored)
        self._history.set_visibility(False)
        self._build()
        self._draft.listeners.append(self._saving)
        self._saving("saved")

    async def load(self, *, publish: bool) -> None:
        """Fill it; what cannot be had is told.

        Args:
            publish: whether to go on to publishing at once.
        """
        try:
            await self._load()
            if publish:
                with self._page:
                    await self._publish.open()
        except openai.APIError as error:
            tell(self._visitor, error)

    def _head(self) -> None:
        text, draft = self._visitor.text, self._draft
        with ui.element("div").classes("head gpt-head"):
            self._title = heading(draft.name)
            self._status = ui.label().classes("quiet small grow").props("role=status aria-live=polite")
            self._undo = symbol("undo", text("playground.undo"), lambda: self._step(-1))
            self._redo = symbol("redo", text("playground.redo"), lambda: self._step(1))
            with symbol("more_vert", text("playground.more_actions")), ui.menu().props("role=menu"):
                places = {
                    "gpt_form.by_talking": f"/gpts/create/{draft.id}",
                    "gpt_links.title": f"/gpts/{draft.id}/links",
                    "gpt_analytics.title": f"/gpts/analytics/{draft.id}",
                }
                goes = [ui.menu_item(text(key), partial(ui.navigate.to, place)) for key, place in places.items()]
                export = ui.menu_item(text("gpt_form.export"))
                export.on("click", js_handler=exporter(self._visitor, draft.id, draft.gpt["slug"]))
                copy = ui.menu_item(text("playground.duplicate"), self._duplicate)
                delete = ui.menu_item(text("gpt_form.delete"), self._delete)
                for item in (*goes, export, copy, delete):
                    item.props("role=menuitem")
            primary(text("gpt_form.publish"), self._publish.open)

    def _tabs(self) -> None:
        text = self._visitor.text
        with ui.tabs(on_change=lambda event: self._turn(str(event.value))).classes("gpt-parts") as tabs:
            tabs.props["aria-label"] = text("gpt_form.parts")
            tabs.props("dense no-caps align=left")
            for one in _PARTS:
                ui.tab(one, label=text(f"gpt_form.{one}")).classes(f"part-{one}")
            tabs.set_value("configure")

    async def _turn(self, part: str) -> None:
        """Show another part. The preview is one where there is room for one only."""
        self._fields.set_visibility(part != "versions")
        self._history.set_visibility(part == "versions")
        self._page.classes(
            add="show-preview" if part == "preview" else "", remove="" if part == "preview" else "show-preview"
        )
        if part == "versions":
            await self._versions.load()

    def _build(self) -> None:
        visitor, draft, known = self._visitor, self._draft, self._known
        with self._fields:
            self._profile = Profile(visitor, draft, known)
            self._instructions = Instructions(visitor, draft)
            Starters(visitor, draft)
            self._knowledge = Knowledge(visitor, draft, known)
            capability_switches(visitor, draft)
            Actions(visitor, draft, known)
            model_fields(visitor, draft, known)

    async def _load(self) -> None:
        await asyncio.gather(self._profile.load(), self._instructions.load(), self._knowledge.load())

    async def _rebuild(self) -> None:
        self._fields.clear()
        self._build()
        await self._load()

    async def _step(self, by: int) -> None:
        await self._draft.step(by)
        await self._rebuild()

    def _saving(self, how: Saving) -> None:
        history, text, gpt = self._draft.history, self._visitor.text, self._draft.gpt
        said = {"saving": "playground.saving", "saved": "playground.saved", "wrong": "playground.not_saved"}[how]
        if how == "saved":
            state = "unpublished" if not gpt["version"] else "changed" if gpt["unpublished_changes"] else "up_to_date"
            said = f"gpt_form.saved_{state}"
        self._status.set_text(text(said, number=gpt["version"]))
        self._status.classes(add="wrong" if how == "wrong" else "quiet", remove="quiet" if how == "wrong" else "wrong")
        self._undo.set_enabled(history.at > 0)
        self._redo.set_enabled(history.at < len(history.versions) - 1)
        if how == "saved":
            draft = gpt["draft"]
            self._title.set_content(escape(draft["name"]))
            can = [*draft["capabilities"], *(["file_search"] if draft["knowledge"] else [])]
            starters = draft["conversation_starters"]
            self._preview.show(draft["assistant_id"], starters, name=draft["name"], capabilities=can)

    # What is done with the whole GPT

    async def _published(self) -> None:
        if self._history.visible:
            await self._versions.load()

    async def _restored(self) -> None:
        await self._draft.refresh()
        await asyncio.gather(self._rebuild(), self._versions.load())

    async def _duplicate(self) -> None:
        name = self._visitor.text("playground.copy_of", name=self._draft.name)[:80]
        made = await self._visitor.post(f"{self._draft.path}/duplicate", {"name": name})
        ui.navigate.to(f"/gpts/edit/{made['id']}")

    def _delete(self) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.delete(self._draft.path)
            ui.navigate.to("/gpts/mine")

        title = text("gpt_form.delete_title", name=self._draft.name)
        question(self._visitor, title, text("gpt_form.delete_lost"), text("frame.delete"), delete)
