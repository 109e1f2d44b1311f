"""Event streams: the events of `docs/events.md`, in its order, and nothing that GET does not confirm."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Event, Json, check_events, function, parse_events, read_until, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream

BEGINNING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
STEP = ["thread.run.step.created", "thread.run.step.in_progress"]
MESSAGE = [*STEP, "thread.message.created", "thread.message.in_progress", "thread.message.delta"]
PLAIN_END = ["thread.message.completed", "thread.run.step.completed", "thread.run.completed", "done"]
PLAIN = [*BEGINNING, *MESSAGE, *PLAIN_END]


def names(events: list[Event]) -> list[str]:
    """The names in order, deltas that follow each other as one."""
    found: list[str] = []
    for event in events:
        if not (event.name.endswith(".delta") and found[-1:] == [event.name]):
            found.append(event.name)
    return found


def of(events: list[Event], name: str) -> Json:
    """The data of the last event of this name."""
    return [event.data for event in events if event.name == name][-1]


def said(events: list[Event]) -> str:
    """The text that the message deltas add up to; it stands behind the pictures."""
    pictures: dict[str, list[str]] = {}
    texts: list[str] = []
    for event in events:
        if event.name == "thread.message.created":
            pictures[event.data["id"]] = []
        elif event.name == "thread.message.delta":
            (part,) = event.data["delta"]["content"]
            # A reader who comes later has heard of the pictures before.
            before = pictures.setdefault(event.data["id"], [""] * part["index"])
            assert part["index"] == len(before), events
            if part["type"] == "image_file":
                before.append(part["image_file"]["file_id"])
            else:
                texts.append(part["text"]["value"])
    return "".join(texts)


def called(events: list[Event]) -> list[Json]:
    """The tool calls that the step deltas add up to."""
    calls: list[Json] = []
    for event in events:
        if event.name == "thread.run.step.delta":
            for piece in event.data["delta"]["step_details"]["tool_calls"]:
                if piece["index"] == len(calls):
                    calls.append({"id": piece["id"], "name": piece["function"]["name"], "arguments": ""})
                calls[piece["index"]]["arguments"] += piece["function"].get("arguments", "")
    return calls


async def streamed(api: Api, assistant: Json | None = None, **body: Any) -> tuple[str, list[Event]]:
    """A streamed run on a new thread: the thread's id, and all events."""
    made, thread = await api.assistant(**(assistant or {})), await api.thread("Hi")
    return thread, await api.stream(f"/threads/{thread}/runs", {"assistant_id": made, **body})


async def test_a_plain_answer(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Hello there, Jane 你好 \n\n data: x"))
    thread, events = await streamed(api)
    assert names(events) == PLAIN
    message = (await api.messages(thread))[-1]
    assert said(events) == text(message) == "Hello there, Jane 你好 \n\n data: x"
    assert of(events, "thread.message.completed") == message
    run = of(events, "thread.run.completed")
    assert await api.get(run_path(run)) == run
    assert [of(events, "thread.run.step.completed")] == await api.steps(run)
    assert of(events, "thread.message.created")["content"] == []
    assert [of(events, name)["status"] for name in BEGINNING] == ["queued", "queued", "in_progress"]


async def test_a_thread_made_by_the_same_request_comes_first(api: Api) -> None:
    body = {"assistant_id": await api.assistant(), "thread": {"messages": [{"role": "user", "content": "Hi"}]}}
    events = await api.stream("/threads/runs", body)
    assert names(events) == ["thread.created", *PLAIN]
    thread = events[0].data
    assert await api.get(f"/threads/{thread['id']}") == thread
    assert {event.data["thread_id"] for event in events[1:4]} == {thread["id"]}


async def test_function_calls_and_their_outputs(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"}), Call("weather", {"city": "北京"})]))
    _, events = await streamed(api, {"tools": [function("weather", city="string")]})
    assert names(events) == [*BEGINNING, *STEP, "thread.run.step.delta", "thread.run.requires_action", "done"]
    run = of(events, "thread.run.requires_action")
    wanted = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert called(events) == [{"id": call["id"], **call["function"]} for call in wanted]
    assert await api.get(run_path(run)) == run

    outputs = [{"tool_call_id": call["id"], "output": "7°"} for call in wanted]
    upstream.script(Reply(text="Cold."))
    events = await api.stream(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs})
    continued = ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress", *MESSAGE, *PLAIN_END]
    assert names(events) == continued
    assert [call["function"]["output"] for call in events[0].data["step_details"]["tool_calls"]] == ["7°", "7°"]
    assert [events[0].data, of(events, "thread.run.step.completed")] == await api.steps(run)


async def test_text_and_then_calls(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="One moment.", tool_calls=[Call("weather")]))
    _, events = await streamed(api, {"tools": [function("weather")]})
    said_first = [*MESSAGE, "thread.message.completed", "thread.run.step.completed"]
    then = [*STEP, "thread.run.step.delta", "thread.run.requires_action", "done"]
    assert names(events) == [*BEGINNING, *said_first, *then]


