"""What an agent can do now, and what its model is told of that."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from ..errors import NotFound
from ..inference.models import ServedModel
from ..settings import Settings
from ..store.agents import Held
from ..store.store import Store
from ..tools.tool import Offered, Toolbox
from ..wire.agents import Agent
from ..wire.connections import Connection
from . import prompt
from .approval import judged
from .asking import as_asked
from .commands.all import built_in, of_connections
from .commands.command import Command
from .stand_in import no_topic, run_of

#: The share of the model's context that the short-term memory has, and definitions of connections' operations.
RECENT, _OPERATIONS = 0.45, 0.2


async def learned(
    held: Held, store: Store, toolbox: Toolbox, settings: Settings, context: int
) -> tuple[Offered, dict[str, Command]]:
    """Functions of tools, and commands by name.

    Args:
        held: the agent.
        store: where its connections are.
        toolbox: the tools that runs have.
        settings: all settings.
        context: tokens of its model's context.
    """
    agent, connections = held.agent, list[Connection]()
    for identifier in agent.connections:
        with contextlib.suppress(NotFound):
            connections.append(await store.connections.get(held.project, identifier))
    run = run_of(agent, held, connections)
    offered = await toolbox.offered(held.project, run, int(context * _OPERATIONS), no_topic)
    known = built_in()
    commands = {name: judged(known[name], settings) for name in agent.commands if name in known}
    return offered, {**of_connections(offered), **commands}


def sections(agent: Agent, commands: Mapping[str, Command], model: ServedModel, window: int) -> dict[str, str]:
    """The sections of an agent's prompt, by name, in order.

    Args:
        agent: the agent.
        commands: what it can do, by name.
        model: its model.
        window: tokens that its prompt may have.
    """
    words = int(window * RECENT * (1 if agent.language == "zh" else 0.7))
    return prompt.sections(agent, as_asked(commands.values(), model).values(), words)
