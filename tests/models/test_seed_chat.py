"""Chat requests as articles about ChatGPT's interface send them, to the default model: what must hold for any model."""

from __future__ import annotations

import json
import time
from typing import Any

import aiohttp
import openai
import pytest

from ..faults.harness import KEY, Process

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

MODEL = "gpt-3.5-turbo-1106"
CHINESE: Any = [{"role": "user", "content": "你好,请问你是什么模型"}]
COUNT: Any = [
    {
        "role": "user",
        "content": "Count to 100, with a comma between each number and no newlines. E.g., 1, 2, 3, ...",
    }
]
CITIES = {"San Francisco": "72", "Tokyo": "10", "Paris": "22"}
WEATHER: Any = {
    "name": "get_current_weather",
    "description": "Get the current weather in a given location",
    "parameters": {
        "type": "object",
        "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["location"],
    },
}


async def prompt_tokens(server: Process, messages: Any) -> int:
    """What `/v1/tokenize` counts for a chat request."""
    headers = {"authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = {"model": MODEL, "messages": messages}
        async with session.post(f"{server.base_url}/tokenize", json=body) as response:
            return (await response.json())["total_tokens"]


async def test_a_chinese_question_up_to_the_first_full_stop(client: openai.AsyncOpenAI, server: Process) -> None:
    answer = await client.chat.completions.create(
        model=MODEL, messages=CHINESE, temperature=0, stop="。", max_tokens=64, logit_bias={"50256": -100}
    )
    (choice,) = answer.choices
    assert choice.message.content
    assert "。" not in choice.message.content
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.prompt_tokens == await prompt_tokens(server, CHINESE)


async def test_count_to_100_begins_long_before_it_ends(client: openai.AsyncOpenAI) -> None:
    began, times, text = time.monotonic(), list[float](), ""
    stream = await client.chat.completions.create(
        model=MODEL, messages=COUNT, temperature=0, max_tokens=48, stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            times.append(time.monotonic() - began)
            text += chunk.choices[0].delta.content
    assert text.startswith("1, 2, 3")
    assert len(times) > 24
    assert times[0] < times[-1] / 2


async def test_a_seed_repeats_an_answer(client: openai.AsyncOpenAI) -> None:
    """Also where the first answer has left its prompt in the cache."""

    async def ask() -> tuple[str | None, str | None]:
        answer = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": "Make up a name for a cat."}],
            temperature=1.5,
            seed=123,
            max_tokens=12,
        )
        return answer.choices[0].message.content, answer.system_fingerprint

    first, second = await ask(), await ask()
    assert first == second
    assert all(first)


async def test_the_weather_in_three_cities(client: openai.AsyncOpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": "What's the weather like in San Francisco, Tokyo, and Paris?"}]
    first = await client.chat.completions.create(
        model=MODEL,
        messages=messages,
        tools=[{"type": "function", "function": WEATHER}],
        tool_choice="auto",
        temperature=0,
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    called: list[str] = []
    messages.append(message)
    for call in message.tool_calls or ():
        assert call.type == "function"
        location = json.loads(call.function.arguments)["location"]
        called += [city for city in CITIES if city in location]
        output = {"location": location, "temperature": CITIES[called[-1]]}
        name = call.function.name
        messages.append({"tool_call_id": call.id, "role": "tool", "name": name, "content": json.dumps(output)})
    assert called == list(CITIES)
    second = await client.chat.completions.create(model=MODEL, messages=messages, temperature=0, max_tokens=96)
    text = second.choices[0].message.content or ""
    assert all(temperature in text for temperature in CITIES.values())
