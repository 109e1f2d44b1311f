"""Forking a thread: a copy with its messages that goes its own way. An extension."""

from __future__ import annotations

import asyncio

import pytest

from ..contract.spec import validate
from ..harness import Api, Json, eventually, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream


async def fork(api: Api, thread: str, body: Json | None = None) -> Json:
    """The copy, held to the official schema."""
    made = await api.call("POST", f"/threads/{thread}/fork", body, extension=True)
    validate("ThreadObject", made)
    return made


def without_ids(messages: list[Json]) -> list[Json]:
    return [{key: value for key, value in message.items() if key not in ("id", "thread_id")} for message in messages]


async def test_a_fork_has_the_messages_under_new_ids(api: Api) -> None:
    parts = [{"type": "text", "text": "two"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    messages = [
        {"role": "user", "content": "one", "metadata": {"n": "1"}},
        {"role": "assistant", "content": parts},
        {"role": "user", "content": "three"},
    ]
    resources = {"code_interpreter": {"file_ids": []}}
    thread = await api.post(
        "/threads", {"messages": messages, "metadata": {"kind": "original"}, "tool_resources": resources}
    )
    made = await fork(api, thread["id"])
    assert made["id"].startswith("thread_")
    assert len(made["id"]) == len(thread["id"])
    assert made["created_at"] >= thread["created_at"]
    assert {**made, "id": thread["id"], "created_at": thread["created_at"]} == thread
    assert await api.get(f"/threads/{made['id']}") == made
    old, new = await api.messages(thread["id"]), await api.messages(made["id"])
    assert without_ids(new) == without_ids(old)
    assert {message["thread_id"] for message in new} == {made["id"]}
    assert len({message["id"] for message in old + new}) == 6
    assert all(len(message["id"]) == len(old[0]["id"]) and message["id"].startswith("msg_") for message in new)
    for message in new:
        assert await api.get(f"/threads/{made['id']}/messages/{message['id']}") == message


async def test_both_go_their_own_way(api: Api, upstream: ScriptedUpstream) -> None:
    run = await api.run("Hi")
    thread = run["thread_id"]
    copy = (await fork(api, thread))["id"]
    await api.post(f"/threads/{copy}/messages", {"role": "user", "content": "in the copy"})
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "in the original"})
    await api.until(await api.post(f"/threads/{copy}/runs", {"assistant_id": run["assistant_id"]}), "completed")
    assert [message["content"] for message in upstream.requests[-1]["messages"]] == ["Hi", "Hi", "in the copy"]
    assert [text(message) for message in await api.messages(copy)] == ["Hi", "Hi", "in the copy", "in the copy"]
    assert [text(message) for message in await api.messages(thread)] == ["Hi", "Hi", "in the original"]
    await api.delete(f"/threads/{thread}")
    assert len(await api.messages(copy)) == 4


async def test_runs_stay_behind(api: Api) -> None:
    run = await api.run("Hi")
    copy = (await fork(api, run["thread_id"]))["id"]
    assert (await api.get(f"/threads/{copy}/runs"))["data"] == []
    question, answer = await api.messages(copy)
    assert (question["run_id"], answer["run_id"]) == (None, None)
    assert answer["assistant_id"] == run["assistant_id"]


async def test_up_to_a_message(api: Api) -> None:
    thread = await api.thread("one", "two", "three")
    first, second, third = await api.messages(thread)
    for last, expected in ((first, ["one"]), (second, ["one", "two"]), (third, ["one", "two", "three"])):
        copy = (await fork(api, thread, {"message_id": last["id"]}))["id"]
        assert [text(message) for message in await api.messages(copy)] == expected


async def test_metadata_of_its_own(api: Api) -> None:
    thread = (await api.post("/threads", {"metadata": {"kind": "original"}}))["id"]
    assert (await fork(api, thread, {"metadata": {"kind": "copy"}}))["metadata"] == {"kind": "copy"}
    assert (await fork(api, thread, {"metadata": {}}))["metadata"] == {}
    assert (await fork(api, thread, {"metadata": None}))["metadata"] == {"kind": "original"}


async def test_an_empty_thread(api: Api) -> None:
    copy = (await fork(api, await api.thread()))["id"]
    assert await api.messages(copy) == []
    await api.post(f"/threads/{copy}/messages", {"role": "user", "content": "first"})


async def test_a_locked_thread_is_forked_without_what_is_being_written(
    api: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every piece of an answer is worth showing.
    monkeypatch.setattr("retinue.runs.turn._WORTH_SHOWING", 0)
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["Hel", "lo", gate, "!"]))
    run = await api.start("Hi")
    await eventually(lambda: api.messages(run["thread_id"]), lambda messages: len(messages) == 2)
    copy = (await fork(api, run["thread_id"]))["id"]
    assert [text(message) for message in await api.messages(copy)] == ["Hi"]
    # The copy is not locked.
    await api.post(f"/threads/{copy}/messages", {"role": "user", "content": "go on"})
    gate.set()
    await api.until(run, "completed")
    assert [text(message) for message in await api.messages(copy)] == ["Hi", "go on"]


async def test_messages_that_wait_are_not_copied(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")]))
    run = await api.run("Hi", assistant={"tools": [function("weather")]})
    path = f"/threads/{run['thread_id']}/messages"
    waiting = await api.post(path + "?when_locked=queue", {"role": "user", "content": "later"})
    copy = (await fork(api, run["thread_id"]))["id"]
    assert [text(message) for message in await api.messages(copy)] == ["Hi"]
    refused = await api.refused("POST", f"/threads/{run['thread_id']}/fork", {"message_id": waiting["id"]})
    assert refused["param"] == "message_id"
    await api.post(run_path(run) + "/cancel")


async def test_a_long_thread_keeps_its_order(api: Api) -> None:
    messages = [{"role": "user", "content": str(number)} for number in range(1000)]
    thread = (await api.post("/threads", {"messages": messages}))["id"]
    copy = (await fork(api, thread))["id"]
    await api.post(f"/threads/{copy}/messages", {"role": "user", "content": "last"})
    newest = (await api.get(f"/threads/{copy}/messages?limit=100"))["data"]
    assert [text(message) for message in newest] == ["last", *map(str, range(999, 900, -1))]


@pytest.mark.parametrize("body", [{"message_id": "msg_none"}, {"message_id": 1}, {"colour": "red"}, {"metadata": 1}])
async def test_what_is_refused(api: Api, body: Json) -> None:
    thread = await api.thread("Hi")
    await api.refused("POST", f"/threads/{thread}/fork", body)
    assert len((await api.call("GET", "/threads", extension=True))["data"]) == 1


async def test_threads_and_messages_of_others(api: Api, other: Api) -> None:
    thread = await api.thread("Hi")
    (message,) = await api.messages(thread)
    await other.refused("POST", f"/threads/{thread}/fork", status=404)
    own = await other.thread("Ho")
    await other.refused("POST", f"/threads/{own}/fork", {"message_id": message["id"]})
