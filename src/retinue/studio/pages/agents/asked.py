"""What an agent wants of a person: leave to do a command, an answer, a higher limit, another try; and its result."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from nicegui import ui

from ...elements.code import Code
from ...elements.controls import heading, plain, primary
from ...elements.dialogs import working
from ...visitor import Visitor
from .common import Commands, Json, arguments_of
from .fields import as_limit, limit_field

#: The limit that each reason to stop speaks of.
_LIMIT_OF = {"max_cycles": "cycles", "max_seconds": "seconds", "max_tokens": "tokens", "max_cost": "cost"}
_TAKEN: Mapping[str, Callable[[Json], float]] = {
    "cycles": lambda agent: agent["cycles"],
    "seconds": lambda agent: agent["seconds"],
    "tokens": lambda agent: agent["usage"]["total_tokens"],
    "cost": lambda agent: agent["cost"]["value"],
}
_LONGEST_FEEDBACK, _LONGEST_ANSWER = 4000, 20_000
#: Characters of an argument that stand in a line; more of it are a block.
_IN_A_LINE = 160

#: Asks the API for something about the agent: the end of a path, and a body.
Do = Callable[[str, Json], Awaitable[None]]


class Asked:
    """The card above the timeline; it is not there while the agent wants nothing."""

    def __init__(self, visitor: Visitor, commands: Commands, do: Do) -> None:
        """Built in the current slot. `do` acts for the person and shows the agent anew."""
        self._visitor, self._commands, self._do = visitor, commands, do
        self._box = ui.element("div").classes("agent-asked")
        self._box.props("aria-live=polite")
        self._shown: object = None

    def show(self, agent: Json) -> None:
        """Show what the agent wants now; what somebody is writing stays as long as it wants the same."""
        action = agent["required_action"] if agent["status"] == "requires_action" else None
        shown = (
            agent["status"],
            action and action["cycle_id"],
            agent["incomplete_details"] and (agent["incomplete_details"], agent["limits"]),
            agent["last_error"],
            agent["result"],
        )
        if shown == self._shown:
            return
        self._shown = shown
        self._box.clear()
        with self._box:
            if action and action["type"] == "approve":
                self._approval(action["command"])
            elif action:
                self._question(action["command"])
            elif agent["status"] == "incomplete":
                self._limit(agent)
            elif agent["status"] == "failed":
                self._failure(agent)
            elif agent["status"] == "completed" and agent["result"]:
                self._result(agent)

    def _approval(self, command: Json) -> None:
        text, title = self._visitor.text, self._commands.title(command["name"])
        with self._card("asks"):
            heading(text("agents.may_it", command=title), 2)
            self._arguments(command)
            if not self._visitor.may_write:
                ui.label(text("frame.no_rights")).classes("quiet")
                return
            feedback = ui.textarea(text("agents.feedback"))
            feedback.props(f"outlined dense autogrow rows=1 maxlength={_LONGEST_FEEDBACK}")

            async def decide(button: ui.button, decision: str, **more: Any) -> None:
                said = (feedback.value or "").strip()
                with working(button):
                    await self._do("/approve", {"decision": decision, **more, **({"feedback": said} if said else {})})

            async def some() -> None:
                value = times.value
                wrong = value is None or value != int(value) or not 1 <= value <= 1000
                times.error = text("agents.times_wrong") if wrong else None
                if not wrong and value is not None:
                    await decide(several, "times", times=int(value))

            with ui.element("div").classes("agent-decisions"):
                once = primary(text("agents.once"), lambda: decide(once, "once"))
                with ui.element("div").classes("agent-times"):
                    several = plain(text("agents.times"), some)
                    times = ui.number(value=5, min=1, max=1000, format="%d")
                    times.props("outlined dense hide-bottom-space")
                    times.props["aria-label"] = text("agents.times_count")
                always = plain(text("agents.always", command=title), lambda: decide(always, "always"))
                ui.space()
                deny = plain(text("agents.deny"), lambda: decide(deny, "deny")).classes("agent-deny")
            ui.label(text("agents.times_hint")).classes("quiet small")

    def _arguments(self, command: Json) -> None:
        for one in arguments_of(command):
            block = "\n" in one["text"] or len(one["text"]) > _IN_A_LINE
            with ui.element("div").classes("agent-argument"):
                ui.label(one["name"]).classes("mono quiet")
                if block:
                    Code(self._visitor, one["text"], one["language"])
                else:
                    ui.label(one["text"]).classes("mono")

    def _question(self, command: Json) -> None:
        text = self._visitor.text
        with self._card("asks"):
            heading(text("agents.it_asks"), 2)
            ui.label(str(command["args"].get("question", ""))).classes("agent-question")
            if not self._visitor.may_write:
                ui.label(text("frame.no_rights")).classes("quiet")
                return
            answer = ui.textarea(text("agents.answer"))
            answer.props(f"outlined dense autogrow rows=2 maxlength={_LONGEST_ANSWER}")

            async def send() -> None:
                said = (answer.value or "").strip()
                answer.error = None if said else text("agents.answer_needed")
                if said:
                    with working(button):
                        await self._do("/messages", {"text": said})

            with ui.element("div").classes("agent-decisions"):
                button = primary(text("agents.send_answer"), send)

    def _limit(self, agent: Json) -> None:
        text = self._visitor.text
        reason = (agent["incomplete_details"] or {}).get("reason", "max_cycles")
        name = _LIMIT_OF.get(reason, "cycles")
        limit = agent["limits"].get(name)
        with self._card("bad"):
            heading(text(f"agents.{reason}"), 2)
            if not self._visitor.may_write:
                return
            if limit is None or _TAKEN[name](agent) < limit:
                ui.label(text("agents.others_limit"))
                with ui.element("div").classes("agent-decisions"):
                    plain(text("agents.resume"), lambda: self._do("/resume", {}), icon="play_arrow")
            else:
                ui.label(text("agents.raise_hint")).classes("quiet")
                with ui.element("div").classes("agent-decisions"):
                    field = limit_field(self._visitor, name, as_limit(name, 2 * limit) or limit)

                    async def more() -> None:
                        value = as_limit(name, field.value or 0)
                        good = value is not None and value > limit
                        field.error = None if good else text("agents.raise_wrong")
                        if good:
                            with working(button):
                                await self._do("", {"limits": {**agent["limits"], name: value}})
                                await self._do("/resume", {})

                    button = primary(text("agents.raise"), more)

    def _failure(self, agent: Json) -> None:
        text, error = self._visitor.text, agent["last_error"] or {"code": "", "message": ""}
        with self._card("bad"):
            heading(text("agents.failed"), 2)
            ui.label(error["message"]).classes("agent-question")
            ui.label(text("agents.failed_hint")).classes("quiet")

    def _result(self, agent: Json) -> None:
        with self._card("done"):
            heading(self._visitor.text("agents.result"), 2)
            ui.label(agent["result"]).classes("agent-question")

    def _card(self, tone: str) -> ui.element:
        return ui.element("section").classes(f"card agent-card {tone}")
