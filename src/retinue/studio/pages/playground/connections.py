"""What an assistant reaches outside: connections of the project, switched on and off, looked into, changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import openai
from nicegui import ui

from ...elements.controls import heading, plain, symbol
from ...elements.dialogs import closing, dialog, question
from ...frame import message_of
from ...visitor import Visitor
from .connecting import change, connect
from .draft import Draft


class Connections:
    """A list with a switch for each, and a button that makes one."""

    def __init__(self, visitor: Visitor, draft: Draft, found: list[Mapping[str, Any]]) -> None:
        """Built in the current slot.

        Args:
            visitor: who sets them.
            draft: the assistant.
            found: those of the project, to which new ones are added.
        """
        self._visitor, self._draft, self._found = visitor, draft, found
        text = visitor.text
        heading(text("connections.title"), 2)
        self._list = ui.element("div").props("role=list").classes("files-list")
        self._list.props["aria-label"] = text("connections.title")
        if visitor.administers_connections:
            plain(text("connections.add"), self._add, icon="add")
        self._show()

    def _show(self) -> None:
        self._list.clear()
        with self._list:
            for one in self._found:
                self._row(one)
            if not self._found:
                ui.label(self._visitor.text("connections.none")).classes("quiet small").props("role=listitem")

    def _row(self, connection: Mapping[str, Any]) -> None:
        text, name = self._visitor.text, connection["name"]
        with ui.element("div").classes("switch").props("role=listitem"):
            with ui.element("div").classes("grow"):
                ui.label(name)
                kind = text(f"connections.{connection['type']}")
                ui.label(f"{kind} · {connection.get('description') or connection['url']}").classes(
                    "quiet small clipped"
                )
            symbol("more_vert", text("connections.look", name=name), partial(self._look, connection))
            on = self._tool(connection) is not None
            switch = ui.switch(value=on, on_change=lambda event: self._turn(connection, on=bool(event.value)))
            switch.props["aria-label"] = name
            switch.set_enabled(self._draft.may_change)

    def _tool(self, connection: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What the assistant says of a connection; None where it does not have it."""
        return next((one for one in self._draft.state["tools"] if _is(one, connection)), None)

    async def _turn(self, connection: Mapping[str, Any], *, on: bool, allowed: Sequence[str] | None = None) -> None:
        """Switch a connection on, with all its functions or those that are allowed, or off."""
        type_ = connection["type"]
        of = {"connection_id": connection["id"], **({} if allowed is None else {"allowed_tools": list(allowed)})}

        def change(state: Mapping[str, Any]) -> Mapping[str, Any]:
            others = [one for one in state["tools"] if not _is(one, connection)]
            return {"tools": [*others, {"type": type_, type_: of}] if on else others}

        await self._draft.change(change)

    def _add(self) -> None:
        async def made(connection: Mapping[str, Any]) -> None:
            self._found.append(connection)
            if self._draft.may_change:
                await self._turn(connection, on=True)
            self._show()
            await self._look(connection)

        connect(self._visitor, made)

    def _change(self, connection: Mapping[str, Any], on_asked: Callable[[], object]) -> None:
        async def changed(new: Mapping[str, Any]) -> None:
            self._found[:] = [new if one["id"] == new["id"] else one for one in self._found]
            self._show()
            await self._look(new)

        on_asked()
        change(self._visitor, connection, changed)

    async def _look(self, connection: Mapping[str, Any]) -> None:
        """Ask what it offers, which also tells whether it can be reached."""
        text = self._visitor.text
        with dialog(connection["name"], wide=True) as made:
            ui.label(connection["url"]).classes("quiet mono")
            place = ui.element("div").classes("connection-tools")
            with closing(self._visitor, made):
                auth = connection["auth"]
                if self._visitor.may_write and (auth["type"], auth.get("flow")) == ("oauth", "authorization_code"):
                    self._offer_sign_in(connection)
                if self._visitor.administers_connections:
                    plain(text("connections.change"), lambda: self._change(connection, made.close), icon="edit")
                    plain(text("connections.delete"), lambda: self._delete(connection, made.close), icon="delete")
            with place, ui.row():
                ui.spinner(size="1.2rem")
                ui.label(text("connections.asking")).props("role=status")
        try:
            found = (await self._visitor.get(f"/connections/{connection['id']}/tools"))["data"]
            wrong = "" if found else text("connections.offers_nothing")
        except openai.APIStatusError as error:
            found, wrong = [], text("connections.unreachable", message=message_of(error))
        if place.is_deleted:
            return
        place.clear()
        with place:
            if wrong:
                ui.label(wrong).classes("wrong").props("role=alert")
            else:
                self._offered(connection, found)

    def _offered(self, connection: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> None:
        """Its functions, each with a switch where the assistant has the connection."""
        text, tool = self._visitor.text, self._tool(connection)
        allowed = (tool[connection["type"]].get("allowed_tools") if tool else None) or [one["name"] for one in found]
        chosen = set(allowed)
        may_choose = tool is not None and self._draft.may_change
        said = text(f"connections.{connection['type']}_offers", count=len(found))
        ui.label(said).classes("good").props("role=status")
        if may_choose:
            ui.label(text("connections.choose")).classes("quiet small")

        async def turned(name: str, on: bool) -> None:
            (chosen.add if on else chosen.discard)(name)
            names = [one["name"] for one in found if one["name"] in chosen]
            if not names:
                ui.notify(text("connections.one_at_least"), type="warning")
                return
            await self._turn(connection, on=True, allowed=None if len(names) == len(found) else names)

        with ui.element("ul").classes("offered"):
            for one in found:
                with ui.element("li"):
                    _function(self._visitor, one, may_choose, one["name"] in chosen, turned)

    def _offer_sign_in(self, connection: Mapping[str, Any]) -> None:
        """Where each person signs in: browsers open a page of another server only by a person's own click."""
        place = ui.element("div")

        async def ask() -> None:
            address = (await self._visitor.post(f"/connections/{connection['id']}/sign_in"))["authorize_url"]
            if address.startswith(("https://", "http://")):
                place.clear()
                with place:
                    link = ui.link(self._visitor.text("connections.sign_in_there"), address, new_tab=True)
                    link.props('rel="noopener noreferrer"')

        with place:
            plain(self._visitor.text("connections.sign_in"), ask)

    def _delete(self, connection: Mapping[str, Any], on_gone: Callable[[], object]) -> None:
        text = self._visitor.text

        async def delete() -> None:
            await self._visitor.delete(f"/connections/{connection['id']}")
            if self._draft.may_change:
                await self._turn(connection, on=False)
            self._found[:] = [one for one in self._found if one["id"] != connection["id"]]
            self._show()
            on_gone()

        title = text("connections.delete_title", name=connection["name"])
        question(self._visitor, title, text("connections.delete_hint"), text("frame.delete"), delete)


def _function(
    visitor: Visitor, one: Mapping[str, Any], may_choose: bool, on: bool, turned: Callable[[str, bool], Any]
) -> None:
    """One function of a connection."""
    name = one["name"]
    if may_choose:
        box = ui.checkbox(value=on, on_change=lambda event: turned(name, bool(event.value))).props("dense")
        box.props["aria-label"] = name
    with ui.element("div").classes("grow"):
        ui.label(name).classes("mono")
        notes = [one.get("operation") or "", visitor.text("connections.asks") if one["needs_consent"] else ""]
        ui.label(" · ".join(filter(None, [*notes, one.get("description") or ""]))).classes("quiet small clipped")


def _is(tool: Mapping[str, Any], connection: Mapping[str, Any]) -> bool:
    """Whether an entry among an assistant's tools is this connection."""
    return tool["type"] == connection["type"] and tool[tool["type"]]["connection_id"] == connection["id"]
