"""Exports and imports: threads and projects as JSON lines. An extension."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import aiohttp
import pytest

from ..harness import KEY, Api, Json, Server, eventually, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream


async def export(api: Api, path: str = "/export") -> list[Json]:
    content = await api.download(path)
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def encode(lines: Sequence[Json]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def load(api: Api, lines: Sequence[Json] | bytes, query: str = "") -> Json:
    data = lines if isinstance(lines, bytes) else encode(lines)
    answer = await api.request("POST", f"/import{query}", data=data, extension=True)
    assert answer.status == 200, answer.body
    return answer.body


async def refused(api: Api, lines: Sequence[Json] | bytes, query: str = "") -> str:
    """The message of a refusal, after which nothing is there."""
    data = lines if isinstance(lines, bytes) else encode(lines)
    answer = await api.request("POST", f"/import{query}", data=data)
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_import"), answer.body
    return answer.body["error"]["message"]


def kinds(lines: Sequence[Json]) -> list[str]:
    return [line["object"] for line in lines]


def renamed(lines: Sequence[Json]) -> list[Json]:
    """The objects with their ids replaced by numbers, in the order in which they come."""
    names: dict[str, str] = {}

    def rename(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: inner if key == "metadata" else rename(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [rename(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    for line in lines:
        if "id" in line:
            names.setdefault(line["id"], f"<{len(names)}>")
    return [rename(line) for line in lines[1:-1]]


async def a_project(api: Api, upstream: ScriptedUpstream) -> Json:
    """Some of everything; returns a run that has called a function."""
    file = await api.file("Facts about tea. " * 40_000)
    store = await api.post("/vector_stores", {"name": "tea", "file_ids": [file], "metadata": {"file_id": file}})
    await api.settled(f"/vector_stores/{store['id']}")
    upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"})]), Reply(text="It is sunny."))
    resources = {"file_search": {"vector_store_ids": [store["id"]]}, "code_interpreter": {"file_ids": [file]}}
    tools = [function("weather", city="string"), {"type": "file_search"}, {"type": "code_interpreter"}]
    run = await api.run(
        "How is the 天气?",
        assistant={"tools": tools, "tool_resources": resources, "reasoning_effort": "low", "metadata": {"a": "b"}},
    )
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = [{"tool_call_id": call["id"], "output": "sunny"}]
    run = await api.until(await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs}))
    attachment = {"file_id": file, "tools": [{"type": "code_interpreter"}]}
    message = {"role": "user", "content": "more", "attachments": [attachment], "metadata": {"thread_id": run["id"]}}
    await api.post(f"/threads/{run['thread_id']}/messages", message)
    return run


async def test_a_project_comes_back_under_new_ids(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    run = await a_project(api, upstream)
    lines = await export(api)
    assert lines[0] == {"object": "export", "version": 1, "created_at": lines[0]["created_at"], "thread_id": None}
    assert lines[-1] == {"object": "export.end", "objects": len([line for line in lines if "id" in line])}
    assert kinds(lines[1:]).count("file.content") == 3
    assert max(len(json.dumps(line)) for line in lines) < 400_000
    answer = await load(other, lines)
    assert answer["counts"] == {
        "file": 1,
        "vector_store": 1,
        "vector_store.file": 1,
        "assistant": 1,
        "thread": 1,
        "thread.run": 1,
        "thread.message": 3,
        "thread.run.step": 2,
    }
    assert set(answer["ids"]) >= {run["thread_id"], run["assistant_id"]}
    assert not answer["has_more"]
    (store,) = (await other.get("/vector_stores"))["data"]
    await other.settled(f"/vector_stores/{store['id']}")
    again = await export(other)
    assert renamed(again) == renamed(lines)
    old, new = ({line["id"] for line in part if "id" in line} for part in (lines, again))
    assert old.isdisjoint(new)
    # What a client wrote is not touched, even where it is an id.
    assert (await other.messages(answer["ids"][run["thread_id"]]))[-1]["metadata"] == {"thread_id": run["id"]}


async def test_what_is_imported_works(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    run = await a_project(api, upstream)
    ids = (await load(other, await export(api)))["ids"]
    thread = ids[run["thread_id"]]
    assert [text(message) for message in await other.messages(thread)] == ["How is the 天气?", "It is sunny.", "more"]
    (copy,) = (await other.get(f"/threads/{thread}/runs"))["data"]
    assert (copy["status"], copy["usage"], copy["assistant_id"]) == (
        "completed",
        run["usage"],
        ids[run["assistant_id"]],
    )
    steps = await other.steps(copy)
    assert steps[0]["step_details"]["tool_calls"][0]["function"]["output"] == "sunny"
    written = steps[1]["step_details"]["message_creation"]["message_id"]
    assert text(await other.get(f"/threads/{thread}/messages/{written}")) == "It is sunny."
    (file,) = (await other.get("/files"))["data"]
    assert await other.download(f"/files/{file['id']}/content") == b"Facts about tea. " * 40_000
    assert (await other.get(f"/assistants/{ids[run['assistant_id']]}"))["tool_resources"] == {
        "code_interpreter": {"file_ids": [file["id"]]},
        "file_search": {"vector_store_ids": [(await other.get("/vector_stores"))["data"][0]["id"]]},
    }
    found = (await other.call("GET", "/threads?query=天气", extension=True))["data"]
    assert [one["id"] for one in found] == [thread]
    await other.until(await other.post(f"/threads/{thread}/runs", {"assistant_id": copy["assistant_id"]}), "completed")
    assert [message["content"] for message in upstream.requests[-1]["messages"] if message["role"] == "user"] == [
        "How is the 天气?",
        "more",
    ]


async def test_ids_can_be_kept(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    run = await a_project(api, upstream)
    lines = await export(api)
    assert "already" in await refused(api, lines, "?ids=keep")
    # Not even another project takes them.
    assert "already" in await refused(other, lines, "?ids=keep")
    assert (await export(other))[1:-1] == []
    await api.delete(f"/threads/{run['thread_id']}")
    await api.delete(f"/assistants/{run['assistant_id']}")
    for kind in ("vector_stores", "files"):
        (one,) = (await api.get(f"/{kind}"))["data"]
        await api.delete(f"/{kind}/{one['id']}")
    assert (await export(api))[1:-1] == []
    await load(api, lines, "?ids=keep")
    (store,) = (await api.get("/vector_stores"))["data"]
    await api.settled(f"/vector_stores/{store['id']}")
    again = await export(api)
    assert sorted(map(json.dumps, again[1:])) == sorted(map(json.dumps, lines[1:]))


async def test_one_thread(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    run = await api.run("Hi")
    await api.thread("another")
    lines = await export(api, f"/threads/{run['thread_id']}/export")
    assert lines[0]["thread_id"] == run["thread_id"]
    objects = ["thread", "thread.run", *["thread.message"] * 2, "thread.run.step"]
    assert kinds(lines) == ["export", *objects, "export.end"]
    # In the same project the thread's runs still name their assistant.
    ids = (await load(api, lines))["ids"]
    (copy,) = (await api.get(f"/threads/{ids[run['thread_id']]}/runs"))["data"]
    assert copy["assistant_id"] == run["assistant_id"]
    assert copy["id"] != run["id"]
    await other.refused("GET", f"/threads/{run['thread_id']}/export", status=404)
    await api.refused("GET", "/threads/thread_none/export", status=404)


async def test_what_was_under_way_is_cancelled(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")]))
    run = await api.run("Hi", assistant={"tools": [function("weather")]})
    path = f"/threads/{run['thread_id']}/messages?when_locked=queue"
    for content in ("one", "two"):
        await api.post(path, {"role": "user", "content": content})
    thread = (await load(other, await export(api)))["ids"][run["thread_id"]]
    (copy,) = (await other.get(f"/threads/{thread}/runs"))["data"]
    assert (copy["status"], copy["required_action"]) == ("cancelled", None)
    assert copy["cancelled_at"] >= copy["created_at"]
    assert [step["status"] for step in await other.steps(copy)] == ["cancelled"]
    # Messages that waited for the run's end are in the thread now.
    assert [text(message) for message in await other.messages(thread)] == ["Hi", "one", "two"]
    assert (await api.get(run_path(run)))["status"] == "requires_action"


async def test_a_message_in_the_making_is_incomplete(
    api: Api, other: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.runs.turn._WORTH_SHOWING", 0)
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["Hel", "lo", gate, "!"]))
    run = await api.start("Hi")
    await eventually(lambda: api.messages(run["thread_id"]), lambda messages: len(messages) == 2)
    thread = (await load(other, await export(api)))["ids"][run["thread_id"]]
    *_, message = await other.messages(thread)
    assert (message["status"], message["incomplete_details"]) == ("incomplete", {"reason": "run_cancelled"})
    gate.set()
    await api.until(run, "completed")


async def test_order_is_kept(api: Api, other: Api) -> None:
    for number in range(3):
        await api.thread(*(f"{number}.{message}" for message in range(450)))
    await load(other, await export(api))
    for number, thread in enumerate((await other.call("GET", "/threads?order=asc", extension=True))["data"]):
        newest = (await other.get(f"/threads/{thread['id']}/messages?limit=100"))["data"]
        assert [text(message) for message in newest] == [f"{number}.{message}" for message in range(449, 349, -1)]


async def test_only_the_own_project_is_exported(api: Api, other: Api) -> None:
    await api.thread("Hi")
    assert kinds(await export(other)) == ["export", "export.end"]


async def test_an_export_shows_one_moment(server: Server, api: Api) -> None:
    thread = await api.thread("Hi")
    transfers = server.app.state.store.transfers
    async with transfers.snapshot("proj_default") as snapshot:
        assert len([body async for body in snapshot.bodies("thread")]) == 1
        await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "later"})
        await api.thread()
        assert len([body async for body in snapshot.bodies("thread.message")]) == 1
        assert len([body async for body in snapshot.bodies("thread")]) == 1


async def test_a_file_that_goes_while_it_is_exported_is_left_out(server: Server, api: Api, other: Api) -> None:
    file, store = await api.file("A"), await api.post("/vector_stores", {})
    await api.post(f"/vector_stores/{store['id']}/files", {"file_id": file})
    await server.app.state.store.blobs.delete(f"files/{file}")
    lines = await export(api)
    assert kinds(lines) == ["export", "vector_store", "export.end"]
    await load(other, lines)


# --- what is refused

HEADER: Json = {"object": "export", "version": 1}
ASSISTANT: Json = {"object": "assistant", "id": "asst_1", "created_at": 1, "model": "m"}
THREAD: Json = {"object": "thread", "id": "thread_1", "created_at": 1, "metadata": {}}
RUN: Json = {
    "object": "thread.run",
    "id": "run_1",
    "created_at": 1,
    "thread_id": "thread_1",
    "assistant_id": "asst_1",
    "status": "completed",
    "model": "m",
    "instructions": "",
}
MESSAGE: Json = {
    "object": "thread.message",
    "id": "msg_1",
    "created_at": 1,
    "thread_id": "thread_1",
    "role": "user",
    "content": [{"type": "text", "text": {"value": "Hi"}}],
}
FILE: Json = {
    "object": "file",
    "id": "file-1",
    "created_at": 1,
    "bytes": 3,
    "filename": "a.txt",
    "purpose": "assistants",
    "sha256": hashlib.sha256(b"abc").hexdigest(),
}
CONTENT: Json = {"object": "file.content", "file_id": "file-1", "data": base64.b64encode(b"abc").decode()}
STORE: Json = {"object": "vector_store", "id": "vs_1", "created_at": 1, "last_active_at": 1}
STORE_FILE: Json = {
    "object": "vector_store.file",
    "id": "file-1",
    "created_at": 1,
    "vector_store_id": "vs_1",
    "status": "completed",
    "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}},
}
STEP: Json = {
    "object": "thread.run.step",
    "id": "step_1",
    "created_at": 1,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "type": "message_creation",
    "status": "completed",
    "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
}
EVERYTHING = [FILE, CONTENT, STORE, STORE_FILE, ASSISTANT, THREAD, RUN, MESSAGE, STEP]


def whole(*objects: Json) -> list[Json]:
    count = len([line for line in objects if line["object"] != "file.content"])
    return [HEADER, *objects, {"object": "export.end", "objects": count}]


async def test_the_least_that_an_export_may_hold(api: Api) -> None:
    counts = (await load(api, whole(*EVERYTHING)))["counts"]
    assert sum(counts.values()) == 8
    # The same once more, under yet other ids.
    assert (await load(api, whole(*EVERYTHING)))["counts"] == counts
    for path in ("/assistants", "/files", "/vector_stores"):
        assert len((await api.get(path))["data"]) == 2


async def test_lines_may_be_cut_anywhere_and_end_in_any_way(api: Api) -> None:
    data = encode(whole(*EVERYTHING)).replace(b"\n", b"\r\n\n").strip()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(data), 7):
            yield data[start : start + 7]

    answer = await api.request("POST", "/import", data=pieces(), extension=True)
    assert (answer.status, sum(answer.body["counts"].values())) == (200, 8)


def but(line: Json, **fields: Any) -> Json:
    return {**line, **fields}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b"", "Line 1"),
        (b"\n\n", "Line 1"),
        (b"no json", "Line 1: it is not JSON"),
        (b"\xff\xfe", "Line 1: it is not JSON"),
        (b"[1]", "Line 1"),
        (b'{"object": 1}', "Line 1"),
        ([THREAD], "Line 1"),
        ([but(HEADER, version=2)], "Line 1"),
        ([HEADER], "not whole"),
        ([HEADER, THREAD], "not whole"),
        ([HEADER, {"object": "export.end", "objects": 1}], "Line 2"),
        ([HEADER, {"object": "export.end"}], "Line 2"),
        ([*whole(), THREAD], "Line 3"),
        (whole(but(THREAD, object="planet")), "Line 2"),
        (whole(but(THREAD, id=1)), "Line 2"),
        (whole(but(THREAD, id="")), "Line 2"),
        (whole(but(THREAD, id="x" * 129)), "Line 2"),
        (whole(THREAD, but(THREAD)), "Line 3: the id 'thread_1' was there before"),
        (whole(THREAD, *[but(THREAD, id=f"thread_x{n}") for n in range(300)], THREAD), "Line 303"),
        (whole(but(THREAD, metadata={"a": 1})), "Line 2"),
        (whole(but(THREAD, metadata={"a": "x" * 513})), "Line 2"),
        (whole(but(THREAD, metadata=[])), "Line 2"),
        (whole(but(THREAD, metadata={"a": "\x00"})), "Line 2"),
        (whole(but(THREAD, created_at="soon")), "Line 2"),
        (whole(but(ASSISTANT, model=None)), "Line 2"),
        (whole(but(ASSISTANT, name="x" * 257)), "Line 2"),
        (whole(but(ASSISTANT, temperature=3)), "Line 2"),
        (whole(but(ASSISTANT, tools=[{"type": "hammer"}])), "Line 2"),
        (whole(MESSAGE), "Line 2: there is no thread 'thread_1' before it"),
        (whole(MESSAGE, THREAD), "Line 2"),
        (whole(ASSISTANT, but(MESSAGE, thread_id="asst_1")), "Line 3"),
        (whole(THREAD, but(MESSAGE, thread_id=None)), "Line 3"),
        (whole(THREAD, but(MESSAGE, role="system")), "Line 3"),
        (whole(THREAD, but(MESSAGE, content="Hi")), "Line 3"),
        (whole(THREAD, but(RUN, status="running")), "Line 3"),
        (whole(THREAD, STEP), "Line 3: there is no thread.run 'run_1' before it"),
        (whole(STORE, STORE_FILE), "Line 3: there is no file 'file-1' before it"),
        (whole(FILE, CONTENT, STORE_FILE), "Line 4: there is no vector_store 'vs_1' before it"),
        (whole(CONTENT), "Line 2"),
        (whole(FILE), "Line 2: what follows it is not its content"),
        (whole(but(FILE, bytes=4), CONTENT), "Line 2"),
        (whole(FILE, but(CONTENT, file_id="file-2")), "Line 3"),
        (whole(FILE, but(CONTENT, data="?")), "Line 3"),
        (whole(FILE, but(CONTENT, data=3)), "Line 3"),
        (whole(FILE, CONTENT, CONTENT), "Line 2"),
        (whole(FILE, CONTENT, THREAD, CONTENT), "Line 5"),
    ],
)
async def test_what_is_wrong_is_told_with_its_line(
    api: Api, server: Server, lines: Sequence[Json] | bytes, told: str
) -> None:
    assert told in await refused(api, lines)
    assert kinds(await export(api)) == ["export", "export.end"]
    # Nothing is left of files either.
    assert await server.app.state.store.database.rows("select key from loose_blobs", {}) == []


async def test_numbers_that_no_column_holds(api: Api) -> None:
    answer = await api.request("POST", "/import", data=encode(whole(but(THREAD), but(RUN, expires_at=10**30))))
    assert answer.status == 400
    assert kinds(await export(api)) == ["export", "export.end"]


async def test_nobody_writes_into_threads_that_are_there_already(api: Api, other: Api) -> None:
    thread = await api.thread("Hi")
    for query in ("", "?ids=keep"):
        for client in (api, other):
            assert "before it" in await refused(client, whole(but(MESSAGE, thread_id=thread)), query)
    assert len(await api.messages(thread)) == 1


@pytest.mark.settings(max_body_bytes=1024, max_import_bytes=4096)
async def test_limits(api: Api) -> None:
    assert "longer than 1024 bytes" in await refused(api, whole(but(THREAD, padding="x" * 1024)))
    assert "longer than 1024 bytes" in await refused(api, b"x" * 1025)
    # Of several lines it may be more than a body of JSON, up to a limit of its own.
    assert (await load(api, whole(*(but(THREAD, id=f"t{n}") for n in range(30)))))["counts"] == {"thread": 30}
    answer = await api.request("POST", "/import", data=b"\n" * 4097)
    assert answer.status == 413


@pytest.mark.settings(max_vector_store_files=1)
async def test_a_vector_store_takes_so_many_files(api: Api) -> None:
    second = [but(FILE, id="file-2"), but(CONTENT, file_id="file-2")]
    lines = whole(FILE, CONTENT, *second, STORE, STORE_FILE, but(STORE_FILE, id="file-2"))
    assert "more than 1 files" in await refused(api, lines)


@pytest.mark.settings(max_transfers=1)
async def test_so_many_at_once(api: Api, server: Server) -> None:
    gate = asyncio.Event()
    lines = whole(THREAD)

    async def slowly() -> AsyncIterator[bytes]:
        yield encode(lines[:1])
        await gate.wait()
        yield encode(lines[1:])

    first = asyncio.create_task(api.request("POST", "/import", data=slowly(), extension=True))
    transfers = server.app.state.store.transfers
    await eventually(lambda: asyncio.sleep(0, transfers._under_way))
    for method, path in (("GET", "/export"), ("POST", "/import")):
        answer = await api.request(method, path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    gate.set()
    assert (await first).status == 200
    assert kinds(await export(api)) == ["export", "thread", "export.end"]


@pytest.mark.settings(transfer_idle=0.2)
async def test_a_client_that_sends_nothing_is_given_up(api: Api, server: Server) -> None:
    over = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield encode([HEADER, THREAD])
        await over.wait()

    request = asyncio.create_task(api.request("POST", "/import", data=stuck()))
    answer = await request
    over.set()
    assert (answer.status, answer.body["error"]["message"][:12]) == (400, "Nothing came")
    assert kinds(await export(api)) == ["export", "export.end"]


async def test_a_client_that_hangs_up_leaves_nothing(api: Api, server: Server) -> None:
    sent = asyncio.Event()

    async def broken() -> AsyncIterator[bytes]:
        yield encode([HEADER, FILE, CONTENT, THREAD])
        sent.set()
        await asyncio.Event().wait()

    transfers = server.app.state.store.transfers
    headers = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as session:
        request = asyncio.create_task(session.post(f"{server.url}/v1/import", data=broken(), headers=headers))
        await sent.wait()
        await eventually(lambda: asyncio.sleep(0, transfers._under_way))
        request.cancel()
    await eventually(lambda: asyncio.sleep(0, transfers._under_way == 0))
    assert kinds(await export(api)) == ["export", "export.end"]
    loose: Callable[[], Any] = lambda: server.app.state.store.database.rows("select key from loose_blobs", {})  # noqa: E731
    await eventually(loose, lambda rows: not rows)


@pytest.mark.parametrize("query", ["?ids=some", "?ids="])
async def test_unknown_ways_of_importing(api: Api, query: str) -> None:
    assert (await api.refused("POST", f"/import{query}"))["code"] == "invalid_value"
