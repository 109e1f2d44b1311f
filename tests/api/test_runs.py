"""Runs that end well: what goes into them, what the model is asked, what comes out."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from ..harness import Api, function, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream


async def test_a_run_completes(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Hello, Jane.", usage=(11, 3)))
    started = await api.start("Hi", metadata={"k": "v"})
    assert started["status"] == "queued"
    assert started["usage"] is None
    run = await api.until(started)
    assert run["status"] == "completed"
    assert run["usage"] == {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
    assert run["metadata"] == {"k": "v"}
    assert started["created_at"] <= run["started_at"] <= run["completed_at"] <= time.time()
    assert run["expires_at"] == run["created_at"] + 600
    (step,) = await api.steps(run)
    assert (step["type"], step["status"], step["usage"]) == ("message_creation", "completed", run["usage"])
    assert await api.get(f"{run_path(run)}/steps/{step['id']}") == step
    message = (await api.messages(run["thread_id"]))[-1]
    assert step["step_details"]["message_creation"]["message_id"] == message["id"]
    assert (text(message), message["role"], message["status"]) == ("Hello, Jane.", "assistant", "completed")
    assert (message["run_id"], message["assistant_id"]) == (run["id"], run["assistant_id"])


async def test_polling_clients_are_told_when_to_ask_again(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=[gate, "done"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    started = await api.request("POST", f"/threads/{thread}/runs", {"assistant_id": assistant})
    asked = await api.request("GET", run_path(started.body))
    for answer in (started, asked):
        assert answer.headers["openai-poll-after-ms"] == "50"
        assert answer.headers["openai-model"] == "scripted"
    gate.set()
    await api.until(started.body, "completed")
    assert "openai-poll-after-ms" not in (await api.request("GET", run_path(started.body))).headers


async def test_create_thread_and_run(api: Api) -> None:
    body = {
        "assistant_id": await api.assistant(instructions="Be short."),
        "thread": {"messages": [{"role": "user", "content": "Hi"}], "metadata": {"of": "thread"}},
        "tool_resources": {"code_interpreter": {"file_ids": [await api.file()]}},
        "metadata": {"of": "run"},
    }
    run = await api.until(await api.post("/threads/runs", body))
    assert (run["status"], run["metadata"], run["instructions"]) == ("completed", {"of": "run"}, "Be short.")
    thread = await api.get(f"/threads/{run['thread_id']}")
    assert thread["metadata"] == {"of": "thread"}
    assert thread["tool_resources"] == body["tool_resources"]
    assert [text(message) for message in await api.messages(thread["id"])] == ["Hi", "Hi"]


async def test_a_thread_and_run_without_a_thread(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Hello."))
    run = await api.until(await api.post("/threads/runs", {"assistant_id": await api.assistant(instructions="Greet.")}))
    assert run["status"] == "completed"
    assert upstream.requests[0]["messages"] == [{"role": "system", "content": "Greet."}]


@pytest.mark.parametrize(
    ("of_assistant", "of_run", "expected"),
    [
        ("A", {}, "A"),
        ("A", {"instructions": "R"}, "R"),
        ("A", {"instructions": ""}, ""),
        ("A", {"additional_instructions": "More"}, "A\n\nMore"),
        ("A", {"instructions": "R", "additional_instructions": "More"}, "R\n\nMore"),
        (None, {"additional_instructions": "More"}, "More"),
        (None, {}, ""),
    ],
)
async def test_instructions(
    api: Api, upstream: ScriptedUpstream, of_assistant: str | None, of_run: dict[str, str], expected: str
) -> None:
    run = await api.run("Hi", assistant={"instructions": of_assistant}, **of_run)
    assert run["instructions"] == expected
    system = [message["content"] for message in upstream.requests[0]["messages"] if message["role"] == "system"]
    assert system == ([expected] if expected else [])


async def test_additional_messages_join_the_thread_before_the_run(api: Api, upstream: ScriptedUpstream) -> None:
    extra = [{"role": "assistant", "content": "Yes?"}, {"role": "user", "content": "Two"}]
    run = await api.run("One", additional_messages=extra)
    assert [message["content"] for message in upstream.requests[0]["messages"]] == ["One", "Yes?", "Two"]
    assert [text(message) for message in await api.messages(run["thread_id"])] == ["One", "Yes?", "Two", "Two"]


async def test_what_a_run_overrides_reaches_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True}}
    overrides: dict[str, Any] = {
        "temperature": 0.25,
        "top_p": 0.5,
        "tools": [function("nickname", city="string")],
        "tool_choice": {"type": "function", "function": {"name": "nickname"}},
        "parallel_tool_calls": False,
        "response_format": schema,
        "max_completion_tokens": 300,
        "max_prompt_tokens": 4000,
        "truncation_strategy": {"type": "last_messages", "last_messages": 3},
        "reasoning_effort": "low",
    }
    assistant = {"temperature": 1.5, "tools": [function("weather")], "response_format": {"type": "json_object"}}
    run = await api.run("Hi", assistant=assistant, **overrides)
    kept = {name: run[name] for name in overrides if name != "reasoning_effort"}
    assert kept == {name: value for name, value in overrides.items() if name != "reasoning_effort"}
    asked = upstream.requests[0]
    for name in ("temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "response_format"):
        assert asked[name] == overrides[name], name
    assert (asked["max_tokens"], asked["reasoning_effort"]) == (300, "low")
    assert (asked["model"], asked["stream"]) == ("scripted", True)


async def test_what_nobody_chose_is_left_to_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    await api.run("Hi")
    assert set(upstream.requests[0]) == {"model", "messages", "stream", "stream_options"}


async def test_numbers_of_any_size_in_a_schema_reach_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    tool = function("pay", amount="number")
    tool["function"]["parameters"]["properties"]["amount"] |= {
        "maximum": 10**20,
        "multipleOf": 1e-7,
        "minimum": -(10**22),
    }
    run = await api.run("Hi", assistant={"tools": [tool]})
    assert run["status"] == "completed", run["last_error"]
    assert upstream.requests[0]["tools"] == [tool]


async def test_runs_are_listed_read_and_modified(api: Api) -> None:
    run = await api.run("Hi")
    path = run_path(run)
    changed = await api.post(path, {"metadata": {"a": "b"}})
    assert changed == {**run, "metadata": {"a": "b"}}
    assert (await api.get(f"/threads/{run['thread_id']}/runs"))["data"] == [changed]
    assert await api.get(path) == changed


async def test_an_empty_answer_is_an_empty_message(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text=""))
    run = await api.run("Hi")
    assert run["status"] == "completed"
    assert text((await api.messages(run["thread_id"]))[-1]) == ""


async def test_usage_is_estimated_where_the_model_reports_none(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Four words are here", usage=None))
    run = await api.run("Hi")
    assert run["usage"]["prompt_tokens"] > 0
    assert run["usage"]["total_tokens"] == run["usage"]["prompt_tokens"] + run["usage"]["completion_tokens"]


async def test_characters_that_cannot_be_stored_are_replaced(api: Api, upstream: ScriptedUpstream) -> None:
    """A model, or its server's error, may send NUL characters, which PostgreSQL refuses."""
    upstream.script(
        Reply(chunks=["a\x00b", "c"]), Reply(tool_calls=[Call("wea\x00ther", '{"a": "\x00"}', id="c\x001")])
    )
    run = await api.run("Hi")
    assert run["status"] == "completed"
    assert text((await api.messages(run["thread_id"]))[-1]) == "a\ufffdbc"
    run = await api.run("Hi", assistant={"tools": [function("weather")]})
    assert run["status"] == "requires_action"
    (call,) = run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert call["id"] == "c\ufffd1"
    upstream.script(Reply(status=400, error={"message": "no\x00"}))
    assert (await api.run("Hi"))["last_error"]["message"].endswith("no\ufffd")


@pytest.mark.settings(run_concurrency=1)
async def test_runs_beyond_the_concurrency_wait_in_the_queue(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.default = Reply(chunks=[gate, "done"])
    runs = [await api.start("one"), await api.start("two")]
    await upstream.wait_for_requests(2)
    runs += [await api.start("three"), await api.start("four")]
    assert [(await api.get(run_path(run)))["status"] for run in runs[2:]] == ["queued", "queued"]
    assert len(upstream.requests) == 2
    gate.set()
    for run in runs:
        assert (await api.until(run))["status"] == "completed"


async def test_many_runs_at_once(api: Api) -> None:
    runs = await asyncio.gather(*(api.run(str(number)) for number in range(25)))
    for number, run in enumerate(runs):
        assert run["status"] == "completed"
        assert [text(message) for message in await api.messages(run["thread_id"])] == [str(number)] * 2
