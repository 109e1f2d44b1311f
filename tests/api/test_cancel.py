"""Cancelling a run, whatever it is doing."""

from __future__ import annotations

import asyncio

import pytest

from ..harness import Api, Json, function, read_until, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream


async def cancel(api: Api, run: Json) -> Json:
    """Cancel, and wait until it is done."""
    answer = await api.call("POST", run_path(run) + "/cancel")
    assert answer["status"] in ("cancelling", "cancelled")
    run = await api.until(run)
    assert run["status"] == "cancelled"
    assert run["cancelled_at"] is not None
    assert (run["required_action"], run["last_error"]) == (None, None)
    return run


async def test_before_the_model_says_anything(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(hang=True))
    run = await api.start("Hi")
    await upstream.wait_for_requests(1)
    run = await cancel(api, run)
    await upstream.wait_for_disconnects(1)
    assert await api.steps(run) == []
    assert len(await api.messages(run["thread_id"])) == 1
    await api.post(f"/threads/{run['thread_id']}/messages", {"role": "user", "content": "unlocked"})


async def test_in_mid_answer_keeps_what_was_said(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        await read_until(stream.content, b" two")
        (run,) = (await api.get(f"/threads/{thread}/runs"))["data"]
        await cancel(api, run)
    await upstream.wait_for_disconnects(1)
    (step,) = await api.steps(run)
    message = (await api.messages(thread))[-1]
    assert (step["status"], step["cancelled_at"] is None) == ("cancelled", False)
    assert (message["status"], text(message)) == ("incomplete", "one two")
    assert message["incomplete_details"] == {"reason": "run_cancelled"}


async def test_while_it_waits_for_outputs(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")]))
    run = await cancel(api, await api.run("Hi", assistant={"tools": [function("weather")]}))
    (step,) = await api.steps(run)
    assert step["status"] == "cancelled"
    body = {"tool_outputs": [{"tool_call_id": step["step_details"]["tool_calls"][0]["id"], "output": "x"}]}
    error = await api.refused("POST", run_path(run) + "/submit_tool_outputs", body)
    assert error["message"] == 'Runs in status "cancelled" do not accept tool outputs.'


@pytest.mark.settings(run_concurrency=1)
async def test_in_the_queue(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(hang=True)
    busy = [await api.start("one"), await api.start("two")]
    await upstream.wait_for_requests(2)
    run = await api.start("three")
    assert (await api.get(run_path(run)))["status"] == "queued"
    await cancel(api, run)
    for run in busy:
        await cancel(api, run)
    assert len(upstream.requests) == 2


async def test_right_after_its_creation(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = Reply(hang=True)
    for _ in range(10):
        await cancel(api, await api.start("Hi"))


async def test_a_run_that_has_ended_cannot_be_cancelled(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="done"), Reply(status=400))
    for status in ("completed", "failed"):
        run = await api.run("Hi")
        error = await api.refused("POST", run_path(run) + "/cancel")
        assert error["message"] == f"Cannot cancel run with status '{status}'."
        assert await api.get(run_path(run)) == run


async def test_cancelled_twice_at_once(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    run = await api.start("Hi")
    await upstream.wait_for_requests(1)
    answers = await asyncio.gather(*(api.request("POST", run_path(run) + "/cancel") for _ in range(5)))
    assert {answer.status for answer in answers} <= {200, 400}
    assert (await api.until(run))["status"] == "cancelled"


async def test_a_deleted_thread_stops_its_run(api: Api, upstream: ScriptedUpstream) -> None:
    """The client that reads along is told; nothing of the run comes back."""
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["one", gate, " two"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        seen = await read_until(stream.content, b"one")
        await api.delete(f"/threads/{thread}")
        gate.set()
        seen += await stream.content.read()
    assert seen.count(b"event: error\n") == 1
    assert seen.endswith(b"event: done\ndata: [DONE]\n\n")
    await api.refused("GET", f"/threads/{thread}/messages", status=404)
