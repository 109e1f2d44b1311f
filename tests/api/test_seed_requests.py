"""Chat requests as articles about ChatGPT's interface send them, with the data that they use."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from ..harness import KEY, Api, Json, Server, parse_chunks, read_until
from ..scripted import Call, Reply, ScriptedUpstream

CHAT = "/chat/completions"
MODEL = "gpt-3.5-turbo-1106"

WORLD_SERIES = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Who won the world series in 2020?"},
    {"role": "assistant", "content": "The Los Angeles Dodgers won the World Series in 2020."},
    {"role": "user", "content": "Where was it played?"},
]

#: What the function answers for each city.
WEATHER = {
    "San Francisco": {"location": "San Francisco", "temperature": "72", "unit": "fahrenheit"},
    "Tokyo": {"location": "Tokyo", "temperature": "10", "unit": "celsius"},
    "Paris": {"location": "Paris", "temperature": "22", "unit": "celsius"},
}
QUESTION = {"role": "user", "content": "What's the weather like in San Francisco, Tokyo, and Paris?"}
FUNCTION = {
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
TOOLS = [{"type": "function", "function": FUNCTION}]
CALLS = [Call("get_current_weather", {"location": city, "unit": "celsius"}) for city in WEATHER]


def text_of(chunks: list[Json], index: int = 0) -> str:
    """The text of one choice."""
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(delta.get("content") or "" for delta in deltas)


def outputs_for(message: Json) -> list[Json]:
    """The tool messages that answer all calls of a message, with the function's name as older code adds it."""
    return [
        {
            "tool_call_id": call["id"],
            "role": "tool",
            "name": call["function"]["name"],
            "content": json.dumps(WEATHER[json.loads(call["function"]["arguments"])["location"]]),
        }
        for call in message["tool_calls"]
    ]


# --- streams


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_chinese_question_by_curl(server: Server, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    upstream.script(Reply(chunks=["我", "是", "一个", "语言模型", "。"]))
    body = {
        "model": "gpt-3.5-turbo",
        "messages": [{"role": "user", "content": "你好,请问你是什么模型"}],
        "stream": True,
    }
    headers = ["Accept: text/event-stream", f"Authorization: Bearer {KEY}", "Content-Type: application/json"]
    arguments = ["-sS", "-X", "POST", "--dump-header", str(tmp_path / "headers")]
    for header in headers:
        arguments += ["-H", header]
    arguments += ["-d", json.dumps(body, ensure_ascii=False, indent=2), f"{server.url}/v1{CHAT}"]
    curl = await asyncio.create_subprocess_exec("curl", *arguments, stdout=asyncio.subprocess.PIPE)
    chunks = parse_chunks((await curl.communicate())[0].decode())
    assert curl.returncode == 0
    assert "content-type: text/event-stream" in (tmp_path / "headers").read_text().lower()
    assert upstream.requests[0]["messages"] == body["messages"]
    assert upstream.requests[0]["model"] == "scripted"

    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert chunks[0]["id"].startswith("chatcmpl-")
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["delta"].get("content") for chunk in chunks[1:-1]] == [
        *("我", "是", "一个", "语言模型", "。")
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert chunks[-1]["choices"][0]["delta"] == {}


async def test_chinese_characters_are_not_escaped(api: Api) -> None:
    async with api.open_stream(CHAT, {"model": MODEL, "messages": [{"role": "user", "content": "你好"}]}) as response:
        assert "你好" in await response.text()


async def test_count_to_100_begins_long_before_it_ends(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    numbers = [f"{number}, " for number in range(1, 100)]
    upstream.script(Reply(chunks=["1, ", gate, *numbers[1:], "100"]))
    question = "Count to 100, with a comma between each number and no newlines. E.g., 1, 2, 3, ..."
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "temperature": 0}
    async with api.open_stream(CHAT, body) as response:
        begun = (await read_until(response.content, b'"1, "')).decode()
        assert '"2, "' not in begun
        gate.set()
        chunks = parse_chunks(begun + await response.text())
    assert text_of(chunks) == ", ".join(str(number) for number in range(1, 101))
    assert len(chunks) == 102
    assert len({chunk["created"] for chunk in chunks}) == 1


async def test_two_answers_in_one_stream_end_each_on_its_own(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="one two three"))
    chunks = await api.chunks(CHAT, {"model": MODEL, "messages": WORLD_SERIES, "n": 2})
    assert upstream.requests[0]["n"] == 2
    ends = [
        (choice["index"], choice["finish_reason"])
        for chunk in chunks
        for choice in chunk["choices"]
        if choice["finish_reason"]
    ]
    assert sorted(ends) == [(0, "stop"), (1, "stop")]
    assert (text_of(chunks, 0), text_of(chunks, 1)) == ("one two three", "one two three")
    for index in (0, 1):
        about = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
        assert about[0]["delta"]["role"] == "assistant"
        assert about[-1]["finish_reason"] == "stop"


