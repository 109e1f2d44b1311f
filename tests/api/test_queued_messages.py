"""Messages that wait for the end of a run, because their client asked for it. An extension."""

from __future__ import annotations

import asyncio

import pytest

from ..harness import Api, Json, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream

QUEUE = "?when_locked=queue"


async def waiting_run(api: Api, upstream: ScriptedUpstream) -> Json:
    """A run that waits for its client: its thread stays locked."""
    upstream.script(Reply(tool_calls=[Call("weather")]))
    return await api.run("Hi", assistant={"tools": [function("weather")]})


async def post(api: Api, run: Json, content: str, **fields: object) -> Json:
    body = {"role": "user", "content": content, **fields}
    return await api.post(f"/threads/{run['thread_id']}/messages{QUEUE}", body)


async def submit(api: Api, run: Json) -> Json:
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": "sunny"}]
    return await api.until(await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs}))


async def texts(api: Api, thread: str) -> list[str]:
    return [text(message) for message in await api.messages(thread)]


async def test_they_join_the_thread_when_the_run_has_ended(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    thread = run["thread_id"]
    sent = [await post(api, run, content) for content in ("one", "two", "three")]
    for message in sent:
        assert await api.get(f"/threads/{thread}/messages/{message['id']}") == message
    assert await texts(api, thread) == ["Hi"]
    upstream.script(Reply(text="It is sunny."))
    assert (await submit(api, run))["status"] == "completed"
    # The run's own model calls saw none of them.
    assert [message["content"] for message in upstream.requests[-1]["messages"] if message["role"] == "user"] == ["Hi"]
    assert await texts(api, thread) == ["Hi", "It is sunny.", "one", "two", "three"]
    assert (await api.messages(thread))[2:] == sent
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": run["assistant_id"]}), "completed")
    shown = [message["content"] for message in upstream.requests[-1]["messages"]]
    assert shown == ["Hi", "It is sunny.", "one", "two", "three"]


async def test_without_a_run_they_are_appended_at_once(api: Api) -> None:
    thread = await api.thread("Hi")
    await api.post(f"/threads/{thread}/messages{QUEUE}", {"role": "user", "content": "now"})
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "and now"})
    assert await texts(api, thread) == ["Hi", "now", "and now"]


