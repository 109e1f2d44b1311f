"""Long-term memory: what an agent did, remembered by similarity."""

from __future__ import annotations

import structlog

from ..accounts.keys import Caller
from ..accounts.usage import UsageMeter
from ..errors import ApiError
from ..inference.embeddings import Embedders
from ..store.agents import Held
from ..store.store import Store
from ..wire.agents import Agent, AgentCycle
from . import memory

log = structlog.get_logger(__name__)

#: Cycles that are recalled.
_MOST = 4
#: Cycles that are remembered at once.
_MOST_CAUGHT_UP = 100


class Recall:
    """The memory of all agents, in the database beside what they did."""

    def __init__(self, store: Store, embedders: Embedders, usage: UsageMeter) -> None:
        self._store = store
        self._embedders = embedders
        self._usage = usage

    async def remember(self, held: Held, caller: Caller, *cycles: AgentCycle) -> None:
        """Keep cycles for later. Without an embedding model nothing is kept, and nothing is lost but this."""
        if not cycles:
            return
        try:
            self._usage.require(caller)
            embedder = self._embedders.find()
            made = await embedder.embed([memory.text_of(cycle) for cycle in cycles], caller=caller.project)
            self._usage.record(caller, "embeddings", embedder.name, prompt_tokens=made.tokens)
            for cycle, vector in zip(cycles, made.vectors, strict=True):
                await self._store.agents.remember(cycle.id, vector)
        except ApiError as error:
            log.info("an agent's cycles are not remembered", agent=held.agent.id, error=error.message)

    async def catch_up(self, held: Held, caller: Caller) -> None:
        """Keep the newest cycles that are not kept yet: of an imported agent, or where a server was killed."""
        missing = await self._store.agents.unremembered(held.agent.id, _MOST_CAUGHT_UP)
        await self.remember(held, caller, *missing)

    async def earlier(self, agent: Agent, first: int, budget: int) -> str:
        """What an agent is told of all that it did before its cycle number `first`; "" if there is nothing.

        Args:
            agent: the agent.
            first: the number of a cycle.
            budget: tokens.
        """
        if first <= 1 or budget <= 0:
            return ""
        older = await self._store.agents.in_short(agent.id, before=first, limit=memory.most_lines(budget))
        lines = memory.fitting([memory.line(one) for one in older], budget)
        oldest = older[-len(lines)].number if lines else first
        counted = await self._store.agents.counted(agent.id, before=oldest) if oldest > 1 else {}
        return memory.earlier(lines, counted, agent.language)

    async def similar(self, agent: Agent, newest: AgentCycle, first: int, budget: int) -> str:
        """What an agent is told of what it did before that is like its newest cycle; "" if there is nothing.

        Args:
            agent: the agent.
            newest: its newest cycle.
            first: the number of a cycle; what was from then on it remembers anyway.
            budget: tokens.
        """
        if first <= 1:
            return ""
        found = await self._store.agents.similar(newest.id, before=first, limit=_MOST)
        topic = " ".join([newest.thoughts.text, memory.line(newest), *agent.goals])
        return memory.similar(found, topic, budget, agent.language)
