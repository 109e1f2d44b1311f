"""Runs that do not end well: failed, incomplete, expired."""

from __future__ import annotations

import asyncio

import aiohttp
import psycopg
import pytest

from retinue.settings import Settings
from retinue.store.runs import Commit
from retinue.wire.runs import Run

from ..harness import Api, Server, empty, function, run_path, serving, text
from ..scripted import Call, Reply, ScriptedUpstream

REFUSALS = [
    (Reply(status=400, error={"message": "bad schema"}), "invalid_prompt", "bad schema"),
    (Reply(status=401, error={"message": "bad key"}), "server_error", "bad key"),
    (Reply(status=404, error="no such page"), "invalid_prompt", "no such page"),
    (Reply(status=429, error={"message": "slow down"}), "rate_limit_exceeded", "slow down"),
    (Reply(status=500, error="<html>oh</html>"), "server_error", "500"),
    (Reply(status=503), "server_error", "503"),
    (Reply(status=418, error=""), "server_error", "418"),
    (Reply(malformed=True), "server_error", "not JSON"),
    (Reply(break_after=0), "server_error", "broke"),
    (Reply(text="a b c", error={"message": "out of memory"}), "server_error", "out of memory"),
    (Reply(text="no", finish_reason="content_filter"), "invalid_prompt", "content filter"),
    (Reply(tool_calls=[Call("f")], malformed=True), "server_error", "not JSON"),
]


@pytest.mark.parametrize(("reply", "code", "words"), REFUSALS)
async def test_a_model_that_refuses_or_breaks_fails_the_run(
    api: Api, upstream: ScriptedUpstream, reply: Reply, code: str, words: str
) -> None:
    upstream.script(reply)
    run = await api.run("Hi")
    assert (run["status"], run["last_error"]["code"]) == ("failed", code)
    assert words in run["last_error"]["message"]
    assert run["failed_at"] >= run["started_at"]
    assert run["completed_at"] is None
    assert len(upstream.requests) == 1
    for step in await api.steps(run):
        assert step["status"] == "failed"


async def test_what_was_said_before_a_break_is_kept(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two three", break_after=2))
    run = await api.run("Hi")
    (step,) = await api.steps(run)
    message = (await api.messages(run["thread_id"]))[-1]
    assert run["status"] == step["status"] == "failed"
    assert step["last_error"]["message"] == run["last_error"]["message"]
    assert (message["status"], text(message)) == ("incomplete", "one two")
    assert message["incomplete_details"] == {"reason": "run_failed"}
    assert message["incomplete_at"] is not None


@pytest.mark.model_settings(retries=2)
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_refused_call_is_tried_again(api: Api, upstream: ScriptedUpstream, status: int) -> None:
    again = Reply(status=status, headers={"retry-after-ms": "5"})
    upstream.script(again, again, Reply(text="at last"))
    run = await api.run("Hi")
    assert run["status"] == "completed"
    assert len(upstream.requests) == 3
    assert upstream.requests[0] == upstream.requests[2]


@pytest.mark.model_settings(retries=1)
async def test_tries_have_an_end(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(status=429, headers={"retry-after-ms": "5"})
    run = await api.run("Hi")
    assert (run["last_error"]["code"], len(upstream.requests)) == ("rate_limit_exceeded", 2)


@pytest.mark.model_settings(retries=3)
async def test_what_was_begun_is_not_tried_again(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", break_after=1))
    assert (await api.run("Hi"))["status"] == "failed"
    assert len(upstream.requests) == 1


@pytest.mark.model_settings(read_timeout=0.1)
@pytest.mark.parametrize("said", ["", "one two"])
async def test_a_model_that_falls_silent_fails_the_run(api: Api, upstream: ScriptedUpstream, said: str) -> None:
    upstream.script(Reply(text=said, hang=True))
    run = await api.run("Hi")
    assert (run["status"], run["last_error"]["message"]) == (
        "failed",
        "The model's server did not answer in time.",
    )
    await upstream.wait_for_disconnects(1)


async def test_a_model_that_cannot_be_reached(api: Api, upstream: ScriptedUpstream) -> None:
    await upstream.__aexit__()
    run = await api.run("Hi")
    assert run["last_error"] == {"code": "server_error", "message": "The model's server cannot be reached."}


@pytest.mark.settings(run_max_turns=1)
async def test_calls_of_the_model_have_an_end(api: Api, upstream: ScriptedUpstream) -> None:
    assert (await api.run("Hi"))["status"] == "completed"


# --- token limits


async def test_an_answer_that_meets_its_limit(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="cut of", finish_reason="length", usage=(9, 256)))
    run = await api.run("Hi", max_completion_tokens=256)
    assert run["status"] == "incomplete"
    assert run["incomplete_details"] == {"reason": "max_completion_tokens"}
    assert run["usage"]["completion_tokens"] == 256
    message = (await api.messages(run["thread_id"]))[-1]
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "max_tokens"})
    assert [step["status"] for step in await api.steps(run)] == ["completed"]


