"""Other agents: started, told something, listed and deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ...errors import InvalidRequest
from ...store.ids import new_id
from ...wire.agents import OVER, Agent, AgentLimits
from ...wire.runs import Amount, CompletionUsage
from .command import Argument, Both, Command, Outcome, Place

#: The commands for other agents.
OTHERS = ("start_agent", "message_agent", "list_agents", "delete_agent")
_KEY = Argument("key", Both("<key>", "<键>"), most=64)
#: What agents that an agent has started may not do: they have nobody who could answer or allow it.
_NOT_FOR_OTHERS = frozenset({"ask_user"})


async def _start(place: Place, args: Mapping[str, Any]) -> Outcome:
    parent, settings = place.agent, place.settings
    there = await place.store.agents.children(place.held.project, parent.id)
    if len(there) >= settings.agent_max_children:
        raise InvalidRequest(f"You have {len(there)} agents, and may have no more. Delete one that has ended.")
    if (depth := await _depth(place)) >= settings.agent_max_depth:
        why = "you were started by one yourself" if depth else "this server allows none"
        raise InvalidRequest(f"You may start no agents: {why}.")
    child = Agent(
        id=new_id("agent_"),
        created_at=int(time.time()),
        status="queued",
        name=args["name"][:80],
        role=args["task"][:2000],
        goals=[args["prompt"][:2000] or args["task"][:2000]],
        constraints=parent.constraints,
        model=parent.model,
        language=parent.language,
        commands=[name for name in parent.commands if name not in _NOT_FOR_OTHERS],
        connections=parent.connections,
        approval=parent.approval,
        limits=AgentLimits(cycles=min(parent.limits.cycles or 15, 15)),
        parent_id=parent.id,
        usage=CompletionUsage(prompt_tokens=0, completion_tokens=0, total_tokens=0),
        cost=Amount(value=0),
    )
    told = f'The agent {child.name} works now; its key is "{child.id}". You are told when it ends.'
    return Outcome(told, started=[child])


async def _depth(place: Place) -> int:
    depth, above = 0, place.agent.parent_id
    while above:
        depth += 1
        above = (await place.store.agents.get(place.held.project, above)).parent_id
    return depth


async def _child(place: Place, key: str) -> Agent:
    there = await place.store.agents.children(place.held.project, place.agent.id)
    for child in there:
        if key.strip() in (child.id, child.name):
            return child
    known = ", ".join(child.id for child in there) or "none"
    raise InvalidRequest(f'You have no agent with the key "{key[:60]}". Keys: {known}.')


async def _message(place: Place, args: Mapping[str, Any]) -> Outcome:
    child = await _child(place, args["key"])
    if child.status in OVER:
        return Outcome(f"{child.name} has ended ({child.status}): {child.result or 'without a result'}", failed=True)
    return Outcome(f"{child.name} will hear it before its next step.", told=[(child.id, args["message"])])


async def _list(place: Place, args: Mapping[str, Any]) -> Outcome:
    there = await place.store.agents.children(place.held.project, place.agent.id)
    lines = [f'{one.name} (key "{one.id}"): {one.status}{": " + one.result if one.result else ""}' for one in there]
    return Outcome("\n".join(lines) or "You have started no agents.")


async def _delete(place: Place, args: Mapping[str, Any]) -> Outcome:
    child = await _child(place, args["key"])
    return Outcome(f"{child.name} is deleted.", stopped=[child.id])


COMMANDS = (
    Command(
        "start_agent",
        Both("Start GPT agent", "启动 GPT 智能体"),
        (
            Argument("name", Both("<name>", "<名称>"), most=80),
            Argument("task", Both("<short_task_desc>", "<任务简述>"), most=2000),
            Argument("prompt", Both("<prompt>", "<提示>"), most=2000),
        ),
        _start,
    ),
    Command(
        "message_agent",
        Both("Message GPT agent", "给 GPT 智能体发消息"),
        (_KEY, Argument("message", Both("<message>", "<消息>"), most=10_000)),
        _message,
    ),
    Command("list_agents", Both("List GPT agents", "列出 GPT 智能体"), (), _list),
    Command("delete_agent", Both("Delete GPT agent", "删除 GPT 智能体"), (_KEY,), _delete, risky=True),
)
