"""Whether an agent may go on: its own limits, those of the agents that have started it, and the server's."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import InvalidRequest
from ..settings import Settings
from ..store.store import Store
from ..wire.agents import Agent, Reason


async def line_above(store: Store, project: str, agent: Agent) -> list[Agent]:
    """Who has started an agent, who has started that, and so on."""
    found, parent = list[Agent](), agent.parent_id
    while parent:
        found.append(await store.agents.get(project, parent))
        parent = found[-1].parent_id
    return found


async def require_left(store: Store, project: str, agent: Agent, settings: Settings) -> None:
    """See that an agent may go on, of its own limits, of those above it and of the server's.

    Raises:
        InvalidRequest: one is used up; it says whose, and what to do.
    """
    for one in [agent, *await line_above(store, project, agent)]:
        if reason := await used_up(store, [one], settings):
            name = reason.removeprefix("max_")
            most: int | None = getattr(settings, f"agent_max_{name}", None)
            limit: float | None = getattr(one.limits, name)
            if limit is None or (most is not None and most <= limit):
                why = f"what this server allows (setting `agent_max_{name}`: {most})"
            else:
                why = f"its limit of {limit} ({name}). Raise `limits.{name}` of agent {one.id} first"
            raise InvalidRequest(f"Agent {one.id} has used up {why}.", code=reason)


async def used_up(store: Store, line: Sequence[Agent], settings: Settings) -> Reason | None:
    """What an agent has used up, of its own or of the limits of those above it; None if it may go on.

    Args:
        store: where they stand.
        line: the agent, the one that has started it, and so on.
        settings: the server's limits, which hold for each agent with all that it has started.
    """
    for agent in line:
        cycles, seconds = await store.agents.worked(agent.id)
        if reason := _over(agent, cycles, seconds, settings):
            return reason
    return None


def _over(agent: Agent, cycles: int, seconds: int, settings: Settings) -> Reason | None:
    limits = agent.limits
    if cycles >= min(limits.cycles or settings.agent_max_cycles, settings.agent_max_cycles):
        return "max_cycles"
    if seconds >= min(limits.seconds or settings.agent_max_seconds, settings.agent_max_seconds):
        return "max_seconds"
    if agent.usage.total_tokens >= min(limits.tokens or settings.agent_max_tokens, settings.agent_max_tokens):
        return "max_tokens"
    if limits.cost is not None and agent.cost.value >= limits.cost:
        return "max_cost"
    return None
