"""The tools of an assistant: on and off, with their files; and its functions."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain, symbol
from ...visitor import Visitor
from .connections import Connections
from .draft import Draft
from .editor import Editor
from .resources import CodeFiles, StoreFiles
from .schemas import FUNCTIONS, check_function
from .searching import Searching
from .writing import FUNCTION

#: Tools that are on or off.
_SWITCHED = ("file_search", "code_interpreter", "web_browsing", "image_generation")


class Tools:
    """Switches, files, connections and functions."""

    def __init__(
        self, visitor: Visitor, draft: Draft, stores: Mapping[str, str], connections: list[Mapping[str, Any]]
    ) -> None:
        """Built in the current slot; `load` fills it.

        Args:
            visitor: who sets them.
            draft: the assistant.
            stores: names of the project's vector stores by their ids.
            connections: those of the project.
        """
        self._visitor, self._draft = visitor, draft
        text = visitor.text
        heading(text("playground.tools"), 2)
        for type_ in _SWITCHED:
            self._switch(text(f"playground.{type_}"), text(f"playground.{type_}_hint"), {"type": type_})
            if type_ == "file_search":
                with ui.element("div").classes("under") as self._searched:
                    self._store = StoreFiles(visitor, draft, stores)
                    Searching(visitor, draft)
            elif type_ == "code_interpreter":
                with ui.element("div").classes("under") as self._read:
                    self._code = CodeFiles(visitor, draft)
        self._show_files()
        Connections(visitor, draft, connections)
        heading(text("playground.functions"), 2)
        self._functions = ui.element("div").props("role=list").classes("files-list")
        self._functions.props["aria-label"] = text("playground.functions")
        if draft.may_change:
            plain(text("playground.add_function"), lambda: self._edit(None), icon="add")
        self._list_functions()

    async def load(self) -> None:
        """Show the files. Raises `openai.APIError`."""
        await self._store.load()
        await self._code.load()

    def _switch(self, name: str, hint: str, tool: Mapping[str, Any]) -> None:
        on = any(one["type"] == tool["type"] for one in self._draft.state["tools"])
        with ui.element("div").classes("switch"):
            with ui.element("div").classes("grow"):
                ui.label(name)
                ui.label(hint).classes("quiet small")
            switch = ui.switch(value=on, on_change=lambda event: self._turn(tool, on=bool(event.value)))
            switch.props["aria-label"] = name
            switch.set_enabled(self._draft.may_change)

    async def _turn(self, tool: Mapping[str, Any], *, on: bool) -> None:
        def change(state: Mapping[str, Any]) -> Mapping[str, Any]:
            others = [one for one in state["tools"] if one["type"] != tool["type"]]
            return {"tools": [*others, dict(tool)] if on else others}

        await self._draft.change(change)
        self._show_files()

    def _show_files(self) -> None:
        types = {one["type"] for one in self._draft.state["tools"]}
        self._searched.set_visibility("file_search" in types)
        self._read.set_visibility("code_interpreter" in types)

    def _list_functions(self) -> None:
        text = self._visitor.text
        self._functions.clear()
        for one in self._draft.state["tools"]:
            if one["type"] == "function":
                self._function(one["function"])
        if not self._functions.default_slot.children:
            with self._functions:
                ui.label(text("playground.no_functions")).classes("quiet small").props("role=listitem")

    def _function(self, function: Mapping[str, Any]) -> None:
        text, name = self._visitor.text, function["name"]
        with self._functions, ui.element("div").classes("file").props("role=listitem"):
            with ui.element("div").classes("grow"):
                ui.label(name).classes("mono")
                if function.get("description"):
                    ui.label(function["description"]).classes("quiet small clipped")
            if self._draft.may_change:
                symbol("edit", text("playground.edit_function", name=name), lambda: self._edit(name))
                symbol("close", text("playground.remove", name=name), lambda: self._save(name, None))

    async def _edit(self, name: str | None) -> None:
        """Write a function, or change one."""
        functions = {
            one["function"]["name"]: one["function"] for one in self._draft.state["tools"] if "function" in one
        }
        title = "playground.edit_title" if name else "playground.add_function"
        editor = Editor(
            self._visitor,
            self._visitor.text(title),
            value=functions[name] if name else None,
            check=check_function(self._visitor, functions.keys() - {name}),
            examples=FUNCTIONS,
            kind=FUNCTION,
            model=self._draft.state["model"],
        )
        if (edited := await editor.edited()) is not None:
            await self._save(name, edited)

    async def _save(self, name: str | None, function: Mapping[str, Any] | None) -> None:
        """Put a function in the place of one, or at the end; None takes it away."""
        new = [{"type": "function", "function": dict(function)}] if function else []

        def change(state: Mapping[str, Any]) -> Mapping[str, Any]:
            tools: list[Any] = []
            found = False
            for one in state["tools"]:
                if one["type"] == "function" and one["function"]["name"] == name:
                    found = True
                    tools += new
                else:
                    tools.append(one)
            return {"tools": tools if found else [*tools, *new]}

        await self._draft.change(change)
        self._list_functions()
