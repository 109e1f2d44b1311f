"""`retinue agent`: an agent at work, in the terminal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .agent_options import CostOption, CyclesOption, OutputOption, SecondsOption, TokensOption, limits_of
from .common import DataOption, load_settings

if TYPE_CHECKING:
    from .agent_server import AgentServer

#: Commands of an agent for which nobody has said how many.
_CYCLES = 30


class Language(StrEnum):
    """Of an agent's prompt."""

    en = "en"
    zh = "zh"


def agent(
    task: Annotated[str, typer.Argument(help="What it is to do, in a sentence; its goals are drafted from it.")],
    goal: Annotated[list[str] | None, typer.Option(help="A goal, instead of drafted ones; may be given again.")] = None,
    constraint: Annotated[list[str] | None, typer.Option(help="What it must keep to; may be given again.")] = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    model: Annotated[str, typer.Option(help="The model that thinks.")] = "default",
    language: Annotated[Language | None, typer.Option(help="Of its prompt; that of the task unless given.")] = None,
    command: Annotated[
        list[str] | None, typer.Option(help="A command that it may do, instead of the usual ones; may be given again.")
    ] = None,
    questions: Annotated[bool, typer.Option("--questions", help="It may ask you questions (`ask_user`).")] = False,
    cycles: CyclesOption = _CYCLES,
    seconds: SecondsOption = None,
    tokens: TokensOption = None,
    cost: CostOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Never ask before a command.")] = False,
    ask: Annotated[bool, typer.Option("--ask", help="Ask before every command.")] = False,
    file: Annotated[
        list[Path] | None,
        typer.Option(help="A file for its workspace; may be given again.", exists=True, dir_okay=False, readable=True),
    ] = None,
    output: OutputOption = None,
    data: DataOption = None,
) -> None:
    """Have an agent of the server that runs here work by itself. Ctrl+C pauses it."""
    # Take half a second, which no other command should wait for.
    from .agent_server import AgentServer, folder_for
    from .agent_view import show_begun, watch

    if yes and ask:
        raise typer.BadParameter("Give one of them.", param_hint="--yes, --ask")
    body: dict[str, Any] = {"model": model, "limits": limits_of(cycles, seconds, tokens, cost)}
    server, folder = AgentServer(load_settings(data=data)), folder_for(output)
    given = {"goals": goal, "constraints": constraint, "name": name, "language": language}
    body |= {field: value for field, value in given.items() if value}
    body |= {} if goal else {"task": task}
    body |= _commands(server, command or [], questions)
    body["approval"] = "never" if yes else "always" if ask else "risky"
    body["file_ids"] = [server.upload(path) for path in file or []]
    made = server.ask("post", body=body)
    show_begun(made)
    raise watch(server, made["id"], folder)


def _commands(server: AgentServer, named: list[str], questions: bool) -> dict[str, Any]:
    """The commands of an agent, as the API takes them; none where it is to have the usual ones."""
    if not named and not questions:
        return {}
    usual = [] if named else [one["id"] for one in server.ask("get", "commands")["data"] if one["default"]]
    return {"commands": [*named, *usual, *(["ask_user"] if questions else [])]}
