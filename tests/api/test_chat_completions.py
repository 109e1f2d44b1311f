"""Chat completions: what goes to the model's server, what comes back, and what is refused."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from ..harness import Api, Json, Refused
from ..scripted import Call, Reply, ScriptedUpstream

CHAT = "/chat/completions"
HI: list[Json] = [{"role": "user", "content": "Hi"}]
WEATHER: Json = {
    "type": "function",
    "function": {
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
SCHEMA: Json = {"name": "person", "strict": True, "schema": {"type": "object", "properties": {}}}


def asking(**parameters: Any) -> Json:
    return {"model": "scripted", "messages": HI, **parameters}


def content(chunks: list[Json], index: int = 0) -> str:
    """The text of one choice of a stream."""
    choices = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


async def test_a_whole_answer(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="Hello there"))
    answer = await api.request("POST", CHAT, asking())
    assert answer.headers["openai-model"] == "scripted"
    body = answer.body
    assert body["id"].startswith("chatcmpl-")
    assert body["id"] != "chatcmpl-scripted"
    assert (body["object"], body["model"]) == ("chat.completion", "scripted")
    (choice,) = body["choices"]
    message = {"role": "assistant", "content": "Hello there", "refusal": None}
    assert choice == {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert upstream.requests == [{"model": "scripted", "messages": HI}]


async def test_a_stream(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="One two three"))
    chunks = await api.chunks(CHAT, asking())
    assert content(chunks) == "One two three"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


async def test_a_stream_flows(api: Api, upstream: ScriptedUpstream) -> None:
    """A piece is with the client before the model has written the next."""
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["first", gate, " second"]))
    async with api.open_stream(CHAT, asking()) as response:
        seen = b""
        while b"first" not in seen:
            seen += await response.content.readany()
        assert b"second" not in seen
        gate.set()
        assert b"second" in await response.content.read()


async def test_the_usage_of_a_stream_comes_last(api: Api, upstream: ScriptedUpstream) -> None:
    chunks = await api.chunks(CHAT, asking(stream_options={"include_usage": True}))
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}


async def test_obfuscation_hides_the_length_of_chunks(api: Api) -> None:
    chunks = await api.chunks(CHAT, asking(stream_options={"include_obfuscation": True}))
    assert all(len(chunk["obfuscation"]) >= 8 for chunk in chunks)


#: Parameters that go to the model's server as they are.
PASSED: dict[str, Any] = {
    "temperature": 0.5,
    "top_p": 0.25,
    "stop": ["a", "b", "c", "d"],
    "max_tokens": 5,
    "max_completion_tokens": 6,
    "presence_penalty": -2,
    "frequency_penalty": 2,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "user": "user-1",
    "seed": -5,
    "response_format": {"type": "json_schema", "json_schema": SCHEMA},
    "tools": [WEATHER],
    "service_tier": "flex",
    "prediction": {"type": "content", "content": "Hi"},
    "reasoning_effort": "low",
    "verbosity": "low",
    "modalities": ["text", "audio"],
    "audio": {"voice": "alloy", "format": "wav"},
    "prompt_cache_key": "key",
    "prompt_cache_retention": "24h",
    "safety_identifier": "hash",
    "web_search_options": {"search_context_size": "low"},
}


@pytest.mark.parametrize("name", PASSED)
async def test_a_parameter_reaches_the_server(api: Api, upstream: ScriptedUpstream, name: str) -> None:
    await api.post(CHAT, asking(**{name: PASSED[name]}))
    await api.chunks(CHAT, asking(**{name: PASSED[name]}))
    assert [request[name] for request in upstream.requests] == [PASSED[name]] * 2


async def test_what_is_null_or_ours_does_not_reach_the_server(api: Api, upstream: ScriptedUpstream) -> None:
    await api.post(CHAT, asking(store=True, metadata={"a": "b"}, temperature=None, tools=None, stream=False))
    assert upstream.requests == [{"model": "scripted", "messages": HI}]


#: A parameter out of its range, and the field that the error names.
WRONG: list[tuple[Json, str]] = [
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": "hot"}, "temperature"),
    ({"top_p": 1.1}, "top_p"),
    ({"n": 0}, "n"),
    ({"n": 129}, "n"),
    ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_completion_tokens": -1}, "max_completion_tokens"),
    ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
    ({"presence_penalty": 2.5}, "presence_penalty"),
    ({"frequency_penalty": -2.5}, "frequency_penalty"),
    ({"logit_bias": {"5": 101}}, "logit_bias"),
    ({"logit_bias": {"word": 1}}, "logit_bias"),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"stream_options": {"include_usage": True}}, "stream_options"),
    ({"metadata": {"a": "b"}}, "metadata"),
    ({"metadata": {"a": "b" * 513}, "store": True}, "metadata"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"parallel_tool_calls": False}, "parallel_tool_calls"),
    ({"function_call": "auto"}, "function_call"),
    ({"functions": [WEATHER["function"]], "tools": [WEATHER]}, "functions"),
    ({"response_format": {"type": "yaml"}}, "response_format.type"),
    ({"service_tier": "gold"}, "service_tier"),
    ({"seed": 2**63}, "seed"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "king", "content": "Hi"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
    ({"messages": [{"role": "assistant"}]}, "messages[0]"),
    ({"messages": [*HI, {"role": "tool", "tool_call_id": "c", "content": "1"}]}, "messages[1].tool_call_id"),
    ({"top_k": 5}, "top_k"),
]


@pytest.mark.parametrize(("wrong", "param"), WRONG, ids=lambda value: str(value)[:60])
async def test_what_is_out_of_range_is_refused_by_name(
    api: Api, upstream: ScriptedUpstream, wrong: Json, param: str
) -> None:
    for stream in (False,) if "stream_options" in wrong else (False, True):
        answer = await api.request("POST", CHAT, {"stream": stream, **asking(), **wrong})
        assert (answer.status, answer.body["error"]["param"]) == (400, param), answer.body
        assert answer.body["error"]["type"] == "invalid_request_error"
    assert upstream.requests == []


async def test_calls_must_be_answered(api: Api) -> None:
    call = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    messages = [*HI, {"role": "assistant", "content": None, "tool_calls": [call]}, *HI]
    answer = await api.request("POST", CHAT, asking(messages=messages))
    assert answer.status == 400
    assert "call_a" in answer.body["error"]["message"]


async def test_an_unknown_model(api: Api) -> None:
    answer = await api.request("POST", CHAT, asking(model="nobody"))
    assert (answer.status, answer.body["error"]["code"]) == (404, "model_not_found")


@pytest.mark.model_settings(unsupported=["logit_bias", "seed"], pass_on=["top_k"])
async def test_a_server_that_ignores_parameters(api: Api, upstream: ScriptedUpstream) -> None:
    answer = await api.request("POST", CHAT, asking(seed=1))
    assert (answer.status, answer.body["error"]["code"]) == (400, "unsupported_parameter")
    assert answer.body["error"]["param"] == "seed"
    await api.post(CHAT, asking(top_k=5))
    assert upstream.requests[0]["top_k"] == 5


async def test_several_choices(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="One two"), Reply(text="One two"))
    whole = await api.post(CHAT, asking(n=3))
    assert [choice["index"] for choice in whole["choices"]] == [0, 1, 2]
    chunks = await api.chunks(CHAT, asking(n=3))
    assert [content(chunks, index) for index in range(3)] == ["One two"] * 3
    ends = [choice["index"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert sorted(ends) == [0, 1, 2]
    assert [request["n"] for request in upstream.requests] == [3, 3]


@pytest.mark.model_settings(unsupported=["n"])
async def test_several_choices_from_a_server_that_makes_one(api: Api, upstream: ScriptedUpstream) -> None:
    number = itertools.count(1)
    upstream.default = lambda request: Reply(text=f"Answer {next(number)}")
    whole = await api.post(CHAT, asking(n=3, seed=10))
    assert {choice["message"]["content"] for choice in whole["choices"]} == {"Answer 1", "Answer 2", "Answer 3"}
    assert sorted(request["seed"] for request in upstream.requests) == [10, 11, 12]
    assert not any("n" in request for request in upstream.requests)
    # The prompt counts once.
    assert whole["usage"]["prompt_tokens"] == 7
    assert whole["usage"]["completion_tokens"] == 15
    chunks = await api.chunks(CHAT, asking(n=3, stream_options={"include_usage": True}))
    assert {content(chunks, index) for index in range(3)} == {"Answer 4", "Answer 5", "Answer 6"}
    assert [chunk["usage"] for chunk in chunks if chunk["usage"]] == [chunks[-1]["usage"]]
    assert chunks[-1]["usage"]["completion_tokens"] == 15


@pytest.mark.model_settings(unsupported=["n"])
async def test_one_of_several_choices_fails(api: Api, upstream: ScriptedUpstream) -> None:
    hanging = Reply(chunks=["begun"], hang=True)
    upstream.script(hanging, Reply(status=400, error={"message": "no"}), hanging)
    answer = await api.request("POST", CHAT, asking(n=3))
    assert answer.status == 400
    await upstream.wait_for_disconnects(len(upstream.requests) - 1)


async def test_a_server_that_gives_fewer_choices_is_found_out(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(lambda request: (request.pop("n"), Reply(text="One"))[1])
    answer = await api.request("POST", CHAT, asking(n=2))
    assert answer.status == 502
    assert "unsupported" in answer.body["error"]["message"]


async def test_tool_calls(api: Api, upstream: ScriptedUpstream) -> None:
    calls = [Call("weather", {"city": city}) for city in ("Oslo", "Rome")]
    upstream.script(Reply(tool_calls=calls), Reply(tool_calls=calls))
    whole = await api.post(CHAT, asking(tools=[WEATHER], tool_choice="auto", parallel_tool_calls=True))
    assert whole["choices"][0]["finish_reason"] == "tool_calls"
    assert [call["function"]["arguments"] for call in whole["choices"][0]["message"]["tool_calls"]] == [
        '{"city": "Oslo"}',
        '{"city": "Rome"}',
    ]
    chunks = await api.chunks(CHAT, asking(tools=[WEATHER]))
    pieces = [p for c in chunks for p in c["choices"][0]["delta"].get("tool_calls", ())]
    assert "".join(p["function"]["arguments"] for p in pieces if p["index"] == 1) == '{"city": "Rome"}'


async def test_functions_as_before_tools(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(*[Reply(tool_calls=[Call("weather", {"city": "Oslo"})])] * 2, Reply(text="Cold."))
    function = WEATHER["function"]
    whole = await api.post(CHAT, asking(functions=[function], function_call={"name": "weather"}))
    choice = whole["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city": "Oslo"}'}
    assert "tool_calls" not in choice["message"]
    asked = upstream.requests[0]
    assert asked["tools"] == [{"type": "function", "function": function}]
    assert asked["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert not {"functions", "function_call"} & asked.keys()
    chunks = await api.chunks(CHAT, asking(functions=[function]))
    calls = [d["function_call"] for c in chunks if "function_call" in (d := c["choices"][0]["delta"])]
    assert calls[0]["name"] == "weather"
    assert "".join(call.get("arguments", "") for call in calls) == '{"city": "Oslo"}'
    assert chunks[-1]["choices"][0]["finish_reason"] == "function_call"
    told = [*HI, choice["message"], {"role": "function", "name": "weather", "content": "-5"}]
    assert (await api.post(CHAT, asking(messages=told)))["choices"][0]["message"]["content"] == "Cold."
    said, result = upstream.requests[2]["messages"][1:]
    assert said["tool_calls"][0]["id"] == result["tool_call_id"]
    assert result["role"] == "tool"


async def test_every_role(api: Api, upstream: ScriptedUpstream) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png", "detail": "low"}}
    messages: list[Json] = [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "name": "Zoe", "content": [{"type": "text", "text": "What is this?"}, picture]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "a cat"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "user", "content": "Well?"},
    ]
    await api.post(CHAT, asking(messages=messages))
    assert upstream.requests[0]["messages"] == messages


REFUSED = [(400, "bad_thing"), (401, None), (404, "model_not_found"), (413, None), (429, "rate_limit_exceeded")]


@pytest.mark.parametrize(("status", "code"), [*REFUSED, (500, None), (503, None)])
@pytest.mark.parametrize("stream", [False, True])
async def test_the_servers_errors_are_passed_on(
    api: Api, upstream: ScriptedUpstream, status: int, code: str | None, stream: bool
) -> None:
    upstream.script(Reply(status=status, error={"message": "said so", "param": "messages", "code": code}))
    answer = await api.request("POST", CHAT, asking(stream=stream))
    error = answer.body["error"]
    assert (answer.status, error["code"], error["param"]) == (status, code, "messages")
    assert "said so" in error["message"]


async def test_a_context_that_is_too_long(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"}))
    answer = await api.request("POST", CHAT, asking())
    assert (answer.status, answer.body["error"]["code"]) == (400, "context_length_exceeded")


async def test_a_stream_that_breaks_ends_with_an_error(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="One two three", break_after=2))
    chunks = await api.chunks(CHAT, asking())
    assert content(chunks[:-1]) == "One two"
    assert "broke" in chunks[-1]["error"]["message"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("reply", [Reply(malformed=True), Reply(break_after=0)])
async def test_nonsense_is_a_bad_gateway(api: Api, upstream: ScriptedUpstream, reply: Reply) -> None:
    upstream.script(reply)
    assert (await api.request("POST", CHAT, asking())).status == 502


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_hangs_up_ends_the_models_work(api: Api, upstream: ScriptedUpstream, stream: bool) -> None:
    upstream.script(Reply(chunks=["begun"] if stream else [], hang=True))
    asked = asyncio.create_task(api.request("POST", CHAT, asking(stream=stream)))
    await upstream.wait_for_requests(1)
    asked.cancel()
    await upstream.wait_for_disconnects(1)
    # The server is well.
    assert (await api.post(CHAT, asking()))["choices"][0]["message"]["content"] == "Hi"


@pytest.mark.settings(stream_keep_alive=0.05)
async def test_silence_is_broken_by_comments(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["first", gate, " second"]))
    async with api.open_stream(CHAT, asking()) as response:
        seen = b""
        while b": keep-alive\n" not in seen:
            seen += await response.content.readany()
        gate.set()
        seen += await response.content.read()
    assert seen.endswith(b"data: [DONE]\n\n")
    assert b"\n\n: keep-alive\n\n" not in seen


async def test_a_stream_that_cannot_begin_is_refused_by_a_status(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(status=400, error={"message": "no"}))
    with pytest.raises(Refused) as refused:
        await api.chunks(CHAT, asking())
    assert refused.value.answer.status == 400