@pytest.mark.model_settings(unsupported=["n"])
async def test_two_answers_of_a_server_that_gives_one(api: Api, upstream: ScriptedUpstream) -> None:
    first_may_end = asyncio.Event()
    upstream.script(Reply(chunks=["one", first_may_end, " two"]), Reply(text="three"))
    ends: list[tuple[int, str]] = []
    async with api.open_stream(CHAT, {"model": MODEL, "messages": WORLD_SERIES, "n": 2}) as response:
        begun = await read_until(response.content, b'"finish_reason":"stop"')
        first_may_end.set()
        chunks = parse_chunks(begun.decode() + await response.text())
    for chunk in chunks:
        ends += [(one["index"], one["finish_reason"]) for one in chunk["choices"] if one["finish_reason"]]
    assert sorted(ends) == [(0, "stop"), (1, "stop")]
    assert sorted([text_of(chunks, 0), text_of(chunks, 1)]) == ["one two", "three"]
    # The one that had to wait ended last, and the other did not wait for it.
    assert text_of(chunks, ends[-1][0]) == "one two"


# --- tools


async def test_the_weather_in_three_cities(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=CALLS), Reply(text="72°F, 10°C and 22°C."))
    asked = {"model": MODEL, "messages": [QUESTION], "tools": TOOLS, "tool_choice": "auto"}
    first = await api.post(CHAT, asked)
    message = first["choices"][0]["message"]
    assert (first["choices"][0]["finish_reason"], message["content"]) == ("tool_calls", None)
    assert [json.loads(call["function"]["arguments"])["location"] for call in message["tool_calls"]] == list(WEATHER)
    assert len({call["id"] for call in message["tool_calls"]}) == 3

    messages = [QUESTION, message, *outputs_for(message)]
    second = await api.post(CHAT, {"model": MODEL, "messages": messages})
    assert second["choices"][0]["message"]["content"] == "72°F, 10°C and 22°C."
    told = upstream.requests[1]
    assert "tools" not in told
    assert [one["role"] for one in told["messages"]] == ["user", "assistant", "tool", "tool", "tool"]
    assert [json.loads(one["content"])["location"] for one in told["messages"][2:]] == list(WEATHER)


async def test_messages_of_every_role(api: Api, upstream: ScriptedUpstream) -> None:
    calls = [
        {
            "id": f"call_{number}",
            "function": {"arguments": json.dumps({"location": city, "unit": "celsius"}), "name": FUNCTION["name"]},
            "type": "function",
        }
        for number, city in enumerate(WEATHER)
    ]
    called: Json = {"role": "assistant", "content": None, "tool_calls": calls}
    messages = [
        {"role": "system", "content": "you are gpt4-turbo"},
        {"role": "user", "content": "1+1=?"},
        {"role": "assistant", "content": "1+1=2"},
        called,
        *outputs_for(called),
        {"role": "user", "content": "1+1=?"},
    ]
    answer = await api.post(CHAT, {"model": MODEL, "messages": messages})
    assert answer["choices"][0]["message"]["content"] == "1+1=?"
    assert upstream.requests[0]["messages"] == messages


async def test_a_list_as_tool_choice_is_refused(api: Api) -> None:
    choice = [{"type": "function", "function": {"name": FUNCTION["name"]}}]
    error = await api.refused(
        "POST", CHAT, {"model": MODEL, "messages": [QUESTION], "tools": TOOLS, "tool_choice": choice}
    )
    assert error["param"].startswith("tool_choice")


# --- headers


@pytest.mark.parametrize("stream", [False, True])
async def test_the_headers_of_an_answer(server: Server, api: Api, stream: bool) -> None:
    body = {"model": MODEL, "messages": WORLD_SERIES}
    if stream:
        async with api.open_stream(CHAT, body) as response:
            headers = response.headers
            assert headers["cache-control"] == "no-store"
            await response.read()
    else:
        headers = (await api.request("POST", CHAT, body)).headers
    assert headers["openai-model"] == "scripted"
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-processing-ms"].isdigit()
    assert headers["openai-organization"]
    assert headers["x-request-id"].startswith("req_")
    for unit in ("requests", "tokens"):
        for kind in ("limit", "remaining", "reset"):
            assert headers[f"x-ratelimit-{kind}-{unit}"]