async def submit(api: Api, run: dict[str, object], output: str = "x") -> dict[str, object]:
    calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]  # type: ignore[index]
    outputs = [{"tool_call_id": call["id"], "output": output} for call in calls]
    return await api.until(await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs}))


async def test_the_limit_covers_the_whole_run(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")], usage=(10, 200)))
    run = await api.run("Hi", assistant={"tools": [function("weather")]}, max_completion_tokens=300)
    assert run["usage"] is None
    run = await submit(api, run)
    assert [request["max_tokens"] for request in upstream.requests] == [300, 100]
    assert run["usage"] == {"prompt_tokens": 17, "completion_tokens": 205, "total_tokens": 222}


@pytest.mark.parametrize("limit", ["max_prompt_tokens", "max_completion_tokens"])
async def test_a_run_that_has_used_up_its_tokens_does_not_go_on(
    api: Api, upstream: ScriptedUpstream, limit: str
) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")], usage=(300, 300)))
    run = await api.run("Hi", assistant={"tools": [function("weather")]}, **{limit: 300})
    run = await submit(api, run)
    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": limit})
    assert len(upstream.requests) == 1


# --- expiry


@pytest.mark.settings(run_expiry=2)
async def test_a_run_that_takes_too_long_expires(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    run = await api.run("Hi")
    assert run["status"] == "expired"
    await upstream.wait_for_disconnects(1)
    (step,) = await api.steps(run)
    assert (step["status"], step["expired_at"] is None) == ("expired", False)
    message = (await api.messages(run["thread_id"]))[-1]
    assert (message["status"], text(message)) == ("incomplete", "one two")
    assert message["incomplete_details"] == {"reason": "run_expired"}


@pytest.mark.settings(run_expiry=2)
async def test_a_run_that_waits_too_long_for_outputs_expires(
    api: Api, upstream: ScriptedUpstream, server: Server
) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")]))
    run = await api.run("Hi", assistant={"tools": [function("weather")]})
    assert run["status"] == "requires_action"
    async with asyncio.timeout(20):
        while run["status"] == "requires_action":
            await server.app.state.engine.sweep()
            await asyncio.sleep(0.05)
            run = await api.get(run_path(run))
    assert (run["status"], run["required_action"]) == ("expired", None)
    assert [step["status"] for step in await api.steps(run)] == ["expired"]
    await api.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "unlocked"})


# --- servers that end


async def test_a_run_goes_on_in_the_next_server(postgres: str, settings: Settings, upstream: ScriptedUpstream) -> None:
    """Orderly shutdown lets go of the lease; whoever sweeps next takes the run up."""
    empty(postgres)
    upstream.script(Reply(text="one two", hang=True))
    async with aiohttp.ClientSession() as session:
        async with serving(settings, postgres) as first:
            run = await Api(session, first.url).start("Hi")
            await upstream.wait_for_requests(1)
        async with serving(settings, postgres) as following:
            await following.app.state.engine.sweep()
            run = await Api(session, following.url).until(run)
    assert run["status"] == "completed"
    assert [message["role"] for message in upstream.requests[1]["messages"]] == ["user"]


async def test_an_answer_that_cannot_be_written_fails_the_run_and_unlocks_the_thread(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = server.app.state.store.runs
    commit = runs.commit

    async def refusing(one: Commit) -> Run | None:
        if one.messages:
            raise psycopg.DataError("no")
        return await commit(one)

    monkeypatch.setattr(runs, "commit", refusing)
    run = await api.run("Hi")
    assert (run["status"], run["last_error"]["code"]) == ("failed", "server_error")
    monkeypatch.undo()
    await api.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "Again"})


@pytest.mark.settings(run_max_turns=2)
async def test_a_run_that_only_calls_functions_ends(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(*[Reply(tool_calls=[Call("f")])] * 3)
    run = await api.run("Hi", tools=[function("f")])
    for _ in range(2):
        assert run["status"] == "requires_action"
        (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "1"}]}
        await api.post(f"{run_path(run)}/submit_tool_outputs", outputs)
        run = await api.until(run, "requires_action", "failed")
    assert (run["status"], run["last_error"]["code"]) == ("failed", "server_error")
    assert [request.get("tool_choice", "auto") for request in upstream.requests] == ["auto", "auto", "none"]
