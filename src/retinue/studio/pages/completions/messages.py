"""The messages of a chat request, each of which can be changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from ...elements.controls import focus, plain, symbol
from ...visitor import Visitor
from .attachments import Attachments
from .request import ROLES

#: Characters of one message.
_MOST = 200_000
#: Fields of a message that say something.
_SAYING = ("content", "tool_calls", "files")
#: Messages that can be written here; a request may have more.
_MOST_MESSAGES = 200


class Messages:
    """A list of messages, with roles that can be changed, added to and removed from."""

    def __init__(self, visitor: Visitor, on_change: Callable[[], Any]) -> None:
        """Built in the current slot. `on_change` is called whenever a message has changed."""
        self._visitor, self._on_change = visitor, on_change
        #: What a request is made of: see `request.body`.
        self.items: list[dict[str, Any]] = []
        self._fields: list[ui.textarea] = []
        with ui.element("section").classes("messages").props(f'aria-label="{visitor.text("completions.messages")}"'):
            self._box = ui.element("div")
            self._add = plain(visitor.text("completions.add"), self._append, icon="add").classes("add")

    def show(self, items: Sequence[dict[str, Any]], focus: int | None = None) -> None:
        """Show these messages; with `focus`, the cursor goes to one of them."""
        self.items = list(items)
        self._box.clear()
        self._fields = []
        with self._box:
            for at, item in enumerate(self.items):
                self._row(at, item)
        if focus is not None and self._fields:
            self._fields[focus].run_method("focus")

    def extend(self, items: Sequence[dict[str, Any]]) -> None:
        """Add messages at the end, and an empty one of the user's unless a tool's output is to be written first.

        Empty messages at the end give way to them.
        """
        kept = list(self.items)
        while kept and kept[-1]["role"] != "tool" and not any(kept[-1].get(one) for one in _SAYING):
            kept.pop()
        first = next((at for at, one in enumerate(items) if one["role"] == "tool"), None)
        behind = [*items] if first is not None else [*items, {"role": "user", "content": ""}]
        self.show([*kept, *behind], len(kept) + first if first is not None else -1)
        self._on_change()

    def _append(self) -> None:
        if len(self.items) >= _MOST_MESSAGES:
            ui.notify(self._visitor.text("completions.most_messages", most=_MOST_MESSAGES), type="warning")
            return
        role = "assistant" if self.items and self.items[-1]["role"] == "user" else "user"
        self.show([*self.items, {"role": role, "content": ""}], -1)
        self._on_change()

    def _remove(self, at: int) -> None:
        self.show([*self.items[:at], *self.items[at + 1 :]])
        focus(self._add)
        self._on_change()

    def _row(self, at: int, item: dict[str, Any]) -> None:
        text = self._visitor.text
        number, files = {"number": at + 1}, None
        with ui.element("div").classes("said").props("role=group") as row:
            row.props["aria-label"] = text("completions.message", **number)
            role = ui.select({one: text(f"completions.{one}") for one in ROLES}, value=item["role"])
            role.props("dense borderless options-dense").classes("role")
            role.props["aria-label"] = text("completions.role", **number)
            role.on_value_change(lambda event: self._change_role(at, event.value))
            with ui.element("div").classes("words") as words:
                self._fields.append(self._field(item, text("completions.content", **number), text))
                if item["role"] == "user":
                    files = Attachments(self._visitor, item, at + 1, self._on_change)
                if item["role"] == "tool":
                    self._call_id(item)
                if item["role"] == "assistant" and item.get("tool_calls"):
                    for call in item["tool_calls"]:
                        of, called = text("completions.call"), call["function"]
                        ui.label(f"{of} {called['name']}({called['arguments']}) · {call['id']}").classes("mono called")
            with ui.element("div").classes("said-buttons"):
                if files:
                    files.offer(words)
                symbol("close", text("completions.remove", **number), lambda: self._remove(at)).props("size=sm")

    def _field(self, item: dict[str, Any], label: str, text: Callable[[str], str]) -> ui.textarea:
        hint = text(f"completions.say_{item['role']}")
        field = ui.textarea(value=item.get("content") or "", placeholder=hint)
        field.props(f"autogrow borderless dense maxlength={_MOST}")
        field.props["aria-label"] = label
        field.on_value_change(lambda event: self._set(item, "content", event.value or ""))
        return field

    def _call_id(self, item: dict[str, Any]) -> None:
        field = ui.input(self._visitor.text("completions.call_id"), value=item.get("tool_call_id") or "")
        field.props("dense maxlength=256").classes("mono")
        field.on_value_change(lambda event: self._set(item, "tool_call_id", event.value or ""))

    def _set(self, item: dict[str, Any], name: str, value: str) -> None:
        item[name] = value
        self._on_change()

    def _change_role(self, at: int, role: str) -> None:
        self.items[at]["role"] = role
        self.show(self.items, at)
        self._on_change()
