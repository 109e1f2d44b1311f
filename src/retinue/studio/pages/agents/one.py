"""The page of one agent: what it does, step by step, and everything that a person can say to it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from fastapi import Request
from nicegui import events, ui

from ...elements.controls import heading, plain, symbol
from ...elements.cycles import Cycles
from ...elements.dialogs import question, working
from ...elements.objects import Objects
from ...visitor import Visitor
from .asked import Asked
from .common import AT_WORK, ENDED, STYLE, Commands, Json, api_path, commands_of, cycle_shown, status_pill
from .follow import Follower
from .setup import Setup
from .side import Side
from .workspace import Workspace

#: Cycles that are asked for at once.
_CYCLES = 20
_LONGEST_MESSAGE = 20_000
_TABS = ("timeline", "files", "setup", "prompt")
#: What can be done in each status: ends of paths of the API.
_ACTS = {
    "queued": ("pause", "cancel"),
    "in_progress": ("pause", "cancel"),
    "requires_action": ("cancel",),
    "paused": ("resume", "cancel"),
    "incomplete": ("cancel",),
    "failed": ("resume",),
}
_ICONS = {"pause": "pause", "resume": "play_arrow", "cancel": "stop"}
#: Commands after which there are other sub-agents.
_OF_OTHERS = ("start_agent", "delete_agent")


class _AgentPage:
    """The page."""

    def __init__(self, visitor: Visitor, agent: Json, commands: Commands, cycles: Json) -> None:
        self._visitor, self._agent, self._commands = visitor, agent, commands
        self._id: str = agent["id"]
        self._oldest: str | None = cycles["last_id"]
        self._status = ""
        self._follower = Follower(visitor, self._id, self._happened, self._lost)
        if cycles["data"]:
            self._follower.seen(cycles["data"][0])
        self._newest: Json | None = next(iter(cycles["data"]), None)
        text = visitor.text
        ui.link(text("agents.all_agents"), "/agents").classes("crumb")
        with ui.element("div").classes("agents-top"):
            self._head = ui.element("div").classes("agent-head")
            ui.space()
            self._buttons = ui.element("div").classes("agent-buttons")
        self._said = ui.label(text("agents.lost")).classes("wrong").props("role=status")
        self._said.set_visibility(False)
        with ui.element("div").classes("agent-page") as self._root:
            with ui.element("div").classes("agent-wants"):
                self._asked = Asked(visitor, commands, self._do)
            self._side = Side(visitor, agent)
            with ui.element("div").classes("agent-main"):
                self._make_tabs(cycles)
        self._tell(agent)

    def _make_tabs(self, cycles: Json) -> None:
        text = self._visitor.text
        tabs = [one for one in _TABS if one != "setup" or self._visitor.may_write]
        with ui.tabs().props("dense no-caps align=left") as bar:
            for name in tabs:
                ui.tab(name, text(f"agents.tab_{name}"))
        bar.set_value("timeline")
        bar.on_value_change(self._turn)
        self._panels: dict[str, ui.element] = {}
        for name in tabs:
            panel = self._panels[name] = ui.element("div").classes("agent-panel").props("role=tabpanel tabindex=0")
            panel.props["aria-label"] = text(f"agents.tab_{name}")
            panel.set_visibility(name == "timeline")
        with self._panels["timeline"]:
            self._make_telling()
            self._now = ui.label().classes("agent-now").props("role=status")
            shown = [cycle_shown(self._visitor, self._commands, self._agent, one) for one in cycles["data"]]
            self._timeline = Cycles(
                self._visitor,
                shown,
                more=cycles["has_more"],
                empty="",
                on_older=self._older,
                on_file=lambda path: self._workspace.view(path),
            )
        with self._panels["files"]:
            self._workspace = Workspace(self._visitor, self._id)

    def _make_telling(self) -> None:
        text = self._visitor.text
        self._telling = ui.element("div").classes("agent-telling")
        if not self._visitor.may_write:
            return
        with self._telling:
            field = ui.textarea(text("agents.tell"))
            field.props(f"outlined dense autogrow rows=1 hide-bottom-space maxlength={_LONGEST_MESSAGE}").classes(
                "grow"
            )

            async def send() -> None:
                said = (field.value or "").strip()
                if said:
                    with working(button):
                        await self._do("/messages", {"text": said})
                    field.value = ""
                    ui.notify(text("agents.told"), type="positive")

            button = plain(text("agents.send"), send, icon="send")

    async def load(self) -> None:
        """Ask for what stands beside it. Raises `openai.APIError`."""
        await asyncio.gather(self._side.load(), self._workspace.load())

    def follow(self) -> None:
        """Follow the agent while a browser looks."""
        client = ui.context.client

        def left() -> None:
            # A browser that comes back may be here before its old connection is known to be gone.
            if not client.has_socket_connection:
                self._follower.stop()

        client.on_connect(self._follower.start)
        client.on_disconnect(left)
        client.on_delete(self._follower.stop)

    # --- what happens

    async def _happened(self, event: Json) -> None:
        if self._root.is_deleted:
            self._follower.stop()
            return
        with self._root:
            if event["object"] == "agent.cycle":
                self._put(event)
                await self._cycle_done(event)
            elif (agent := await self._visitor.get(api_path(self._id))) != self._agent:
                # As it is now: statuses that it has passed come again where a stream is taken up.
                self._tell(agent)
                await self._look_again()
                await self._side.load()

    async def _cycle_done(self, cycle: Json) -> None:
        if cycle["status"] not in ("completed", "denied"):
            return
        # What it has taken in all is told by the agent only.
        self._tell(await self._visitor.get(api_path(self._id)))
        if cycle["result"] and cycle["result"]["files"]:
            await self._workspace.load()
        if cycle["command"]["name"] in _OF_OTHERS:
            await self._side.load()

    async def _look_again(self) -> None:
        """Show the newest cycle as it is: that it may go on now is no event of its own."""
        found = (await self._visitor.get(api_path(self._id, "/cycles"), limit=1, order="desc"))["data"]
        for cycle in found:
            self._put(cycle)

    def _put(self, cycle: Json) -> None:
        if self._newest is None or cycle["number"] >= self._newest["number"]:
            self._newest = cycle
        self._oldest = self._oldest or cycle["id"]
        self._timeline.put([cycle_shown(self._visitor, self._commands, self._agent, cycle)])
        self._say_what()

    async def _older(self) -> None:
        page = await self._visitor.get(
            api_path(self._id, "/cycles"), limit=_CYCLES, order="desc", after=self._oldest or None
        )
        self._oldest = page["last_id"] or self._oldest
        shown = [cycle_shown(self._visitor, self._commands, self._agent, one) for one in page["data"]]
        self._timeline.older(shown, more=page["has_more"])

    def _lost(self, lost: bool) -> None:
        if not self._said.is_deleted and self._said.visible != lost:
            self._said.set_visibility(lost)

    # --- what is shown

    def _tell(self, agent: Json) -> None:
        """Show the agent as it is now."""
        self._agent = agent
        shown = (agent["status"], agent["name"], agent["role"])
        if shown != self._status:
            self._status = shown
            self._tell_head()
        self._asked.show(agent)
        self._side.show(agent)
        self._telling.set_visibility(agent["status"] not in ENDED and not _asks(agent))
        self._say_what()

    def _tell_head(self) -> None:
        agent = self._agent
        self._head.clear()
        with self._head:
            with ui.element("div").classes("agent-title"):
                heading(agent["name"])
                status_pill(self._visitor, agent["status"])
            ui.label(agent["role"]).classes("quiet")
        self._buttons.clear()
        with self._buttons:
            if not self._visitor.may_write:
                return
            text = self._visitor.text
            for act in _ACTS.get(agent["status"], ()):
                button = plain(text(f"agents.{act}"), icon=_ICONS[act])
                button.on_click(partial(self._act, act, button))
            if agent["status"] in (*ENDED, "incomplete"):
                again = plain(text("agents.again"), icon="replay")
                again.on_click(lambda: ui.navigate.to(f"/agents/new?from={self._id}"))
            if agent["status"] not in AT_WORK:
                symbol("delete", text("agents.delete"), self._delete)

    def _say_what(self) -> None:
        """Say what it is doing, where that is more than the newest cycle tells."""
        text, status, newest = self._visitor.text, self._agent["status"], self._newest
        said = ""
        if status == "queued":
            said = text("agents.now_queued")
        elif status == "in_progress":
            acts = newest is not None and newest["status"] == "in_progress"
            said = text("agents.now_acting" if acts else "agents.now_thinking")
        self._now.set_text(said)
        self._now.set_visibility(bool(said))
        if newest is None:
            self._timeline.say(text("agents.no_cycles") if not said else "")

    async def _turn(self, event: events.ValueChangeEventArguments[Any]) -> None:
        name = str(event.value)
        for one, panel in self._panels.items():
            panel.set_visibility(one == name)
        panel = self._panels[name]
        if name == "files":
            await self._workspace.load()
        elif name == "setup":
            panel.clear()
            with panel:
                self._fill_setup()
        elif name == "prompt":
            await self._fill_prompt(panel)

    def _fill_setup(self) -> None:
        if self._agent["status"] in ("completed", "cancelled"):
            ui.label(self._visitor.text("agents.setup_ended")).classes("quiet")
        else:
            Setup(self._visitor, self._commands, self._agent, self._do)

    async def _fill_prompt(self, panel: ui.element) -> None:
        text = self._visitor.text
        prompt = await self._visitor.get(api_path(self._id, "/prompt"))
        panel.clear()
        with panel:
            ui.label(text("agents.prompt_hint")).classes("quiet")
            sections = [
                {"title": text(f"agents.prompt_{name}"), "language": "", "text": told, "open": True}
                for name, told in prompt["sections"].items()
            ]
            whole = {"title": text("agents.prompt_all"), "language": "", "text": prompt["text"]}
            Objects(self._visitor, [*sections, whole])

    # --- what a person does

    async def _do(self, rest: str, body: Json) -> None:
        """Ask the API for something about the agent, and show what came of it."""
        agent = await self._visitor.post(api_path(self._id, rest), body)
        with self._root:
            self._tell(agent)
            await self._look_again()
        # It may go on, where nothing was to come any more.
        self._follower.start()

    async def _act(self, act: str, button: ui.button) -> None:
        if act == "cancel":
            question(
                self._visitor,
                self._visitor.text("agents.cancel_title"),
                self._visitor.text("agents.cancel_hint"),
                self._visitor.text("agents.cancel"),
                lambda: self._do("/cancel", {}),
            )
            return
        with working(button):
            await self._do(f"/{act}", {})
        if act == "pause" and self._agent["status"] in AT_WORK:
            ui.notify(self._visitor.text("agents.pausing"))

    def _delete(self) -> None:
        async def delete() -> None:
            self._follower.stop()
            await self._visitor.delete(api_path(self._id))
            ui.navigate.to("/agents")

        text = self._visitor.text
        title = text("agents.delete_title", name=self._agent["name"])
        question(self._visitor, title, text("agents.delete_hint"), text("agents.delete"), delete)


def _asks(agent: Json) -> bool:
    """Whether it waits for an answer, which has a field of its own."""
    action = agent["required_action"]
    return bool(action) and action["type"] == "answer"


async def build(visitor: Visitor, request: Request) -> None:
    """The page of the agent whose id stands in the path."""
    ui.add_head_html(STYLE)
    path = api_path(request.path_params["agent"])
    # Before anything is shown: where there is no such agent, the page says so.
    agent = await visitor.get(path)
    commands, cycles = await asyncio.gather(
        commands_of(visitor), visitor.get(f"{path}/cycles", limit=_CYCLES, order="desc")
    )
    ui.page_title(f"{agent['name']} · Retinue")
    page = _AgentPage(visitor, agent, commands, cycles)
    await page.load()
    page.follow()
