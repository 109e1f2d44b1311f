"""The page: threads at the left, the conversation in the middle, the assistant at the right."""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import openai
from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, once, plain, symbol
from ...elements.dialogs import question
from ...elements.identifier import Identifier
from ...frame import tell
from ...visitor import Visitor
from ..chat.choices import BUILDER_KEY, MODEL_KEY
from .draft import Draft, Saving, sent
from .history import picked
from .settings import Settings, choose_assistant
from .talk import Talk
from .threads import Threads

#: Assistants, stores and connections that can be chosen from.
_MOST = 100
#: Assistants to begin with: their tools, by the keys of their names.
_STARTERS: Mapping[str, list[str]] = {
    "playground.starter_plain": [],
    "playground.starter_files": ["file_search"],
    "playground.starter_data": ["code_interpreter"],
}


async def build(visitor: Visitor, request: Request) -> None:
    """Make the page for the assistant that the address names, or for the newest that people have made."""
    ui.add_head_html('<link rel="stylesheet" href="/static/playground.css">')
    assistants = visitor.client.beta.assistants
    listed = [one for one in (await assistants.list(limit=_MOST)).data if BUILDER_KEY not in (one.metadata or {})]
    made = (one.id for one in listed if MODEL_KEY not in (one.metadata or {}))
    named = request.path_params.get("assistant") or next(made, "")
    if not named:
        _begin(visitor)
        return
    found = await assistants.retrieve(named)
    names = {one.id: one.name or one.id for one in listed}
    base_url = f"{str(request.base_url).rstrip('/')}/v1"
    playground = Playground(visitor, found.to_dict(warnings=False), names, await _around(visitor), base_url)
    thread = request.query_params.get("thread", "")
    ui.timer(0, lambda: playground.load(thread), once=True)


def _begin(visitor: Visitor) -> None:
    """There is no assistant yet."""
    text = visitor.text
    with ui.element("div").classes("empty begin"):
        heading(text("playground.title"))
        ui.label(text("playground.begin" if visitor.may_write else "playground.none_yet"))
        if visitor.may_write:
            with ui.element("div").classes("starters"):
                for key in _STARTERS:
                    plain(text(key), once(partial(_start, visitor, key)))


async def _start(visitor: Visitor, key: str) -> None:
    """Make an assistant, and open it."""
    text = visitor.text
    tools: Any = [{"type": one} for one in _STARTERS[key]]
    made = await visitor.client.beta.assistants.create(
        model="default", name=text(key), instructions=text(f"{key}_instructions"), tools=tools
    )
    ui.navigate.to(_address(made.id))


def _address(assistant: str, thread: str = "") -> str:
    query = f"?{urlencode({'thread': thread})}" if thread else ""
    return f"/playground/{quote(assistant, safe='')}{query}"


def _focus(button: ui.button) -> None:
    """Move the focus, once the button can be seen."""
    ui.run_javascript(f"requestAnimationFrame(() => getHtmlElement({button.id})?.focus())")


class _Around:
    """What there is to choose from in the project."""

    def __init__(self, models: Mapping[str, str], stores: Mapping[str, str], connections: list[Any]) -> None:
        self.models, self.stores, self.connections = models, stores, connections


async def _around(visitor: Visitor) -> _Around:
    models, stores, connections = await asyncio.gather(
        visitor.get("/models"),
        visitor.get("/vector_stores", limit=_MOST),
        _or_none(visitor.get("/connections", limit=_MOST)),
    )
    names: dict[str, str] = {}
    for one in models["data"]:
        about = one["retinue"]
        if "chat" in about["capabilities"]:
            if "default" in about["aliases"]:
                names["default"] = visitor.text("playground.default_model", name=one["id"])
            names[one["id"]] = one["id"]
    return _Around(names, {one["id"]: one["name"] or one["id"] for one in stores["data"]}, connections["data"])


async def _or_none(asked: Awaitable[Any]) -> Any:
    """A list that not everybody may see."""
    try:
        return await asked
    except openai.PermissionDeniedError:
        return {"data": []}