async def test_refusal_stays_the_default(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    for query in ("", "?when_locked=refuse"):
        error = await api.refused(
            "POST", f"/threads/{run['thread_id']}/messages{query}", {"role": "user", "content": "x"}
        )
        assert error["message"] == f"Can't add messages to {run['thread_id']} while a run {run['id']} is active."
    error = await api.refused(
        "POST", f"/threads/{run['thread_id']}/messages?when_locked=maybe", {"role": "user", "content": "x"}
    )
    assert error["code"] == "invalid_value"


async def test_however_the_run_ends(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    await post(api, run, "after cancelling")
    await api.until(await api.post(run_path(run) + "/cancel"), "cancelled")
    assert await texts(api, run["thread_id"]) == ["Hi", "after cancelling"]
    run = await waiting_run(api, upstream)
    await post(api, run, "after a failure")
    upstream.script(Reply(status=400))
    assert (await submit(api, run))["status"] == "failed"
    assert await texts(api, run["thread_id"]) == ["Hi", "after a failure"]
    run = await waiting_run(api, upstream)
    await post(api, run, "after a limit")
    upstream.script(Reply(text="cut", finish_reason="length"))
    assert (await submit(api, run))["status"] == "incomplete"
    assert await texts(api, run["thread_id"]) == ["Hi", "cut", "after a limit"]


@pytest.mark.settings(run_expiry=1)
async def test_when_the_run_expires(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    await post(api, run, "after its time")
    await api.until(run, "expired")
    assert await texts(api, run["thread_id"]) == ["Hi", "after its time"]


async def test_one_that_waits_is_changed_and_deleted_like_any_other(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    path = f"/threads/{run['thread_id']}/messages"
    first, second, third = [await post(api, run, content) for content in ("one", "two", "three")]
    await api.delete(f"{path}/{second['id']}")
    await api.refused("GET", f"{path}/{second['id']}", status=404)
    assert (await api.post(f"{path}/{first['id']}", {"metadata": {"a": "b"}}))["metadata"] == {"a": "b"}
    await api.until(await api.post(run_path(run) + "/cancel"), "cancelled")
    assert [message["id"] for message in (await api.messages(run["thread_id"]))[1:]] == [first["id"], third["id"]]
    assert (await api.messages(run["thread_id"]))[1]["metadata"] == {"a": "b"}


async def test_one_that_waits_is_no_place_in_a_list(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    waiting = await post(api, run, "needle")
    path = f"/threads/{run['thread_id']}/messages"
    for cursor in ("after", "before"):
        assert (await api.refused("GET", f"{path}?{cursor}={waiting['id']}"))["param"] == cursor
    assert (await api.get(f"{path}?limit=1"))["has_more"] is False
    assert (await api.call("GET", "/threads?query=needle", extension=True))["data"] == []
    await api.until(await api.post(run_path(run) + "/cancel"), "cancelled")
    assert len((await api.call("GET", "/threads?query=needle", extension=True))["data"]) == 1


@pytest.mark.settings(max_queued_messages=2)
async def test_so_many_may_wait(api: Api, upstream: ScriptedUpstream) -> None:
    run = await waiting_run(api, upstream)
    first = await post(api, run, "one")
    await post(api, run, "two")
    path = f"/threads/{run['thread_id']}/messages"
    error = await api.refused("POST", path + QUEUE, {"role": "user", "content": "three"})
    assert error["code"] == "message_queue_full"
    await api.delete(f"{path}/{first['id']}")
    await post(api, run, "four")
    await api.until(await api.post(run_path(run) + "/cancel"), "cancelled")
    assert await texts(api, run["thread_id"]) == ["Hi", "two", "four"]


async def test_other_threads_and_projects_are_left_alone(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    run, beside = await waiting_run(api, upstream), await waiting_run(api, upstream)
    await post(api, run, "one")
    await post(api, beside, "two")
    await other.refused(
        "POST", f"/threads/{run['thread_id']}/messages{QUEUE}", {"role": "user", "content": "x"}, status=404
    )
    await api.until(await api.post(run_path(run) + "/cancel"), "cancelled")
    assert await texts(api, run["thread_id"]) == ["Hi", "one"]
    assert await texts(api, beside["thread_id"]) == ["Hi"]
    await api.delete(f"/threads/{beside['thread_id']}")


@pytest.mark.parametrize("round_", range(3))
async def test_none_is_lost_or_doubled_beside_the_end_of_a_run(
    api: Api, upstream: ScriptedUpstream, round_: int
) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=[gate, "done"]))
    run = await api.start("Hi")
    await upstream.wait_for_requests(1)
    before = [asyncio.create_task(post(api, run, f"before {number}")) for number in range(10)]
    await before[0]
    gate.set()
    beside = [asyncio.create_task(post(api, run, f"beside {number}")) for number in range(30)]
    await asyncio.gather(*before, *beside)
    await api.until(run, "completed")
    kept = await texts(api, run["thread_id"])
    expected = [f"before {number}" for number in range(10)] + [f"beside {number}" for number in range(30)]
    assert sorted(kept) == sorted(["Hi", "done", *expected])
    assert kept[0] == "Hi"


async def test_messages_that_come_with_a_run_stand_behind_those_that_waited(
    api: Api, upstream: ScriptedUpstream
) -> None:
    run = await waiting_run(api, upstream)
    await post(api, run, "waited")
    await api.until(await api.post(run_path(run) + "/cancel"), "cancelled")
    body = {
        "assistant_id": run["assistant_id"],
        "additional_messages": [{"role": "user", "content": "came with it"}],
    }
    await api.until(await api.post(f"/threads/{run['thread_id']}/runs", body), "completed")
    assert await texts(api, run["thread_id"]) == ["Hi", "waited", "came with it", "came with it"]
