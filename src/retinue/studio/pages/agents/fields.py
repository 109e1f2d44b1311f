"""Fields in which people say what an agent is: goals, commands, approval, limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from nicegui import ui

from ...elements.controls import heading, plain, symbol
from ...visitor import Visitor
from .common import APPROVALS, LIMITS, Commands

#: The most lines, and characters of one, that the API takes.
_MOST_LINES, _LONGEST = 20, 2000
#: The largest values that the API takes.
_MOST: Mapping[str, float] = {"cycles": 1000, "seconds": 86_400, "tokens": 100_000_000, "cost": 1_000_000}
#: Without it an agent could never end: it has it always.
_ALWAYS = "task_complete"


class Lines:
    """A list of texts: goals, or constraints."""

    def __init__(self, visitor: Visitor, word: str, add: str, lines: Sequence[str]) -> None:
        """Built in the current slot.

        Args:
            visitor: who fills it.
            word: key of what one line is called; has a place for its `number`.
            add: key of what the button says that adds one.
            lines: what is there now.
        """
        self._visitor, self._word = visitor, word
        self._fields: list[ui.textarea] = []
        self._box = ui.element("div").classes("agent-lines")
        self._add = plain(visitor.text(add), lambda: self._more(focused=True), icon="add").props("dense")
        self.show(lines)

    @property
    def lines(self) -> list[str]:
        """What is written, without lines that say nothing."""
        return [text for field in self._fields if (text := (field.value or "").strip())]

    def show(self, lines: Sequence[str]) -> None:
        """Show other lines."""
        self._box.clear()
        self._fields = []
        for line in lines:
            self._more(line)

    def say(self, wrong: str) -> None:
        """Say what is wrong under the first line; "": nothing is."""
        if wrong and not self._fields:
            self._more()
        for field in self._fields[:1]:
            field.error = wrong or None

    def _more(self, line: str = "", *, focused: bool = False) -> None:
        with self._box, ui.element("div").classes("agent-line") as row:
            field = ui.textarea(value=line).classes("grow")
            field.props(f"outlined dense autogrow rows=1 hide-bottom-space maxlength={_LONGEST}")
            if focused:
                field.props("autofocus")
            symbol("close", self._visitor.text("agents.remove_line"), lambda: self._drop(row, field))
        self._fields.append(field)
        self._number()

    def _drop(self, row: ui.element, field: ui.textarea) -> None:
        self._fields.remove(field)
        row.delete()
        self._number()

    def _number(self) -> None:
        for number, field in enumerate(self._fields, 1):
            field.props["aria-label"] = self._visitor.text(self._word, number=number)
            field.props["prefix"] = f"{number}."
            field.update()
        self._add.set_enabled(len(self._fields) < _MOST_LINES)


class CommandChoice:
    """Switches for all commands of the server, each with what it does."""

    def __init__(self, visitor: Visitor, commands: Commands, chosen: Collection[str] | None) -> None:
        """Built in the current slot.

        Args:
            visitor: who chooses.
            commands: of the server.
            chosen: names of those that are on; None: those that agents have as a rule.
        """
        self._boxes: dict[str, ui.checkbox] = {}
        text = visitor.text
        with ui.element("div").classes("agent-commands").props("role=group") as group:
            group.props["aria-label"] = text("agents.commands")
            for name, command in commands.known.items():
                if name == _ALWAYS:
                    continue
                on = command["default"] if chosen is None else name in chosen
                with ui.element("div").classes("agent-command"):
                    self._boxes[name] = ui.checkbox(commands.title(name), value=on).props("dense")
                    notes = [_MEANINGS[name]] if name in _MEANINGS else []
                    told = ("" if visitor.language == "zh" else " ").join(
                        text(key) for key in notes + ["agents.asks_first"] * command["risky"]
                    )
                    ui.label(told or name).classes("quiet small")
                    if not command["ready"]:
                        ui.label(text("agents.not_ready")).classes("wrong small")
        self._all = {name for name, command in commands.known.items() if command["default"]}

    @property
    def names(self) -> list[str]:
        """Names of those that are on."""
        return [name for name, box in self._boxes.items() if box.value]

    @property
    def as_a_rule(self) -> bool:
        """Whether those are on that agents have as a rule."""
        return set(self.names) | {_ALWAYS} == self._all


#: What commands do, by their names; of those of plugins only the name is known.
_MEANINGS = {
    name: f"agents.does_{name}"
    for name in (
        *("google", "browse_website", "start_agent", "message_agent", "list_agents", "delete_agent"),
        *("clone_repository", "write_to_file", "read_file", "append_to_file", "delete_file", "search_files"),
        *("evaluate_code", "improve_code", "write_tests", "execute_python_file", "generate_image", "send_tweet"),
        *("do_nothing", "ask_user"),
    )
}


class LimitFields:
    """What an agent may take; an empty field is no limit but the server's."""

    def __init__(self, visitor: Visitor, limits: Mapping[str, Any]) -> None:
        """Built in the current slot; `limits` as the API has them."""
        self._visitor = visitor
        self._fields: dict[str, ui.number] = {}
        with ui.element("div").classes("agent-limits"):
            for name in LIMITS:
                self._fields[name] = limit_field(visitor, name, limits.get(name))

    def limits(self) -> dict[str, float | None] | None:
        """What is written, by name; None instead of all where a field holds no such number."""
        found: dict[str, float | None] = {}
        for name, field in self._fields.items():
            value = field.value
            if value in (None, ""):
                found[name] = None
            elif (limit := as_limit(name, value)) is None:
                field.error = self._visitor.text("agents.limit_wrong", most=f"{_MOST[name]:,}")
                return None
            else:
                found[name] = limit
            field.error = None
        return found


def limit_field(visitor: Visitor, name: str, value: float | None) -> ui.number:
    """A field for one limit."""
    field = ui.number(visitor.text(f"agents.limit_{name}"), value=value, min=0 if name == "cost" else 1)
    field.props["placeholder"] = visitor.text("agents.no_limit")
    field.props("outlined dense stack-label hide-bottom-space" + (' prefix="$" step=any' if name == "cost" else ""))
    return field


def as_limit(name: str, value: float) -> float | None:
    """A number as the API takes it for this limit; None if it does not."""
    if not 0 < value <= _MOST[name]:
        return None
    if name == "cost":
        return value
    return int(value) if value == int(value) else None


def approval_field(visitor: Visitor, value: str) -> ui.radio:
    """A choice of the commands before which a person is asked."""
    heading(visitor.text("agents.approval"), 3)
    field = ui.radio({one: visitor.text(f"agents.approval_{one}") for one in APPROVALS}, value=value)
    field.props["aria-label"] = visitor.text("agents.approval")
    return field.classes("agent-approval")
