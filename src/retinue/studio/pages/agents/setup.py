"""Changing what an agent is told and may take, while it works: it counts from its next cycle on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nicegui import ui

from ...elements.controls import heading, primary
from ...elements.dialogs import working
from ...visitor import Visitor
from .asked import Do
from .common import Commands, Json
from .fields import CommandChoice, LimitFields, Lines, approval_field

_LONGEST_NAME, _LONGEST_ROLE = 80, 2000


class Setup:
    """The form. Only what was changed is sent: somebody else may change other things meanwhile."""

    def __init__(self, visitor: Visitor, commands: Commands, agent: Json, do: Do) -> None:
        """Built in the current slot, with what the agent is now; `do` acts for the person and shows it anew."""
        self._visitor, self._before, self._do = visitor, agent, do
        text = visitor.text
        with ui.element("div").classes("agent-setup"):
            ui.label(text("agents.setup_hint")).classes("quiet")
            self._name = ui.input(text("agents.name"), value=agent["name"])
            self._name.props(f"outlined dense maxlength={_LONGEST_NAME} autocomplete=off")
            self._role = ui.textarea(text("agents.role"), value=agent["role"])
            self._role.props(f"outlined dense autogrow rows=1 maxlength={_LONGEST_ROLE}")
            heading(text("agents.goals"), 3)
            self._goals = Lines(visitor, "agents.goal", "agents.add_goal", agent["goals"])
            heading(text("agents.constraints"), 3)
            self._constraints = Lines(visitor, "agents.constraint", "agents.add_constraint", agent["constraints"])
            self._approval = approval_field(visitor, agent["approval"])
            self._always = _AlwaysAllowed(visitor, commands, agent["always_allowed"])
            heading(text("agents.limits"), 3)
            ui.label(text("agents.limits_hint")).classes("quiet small")
            self._limits = LimitFields(visitor, agent["limits"])
            with ui.expansion(text("agents.commands")).classes("agent-more"):
                self._commands = CommandChoice(visitor, commands, agent["commands"])
            with ui.element("div").classes("agent-ends"):
                self._save_button = primary(text("frame.save"), self._save)

    async def _save(self) -> None:
        text, before = self._visitor.text, self._before
        changed, good = self._changed()
        if not good:
            ui.notify(text("agents.look_again"), type="warning")
        elif not changed:
            ui.notify(text("agents.nothing_changed"))
        else:
            with working(self._save_button):
                await self._do("", changed)
            self._before = {**before, **changed}
            ui.notify(text("agents.saved"), type="positive")

    def _changed(self) -> tuple[Json, bool]:
        """What differs, as the API takes it, and whether all fields can be sent."""
        text = self._visitor.text
        name, role, goals = (self._name.value or "").strip(), (self._role.value or "").strip(), self._goals.lines
        limits = self._limits.limits()
        self._name.error = None if name else text("agents.needed")
        self._role.error = None if role else text("agents.needed")
        self._goals.say("" if goals else text("agents.goals_needed"))
        now: dict[str, Any] = {
            "name": name,
            "role": role,
            "goals": goals,
            "constraints": self._constraints.lines,
            "approval": self._approval.value,
            "always_allowed": self._always.names,
            "limits": limits,
        }
        if set(self._commands.names) | {"task_complete"} != set(self._before["commands"]):
            now["commands"] = self._commands.names
        good = bool(name and role and goals and limits is not None)
        return {key: value for key, value in now.items() if value != self._before[key]}, good


class _AlwaysAllowed:
    """The commands that are done without asking, since somebody has said so; each can be taken back."""

    def __init__(self, visitor: Visitor, commands: Commands, names: list[str]) -> None:
        self.names = list(names)
        if not names:
            return
        with ui.element("div").classes("agent-chips") as chips:
            ui.label(visitor.text("agents.always_allowed")).classes("quiet")
            for name in names:
                title = commands.title(name)
                chip = ui.chip(title, removable=True, color=None).props("outline dense")
                chip.props["remove-aria-label"] = visitor.text("agents.ask_again", command=title)
                chip.on_value_change(self._dropper(name))
        chips.props("role=group")
        chips.props["aria-label"] = visitor.text("agents.always_allowed")

    def _dropper(self, name: str) -> Callable[[], None]:
        def drop() -> None:
            self.names = [one for one in self.names if one != name]

        return drop