async def test_a_cancelled_run(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        seen = await read_until(stream.content, b" two")
        (run,) = (await api.get(f"/threads/{thread}/runs"))["data"]
        await api.call("POST", run_path(run) + "/cancel")
        seen += await stream.content.read()
    events = parse_events(seen.decode())
    check_events(events)
    ending = ["thread.run.cancelling", "thread.message.incomplete", "thread.run.step.cancelled", "thread.run.cancelled"]
    assert names(events) == [*BEGINNING, *MESSAGE, *ending, "done"]
    assert of(events, "thread.message.incomplete")["incomplete_details"] == {"reason": "run_cancelled"}
    assert of(events, "thread.run.cancelled") == await api.get(run_path(run))


async def test_a_failed_run(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", break_after=1), Reply(status=400))
    thread, events = await streamed(api)
    ending = ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed", "done"]
    assert names(events) == [*BEGINNING, *MESSAGE, *ending]
    assert of(events, "thread.message.incomplete") == (await api.messages(thread))[-1]
    _, events = await streamed(api)
    assert names(events) == [*BEGINNING, "thread.run.failed", "done"]


@pytest.mark.settings(run_expiry=2)
async def test_an_expired_run(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", hang=True))
    _, events = await streamed(api)
    ending = ["thread.message.incomplete", "thread.run.step.expired", "thread.run.expired", "done"]
    assert names(events) == [*BEGINNING, *MESSAGE, *ending]


async def test_an_incomplete_run(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", finish_reason="length"))
    _, events = await streamed(api)
    ending = ["thread.message.incomplete", "thread.run.step.completed", "thread.run.incomplete", "done"]
    assert names(events) == [*BEGINNING, *MESSAGE, *ending]
    assert of(events, "thread.message.incomplete")["incomplete_details"] == {"reason": "max_tokens"}


async def test_deltas_come_as_the_model_says_them(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["first", gate, " second"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        seen = await read_until(stream.content, b"first")
        assert b"second" not in seen
        gate.set()
        seen += await stream.content.read()
    assert said(parse_events(seen.decode())) == "first second"


async def test_a_client_that_hangs_up_leaves_the_run_going_on(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["first", gate, " second"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        await stream.content.readany()
        await upstream.wait_for_requests(1)
        stream.close()
    gate.set()
    (run,) = (await api.get(f"/threads/{thread}/runs"))["data"]
    assert (await api.until(run))["status"] == "completed"
    assert text((await api.messages(thread))[-1]) == "first second"
    assert upstream.disconnects == 0


@pytest.mark.settings(stream_keep_alive=0.02)
async def test_silence_is_filled_with_comments(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=[gate, "late"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        seen = await read_until(stream.content, b": keep-alive\n" * 3)
        gate.set()
        seen += await stream.content.read()
    assert names(parse_events(seen.decode())) == PLAIN


async def test_a_stream_that_cannot_begin_is_a_plain_error(api: Api) -> None:
    thread = await api.thread()
    await api.refused("POST", f"/threads/{thread}/runs", {"assistant_id": "asst_none", "stream": True}, status=404)
    await api.refused("POST", "/threads/runs", {"stream": True})


async def test_stream_false_is_no_stream(api: Api) -> None:
    assistant, thread = await api.assistant(), await api.thread("Hi")
    run = await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": False})
    assert run["object"] == "thread.run"
    await api.until(run)
