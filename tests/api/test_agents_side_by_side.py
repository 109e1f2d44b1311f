"""Agents that others have started: at work at once, as many and as deep as the server allows, from one budget."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ..harness import Api, Json, eventually
from ..scripted import Reply, ScriptedUpstream
from .extensions import get
from .test_agents import DONE, begin, cycles, thinks, until
from .test_agents_together import children

_NAMES = ("Rose", "Tulip")


def said_in(request: Json) -> str:
    return "".join(message["content"] for message in request["messages"])


def leads(helper: Callable[[str, Json], Reply]) -> Callable[[Json], Reply]:
    """A model of an agent that starts two, and waits until both have ended; and of those, by `helper`."""

    def decide(request: Json) -> Reply:
        said = said_in(request)
        for name in _NAMES:
            if f"1. Say {name}." in said:
                return helper(name, request)
        for name in _NAMES:
            if f"The agent {name} works now" not in said:
                return thinks("start_agent", name=name, task="help", prompt=f"Say {name}.")
        return DONE if all(f"Your agent {name} " in said for name in _NAMES) else thinks("do_nothing")

    return decide


@pytest.mark.settings(agent_concurrency=2)
async def test_two_work_at_once_while_the_one_that_started_them_waits(api: Api, upstream: ScriptedUpstream) -> None:
    asked, both = set[str](), asyncio.Event()

    def helper(name: str, request: Json) -> Reply:
        asked.add(name)
        if len(asked) == len(_NAMES):
            both.set()
        # Neither is answered before the other has asked.
        return Reply(text=thinks("task_complete", reason=f"{name} is said.").text, delay_before=both)

    upstream.default = leads(helper)
    agent = await until(api, await begin(api), "completed", "failed", "incomplete")
    assert agent["status"] == "completed"
    ended = {one["name"]: (one["status"], one["result"]) for one in await children(api, agent)}
    assert ended == {name: ("completed", f"{name} is said.") for name in _NAMES}
    # They had asked before either was answered.
    assert asked == {*_NAMES}
    # One that waits is told of each.
    heard = said_in(upstream.requests[-1])
    assert all(f'Your agent {name} (key "' in heard for name in _NAMES)


@pytest.mark.settings(agent_concurrency=1)
async def test_only_so_many_work_at_once(api: Api, upstream: ScriptedUpstream) -> None:
    gate, asked = asyncio.Event(), list[str]()

    def helper(name: str, request: Json) -> Reply:
        asked.append(name)
        return Reply(text=DONE.text, delay_before=gate)

    upstream.default = leads(helper)
    agent = await begin(api)
    both = await eventually(lambda: children(api, agent), lambda found: len(found) == 2 and bool(asked))
    assert sorted(one["status"] for one in both) == ["in_progress", "queued"]
    assert len(asked) == 1
    gate.set()
    await until(api, agent, "completed")
    assert sorted(asked) == sorted(_NAMES)


@pytest.mark.settings(agent_max_children=1)
async def test_one_may_start_so_many_only(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(*(thinks("start_agent", name=name, task="help", prompt="Wait.") for name in _NAMES), DONE)
    upstream.default = lambda _: DONE
    agent = await until(api, await begin(api), "completed")
    assert [one["name"] for one in await children(api, agent)] == ["Rose"]
    refused = next(one for one in await cycles(api, agent) if one["command"]["args"].get("name") == "Tulip")
    assert refused["result"]["failed"]
    assert "You have 1 agents, and may have no more." in refused["result"]["text"]


@pytest.mark.parametrize(
    ("depth", "why"),
    [
        pytest.param(0, "start no agents", marks=pytest.mark.settings(agent_max_depth=0)),
        pytest.param(1, "you were started by one", marks=pytest.mark.settings(agent_max_depth=1)),
        pytest.param(2, "you were started by one", marks=pytest.mark.settings(agent_max_depth=2)),
    ],
)
async def test_they_start_others_so_deep_only(api: Api, upstream: ScriptedUpstream, depth: int, why: str) -> None:
    def decide(request: Json) -> Reply:
        said = said_in(request)
        if "start no agents" in said or "has ended" in said:
            return DONE
        started = "works now" in said
        return thinks("do_nothing") if started else thinks("start_agent", name="Helper", task="help", prompt="Go on.")

    upstream.default = decide
    agent = await until(api, await begin(api), "completed")
    below, last = 0, agent
    while found := await children(api, last):
        below, last = below + 1, found[0]
    assert below == depth
    refused = (await cycles(api, last))[0]["result"]
    assert refused["failed"]
    assert why in refused["text"]


@pytest.mark.model_settings(input_price=1000, output_price=2000)
async def test_they_spend_one_budget(api: Api, upstream: ScriptedUpstream) -> None:
    # 0.017 dollars a step: three of their own, then those of both.
    budget, number = 0.12, iter(range(1000))
    upstream.default = leads(lambda name, _: thinks("write_to_file", file=f"{name}-{next(number)}.txt", text="x"))
    agent = await until(api, await begin(api, limits={"cost": budget}), "incomplete", "failed")
    helpers = await children(api, agent)
    ended = [await until(api, one, "incomplete", "failed") for one in helpers]
    assert [one["incomplete_details"] for one in (agent, *ended)] == [{"reason": "max_cost"}] * 3
    # Neither has a budget of its own, and neither has spent this one by itself.
    assert all(one["limits"]["cost"] is None and one["cost"]["value"] < budget for one in ended)
    spent = (await get(api, f"/agents/{agent['id']}"))["cost"]["value"]
    # Each of the three may have been in the middle of a step.
    assert budget <= spent < budget + 3 * 0.02
