"""What stands beside an agent's timeline: what it has taken, its goals, what it is, and those that it has started."""

from __future__ import annotations

from nicegui import ui

from ...elements.controls import heading
from ...elements.facts import Facts
from ...visitor import Visitor
from .common import AT_WORK, Json, address, api_path, status_pill, used

#: Seconds between two looks at sub-agents that work.
_LOOK = 4.0


class Side:
    """The side, shown anew where something of it has changed."""

    def __init__(self, visitor: Visitor, agent: Json) -> None:
        """Built in the current slot, empty; `agent` is the one that is shown."""
        self._visitor, self._path = visitor, api_path(agent["id"])
        self._shown: object = None
        self._children: list[Json] = []
        self._failed = False
        with ui.element("aside").classes("agent-side"):
            self._taken = ui.element("div").classes("agent-taken")
            self._goals = ui.element("div")
            self._others = ui.element("div").classes("agent-others")
            self._facts = ui.element("div").classes("agent-facts")
        with self._others:
            self._list = ui.element("div")
            ui.timer(_LOOK, self._look, immediate=False)

    async def load(self) -> None:
        """Ask for those that it has started. Raises `openai.APIError`."""
        # Where that fails, once is enough to be told.
        self._failed = True
        children: list[Json] = (await self._visitor.get(f"{self._path}/agents"))["data"]
        self._failed = False
        if children != self._children and not self._list.is_deleted:
            self._children = children
            self._tell_children()

    async def _look(self) -> None:
        if not self._failed and any(one["status"] in AT_WORK for one in self._children):
            await self.load()

    def show(self, agent: Json) -> None:
        """Show the agent as it is now."""
        self._taken.clear()
        with self._taken:
            self._tell_taken(agent)
        shown = (agent["goals"], agent["constraints"], agent["approval"], agent["connections"], agent["started_at"])
        if shown == self._shown:
            return
        self._shown = shown
        text = self._visitor.text
        self._goals.clear()
        with self._goals:
            heading(text("agents.goals"), 2)
            with ui.element("ol").classes("agent-goals"):
                for goal in agent["goals"]:
                    with ui.element("li"):
                        ui.label(goal)
        self._facts.clear()
        with self._facts:
            Facts(self._told(agent), self._visitor.language)

    def _tell_taken(self, agent: Json) -> None:
        """What it has taken, beside what it may take."""
        text = self._visitor.text
        with ui.element("dl"):
            for name, told, share in used(self._visitor, agent):
                with ui.element("div"):
                    with ui.element("dt"):
                        ui.label(text(f"agents.used_{name}"))
                    with ui.element("dd"):
                        ui.label(told)
                        if share is not None:
                            bar = ui.element("progress").props(f"max=1 value={share:.3f}")
                            bar.props["aria-label"] = text(f"agents.used_{name}")
                            bar.classes("full" if share >= 1 else "")

    def _told(self, agent: Json) -> list[Json]:
        text = self._visitor.text
        facts: list[Json] = [
            {"label": text("agents.model"), "value": agent["model"]},
            {"label": text("agents.approval_short"), "value": text(f"agents.approval_{agent['approval']}")},
            {"label": text("agents.begun"), "value": agent["created_at"], "kind": "time"},
            {"label": text("agents.id"), "value": agent["id"], "kind": "mono"},
        ]
        if parent := agent["parent_id"]:
            facts.insert(0, {"label": text("agents.parent"), "value": parent, "href": address(parent), "kind": "mono"})
        return facts

    def _tell_children(self) -> None:
        self._list.clear()
        if not self._children:
            return
        with self._list:
            heading(self._visitor.text("agents.children"), 2)
            with ui.element("ul").classes("agent-children"):
                for child in self._children:
                    with ui.element("li"):
                        ui.link(child["name"], address(child["id"]))
                        status_pill(self._visitor, child["status"])