class Playground:
    """The three columns."""

    def __init__(
        self,
        visitor: Visitor,
        assistant: Mapping[str, Any],
        names: Mapping[str, str],
        around: _Around,
        base_url: str,
    ) -> None:
        """Built in the current slot; `load` fills it.

        Args:
            visitor: who works on the assistant.
            assistant: as the API shows it.
            names: of the assistants to choose from, by their ids.
            around: what else can be chosen.
            base_url: where programs reach the API, ending in ``/v1``.
        """
        self._visitor, self._draft = visitor, Draft(visitor, assistant)
        self._closers: dict[int, ui.button] = {}
        text = visitor.text
        with ui.element("div").classes("split playground"):
            with ui.element("div").classes("side threads").props("role=complementary") as self._left:
                self._left.props["aria-label"] = text("playground.threads")
                self._closer(self._left)
                self._threads = Threads(visitor, on_open=self._open, on_new=self._new, on_deleted=self._deleted)
            with ui.element("div").classes("middle"):
                with ui.element("div").classes("head"):
                    self._opener("forum", text("playground.threads"), self._left)
                    heading(text("playground.title"))
                    self._id_place = ui.element("div").classes("thread-id")
                    self._right_place = ui.element("div").classes("right")
                self._talk = Talk(visitor, self._draft, on_thread=self._made, on_changed=self._changed)
            with ui.element("div").classes("side end settings").props("role=complementary") as self._right:
                self._right.props["aria-label"] = text("playground.assistant")
                self._closer(self._right)
                with ui.element("div").classes("choice"):
                    self._choice = choose_assistant(visitor, names, self._draft, self._choose)
                    if visitor.may_write:
                        self._more()
                Identifier(visitor, self._draft.id, text("playground.copy_assistant"))
                self._settings = Settings(
                    visitor,
                    self._draft,
                    models=around.models,
                    stores=around.stores,
                    connections=around.connections,
                )
            self._draft.listeners.append(self._rename)
            with self._right_place:
                symbol("code", text("playground.code"), lambda: self._talk.show_code(base_url))
                self._opener("tune", text("playground.settings"), self._right)

    async def load(self, thread: str) -> None:
        """Fill it, and open a thread if there is one to open; what cannot be had is told."""
        self._threads.mark(thread)
        self._talk.follow()
        try:
            await asyncio.gather(self._threads.load(), self._settings.load())
            if thread:
                await self._open(thread)
        except openai.APIError as error:
            tell(self._visitor, error)
            await self._new()

    def _opener(self, icon: str, label: str, side: ui.element) -> None:
        """Shows a column on a phone, where there is room for one; the focus goes there, and back."""
        closer = self._closers[side.id]

        def opened() -> None:
            side.classes(add="open")
            _focus(closer)

        opener = symbol(icon, label, opened).classes("narrow")
        closer.on_click(lambda: _focus(opener))

    def _closer(self, side: ui.element) -> None:
        close = symbol("close", self._visitor.text("frame.close"), lambda: side.classes(remove="open"))
        self._closers[side.id] = close.classes("narrow closer")

    def _more(self) -> None:
        text = self._visitor.text
        with symbol("more_vert", text("playground.more_actions")), ui.menu():
            ui.menu_item(text("playground.new_assistant"), lambda: _start(self._visitor, "playground.starter_plain"))
            if self._draft.may_change:
                ui.menu_item(text("playground.duplicate"), self._duplicate)
                ui.menu_item(text("playground.delete_assistant"), self._delete)

    async def _open(self, thread: str) -> None:
        self._left.classes(remove="open")
        self._show(thread)
        await self._talk.open(thread)

    async def _new(self) -> None:
        self._left.classes(remove="open")
        self._show("")
        self._talk.new()

    async def _made(self, thread: str) -> None:
        self._show(thread)
        await self._threads.load()

    async def _changed(self) -> None:
        await self._settings.refresh()

    def _rename(self, how: Saving) -> None:
        """Its name stands among the names to choose from, too."""
        options: Any = self._choice.options
        name = self._draft.name or self._draft.id
        if how == "saved" and options[self._draft.id] != name:
            self._choice.set_options({**options, self._draft.id: name})

    async def _deleted(self, thread: str) -> None:
        if thread == self._talk.thread:
            await self._new()

    def _show(self, thread: str) -> None:
        """Mark a thread, also in the address."""
        self._threads.mark(thread)
        self._id_place.clear()
        if thread:
            with self._id_place:
                Identifier(self._visitor, thread, self._visitor.text("playground.copy_thread"))
        ui.navigate.history.replace(_address(self._draft.id, thread))

    def _choose(self, assistant: str) -> None:
        ui.navigate.to(_address(assistant, self._talk.thread))

    async def _duplicate(self) -> None:
        fields: Any = {key: value for key, value in picked(self._draft.state).items() if value is not None}
        fields["name"] = self._visitor.text("playground.copy_of", name=self._draft.name)[:256]
        made = await self._visitor.client.beta.assistants.create(**sent(fields))
        ui.navigate.to(_address(made.id, self._talk.thread))

    def _delete(self) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.client.beta.assistants.delete(self._draft.id)
            ui.navigate.to("/playground")

        title, hint = text("playground.delete_assistant"), text("playground.assistant_lost")
        question(self._visitor, title, hint, text("frame.delete"), delete)
