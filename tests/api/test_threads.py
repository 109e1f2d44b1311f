"""`/v1/threads` and `/v1/threads/{thread_id}/messages`."""

from __future__ import annotations

import pytest

from ..harness import Api, Json, text


async def test_an_empty_thread_needs_no_body(api: Api) -> None:
    made = (await api.request("POST", "/threads")).body
    assert made["id"].startswith("thread_")
    assert (made["metadata"], made["tool_resources"]) == ({}, None)
    assert await api.get(f"/threads/{made['id']}") == made
    assert await api.messages(made["id"]) == []


async def test_first_messages_come_in_the_order_they_were_sent(api: Api) -> None:
    messages = [{"role": role, "content": f"message {role}"} for role in ("user", "assistant", "user")]
    thread = (await api.post("/threads", {"messages": messages, "metadata": {"a": "1"}}))["id"]
    kept = await api.messages(thread)
    assert [(message["role"], text(message)) for message in kept] == [(m["role"], m["content"]) for m in messages]
    assert (await api.get(f"/threads/{thread}"))["metadata"] == {"a": "1"}


async def test_a_modification_changes_what_was_sent(api: Api) -> None:
    made = await api.post("/threads", {"metadata": {"a": "1"}})
    resources = {"file_search": {"vector_store_ids": [(await api.post("/vector_stores"))["id"]]}}
    changed = await api.post(f"/threads/{made['id']}", {"tool_resources": resources})
    assert changed == {**made, "tool_resources": resources}
    assert (await api.post(f"/threads/{made['id']}", {"metadata": None})) == {**changed, "metadata": {}}


async def test_a_deleted_thread_takes_its_messages_and_runs_along(api: Api) -> None:
    run = await api.run("Hello")
    thread = run["thread_id"]
    message = (await api.messages(thread))[0]["id"]
    step = (await api.steps(run))[0]["id"]
    assert await api.delete(f"/threads/{thread}") == {"id": thread, "object": "thread.deleted", "deleted": True}
    gone = ["", f"/messages/{message}", "/messages", "/runs", f"/runs/{run['id']}", f"/runs/{run['id']}/steps/{step}"]
    for path in gone:
        await api.refused("GET", f"/threads/{thread}{path}", status=404)
    await api.refused("POST", f"/threads/{thread}/messages", {"role": "user", "content": "x"}, status=404)


async def test_messages_are_made_read_changed_and_deleted(api: Api) -> None:
    thread = await api.thread()
    body = {"role": "user", "content": "你都能做什么？", "metadata": {"k": "v"}}
    made = await api.post(f"/threads/{thread}/messages", body)
    path = f"/threads/{thread}/messages/{made['id']}"
    assert made["id"].startswith("msg_")
    assert (made["thread_id"], made["role"], made["metadata"], text(made)) == (
        thread,
        "user",
        {"k": "v"},
        "你都能做什么？",
    )
    assert await api.get(path) == made
    assert await api.post(path, {"metadata": {"other": "1"}}) == {**made, "metadata": {"other": "1"}}
    assert await api.delete(path) == {"id": made["id"], "object": "thread.message.deleted", "deleted": True}
    await api.refused("GET", path, status=404)
    assert await api.messages(thread) == []


async def test_messages_go_on_after_the_newest_was_deleted(api: Api) -> None:
    thread = await api.thread("one", "two")
    await api.delete(f"/threads/{thread}/messages/{(await api.messages(thread))[-1]['id']}")
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "three"})
    assert [text(message) for message in await api.messages(thread)] == ["one", "three"]


async def test_a_message_of_several_parts(api: Api) -> None:
    picture = await api.file(filename="a.png")
    thread = await api.thread()
    content: list[Json] = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
        {"type": "image_file", "image_file": {"file_id": picture}},
    ]
    attachments = [{"file_id": await api.file(), "tools": [{"type": "file_search"}, {"type": "code_interpreter"}]}]
    made = await api.post(
        f"/threads/{thread}/messages", {"role": "user", "content": content, "attachments": attachments}
    )
    assert made["attachments"] == attachments
    assert [part["type"] for part in made["content"]] == ["text", "image_url", "image_file"]
    assert made["content"][0]["text"] == {"value": "What is this?", "annotations": []}
    assert made["content"][2]["image_file"] == {"file_id": picture, "detail": "auto"}


async def test_a_message_of_another_thread_is_not_found(api: Api) -> None:
    mine, foreign = await api.thread("a"), await api.thread("b")
    message = (await api.messages(foreign))[0]["id"]
    for method in ("GET", "POST", "DELETE"):
        body = {} if method == "POST" else None
        error = await api.refused(method, f"/threads/{mine}/messages/{message}", body, status=404)
        assert error["message"] == f"No message found with id '{message}'."


async def test_messages_of_one_run(api: Api) -> None:
    first = await api.run("Hello")
    thread = first["thread_id"]
    second = await api.post(f"/threads/{thread}/runs", {"assistant_id": first["assistant_id"]})
    await api.until(second)
    for run in (first, second):
        (message,) = await api.messages(thread, f"&run_id={run['id']}")
        assert (message["run_id"], message["role"]) == (run["id"], "assistant")
    assert await api.messages(thread, "&run_id=run_none") == []


METADATA = [
    ({str(number): "v" for number in range(17)}, "metadata"),
    ({"k" * 65: "v"}, "metadata"),
    ({"k": "v" * 513}, "metadata"),
    ({"k": 1}, "metadata.k"),
    ({"k": None}, "metadata.k"),
    ({"k": {"deep": "no"}}, "metadata.k"),
    ([], "metadata"),
    ("text", "metadata"),
]


@pytest.mark.parametrize("kind", ["assistant", "thread", "message", "run"])
async def test_metadata_rules_hold_for_every_object(api: Api, kind: str) -> None:
    run = await api.run("Hello")
    path = {
        "assistant": f"/assistants/{run['assistant_id']}",
        "thread": f"/threads/{run['thread_id']}",
        "message": f"/threads/{run['thread_id']}/messages/{(await api.messages(run['thread_id']))[0]['id']}",
        "run": f"/threads/{run['thread_id']}/runs/{run['id']}",
    }[kind]
    before = await api.post(path, {"metadata": {"kept": "yes"}})
    for metadata, param in METADATA:
        error = await api.refused("POST", path, {"metadata": metadata})
        assert error["param"] == param, metadata
    assert await api.get(path) == before
    full = {f"{number:02}" + "键" * 62: "值" * 512 for number in range(16)}
    assert (await api.post(path, {"metadata": full}))["metadata"] == full
    assert (await api.post(path, {}))["metadata"] == full
    assert (await api.post(path, {"metadata": {}}))["metadata"] == {}
