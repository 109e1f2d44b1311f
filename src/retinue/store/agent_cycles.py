"""Cycles of agents, for those who look: drivers write them with their agents."""

from __future__ import annotations

from ..wire.agents import AgentCycle
from .database import Database
from .objects import Objects


class AgentCycles(Objects[AgentCycle]):
    """What agents did."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "agent_cycles", AgentCycle, "cycle", parent="agent_id")

    async def since(self, project: str, agent: str, number: int, limit: int) -> list[AgentCycle]:
        """So many of an agent's cycles, oldest first, from the one with this number on."""
        sql = """
            select body from agent_cycles where project_id = %(project)s and agent_id = %(agent)s
            and position >= %(number)s order by position limit %(limit)s
        """
        values = {"project": project, "agent": agent, "number": number, "limit": limit}
        return [AgentCycle.model_validate_json(row[0]) for row in await self._database.rows(sql, values)]
