"""A new agent: from one sentence, whose goals the model drafts, or by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import openai
from fastapi import Request
from nicegui import ui

from ...elements.controls import heading, once, plain, primary, symbol
from ...elements.dialogs import working
from ...elements.uploads import Uploads
from ...frame import message_of
from ...visitor import Visitor
from .common import LANGUAGES, STYLE, Commands, Json, address, api_path, commands_of
from .fields import CommandChoice, LimitFields, Lines, approval_field

_LONGEST_TASK, _LONGEST_NAME = 2000, 80
_MOST_FILES, _MOST_CONNECTIONS = 100, 10
#: What an agent may take where nobody says otherwise; it could go on for hours.
_LIMITS = {"cycles": 30}
#: Sentences that are offered to begin with.
_EXAMPLES = ("story", "data", "web")


class _NewAgent:
    """The form."""

    def __init__(self, visitor: Visitor, commands: Commands, models: list[str], connections: list[Json]) -> None:
        self._visitor, self._commands_known = visitor, commands
        self._models, self._known_connections = models, connections
        self._files: dict[str, str] = {}

    def build(self, given: Mapping[str, Any]) -> None:
        """Show it in the current slot; `given`: what another agent was given, or nothing."""
        text = self._visitor.text
        with ui.element("section").classes("card agent-form"):
            heading(text("agents.task_title"), 2)
            self._make_task()
        with ui.element("section").classes("card agent-form"):
            heading(text("agents.who"), 2)
            ui.label(text("agents.who_hint")).classes("quiet small")
            with ui.element("div").classes("agent-pair"):
                self._name = ui.input(text("agents.name"), value=given.get("name", ""))
                self._name.props(f"outlined dense hide-bottom-space maxlength={_LONGEST_NAME} autocomplete=off")
                self._role = ui.textarea(text("agents.role"), value=given.get("role", ""))
                self._role.props(f"outlined dense autogrow rows=1 hide-bottom-space maxlength={_LONGEST_TASK}")
            heading(text("agents.goals"), 3)
            self._goals = Lines(self._visitor, "agents.goal", "agents.add_goal", given.get("goals", []))
            with ui.expansion(text("agents.constraints")).classes("agent-more"):
                ui.label(text("agents.constraints_hint")).classes("quiet small")
                lines = given.get("constraints", [])
                self._constraints = Lines(self._visitor, "agents.constraint", "agents.add_constraint", lines)
        with ui.element("section").classes("card agent-form"):
            heading(text("agents.may"), 2)
            self._make_rights(given)
        with ui.element("section").classes("card agent-form"):
            heading(text("agents.files"), 2)
            self._make_files()
        with ui.element("div").classes("agent-start"):
            self._said = ui.label().classes("wrong").props("role=alert")
            self._start_button = primary(text("agents.start"), once(self._start), icon="play_arrow")

    def _make_task(self) -> None:
        text = self._visitor.text
        ui.label(text("agents.task_hint")).classes("quiet")
        self._task = ui.textarea(text("agents.task")).classes("wide")
        self._task.props(f"outlined autogrow rows=2 hide-bottom-space maxlength={_LONGEST_TASK}")
        with ui.element("div").classes("agent-examples"):
            for example in _EXAMPLES:
                said = text(f"agents.example_{example}")
                plain(said, self._filler(said)).props("dense")
        with ui.element("div").classes("agent-drafting"):
            self._draft_button = plain(text("agents.draft"), self._draft, icon="auto_awesome")
            self._drafted = ui.label().classes("quiet").props("role=status")

    def _filler(self, said: str) -> Callable[[], object]:
        return lambda: self._task.set_value(said)

    def _make_rights(self, given: Mapping[str, Any]) -> None:
        text = self._visitor.text
        with ui.element("div").classes("agent-pair"):
            model = given.get("model", "default")
            models = sorted({"default", model, *self._models})
            self._model = ui.select(models, value=model, label=text("agents.model"))
            self._model.props("outlined dense")
            languages = {
                "": text("agents.language_goals"),
                **{one: text(f"agents.language_{one}") for one in LANGUAGES},
            }
            self._language = ui.select(languages, value=given.get("language", ""), label=text("agents.language"))
            self._language.props("outlined dense")
        self._approval = approval_field(self._visitor, given.get("approval", "risky"))
        heading(text("agents.limits"), 3)
        ui.label(text("agents.limits_hint")).classes("quiet small")
        self._limits = LimitFields(self._visitor, given.get("limits", _LIMITS))
        with ui.expansion(text("agents.commands")).classes("agent-more"):
            self._commands = CommandChoice(self._visitor, self._commands_known, given.get("commands"))
        self._connections: dict[str, ui.checkbox] = {}
        if self._known_connections:
            with ui.expansion(text("agents.connections")).classes("agent-more"):
                ui.label(text("agents.connections_hint", most=_MOST_CONNECTIONS)).classes("quiet small")
                for one in self._known_connections:
                    on = one["id"] in given.get("connections", ())
                    self._connections[one["id"]] = ui.checkbox(one["name"], value=on).props("dense")

    def _make_files(self) -> None:
        text = self._visitor.text
        ui.label(text("agents.files_hint")).classes("quiet small")
        Uploads(self._visitor, pick=text("agents.add_files"), brief=True, on_file=self._add_file)
        self._chips = ui.element("ul").classes("agent-files")
        self._chips.props["aria-label"] = text("agents.files")

    def _add_file(self, file: Mapping[str, Any]) -> None:
        if len(self._files) >= _MOST_FILES:
            ui.notify(self._visitor.text("agents.too_many_files", most=_MOST_FILES), type="warning")
            return
        identifier, name = str(file["id"]), str(file["filename"])
        self._files[identifier] = name
        with self._chips, ui.element("li") as item:
            ui.label(name)
            symbol(
                "close", self._visitor.text("agents.leave_out", name=name), lambda: self._drop_file(identifier, item)
            )

    def _drop_file(self, identifier: str, item: ui.element) -> None:
        self._files.pop(identifier, None)
        item.delete()

    async def _draft(self) -> None:
        """Have the model draft name, role and goals, which are shown in their fields."""
        text, task = self._visitor.text, (self._task.value or "").strip()
        self._task.error = None if task else text("agents.task_needed")
        if not task:
            return
        body: Json = {"task": task, "model": self._model.value}
        if self._language.value:
            body["language"] = self._language.value
        self._drafted.set_text(text("agents.drafting"))
        try:
            with working(self._draft_button):
                draft = await self._visitor.post("/agents/draft", body)
        except openai.APIError:
            self._drafted.set_text("")
            raise
        self._name.value, self._role.value = draft["name"], draft["role"]
        self._goals.show(draft["goals"])
        self._drafted.set_text(text("agents.drafted"))

    async def _start(self) -> object:
        """Start it; False where that cannot be done."""
        text = self._visitor.text
        body = self._body()
        if body is None:
            self._said.set_text(text("agents.look_again"))
            return False
        self._said.set_text("")
        try:
            with working(self._start_button):
                agent = await self._visitor.post("/agents", body)
        except openai.APIStatusError as error:
            self._said.set_text(message_of(error))
            return False
        return ui.navigate.to(address(agent["id"]))

    def _body(self) -> Json | None:
        """The agent as the API takes it; None where something is wrong, which its field says then."""
        text = self._visitor.text
        task, goals, limits = (self._task.value or "").strip(), self._goals.lines, self._limits.limits()
        self._task.error = None if task or goals else text("agents.task_or_goals")
        connections = [one for one, box in self._connections.items() if box.value]
        if limits is None or not (task or goals) or len(connections) > _MOST_CONNECTIONS:
            return None
        body: Json = {
            "model": self._model.value,
            "approval": self._approval.value,
            "limits": limits,
            "constraints": self._constraints.lines,
            "connections": connections,
            "file_ids": list(self._files),
            **({"goals": goals} if goals else {"task": task}),
        }
        written = {"name": self._name.value, "role": self._role.value, "language": self._language.value}
        body |= {key: said for key, value in written.items() if (said := (value or "").strip())}
        if not self._commands.as_a_rule:
            body["commands"] = self._commands.names
        return body


async def build(visitor: Visitor, request: Request) -> None:
    """The page. `?from=` in its address: begin with what this agent was given."""
    ui.add_head_html(STYLE)
    text = visitor.text
    ui.link(text("agents.all_agents"), "/agents").classes("crumb")
    heading(text("agents.new"))
    if not visitor.may_write:
        ui.label(text("frame.no_rights")).classes("empty").props("role=alert")
        return
    source = request.query_params.get("from", "")
    commands, models, connections = await asyncio.gather(
        commands_of(visitor), visitor.get("/models"), visitor.get("/connections", limit=100)
    )
    given = await visitor.get(api_path(source)) if source else {}
    chat = [one["id"] for one in models["data"] if "chat" in one["retinue"]["capabilities"]]
    _NewAgent(visitor, commands, chat, connections["data"]).build(given)
