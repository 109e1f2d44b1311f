"""All commands: the twenty, what plugins add, and the operations of connections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

import structlog

from ...tools.tool import Offered, ServerFunction
from . import code, control, files, others, publishing, repository, web
from .command import Argument, Both, Command, Outcome, Place
from .web import serve

log = structlog.get_logger(__name__)

#: Where packages name further commands: functions without arguments that return a `Command`, or several.
PLUGINS = "retinue.agent_commands"
#: Tools whose functions are commands of their own.
_OF_CONNECTIONS = ("action", "mcp")

#: AutoGPT's twenty; those that most tasks need come first, since small models choose from the front.
_ORDER = (
    *("evaluate_code", "write_to_file", "read_file", "append_to_file", "search_files", "execute_python_file"),
    *("delete_file", "improve_code", "write_tests", "google", "browse_website", "clone_repository", "start_agent"),
    *("message_agent", "list_agents", "delete_agent", "generate_image", "send_tweet", "do_nothing", "task_complete"),
)
_BUILT_IN = {
    command.name: command
    for module in (web, others, repository, files, code, publishing, control)
    for command in module.COMMANDS
}


def built_in() -> dict[str, Command]:
    """The commands that Retinue has, those of plugins among them, by name."""
    known = {name: _BUILT_IN[name] for name in _ORDER if name in _BUILT_IN}
    known[control.ASK_USER.name] = control.ASK_USER
    for command in _plugins():
        known.setdefault(command.name, command)
    return known


def _plugins() -> Iterable[Command]:
    for point in entry_points(group=PLUGINS):
        try:
            made = point.load()()
        except Exception:
            log.exception("a plugin's commands cannot be had", plugin=point.name)
            continue
        yield from [made] if isinstance(made, Command) else made


def of_connections(offered: Offered) -> dict[str, Command]:
    """The operations of an agent's connections, as commands."""
    return {name: _operation(one) for name, one in offered.items() if one.type in _OF_CONNECTIONS}


def _operation(function: ServerFunction) -> Command:
    parameters: Mapping[str, Any] = function.definition.get("parameters") or {}
    required = parameters.get("required") or []
    arguments = [
        Argument(name, Both(f"<{name}>", f"<{name}>"), required=name in required, schema=schema)
        for name, schema in (parameters.get("properties") or {}).items()
    ]

    async def do(place: Place, args: Mapping[str, Any]) -> Outcome:
        served = await serve(place, function.name, args)
        return Outcome(served.output, failed=served.failed)

    title = str(function.definition.get("description") or function.name).split("\n")[0][:200]
    # Who has set up the connection has said when a person is asked: see tools/connections/consent.py.
    asks = function.consent is not None
    # One that nobody is asked for may change something nevertheless.
    return Command(function.name, Both(title, title), arguments, do, guarded=asks, repeatable=False)
