"""The Actions of a GPT: the project's connections that it may call, what they offer, and trying that."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from nicegui import events, ui

from ...elements.controls import heading, plain
from ...visitor import Visitor
from .calls import try_call
from .common import Around, hint, saver
from .connect import change_auth, new_action
from .draft import GptDraft
from .profile import PAUSE

Json = Mapping[str, Any]
#: Operations that are shown of a connection.
_MOST = 200


class Actions:
    """The connections, each with a switch."""

    def __init__(self, visitor: Visitor, draft: GptDraft, known: Around) -> None:
        """Built in the current slot."""
        self._visitor, self._draft, self._known = visitor, draft, known
        text = visitor.text
        heading(text("gpt_form.actions"), 2)
        hint(text("gpt_form.actions_hint"))
        self._list = ui.element("div").classes("stack")
        if visitor.administers_connections:
            add = plain(text("gpt_form.add_action"), lambda: new_action(visitor, self._made), icon="add")
            add.classes("own-width")
        else:
            hint(text("gpt_form.actions_by_administrators"))
        policy = ui.input(text("gpt_form.privacy_policy_url"), value=draft.state["privacy_policy_url"] or "")
        policy.props(f"outlined dense type=url debounce={PAUSE} maxlength=2048").classes("wide")
        policy.on_value_change(saver(policy, lambda value: draft.set(privacy_policy_url=value or None)))
        self._show()

    def _show(self) -> None:
        self._list.clear()
        with self._list:
            for one in self._known.connections:
                self._connection(one)
            if not self._known.connections:
                hint(self._visitor.text("gpt_form.no_connections"))

    def _connection(self, connection: Json) -> None:
        text, name = self._visitor.text, connection["name"]
        with ui.element("div").classes("gpt-connection"):
            with ui.element("div").classes("switch"):
                with ui.element("div").classes("grow"):
                    ui.label(name)
                    hint(" · ".join([connection["url"], text(f"gpt_form.auth_{connection['auth']['type']}")]))
                on = connection["id"] in self._draft.state["connections"]
                switch = ui.switch(value=on, on_change=partial(self._turn, connection["id"]))
                switch.props["aria-label"] = name
            with ui.element("div").classes("gpt-connection-buttons"):
                show = ui.button(text("gpt_form.operations"), color=None)
                show.props("flat dense no-caps aria-expanded=false")
                if self._visitor.administers_connections:
                    again = partial(change_auth, self._visitor, connection, self._changed)
                    ui.button(text("gpt_form.authentication"), on_click=again, color=None).props("flat dense no-caps")
            place = ui.element("div").classes("operations")
            place.set_visibility(False)
            show.on_click(partial(self._operations, connection, place, show))

    async def _turn(self, connection: str, event: events.ValueChangeEventArguments[bool | None]) -> None:
        def change(state: Json) -> Json:
            others = [one for one in state["connections"] if one != connection]
            return {"connections": [*others, connection] if event.value else others}

        await self._draft.change(change)

    async def _operations(self, connection: Json, place: ui.element, button: ui.button) -> None:
        """Show what it offers, or hide it."""
        opened = not place.visible
        if opened and not place.default_slot.children:
            button.props("loading")
            try:
                tools = (await self._visitor.get(f"/connections/{connection['id']}/tools"))["data"]
            finally:
                button.props(remove="loading")
            with place, ui.element("ul"):
                for tool in tools[:_MOST]:
                    self._operation(connection, tool)
            if not tools:
                with place:
                    hint(self._visitor.text("gpt_form.no_operations"))
        place.set_visibility(opened)
        button.props(f"aria-expanded={'true' if opened else 'false'}")

    def _operation(self, connection: Json, tool: Json) -> None:
        text = self._visitor.text
        with ui.element("li"):
            with ui.element("div").classes("grow"):
                ui.label(tool["name"]).classes("mono")
                said = [tool.get("operation"), tool["description"]]
                hint(" · ".join(filter(None, said)))
                if tool["needs_consent"]:
                    hint(text("gpt_form.asks_first"))
            if self._visitor.may_write:
                test = plain(text("gpt_form.test"), lambda: try_call(self._visitor, connection, tool)).props("dense")
                test.props["aria-label"] = text("gpt_form.test_name", name=tool["name"])

    async def _made(self, connection: Json) -> None:
        """A new one is attached at once."""
        self._known.connections.insert(0, connection)
        await self._draft.change(lambda state: {"connections": [*state["connections"], connection["id"]]})
        self._show()

    def _changed(self, connection: Json) -> None:
        at = next(place for place, one in enumerate(self._known.connections) if one["id"] == connection["id"])
        self._known.connections[at] = connection
        self._show()
