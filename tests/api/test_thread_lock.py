"""The thread lock: one active run a thread, and no message beside it."""

from __future__ import annotations

import asyncio

import pytest

from ..harness import Api, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream


async def test_nothing_else_happens_on_a_thread_with_an_active_run(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["Hel", gate, "lo"]))
    run = await api.start("Hi")
    thread = run["thread_id"]
    await upstream.wait_for_requests(1)
    second = await api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": run["assistant_id"]})
    assert second["message"] == f"Thread {thread} already has an active run {run['id']}."
    streamed = {"assistant_id": run["assistant_id"], "stream": True}
    assert (await api.refused("POST", f"/threads/{thread}/runs", streamed)) == second
    message = await api.refused("POST", f"/threads/{thread}/messages", {"role": "user", "content": "wait"})
    assert message["message"] == f"Can't add messages to {thread} while a run {run['id']} is active."
    gate.set()
    await api.until(run, "completed")
    assert [text(message) for message in await api.messages(thread)] == ["Hi", "Hello"]
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "now"})


async def test_a_refused_run_leaves_none_of_its_messages(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")]))
    run = await api.run("Hi", assistant={"tools": [function("weather")]})
    body = {"assistant_id": run["assistant_id"], "additional_messages": [{"role": "user", "content": "lost"}]}
    await api.refused("POST", f"/threads/{run['thread_id']}/runs", body)
    assert [text(message) for message in await api.messages(run["thread_id"])] == ["Hi"]
    assert len((await api.get(f"/threads/{run['thread_id']}/runs"))["data"]) == 1


@pytest.mark.parametrize("round_", range(3))
async def test_of_twenty_runs_at_once_one_wins(api: Api, upstream: ScriptedUpstream, round_: int) -> None:
    gate = asyncio.Event()
    upstream.default = Reply(chunks=[gate, "done"])
    assistant, thread = await api.assistant(), await api.thread("Hi")
    body = {"assistant_id": assistant, "additional_messages": [{"role": "user", "content": "with it"}]}
    answers = await asyncio.gather(*(api.request("POST", f"/threads/{thread}/runs", body) for _ in range(20)))
    (won,) = [answer.body for answer in answers if answer.status == 200]
    refusals = {(answer.status, answer.body["error"]["message"]) for answer in answers if answer.body is not won}
    assert refusals == {(400, f"Thread {thread} already has an active run {won['id']}.")}
    gate.set()
    await api.until(won, "completed")
    assert [text(message) for message in await api.messages(thread)] == ["Hi", "with it", "done"]


async def test_messages_beside_a_run_come_before_it_or_not_at_all(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = Reply(chunks=[gate, "done"])
    assistant, thread = await api.assistant(), await api.thread("Hi")
    message = {"role": "user", "content": "beside"}
    *posted, run = await asyncio.gather(
        *(api.request("POST", f"/threads/{thread}/messages", message) for _ in range(10)),
        api.request("POST", f"/threads/{thread}/runs", {"assistant_id": assistant}),
    )
    assert run.status == 200
    kept = [answer.body["id"] for answer in posted if answer.status == 200]
    refused = {answer.body["error"]["message"] for answer in posted if answer.status == 400}
    assert refused <= {f"Can't add messages to {thread} while a run {run.body['id']} is active."}
    await upstream.wait_for_requests(1)
    shown = [message["content"] for message in upstream.requests[0]["messages"]]
    assert shown == ["Hi"] + ["beside"] * len(kept)
    gate.set()
    await api.until(run.body, "completed")
    thread_ids = [message["id"] for message in await api.messages(thread)]
    assert sorted(thread_ids[1:-1]) == sorted(kept)


async def test_concurrent_messages_are_all_kept(api: Api) -> None:
    thread = await api.thread()
    path = f"/threads/{thread}/messages"
    await asyncio.gather(*(api.post(path, {"role": "user", "content": str(number)}) for number in range(30)))
    assert sorted(text(message) for message in await api.messages(thread)) == sorted(map(str, range(30)))


async def test_a_thread_unlocks_however_its_run_ends(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(status=400), Reply(text="cut", finish_reason="length"), Reply(tool_calls=[Call("weather")]))
    assistant = await api.assistant(tools=[function("weather")])
    thread = await api.thread("Hi")
    for status in ("failed", "incomplete", "requires_action"):
        run = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))
        assert run["status"] == status
    await api.until(await api.call("POST", run_path(run) + "/cancel"), "cancelled")
    assert (await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant})))["status"] == (
        "completed"
    )
