"""Runs, steps and streams through version 1, of what either version made."""

from __future__ import annotations

from typing import Any

import pytest

from ..harness import Api, Event, Json, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream
from .test_streams import PLAIN, names, of, said

TOOLS = [function("weather", city="string"), {"type": "retrieval"}, {"type": "code_interpreter"}]
#: What version 1 shows of a function tool of ours.
SHOWN = TOOLS[:1]


async def streamed(v1: Api, assistant: Json | None = None, **body: Any) -> list[Event]:
    """All events of a streamed run on a new thread."""
    made, thread = await v1.assistant(**(assistant or {})), await v1.thread("Hi")
    return await v1.stream(f"/threads/{thread}/runs", {"assistant_id": made, **body})


async def test_a_run_from_its_creation_to_its_end(api: Api, v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Hello"))
    run = await v1.start("Hi", assistant={"tools": TOOLS, "instructions": "Be kind."}, metadata={"a": "b"})
    assert (run["status"], run["tools"], run["instructions"]) == ("queued", TOOLS, "Be kind.")
    run = await v1.until(run)
    assert (run["status"], run["metadata"], run["file_ids"]) == ("completed", {"a": "b"}, [])
    (step,) = await v1.steps(run)
    assert await v1.get(f"{run_path(run)}/steps/{step['id']}") == step
    assert text((await v1.messages(run["thread_id"]))[-1]) == "Hello"
    run = await v1.post(run_path(run), {"metadata": {"c": "d"}})
    assert await v1.get(run_path(run)) == run
    assert (await v1.get(f"/threads/{run['thread_id']}/runs"))["data"] == [run]
    stored = await api.get(run_path(run))
    assert stored["metadata"] == {"c": "d"}
    assert stored["tools"] == [TOOLS[0], {"type": "file_search"}, {"type": "code_interpreter"}]


async def test_what_a_run_may_be_told(v1: Api, api: Api, upstream: ScriptedUpstream) -> None:
    run = await v1.run(
        assistant={"instructions": "Be kind."},
        additional_instructions="Be short.",
        additional_messages=[{"role": "user", "content": "And now?"}],
        tools=[{"type": "retrieval"}],
        tool_choice={"type": "retrieval"},
        response_format={"type": "json_object"},
        truncation_strategy={"type": "last_messages", "last_messages": 1},
        temperature=0.5,
        top_p=0.5,
        max_prompt_tokens=1000,
        max_completion_tokens=500,
    )
    stored = await api.get(run_path(run))
    assert (stored["tool_choice"], run["tool_choice"]) == ({"type": "file_search"}, {"type": "retrieval"})
    assert stored["response_format"] == run["response_format"] == {"type": "json_object"}
    assert run["instructions"] == "Be kind.\n\nBe short."
    assert [message["content"] for message in upstream.requests[0]["messages"][1:]] == ["And now?"]


async def test_a_run_that_version_2_made_shows_in_version_1(api: Api, v1: Api) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
    run = await api.run(
        assistant={
            "tools": [{"type": "file_search", "file_search": {"max_num_results": 2}}],
            "response_format": schema,
        },
        parallel_tool_calls=False,
    )
    shown = await v1.get(run_path(run))
    assert (shown["tools"], shown["response_format"]) == ([{"type": "retrieval"}], {"type": "json_object"})
    assert "parallel_tool_calls" not in shown
    assert [step["id"] for step in await v1.steps(run)] == [step["id"] for step in await api.steps(run)]


async def test_a_thread_and_its_run_at_once(v1: Api, api: Api) -> None:
    body = {"assistant_id": await v1.assistant(), "thread": {"messages": [{"role": "user", "content": "Hi"}]}}
    run = await v1.until(await v1.post("/threads/runs", body))
    assert text((await v1.messages(run["thread_id"]))[0]) == "Hi"
    events = await v1.stream("/threads/runs", body)
    assert names(events) == ["thread.created", *PLAIN]
    assert await v1.get(f"/threads/{events[0].data['id']}") == events[0].data
    assert set(await api.get(f"/threads/{events[0].data['id']}")) - set(events[0].data) == {"tool_resources"}


async def test_a_stream_tells_what_get_tells(v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Hello there"))
    events = await streamed(v1, {"tools": TOOLS})
    assert names(events) == PLAIN
    run = of(events, "thread.run.completed")
    message = (await v1.messages(run["thread_id"]))[-1]
    assert said(events) == text(message) == "Hello there"
    assert of(events, "thread.message.completed") == message
    assert await v1.get(run_path(run)) == run
    assert [of(events, "thread.run.step.completed")] == await v1.steps(run)


async def test_a_run_that_met_a_token_limit_is_completed(api: Api, v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two", finish_reason="length"))
    events = await streamed(v1)
    assert names(events)[-4:] == [
        *("thread.message.incomplete", "thread.run.step.completed", "thread.run.completed", "done")
    ]
    run = of(events, "thread.run.completed")
    assert (run["status"], run["incomplete_details"]) == ("completed", {"reason": "max_completion_tokens"})
    assert await v1.get(run_path(run)) == run
    assert (await api.get(run_path(run)))["status"] == "incomplete"


async def test_function_calls_in_streams(v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"})]), Reply(text="Cold."))
    events = await streamed(v1, {"tools": SHOWN})
    run = of(events, "thread.run.requires_action")
    assert await v1.get(run_path(run)) == run
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    outputs = {"tool_outputs": [{"tool_call_id": call["id"], "output": "7°"}]}
    events = await v1.stream(run_path(run) + "/submit_tool_outputs", outputs)
    assert names(events)[0] == "thread.run.step.completed"
    assert names(events)[-2:] == ["thread.run.completed", "done"]
    calls = events[0].data["step_details"]["tool_calls"]
    assert [(one["type"], one["function"]["output"]) for one in calls] == [("function", "7°")]


async def test_function_calls_with_polling(v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")]), Reply(text="Cold."))
    run = await v1.run(assistant={"tools": SHOWN})
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    path = run_path(run) + "/submit_tool_outputs"
    await v1.refused("POST", path, {"tool_outputs": []})
    queued = await v1.post(path, {"tool_outputs": [{"tool_call_id": call["id"], "output": "7°"}]})
    assert (await v1.until(queued))["status"] == "completed"


async def test_a_cancelled_run(v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one", hang=True))
    run = await v1.start()
    await upstream.wait_for_requests(1)
    cancelled = await v1.post(run_path(run) + "/cancel")
    assert cancelled["status"] in ("cancelling", "cancelled")
    assert (await v1.until(run))["status"] == "cancelled"


async def test_a_locked_thread_and_its_texts(v1: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(hang=True))
    run = await v1.start()
    thread = run["thread_id"]
    error = await v1.refused("POST", f"/threads/{thread}/runs", {"assistant_id": run["assistant_id"]})
    assert error["message"] == f"Thread {thread} already has an active run {run['id']}."
    error = await v1.refused("POST", f"/threads/{thread}/messages", {"role": "user", "content": "Hi"})
    assert error["message"] == f"Can't add messages to {thread} while a run {run['id']} is active."
    await v1.post(run_path(run) + "/cancel")


async def test_a_run_outlives_its_assistant(v1: Api) -> None:
    run = await v1.run()
    await v1.delete(f"/assistants/{run['assistant_id']}")
    assert (await v1.get(run_path(run)))["file_ids"] == []


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("parallel_tool_calls", True, "unknown_parameter"),
        ("reasoning_effort", "low", "unknown_parameter"),
        ("tool_resources", {}, "unknown_parameter"),
        ("tools", [{"type": "file_search"}], "invalid_value"),
        ("tools", [{"type": "retrieval"}] * 21, "array_above_max_length"),
        ("tool_choice", "required", "invalid_value"),
        ("tool_choice", {"type": "file_search"}, "invalid_value"),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "a"}}, None),
        ("additional_messages", [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "invalid_type"),
        ("max_prompt_tokens", 255, "integer_below_min_value"),
    ],
)
async def test_what_only_version_2_knows_is_refused(v1: Api, field: str, value: Any, code: str | None) -> None:
    thread, assistant = await v1.thread(), await v1.assistant()
    error = await v1.refused("POST", f"/threads/{thread}/runs", {"assistant_id": assistant, field: value})
    assert error["code"] == code or code is None
    assert error["param"].startswith(field)


async def test_other_projects_runs_are_not_found(v1: Api, other: Api) -> None:
    run = await v1.run()
    stranger = other.with_version("v1")
    (step,) = await v1.steps(run)
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("POST", "/cancel"),
        ("GET", "/steps"),
        ("GET", f"/steps/{step['id']}"),
    ):
        await stranger.refused(method, run_path(run) + path, {} if method == "POST" else None, status=404)
    await stranger.refused("GET", f"/threads/{run['thread_id']}/runs", status=404)
    await stranger.refused("POST", f"{run_path(run)}/submit_tool_outputs", {"tool_outputs": []}, status=404)
    body = {"assistant_id": run["assistant_id"]}
    await stranger.refused("POST", "/threads/runs", body, status=404)
    await stranger.refused("POST", f"/threads/{run['thread_id']}/runs", body, status=404)
