"""How the API tells of agents, and how people are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from nicegui import ui

from ...elements.amounts import duration, money
from ...visitor import Visitor

Json = dict[str, Any]

STYLE = "".join(f'<link rel="stylesheet" href="/static/{one}.css">' for one in ("files", "runs", "agents"))
STATUSES = ("queued", "in_progress", "requires_action", "paused", "incomplete", "completed", "failed", "cancelled")
#: At work; waiting for somebody or something; ended for good.
AT_WORK = ("queued", "in_progress")
ENDED = ("completed", "failed", "cancelled")
#: Classes of statuses.
TONES: Mapping[str, str] = {
    "in_progress": "busy",
    "queued": "busy",
    "requires_action": "asks",
    "completed": "good",
    "failed": "wrong",
    "incomplete": "wrong",
}
APPROVALS = ("risky", "always", "never")
LANGUAGES = ("en", "zh")
#: Limits, as the API names them.
LIMITS = ("cycles", "seconds", "tokens", "cost")
#: Of files by their endings, as Markdown names languages.
_LANGUAGES: Mapping[str, str] = {
    "py": "python",
    "js": "javascript",
    "ts": "typescript",
    "md": "markdown",
    "sh": "bash",
    "yml": "yaml",
    **{one: one for one in ("json", "html", "css", "xml", "sql", "yaml", "toml", "java", "go", "rust", "c", "cpp")},
}


def api_path(agent: str, rest: str = "") -> str:
    """Where the API has an agent, and what belongs to it."""
    return f"/agents/{quote(agent, safe='')}{rest}"


def address(agent: str) -> str:
    """Where the page of an agent is."""
    return f"/agents/{quote(agent, safe='')}"


def language_of(path: str) -> str:
    """The language of a file by its name, as Markdown names languages; `""` where it is not known."""
    return _LANGUAGES.get(path.rpartition(".")[2].lower(), "")


def status_pill(visitor: Visitor, status: str) -> None:
    """A status in words."""
    ui.label(visitor.text(f"agents.status_{status}")).classes(f"agent-status {TONES.get(status, '')}")


class Commands:
    """The commands of this server, and what they are called."""

    def __init__(self, visitor: Visitor, known: Sequence[Json]) -> None:
        """`known`: as the API lists them."""
        self._language = visitor.language
        self.known = {one["id"]: one for one in known}

    def title(self, name: str) -> str:
        """What people call a command; those of connections have their name only."""
        command = self.known.get(name)
        return command["title"][self._language] if command else name


async def commands_of(visitor: Visitor) -> Commands:
    """Ask for the commands. Raises `openai.APIError`."""
    return Commands(visitor, (await visitor.get("/agents/commands"))["data"])


def arguments_of(command: Json) -> list[Json]:
    """A command's arguments as people read them: ``name``, ``text`` and the ``language`` of the text."""
    args: Json = command["args"]
    file = args.get("file")
    written = language_of(file) if isinstance(file, str) else ""
    found: list[Json] = []
    for name, value in args.items():
        if isinstance(value, str):
            found.append({"name": name, "text": value, "language": "python" if name == "code" else written})
        else:
            found.append({"name": name, "text": json.dumps(value, ensure_ascii=False, indent=2), "language": "json"})
    return found


def _state(visitor: Visitor, agent: Json, cycle: Json) -> tuple[str, str]:
    """How a cycle stands, where it is not simply done, and the class of that."""
    status = cycle["status"]
    if status == "in_progress" and agent["status"] not in AT_WORK:
        # It waits for an answer, or was left when a limit was reached, or when somebody paused or stopped it.
        status = "asks" if agent["status"] == "requires_action" else "not_done"
    tone = {"awaiting_approval": "asks", "asks": "asks", "in_progress": "busy", "denied": "bad"}.get(status, "")
    return visitor.text(f"agents.cycle_{status}") if status != "completed" else "", tone


def cycle_shown(visitor: Visitor, commands: Commands, agent: Json, cycle: Json) -> Json:
    """A cycle of an agent for `Cycles`."""
    text, thoughts, command, result = visitor.text, cycle["thoughts"], cycle["command"], cycle["result"]
    state, tone = _state(visitor, agent, cycle)
    title = commands.title(command["name"])
    # Whoever denied a command took their time: it is not the agent's.
    taken = duration(visitor, cycle["completed_at"] - cycle["created_at"]) if result else ""
    tokens, cost = cycle["usage"]["total_tokens"], cycle["cost"]
    note = [taken, text("agents.tokens", count=f"{tokens:,}") if tokens else "", money(cost) if cost["value"] else ""]
    more = [{"label": text(f"agents.{one}"), "text": thoughts[one]} for one in ("plan", "reasoning", "criticism")]
    return {
        "id": cycle["id"],
        "number": cycle["number"],
        "title": title,
        "command": command["name"] if title != command["name"] else "",
        "state": state,
        "tone": "bad" if result and result["failed"] else tone,
        "note": " · ".join(filter(None, note)),
        "at": cycle["created_at"],
        "text": thoughts["text"] or thoughts["speak"],
        "thoughts": [one for one in more if one["text"]],
        # What it says at its end is the result, too: once is enough.
        "args": [one for one in arguments_of(command) if one["text"] and (not result or one["text"] != result["text"])],
        "feedback": cycle.get("feedback") or "",
        "repaired": cycle.get("repaired") or "",
        "result": {key: result[key] for key in ("text", "failed", "truncated")} if result else None,
        "files": result["files"] if result else [],
    }


def in_a_line(goals: Sequence[str], most: int = 120) -> str:
    """Goals in one line."""
    line = " · ".join(" ".join(goal.split()) for goal in goals)
    return line if len(line) <= most else line[:most] + "…"


def used(visitor: Visitor, agent: Json) -> list[tuple[str, str, float | None]]:
    """What an agent has taken, limit by limit: its name, the figures, and the share of the limit (None: no limit)."""
    limits, cost = agent["limits"], float(agent["cost"]["value"])
    taken: Mapping[str, tuple[float, str]] = {
        "cycles": (agent["cycles"], f"{agent['cycles']:,}"),
        "seconds": (agent["seconds"], duration(visitor, agent["seconds"])),
        "tokens": (agent["usage"]["total_tokens"], f"{agent['usage']['total_tokens']:,}"),
        "cost": (cost, money(agent["cost"])),
    }
    found: list[tuple[str, str, float | None]] = []
    for name, (value, told) in taken.items():
        limit = limits.get(name)
        if limit is not None:
            most = {"seconds": duration(visitor, limit), "cost": money({"value": limit})}.get(name, f"{limit:,}")
            told = visitor.text("agents.of", used=told, most=most)
        found.append((name, told, min(1.0, value / limit) if limit else None))
    return found
