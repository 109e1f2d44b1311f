"""Threads and messages through version 1, of what either version made."""

from __future__ import annotations

from typing import Any

import pytest

from ..harness import Api, text


async def test_a_thread_from_its_creation_to_its_end(v1: Api, api: Api) -> None:
    thread = await v1.post(
        "/threads", {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"colour": "blue"}}
    )
    assert set(thread) == {"id", "object", "created_at", "metadata"}
    path = f"/threads/{thread['id']}"
    assert await v1.get(path) == thread
    assert await api.get(path) == {**thread, "tool_resources": None}
    changed = await v1.post(path, {"metadata": {"colour": "red"}})
    assert changed == {**thread, "metadata": {"colour": "red"}}
    assert await v1.post(path, {}) == changed
    assert text((await v1.messages(thread["id"]))[0]) == "Hi"
    assert await v1.delete(path) == {"id": thread["id"], "object": "thread.deleted", "deleted": True}
    await v1.refused("GET", path, status=404)


async def test_a_thread_needs_no_body(v1: Api) -> None:
    assert (await v1.call("POST", "/threads"))["metadata"] == {}


async def test_messages_from_either_version(v1: Api, api: Api) -> None:
    thread = await v1.thread()
    path = f"/threads/{thread}/messages"
    old = await v1.post(path, {"role": "assistant", "content": "Hi", "metadata": {"a": "b"}, "file_ids": []})
    assert (old["role"], old["file_ids"], old["metadata"]) == ("assistant", [], {"a": "b"})
    stored = await api.get(f"{path}/{old['id']}")
    assert (stored["attachments"], stored["content"]) == ([], old["content"])
    parts = [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "low"}},
    ]
    new = await api.post(path, {"role": "user", "content": parts})
    shown = await v1.get(f"{path}/{new['id']}")
    assert text(shown) == "See[image https://a.example/b.png]"
    assert (await v1.messages(thread)) == [old, shown]
    changed = await v1.post(f"{path}/{old['id']}", {"metadata": {"c": "d"}})
    assert changed == {**old, "metadata": {"c": "d"}}
    assert (await api.get(f"{path}/{old['id']}"))["metadata"] == {"c": "d"}


async def test_messages_in_pages_and_of_a_run(v1: Api) -> None:
    run = await v1.run("one", "two")
    path = f"/threads/{run['thread_id']}/messages"
    page = await v1.get(f"{path}?limit=2&order=asc")
    assert ([text(message) for message in page["data"]], page["has_more"]) == (["one", "two"], True)
    page = await v1.get(f"{path}?order=asc&after={page['last_id']}")
    assert (len(page["data"]), page["has_more"]) == (1, False)
    assert (await v1.get(f"{path}?run_id={run['id']}"))["data"] == page["data"]


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        ("/threads", {"tool_resources": {}}, "unknown_parameter", "tool_resources"),
        ("/threads/{thread}", {"tool_resources": {}}, "unknown_parameter", "tool_resources"),
        (
            "/threads",
            {"messages": [{"role": "user", "content": "a", "attachments": []}]},
            "unknown_parameter",
            "messages[0].attachments",
        ),
        ("/threads/{thread}/messages", {"role": "user", "content": ""}, "string_below_min_length", "content"),
        (
            "/threads/{thread}/messages",
            {"role": "user", "content": [{"type": "text", "text": "a"}]},
            "invalid_type",
            "content",
        ),
        (
            "/threads/{thread}/messages",
            {"role": "user", "content": "a", "file_ids": [f"file-{number}" for number in range(11)]},
            "array_above_max_length",
            "file_ids",
        ),
    ],
)
async def test_what_version_1_refuses(v1: Api, path: str, body: Any, code: str, param: str) -> None:
    error = await v1.refused("POST", path.format(thread=await v1.thread()), body)
    assert (error["code"], error["param"]) == (code, param)


async def test_what_version_1_does_not_have(v1: Api) -> None:
    thread = await v1.thread("Hi")
    (message,) = await v1.messages(thread)
    for method, path, status in (
        ("DELETE", f"/threads/{thread}/messages/{message['id']}", 405),
        ("GET", "/threads", 405),
        ("GET", f"/threads/{thread}/runs/run_1/stream", 404),
    ):
        await v1.refused(method, path, status=status)
    await v1.get("/models")


async def test_the_header_among_others_and_repeated(api: Api) -> None:
    thread = await api.thread()
    for value in ("realtime=v1, assistants=v1", "assistants=v1,realtime=v1"):
        answer = await api.with_version("v1").request("GET", f"/threads/{thread}", headers={"openai-beta": value})
        assert "tool_resources" not in answer.body


async def test_other_projects_threads_are_not_found(v1: Api, other: Api) -> None:
    thread = await v1.thread("Hi")
    (message,) = await v1.messages(thread)
    stranger = other.with_version("v1")
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("DELETE", ""),
        ("GET", "/messages"),
        ("GET", f"/messages/{message['id']}"),
        ("POST", f"/messages/{message['id']}"),
        ("GET", f"/messages/{message['id']}/files"),
        ("GET", f"/messages/{message['id']}/files/file-1"),
    ):
        await stranger.refused(method, f"/threads/{thread}{path}", {} if method == "POST" else None, status=404)
    await stranger.refused("POST", f"/threads/{thread}/messages", {"role": "user", "content": "a"}, status=404)
