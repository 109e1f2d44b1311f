"""The run that an agent is to the tools that runs have."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..accounts.keys import Caller
from ..store.agents import Held
from ..wire.agents import Agent
from ..wire.connections import Connection
from ..wire.runs import Run, TruncationStrategy
from ..wire.tools import ActionTool, ConnectionTools, ImageGenerationTool, McpTool, Tool, WebBrowsingTool

_BROWSING, _DRAWING = WebBrowsingTool(type="web_browsing"), ImageGenerationTool(type="image_generation")


def run_of(agent: Agent, held: Held, connections: Sequence[Connection] = ()) -> Run:
    """A run of this agent's id, with the tools that its commands need. It is not kept.

    Args:
        agent: the agent.
        held: how it is held.
        connections: those of its connections that there are.
    """
    tools: list[Tool] = []
    if {"google", "browse_website"} & set(agent.commands):
        tools.append(_BROWSING)
    if "generate_image" in agent.commands:
        tools.append(_DRAWING)
    for connection in connections:
        named = ConnectionTools(connection_id=connection.id)
        is_action = connection.type == "action"
        tools.append(ActionTool(type="action", action=named) if is_action else McpTool(type="mcp", mcp=named))
    return _run(agent.id, held.root, agent.model, tools, key=held.key, user=held.user)


def of_tools(caller: Caller) -> Run:
    """A run with all tools that commands work by: it shows which there are."""
    return _run("", "", "", [_BROWSING, _DRAWING], key=caller.key, user=caller.user)


async def no_topic() -> str:
    """What an agent's functions are chosen by: nothing, so that they stay the same."""
    return ""


def _run(identifier: str, thread: str, model: str, tools: list[Tool], *, key: str, user: str) -> Run:
    run = Run(
        id=identifier,
        created_at=int(time.time()),
        thread_id=thread,
        assistant_id=identifier,
        status="in_progress",
        expires_at=None,
        model=model,
        instructions="",
        tools=tools,
        metadata={},
        truncation_strategy=TruncationStrategy(type="auto"),
        tool_choice="auto",
        parallel_tool_calls=False,
        response_format="auto",
    )
    run.key, run.user = key, user
    return run
