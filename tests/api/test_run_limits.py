"""Limits of what runs and agents ask of models: the same buckets as those of completions."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from ..harness import Api, Json, Server, eventually, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from .extensions import get
from .test_agents import DONE, begin, thinks
from .test_agents import until as agent_until
from .test_rate_limits import admin, ask, in_force, limits_are_believed, new_key, set_limits

__all__ = ["admin", "limits_are_believed"]


def said(prompt: int, completion: int = 0) -> Reply:
    """An answer that has used so many tokens."""
    return Reply(text="Yes.", usage=(prompt, completion))


def writes(prompt: int, completion: int = 0) -> Reply:
    """An agent's step that has used so many tokens."""
    return replace(thinks("write_to_file", file="a.txt", text="x"), usage=(prompt, completion))


def error_of(run: Json) -> str:
    """What a run says that has failed for want of room."""
    assert run["status"] == "failed"
    assert run["last_error"]["code"] == "rate_limit_exceeded"
    return run["last_error"]["message"]


@pytest.mark.settings(tokens_per_minute=1000, rate_limit_wait=0)
async def test_a_run_fails_whose_project_has_used_up_its_minute(
    api: Api, other: Api, upstream: ScriptedUpstream
) -> None:
    upstream.script(said(900, 300))
    assert (await api.run("Hello"))["status"] == "completed"
    refused = await api.run("Hello")
    message = error_of(refused)
    assert message.startswith("Rate limit reached for project proj_default on tokens per minute: Limit 1000, Used 1000")
    assert "Please try again in 1" in message
    assert (refused["usage"]["total_tokens"], len(upstream.requests)) == (0, 1)
    # Completions take from the same bucket, and other projects from theirs.
    assert (await ask(api)).status == 429
    assert (await other.run("Hello"))["status"] == "completed"
    events = await api.stream(
        "/threads/runs", {"assistant_id": refused["assistant_id"], "thread": {"messages": [_hello()]}}
    )
    assert events[-2].name == "thread.run.failed"
    error_of(events[-2].data)


@pytest.mark.settings(tokens_per_minute=1000, rate_limit_wait=0)
async def test_the_tokens_of_completions_are_missing_in_runs(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(said(1100))
    assert (await ask(api)).status == 200
    error_of(await api.run("Hello"))


@pytest.mark.settings(requests_per_day=2)
async def test_each_call_of_a_run_is_a_request(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", {})]), said(7, 5))
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
    run = await api.run("Hello", assistant={"tools": [tool]})
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "Rain."}]}
    await api.post(run_path(run) + "/submit_tool_outputs", outputs)
    assert (await api.until(run))["status"] == "completed"
    assert "on requests per day: Limit 2" in error_of(await api.run("Hello"))


@pytest.mark.settings(tokens_per_minute=6000)
async def test_a_run_waits_for_room_that_comes_soon(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(said(6400), said(7))
    began = time.monotonic()
    await api.run("Hello")
    assert (await api.run("Hello"))["status"] == "completed"
    # 400 missing, at 100 a second, counted from a moment at which nothing was missing yet.
    assert 3.5 < time.monotonic() - began < 40


@pytest.mark.settings(tokens_per_minute=1000, run_lease=600)
async def test_a_run_that_waits_can_be_cancelled(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(said(1500))
    await api.run("Hello")
    run = await api.until(await api.start("Hello"), "in_progress")
    await asyncio.sleep(0.3)
    assert (await api.get(run_path(run)))["status"] == "in_progress"
    await api.post(run_path(run) + "/cancel")
    # Neither room, which comes after half a minute, nor the renewal of the lease is waited for.
    async with asyncio.timeout(20):
        assert (await api.until(run))["status"] == "cancelled"
    assert len(upstream.requests) == 1


@pytest.mark.settings(tokens_per_minute=1000, run_expiry=6)
async def test_a_run_does_not_wait_beyond_its_expiry(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(said(1800))
    await api.run("Hello")
    assert (await api.run("Hello"))["status"] == "expired"


@pytest.mark.settings(tokens_per_day=1000)
async def test_nobody_waits_for_the_next_day(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(said(1200))
    await api.run("Hello")
    assert "on tokens per day: Limit 1000, Used 1000" in error_of(await api.run("Hello"))


@pytest.mark.settings(tokens_per_minute=1000)
async def test_what_never_fits_fails_at_once(api: Api, upstream: ScriptedUpstream) -> None:
    message = error_of(await api.run("Hello", max_completion_tokens=2000))
    assert message.startswith(
        "Request too large for project proj_default on tokens per minute: Limit 1000, Requested 2"
    )
    assert not upstream.requests
    # What was estimated too high is given back.
    for _ in range(3):
        assert (await api.run("Hello", max_completion_tokens=900))["status"] == "completed"


async def test_runs_count_for_their_key_and_their_model(
    server: Server, api: Api, admin: Api, upstream: ScriptedUpstream
) -> None:
    await set_limits(admin, each_key={"max_tokens_per_1_day": 1000})
    await in_force(server)
    upstream.script(said(1200), said(700), said(700))
    value, _ = await new_key(server)
    assert (await api.run("Hello"))["status"] == "completed"
    assert "on tokens per day: Limit 1000" in error_of(await api.run("Hello"))
    second = api.with_key(value)
    assert (await second.run("Hello"))["status"] == "completed"
    await set_limits(admin, "scripted", max_tokens_per_1_day=500)
    await in_force(server)
    assert (await second.run("Hello"))["status"] == "completed"
    assert "for model scripted in proj_default" in error_of(await second.run("Hello"))


@pytest.mark.settings(tokens_per_day=20_000)
async def test_an_agent_fails_that_has_no_room(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(writes(19_000, 2_000))
    agent = await agent_until(api, await begin(api), "failed")
    assert agent["last_error"]["code"] == "rate_limit_exceeded"
    assert "for project proj_default on tokens per day: Limit 20000" in agent["last_error"]["message"]
    assert agent["usage"]["total_tokens"] == 21_000
    # Whoever has goals drafted waits for an answer, and is told at once.
    answer = await api.request("POST", "/agents/draft", {"task": "Write."}, extension=True)
    assert (answer.status, answer.body["error"]["type"]) == (429, "tokens")
    assert int(answer.headers["retry-after"]) > 60


@pytest.mark.settings(tokens_per_minute=60_000)
async def test_an_agent_waits_for_room(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(writes(56_000), DONE)
    agent = await agent_until(api, await begin(api), "completed")
    assert agent["cycles"] == 2
    upstream.script(writes(40_000))
    agent = await begin(api)
    await eventually(lambda: get(api, f"/agents/{agent['id']}"), lambda now: now["cycles"] == 1)
    await asyncio.sleep(0.5)
    assert (await get(api, f"/agents/{agent['id']}"))["status"] == "in_progress"
    # It can be stopped meanwhile.
    await api.call("POST", f"/agents/{agent['id']}/cancel", extension=True)
    await agent_until(api, agent, "cancelled")


def _hello() -> Json:
    return {"role": "user", "content": "Hello"}
