"""The main job on the default model: apps written for the Assistants API, run as their authors would run them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import openai
import pytest

from ..faults.harness import KEY, Process

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("example", ["math_tutor.py", "weather_functions.py", "chat.py", "sales_report.py"])
async def test_an_example_runs_with_nothing_but_the_two_variables_set(
    server: Process, example: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": KEY}
    command = [sys.executable, "-W", "ignore", ROOT / "examples" / example]
    pipes = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(*command, env=environment, cwd=tmp_path, **pipes)
    printed = (await process.communicate())[0].decode()
    assert process.returncode == 0, printed
    assert "assistant: " in printed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_answer_says_which_model_served_it(client: openai.AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-3.5-turbo", instructions="Answer in one word.")
    thread: Any = {"messages": [{"role": "user", "content": "What is the capital of France?"}]}
    run = await client.beta.threads.create_and_run_poll(assistant_id=assistant.id, thread=thread)
    assert (assistant.model, run.model) == ("gpt-3.5-turbo", "qwen2.5-coder-1.5b-instruct")
    assert run.status == "completed"
    assert run.usage is not None
    assert 10 < run.usage.prompt_tokens < 60
    (answer,) = (await client.beta.threads.messages.list(run.thread_id, limit=1)).data[0].content
    assert answer.type == "text"
    assert "Paris" in answer.text.value


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "inhabitants": {"type": "integer"}},
    "required": ["city", "inhabitants"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("kind", ["json_schema", "json_object"])
async def test_formats_hold(client: openai.AsyncOpenAI, kind: str) -> None:
    schema = {"json_schema": {"name": "city", "schema": SCHEMA, "strict": True}} if kind == "json_schema" else {}
    wanted: Any = {"type": kind, **schema}
    assistant = await client.beta.assistants.create(
        model="default", instructions="Answer in JSON.", response_format=wanted
    )
    thread: Any = {"messages": [{"role": "user", "content": "Which is the largest city of Japan?"}]}
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread=thread, max_completion_tokens=300
    )
    assert run.status == "completed"
    (answer,) = (await client.beta.threads.messages.list(run.thread_id, limit=1)).data[0].content
    assert answer.type == "text"
    value = json.loads(answer.text.value)
    if kind == "json_schema":
        assert set(value) == {"city", "inhabitants"}
        assert isinstance(value["inhabitants"], int)


async def test_a_run_is_cancelled_while_the_model_writes(client: openai.AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="default")
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "Count from 1 to 1000."}])
    run: Any = None
    async for event in await client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True):
        if event.event == "thread.run.created":
            run = event.data
        if event.event == "thread.message.delta":
            await client.beta.threads.runs.cancel(run.id, thread_id=thread.id)
            break
    run = await client.beta.threads.runs.poll(run.id, thread_id=thread.id)
    assert run.status == "cancelled"
    (message,) = (await client.beta.threads.messages.list(thread.id, run_id=run.id)).data
    assert message.status == "incomplete"
