"""What agents use is on the books, and on their own account."""

from __future__ import annotations

import asyncio

import openai
import psycopg

from retinue.store.accounts import DEFAULT_PROJECT

from ...harness import Api, Server, eventually
from ...scripted import Reply, ScriptedUpstream
from ..extensions import get
from ..test_agents import DONE, begin, thinks, until
from ..test_agents_together import children, helped
from .amounts import NANO, SESSION, call, exact, nano, priced, written


async def test_code_of_an_agent_is_one_session_within_an_hour(
    postgres: str, server: Server, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    upstream.script(thinks("evaluate_code", code="print(1)"), thinks("evaluate_code", code="print(2)"), DONE)
    agent = await until(api, await begin(api), "completed")
    # Its first two cycles are kept in mind, too.
    spent = round(nano(SESSION)) + 3 * priced("scripted", 7, 5) + 2 * priced("vectors", 1, 0)
    assert round(agent["cost"]["value"] * NANO) == spent
    await written(server)
    usage = admin.admin.organization.usage
    (found,) = await call(usage.code_interpreter_sessions, group_by=["project_id"])
    assert (found.num_sessions, found.project_id) == (1, DEFAULT_PROJECT)
    costs = {one.line_item: exact(one.amount) for one in await call(usage.costs, group_by=["line_item"])}
    assert costs["code interpreter"] == round(nano(SESSION))
    assert sum(costs.values()) == spent
    records = server.app.state.store.usage
    assert not await records.begin_session(DEFAULT_PROJECT, agent["id"])
    assert not await records.begin_session("proj_none", agent["id"])
    with psycopg.connect(postgres) as connection:
        connection.execute("update code_sessions set begun_at = now() - interval '61 minutes'")
    assert await records.begin_session(DEFAULT_PROJECT, agent["id"])
    await api.call("DELETE", f"/agents/{agent['id']}", extension=True)
    with psycopg.connect(postgres) as connection:
        assert connection.execute("select * from code_sessions").fetchall() == []


async def test_drafting_its_goals_counts_for_the_agent(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(
        Reply(text='{"name": "Flower-GPT", "role": "an AI", "goals": ["Write it."]}', usage=(700, 11)),
        Reply(text=DONE.text, delay_before=gate),
    )
    agent = await api.call("POST", "/agents", {"task": "write a story about flowers"}, extension=True)
    assert agent["usage"] == {"prompt_tokens": 700, "completion_tokens": 11, "total_tokens": 711}
    assert round(agent["cost"]["value"] * NANO) == priced("scripted", 700, 11)
    gate.set()
    agent = await until(api, agent, "completed")
    assert agent["usage"]["total_tokens"] == 711 + 12
    assert round(agent["cost"]["value"] * NANO) == priced("scripted", 700, 11) + priced("scripted", 7, 5)


async def test_goals_that_nobody_drafted_cost_nothing(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text=DONE.text, delay_before=asyncio.Event()))
    agent = await begin(api)
    assert (agent["usage"]["total_tokens"], agent["cost"]["value"]) == (0, 0)


async def test_what_one_remembers_that_then_waits_is_on_its_account(
    api: Api, server: Server, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    upstream.default = helped(thinks("delete_file", file="x"))
    agent = await begin(api)
    (child,) = await eventually(lambda: children(api, agent))
    await until(api, child, "requires_action")
    await eventually(lambda: asyncio.sleep(0, len(upstream.embedded) == 2))
    # It rests, and has three calls of the model, one of them its child's, and two cycles that it keeps in mind.
    spent = 3 * priced("scripted", 7, 5) + 2 * priced("vectors", 1, 0)

    async def cost() -> int:
        return round((await get(api, f"/agents/{agent['id']}"))["cost"]["value"] * NANO)

    assert await eventually(cost, lambda now: now == spent)
    await written(server)
    costs = await call(admin.admin.organization.usage.costs, group_by=["line_item"])
    assert sum(exact(one.amount) for one in costs) == spent
