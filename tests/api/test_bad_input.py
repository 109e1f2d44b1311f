"""Requests that are wrong, and what they are told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from ..harness import KEY, Api, Json, Server, function

TOOL = function("f")["function"]

ASSISTANTS: list[tuple[Json, str, str]] = [
    ({}, "model", "missing_required_parameter"),
    ({"model": None}, "model", "invalid_type"),
    ({"model": 7}, "model", "invalid_type"),
    ({"model": ""}, "model", "string_below_min_length"),
    ({"name": "n" * 257}, "name", "string_above_max_length"),
    ({"name": ["n"]}, "name", "invalid_type"),
    ({"description": "d" * 513}, "description", "string_above_max_length"),
    ({"instructions": "i" * 256_001}, "instructions", "string_above_max_length"),
    ({"temperature": 2.1}, "temperature", "decimal_above_max_value"),
    ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
    ({"temperature": "warm"}, "temperature", "invalid_type"),
    ({"temperature": True}, "temperature", "invalid_type"),
    ({"top_p": 1.5}, "top_p", "decimal_above_max_value"),
    ({"colour": "red"}, "colour", "unknown_parameter"),
    ({"tools": {}}, "tools", "invalid_type"),
    ({"tools": [7]}, "tools[0]", "invalid_type"),
    ({"tools": [{}]}, "tools[0].type", "missing_required_parameter"),
    ({"tools": [{"type": "browser"}]}, "tools[0].type", "invalid_value"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name", "missing_required_parameter"),
    ({"tools": [{"type": "function", "function": {**TOOL, "name": "no spaces"}}]}, "tools[0].function.name", "*"),
    ({"tools": [{"type": "function", "function": {**TOOL, "name": "n" * 65}}]}, "tools[0].function.name", "*"),
    ({"tools": [{"type": "function", "function": {**TOOL, "parameters": []}}]}, "tools[0].function.parameters", "*"),
    ({"tools": [{"type": "code_interpreter", "x": 1}]}, "tools[0].x", "unknown_parameter"),
    ({"tools": [function("f"), function("f")]}, "tools", "*"),
    ({"tools": [function(f"f{number}") for number in range(129)]}, "tools", "array_above_max_length"),
    (
        {"tools": [{"type": "file_search", "file_search": {"max_num_results": 51}}]},
        "tools[0].file_search.max_num_results",
        "integer_above_max_value",
    ),
    ({"tool_resources": {"code_interpreter": {"file_ids": "f"}}}, "tool_resources.code_interpreter.file_ids", "*"),
    ({"tool_resources": {"file_search": {"vector_store_ids": ["a", "b"]}}}, "*", "array_above_max_length"),
    ({"response_format": "json"}, "response_format", "*"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "*"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
    ({"reasoning_effort": "heroic"}, "reasoning_effort", "invalid_value"),
]

MESSAGES: list[tuple[Json, str, str]] = [
    ({}, "role", "missing_required_parameter"),
    ({"role": "user"}, "content", "missing_required_parameter"),
    ({"role": "system", "content": "x"}, "role", "invalid_value"),
    ({"role": "user", "content": ""}, "content", "string_below_min_length"),
    ({"role": "user", "content": []}, "content", "array_below_min_length"),
    ({"role": "user", "content": 7}, "content", "invalid_type"),
    ({"role": "user", "content": None}, "content", "invalid_type"),
    ({"role": "user", "content": "x" * 256_001}, "content", "string_above_max_length"),
    ({"role": "user", "content": ["x"]}, "content[0]", "invalid_type"),
    ({"role": "user", "content": [{"type": "text"}]}, "content[0].text", "missing_required_parameter"),
    ({"role": "user", "content": [{"type": "video"}]}, "content[0].type", "invalid_value"),
    ({"role": "user", "content": [{"type": "image_url", "image_url": "u"}]}, "content[0].image_url", "invalid_type"),
    ({"role": "user", "content": "x", "attachments": [{"file_id": 1, "tools": []}]}, "attachments[0].file_id", "*"),
    ({"role": "user", "content": "x", "file_ids": []}, "file_ids", "unknown_parameter"),
]

RUNS: list[tuple[Json, str, str]] = [
    ({"assistant_id": None}, "assistant_id", "invalid_type"),
    ({"assistant_id": ""}, "assistant_id", "string_below_min_length"),
    ({"max_prompt_tokens": 255}, "max_prompt_tokens", "integer_below_min_value"),
    ({"max_prompt_tokens": 300.5}, "max_prompt_tokens", "invalid_type"),
    ({"max_completion_tokens": 10**30}, "max_completion_tokens", "*"),
    ({"stream": "yes"}, "stream", "invalid_type"),
    ({"parallel_tool_calls": 1}, "parallel_tool_calls", "invalid_type"),
    ({"truncation_strategy": {"type": "middle"}}, "truncation_strategy.type", "invalid_value"),
    ({"truncation_strategy": {"type": "last_messages", "last_messages": 0}}, "truncation_strategy.last_messages", "*"),
    ({"tool_choice": "any"}, "tool_choice", "invalid_value"),
    ({"tool_choice": "required"}, "tool_choice", "*"),
    ({"tool_choice": {"type": "function", "function": {"name": "none"}}}, "tool_choice", "*"),
    ({"tool_choice": {"type": "file_search"}}, "tool_choice", "*"),
]

RUNS_ON_THREADS = [
    ({"additional_messages": [{"role": "user"}]}, "additional_messages[0].content", "missing_required_parameter"),
    ({"thread": {}}, "thread", "unknown_parameter"),
]

THREADS_AND_RUNS = [
    ({"thread": {"messages": [{"role": "user", "content": "x"}, {"role": "user"}]}}, "thread.messages[1].content", "*"),
    ({"additional_messages": []}, "additional_messages", "unknown_parameter"),
]

OUTPUTS: list[tuple[Json, str, str]] = [
    ({}, "tool_outputs", "missing_required_parameter"),
    ({"tool_outputs": None}, "tool_outputs", "invalid_type"),
    ({"tool_outputs": [{}]}, "tool_outputs[0].tool_call_id", "missing_required_parameter"),
    ({"tool_outputs": [{"tool_call_id": "c", "output": 7}]}, "tool_outputs[0].output", "invalid_type"),
]


async def check(api: Api, path: str, base: Json, cases: list[tuple[Json, str, str]]) -> None:
    """Each case, on top of a base that is right, is refused with its param and code (`*`: any)."""
    for body, param, code in cases:
        sent = base | body if body else {}
        error = await api.refused("POST", path, sent)
        assert error["type"] == "invalid_request_error"
        assert param in ("*", error["param"]), (body, error)
        assert code in ("*", error["code"]), (body, error)
        assert error["message"]


async def test_assistants(api: Api) -> None:
    await check(api, "/assistants", {"model": "scripted"}, ASSISTANTS)
    made = await api.assistant(name="kept")
    await check(api, f"/assistants/{made}", {}, ASSISTANTS[1:])
    assert (await api.get("/assistants"))["data"] == [await api.get(f"/assistants/{made}")]


async def test_messages(api: Api) -> None:
    thread = await api.thread()
    await check(api, f"/threads/{thread}/messages", {}, MESSAGES)
    assert await api.messages(thread) == []
    nested = [({"messages": [MESSAGES[1][0], body]}, f"messages[0].{'content'}", "*") for body, _, _ in MESSAGES[:1]]
    await check(api, "/threads", {}, nested)
    good = {"role": "user", "content": "x"}
    await check(api, "/threads", {}, [({"messages": [good, {"role": "user"}]}, "messages[1].content", "*")])


async def test_runs(api: Api) -> None:
    base, thread = {"assistant_id": await api.assistant()}, await api.thread()
    await check(api, f"/threads/{thread}/runs", base, RUNS + RUNS_ON_THREADS)
    await check(api, "/threads/runs", base, RUNS + THREADS_AND_RUNS)
    await check(api, f"/threads/{thread}/runs/run_x/submit_tool_outputs", {}, OUTPUTS)
    assert (await api.get(f"/threads/{thread}/runs"))["data"] == []


NOT_JSON = [
    b"",
    b"{",
    b'{"model": }',
    b"{'model': 'x'}",
    b'{"model": NaN}',
    b'{"temperature": Infinity}',
    b'{"model": "a\x00b"}',
    b'{"model": "\xff\xfe"}',
    b'{"model": "\\ud800"}',
    b'{"model": "x"} {"model": "y"}',
    b"\xef\xbb\xbf{}",
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b"[" * 100_000,
    b"9" * 5000,
]
NO_OBJECT = [b"[]", b'"text"', b"7", b"null", b"true", b'[{"model": "scripted"}]']
NUL = [
    b'{"model": "a\\u0000b"}',
    b'{"model": "scripted", "metadata": {"a\\u0000": "b"}}',
    b'{"model": "scripted", "tools": [{"type": "function", "function": {"name": "f", "parameters": {"\\u0000": 1}}}]}',
]


@pytest.mark.parametrize(
    "path", ["/assistants", "/threads/runs", "/threads/thread_x/messages", "/threads/thread_x/runs"]
)
async def test_bodies_that_are_no_json_objects(api: Api, path: str) -> None:
    for data in NOT_JSON + NO_OBJECT + NUL:
        answer = await api.request("POST", path, data=data)
        assert answer.status == 400, (data[:60], answer.body)
        assert answer.body["error"]["message"], data[:60]


async def test_what_is_wrong_with_the_json_is_said(api: Api) -> None:
    async def message(data: bytes) -> str:
        return (await api.request("POST", "/assistants", data=data)).body["error"]["message"]

    assert "could not parse the JSON" in await message(b"{")
    assert "NUL" in await message(NUL[0])
    deep = {"model": "scripted", "tools": [function("f", a="x")]}
    deep["tools"][0]["function"]["parameters"] = json.loads('{"a":' * 100 + "1" + "}" * 100)
    assert "too deep" in await message(json.dumps(deep).encode())


async def test_nesting_up_to_the_limit_is_kept(api: Api) -> None:
    tool = function("f")
    tool["function"]["parameters"] = json.loads('{"a":' * 40 + "1" + "}" * 40)
    made = await api.post("/assistants", {"model": "scripted", "tools": [tool]})
    assert made["tools"] == [tool]


async def test_other_content_types_are_refused(api: Api) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        data = b'{"model": "scripted"}'
        answer = await api.request("POST", "/assistants", data=data, headers={"content-type": kind})
        assert answer.status in (200, 400), kind


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 10_000):
        yield data[start : start + 10_000]


@pytest.mark.settings(max_body_bytes=64 * 1024)
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_the_limit(api: Api, server: Server, chunked: bool) -> None:
    data = json.dumps({"model": "scripted", "instructions": "x" * 100_000}).encode()
    answer = await api.request("POST", "/assistants", data=pieces(data) if chunked else data)
    assert answer.status == 413
    assert "65536 bytes" in answer.body["error"]["message"]
    just = json.dumps({"model": "scripted", "instructions": ""}).encode()
    just = just.replace(b'""', b'"' + b"x" * (64 * 1024 - len(just)) + b'"')
    assert (await api.request("POST", "/assistants", data=pieces(just) if chunked else just)).status == 200


async def test_unknown_addresses_and_methods(api: Api) -> None:
    for path in (
        "/",
        "/nothing",
        "/assistants/",
        "/assistants/a/b",
        "/threads/t/runs/r/steps/s/x",
        "/../x",
    ):
        assert (await api.request("GET", path)).status == 404, path
    for method, path in (("PUT", "/assistants"), ("PATCH", "/threads/t"), ("DELETE", "/threads"), ("PUT", "/models")):
        error = await api.refused(method, path, status=405)
        assert f"{method} /v1{path}" in error["message"]
    answer = await api.request("GET", "/nothing")
    assert answer.body["error"]["message"] == "Invalid URL (GET /v1/nothing)"


@pytest.mark.parametrize(
    "odd", ["%00", "a%00b", "%ff", "%ed%a0%80", "%F0%9F%98%80", "'; drop table runs;--", "x" * 3000]
)
async def test_odd_ids_and_cursors(api: Api, odd: str) -> None:
    thread = await api.thread()
    for path in (f"/assistants/{odd}", f"/threads/{odd}/messages", f"/threads/{thread}/runs/{odd}", f"/models/{odd}"):
        assert (await api.request("GET", path)).status == 404, path
    for query in (f"after={odd}", f"before={odd}", f"limit={odd}", f"order={odd}"):
        assert (await api.request("GET", f"/assistants?{query}")).status == 400, query
    listed = await api.request("GET", f"/threads/{thread}/messages?run_id={odd}")
    assert listed.status in (200, 400)


async def test_versions_that_never_were_are_refused(api: Api) -> None:
    for value in ("assistants=v3", "assistants=v1,assistants=v2"):
        answer = await api.request("GET", "/assistants", headers={"openai-beta": value})
        assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_beta")
    for value in ("assistants=v2", "realtime=v1", ""):
        assert (await api.request("GET", "/assistants", headers={"openai-beta": value})).status == 200


async def test_models_and_health(api: Api, server: Server) -> None:
    listed = await api.get("/models")
    assert "scripted" in [model["id"] for model in listed["data"]]
    assert (await api.get("/models/scripted"))["id"] == "scripted"
    assert (await api.get("/models/gpt-4o"))["retinue"]["serves"] == "scripted"
    error = await api.refused("GET", "/models/none/such", status=404)
    assert error["code"] == "model_not_found"
    async with aiohttp.ClientSession() as session, session.get(server.url + "/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


async def test_keys_are_read_whatever_their_case(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        for header in (f"bearer {KEY}", f"BEARER  {KEY} "):
            headers: dict[str, Any] = {"Authorization": header}
            async with session.get(server.url + "/v1/assistants", headers=headers) as response:
                assert response.status == 200
