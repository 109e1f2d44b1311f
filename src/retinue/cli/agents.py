"""`retinue agents`: what there is of them, and what people decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Column, Table
from rich.text import Text

from .agent_options import CostOption, CyclesOption, OutputOption, SecondsOption, TokensOption, limits_of
from .common import DataOption, console, fail, load_settings, moment, output

if TYPE_CHECKING:
    from .agent_server import AgentServer

app = typer.Typer(help="Agents of the server that runs here: see, follow, stop and answer them.", no_args_is_help=True)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The agent's id, as `agents list` shows it.")]
FeedbackOption = Annotated[str | None, typer.Option(help="What the agent is told besides.")]


def _server(data: Path | None) -> AgentServer:
    from .agent_server import AgentServer  # takes half a second, which no other command should wait for

    return AgentServer(load_settings(data=data))


def _act(data: Path | None, identifier: str, action: str, body: dict[str, Any] | None = None) -> None:
    """Send what a person wants, and say what becomes of the agent."""
    agent = _server(data).ask("post", identifier, action, body)
    console.print(f"{agent['id']}: {agent['status']}", markup=False)


@app.command("list")
def list_agents(data: DataOption = None) -> None:
    """List the newest agents."""
    columns = (Column("id", no_wrap=True), "status", "name", "first goal", Column("cycles", justify="right"), "made")
    table = Table(*columns, box=None)
    for one in _server(data).ask("get", action="?limit=100")["data"]:
        shown = Text(one["name"]), Text(one["goals"][0][:80])
        table.add_row(one["id"], one["status"], *shown, str(one["cycles"]), moment(one["created_at"]))
    output.print(table)


@app.command()
def follow(identifier: IdArgument, output: OutputOption = None, data: DataOption = None) -> None:
    """Show what an agent has done and does, and answer it. Ctrl+C pauses it."""
    from .agent_server import folder_for
    from .agent_view import show_begun, watch

    server, folder = _server(data), folder_for(output)
    show_begun(server.ask("get", identifier))
    raise watch(server, identifier, folder)


@app.command()
def pause(identifier: IdArgument, data: DataOption = None) -> None:
    """Have an agent pause after its present step, with all that it has started."""
    _act(data, identifier, "pause")


@app.command()
def resume(
    identifier: IdArgument,
    cycles: CyclesOption = None,
    seconds: SecondsOption = None,
    tokens: TokensOption = None,
    cost: CostOption = None,
    data: DataOption = None,
) -> None:
    """Have an agent go on that is paused or has failed, or with higher limits that has used up its own."""
    if raised := limits_of(cycles, seconds, tokens, cost):
        server = _server(data)
        known = server.ask("get", identifier)["limits"]
        server.ask("post", identifier, "", {"limits": {**known, **raised}})
    _act(data, identifier, "resume")


@app.command()
def stop(identifier: IdArgument, data: DataOption = None) -> None:
    """Stop an agent at once, with all that it has started."""
    _act(data, identifier, "cancel")


@app.command()
def goals(
    identifier: IdArgument,
    goal: Annotated[list[str], typer.Argument(help="The goals that it has from now on.")],
    data: DataOption = None,
) -> None:
    """Give an agent other goals; they count from its next step on."""
    _act(data, identifier, "", {"goals": goal})


@app.command()
def tell(
    identifier: IdArgument,
    text: Annotated[str, typer.Argument(help="What it is told.")],
    data: DataOption = None,
) -> None:
    """Answer an agent's question, or tell it something before its next step."""
    _act(data, identifier, "messages", {"text": text})


@app.command()
def approve(
    identifier: IdArgument,
    times: Annotated[int | None, typer.Option(help="So many commands without asking.", min=1, max=1000)] = None,
    always: Annotated[bool, typer.Option("--always", help="This command always.")] = False,
    feedback: FeedbackOption = None,
    data: DataOption = None,
) -> None:
    """Allow the command that an agent waits for: once, or as the options say."""
    if times and always:
        fail("give one of --times and --always.")
    body: dict[str, Any] = {"decision": "always" if always else "times" if times else "once", "feedback": feedback}
    _act(data, identifier, "approve", body | ({"times": times} if times else {}))


@app.command()
def deny(identifier: IdArgument, feedback: FeedbackOption = None, data: DataOption = None) -> None:
    """Do not allow the command that an agent waits for."""
    _act(data, identifier, "approve", {"decision": "deny", "feedback": feedback})


@app.command()
def files(
    identifier: IdArgument,
    folder: Annotated[Path, typer.Argument(help="Where to write them.")],
    data: DataOption = None,
) -> None:
    """Write the files of an agent's workspace into a folder."""
    from .agent_server import folder_for

    server = _server(data)
    server.ask("get", identifier)
    folder_for(folder)
    server.save(identifier, folder)


@app.command()
def delete(identifier: IdArgument, data: DataOption = None) -> None:
    """Delete an agent that is not at work, with its files and all that it has started."""
    _server(data).ask("delete", identifier)
    console.print(f"{identifier} is deleted.", markup=False)
