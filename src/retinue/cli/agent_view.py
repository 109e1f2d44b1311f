"""What an agent thinks and does, shown in the terminal while it happens; its questions are answered there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import typer
from rich.panel import Panel
from rich.text import Text

from .agent_live import Doing, LastLines
from .agent_server import AgentServer, Json, ended_with
from .common import console, fail

#: Characters of an argument and of a result that are shown, and of an argument that a person is to allow.
_ARGUMENT, _SHOWN, _ALLOWED = 120, 600, 4000
#: Seconds between two looks, and how often in a row a server may not answer.
_LOOK_EVERY, _PATIENCE = 0.5, 60
_AT_WORK = ("queued", "in_progress", "requires_action")


def show_begun(agent: Json) -> None:
    """Name, role and goals."""
    goals = "\n".join(f"{number}. {goal}" for number, goal in enumerate(agent["goals"], 1))
    console.print(Panel(_plain(goals), title=_plain(f"{agent['name']}, {agent['role']}"), subtitle=agent["id"]))


def watch(server: AgentServer, identifier: str, output: Path | None) -> typer.Exit:
    """Show what an agent does until it has ended, is paused, or waits and nobody is there to answer.

    Ctrl+C pauses it.

    Returns:
        How the command is to end.
    """
    try:
        agent = _Watch(server, identifier).until_it_rests()
    except KeyboardInterrupt:
        return _paused(server, identifier)
    _report(server, agent, output)
    return ended_with(agent["status"])


class _Watch:
    """An agent that is watched, with all that it has started."""

    def __init__(self, server: AgentServer, identifier: str) -> None:
        self._server = server
        self._id = identifier
        self._now = LastLines()
        #: By agent: the newest cycle that is over, and those whose thoughts were shown.
        self._over: dict[str, str] = {}
        self._thought: set[str] = set()

    def until_it_rests(self) -> Json:
        """The agent, once nothing happens any more without a person."""
        silent = 0
        with self._now:
            while True:
                try:
                    agent = self._server.try_("get", self._id)
                    goes_on = self._look(agent)
                    silent = 0
                except openai.APIConnectionError:
                    goes_on, agent, silent = True, {}, silent + 1
                    if silent == _PATIENCE:
                        fail(f"the server is gone. When it is back: `retinue agents follow {self._id}`.")
                    if silent == 1:
                        console.print("[yellow]The server does not answer. Waiting.[/]")
                except openai.APIStatusError as error:
                    fail(error.message)
                if not goes_on:
                    return agent
                time.sleep(_LOOK_EVERY)

    def _look(self, root: Json) -> bool:
        """Show what is new, and answer what is asked; returns whether there is more to come."""
        asked, doing = False, list[Doing]()
        for agent in self._family(root):
            cycle = self._show_new(agent, "" if agent is root else agent["name"])
            if does := _does(agent, cycle):
                doing.append(Doing(agent["id"], _plain(f"{agent['name']} {does}").plain, agent["cycles"]))
            if agent["status"] == "requires_action" and root["status"] in _AT_WORK:
                with self._now.aside():
                    answered = _answered(self._server, agent)
                if not answered:
                    root["status"] = "requires_action"
                    return False
                asked = True
        self._now.show(root, doing)
        return asked or root["status"] in _AT_WORK

    def _family(self, root: Json) -> Iterator[Json]:
        """An agent and all that it has started."""
        yield root
        for child in self._server.try_("get", root["id"], "agents")["data"]:
            yield from self._family(child)

    def _show_new(self, agent: Json, name: str) -> Json | None:
        """Print what is new of an agent; returns its cycle that is not over."""
        while True:
            after = f"&after={self._over[agent['id']]}" if agent["id"] in self._over else ""
            page = self._server.try_("get", agent["id"], f"cycles?order=asc&limit=100{after}")
            for cycle in page["data"]:
                if cycle["id"] not in self._thought:
                    self._thought.add(cycle["id"])
                    _show_thoughts(cycle, name)
                if cycle["status"] not in ("completed", "denied"):
                    return cycle
                self._over[agent["id"]] = cycle["id"]
                _show_result(cycle)
            if not page["has_more"]:
                return None


def _does(agent: Json, cycle: Json | None) -> str:
    """What an agent does at this moment, with the cycle that is not over; "" if nothing."""
    if agent["status"] == "queued":
        return "waits for its turn"
    if agent["status"] == "in_progress":
        return f"does {cycle['command']['name']}" if cycle else "thinks"
    return ""


def _show_thoughts(cycle: Json, name: str) -> None:
    thoughts, command = cycle["thoughts"], cycle["command"]
    whose = f"{name} " if name else ""
    console.print()
    console.print(_plain(f"{whose}{cycle['number']}. {thoughts['speak'] or thoughts['text']}", style="bold"))
    for said in (thoughts["reasoning"], thoughts["plan"], thoughts["criticism"] and f"But: {thoughts['criticism']}"):
        if said:
            console.print(_plain(_cut(said, _SHOWN), style="dim"))
    console.print(_plain(f"→ {_call(command, _ARGUMENT)}", style="cyan"))


def _show_result(cycle: Json) -> None:
    if cycle["result"]:
        console.print(
            _plain(_cut(cycle["result"]["text"], _SHOWN), style="red" if cycle["result"]["failed"] else "green")
        )
    else:
        console.print(_plain(f"not allowed: {cycle.get('feedback') or ''}", style="yellow"))


def _answered(server: AgentServer, agent: Json) -> bool:
    """Ask the person at the terminal what an agent waits for; False if nobody is there."""
    action = agent["required_action"]
    command: Json = action["command"]
    try:
        if action["type"] == "answer":
            console.print(_plain(str(command["args"].get("question", "")), style="bold yellow"))
            said = console.input("> ").strip()
            what, body = "messages", {"text": said or "(no answer)"}
        else:
            console.print(_plain(f"{agent['name']} wants: {_call(command, _ALLOWED)}", style="bold yellow"))
            said = console.input("Allow it? \\[y]es, \\[a]lways, a number of commands, or what to do instead: ").strip()
            what, body = "approve", decision(said)
    except EOFError:
        console.print()
        return False
    try:
        server.try_("post", agent["id"], what, body)
    except openai.BadRequestError:
        console.print("[yellow]Somebody else was faster.[/]")
    return True


def decision(said: str) -> Json:
    """What a person decides who says this when asked whether a command is allowed."""
    if said.lower() in ("y", "yes"):
        return {"decision": "once"}
    if said.lower() in ("a", "always"):
        return {"decision": "always"}
    if said.isdecimal() and 1 <= int(said) <= 1000:
        return {"decision": "times", "times": int(said)}
    return {"decision": "deny", "feedback": said[:4000] or "no"}


def _paused(server: AgentServer, identifier: str) -> typer.Exit:
    """Pause an agent whose watcher has gone."""
    console.print()
    try:
        server.try_("post", identifier, "pause")
        console.print("[yellow]It is paused.[/]")
    except openai.APIStatusError as error:
        console.print(_plain(error.message))
    except openai.APIConnectionError:
        fail(f"the server is gone. When it is back, the agent goes on: `retinue agents stop {identifier}` ends it.")
    console.print(_ways_on(identifier), markup=False)
    return typer.Exit(130)


def _report(server: AgentServer, agent: Json, output: Path | None) -> None:
    usage = agent["usage"]["total_tokens"]
    error, limit = agent["last_error"] or {}, agent["incomplete_details"] or {}
    why = agent["result"] or error.get("message") or limit.get("reason") or ""
    title, subtitle = agent["status"], f"{agent['cycles']} cycles, {usage} tokens, ${agent['cost']['value']:.4f}"
    console.print(Panel(_plain(str(why)), title=title, subtitle=subtitle))
    if agent["status"] in ("requires_action", "paused"):
        console.print(_ways_on(agent["id"]), markup=False)
    files = server.ask("get", agent["id"], "files")["data"]
    for one in files:
        console.print(_plain(f"  {one['path']} ({one['bytes']} bytes)"))
    if output and files:
        server.save(agent["id"], output)


def _ways_on(identifier: str) -> str:
    ways = {"follow": "shows it and asks you", "resume": "has it go on if it is paused", "stop": "ends it"}
    return "; ".join(f"`retinue agents {name} {identifier}` {does}" for name, does in ways.items()) + "."


def _call(command: Json, most: int) -> str:
    args = ", ".join(f"{name}={_cut(repr(value), most)}" for name, value in command["args"].items())
    return f"{command['name']}({args})"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text)} characters)"


def _plain(text: str, **style: Any) -> Text:
    """A text of a model, without what would move the terminal's cursor or paint over its questions."""
    return Text("".join(one for one in text if one.isprintable() or one in "\n\t"), **style)
