"""Rate limits as clients meet them, and the headers that every answer has."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from ..harness import KEY, Answer, Api, Server
from ..scripted import Reply, ScriptedUpstream

Json = dict[str, Any]

CHAT = "/chat/completions"
RATE_LIMITS = {
    f"x-ratelimit-{what}-{kind}" for what in ("limit", "remaining", "reset") for kind in ("requests", "tokens")
}


def chat(text: str = "Hello", **fields: Any) -> Json:
    return {"model": "scripted", "messages": [{"role": "user", "content": text}], **fields}


def rate_limits(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("x-ratelimit-")}


async def ask(api: Api, text: str = "Hello", **fields: Any) -> Answer:
    return await api.request("POST", CHAT, chat(text, **fields))


async def streamed(api: Api, **fields: Any) -> str:
    async with api.open_stream(CHAT, chat(**fields)) as response:
        return await response.text()


def has_common_headers(headers: Mapping[str, str]) -> None:
    assert headers["x-request-id"].startswith("req_")
    assert headers["openai-processing-ms"].isdigit()
    assert headers["openai-version"] == "2020-10-01"
    assert headers["openai-organization"] == "retinue"
    assert headers["access-control-allow-origin"] == "*"


# --- headers


async def test_an_answer_has_the_headers_of_the_real_api(api: Api):
    answer = await ask(api)
    has_common_headers(answer.headers)
    assert answer.headers["openai-model"] == "scripted"
    limits = rate_limits(answer.headers)
    assert set(limits) == RATE_LIMITS
    assert limits["x-ratelimit-limit-requests"] == "1000000"
    assert limits["x-ratelimit-limit-tokens"] == "1000000000"


async def test_a_stream_has_them_too(api: Api):
    async with api.open_stream(CHAT, chat()) as response:
        has_common_headers(response.headers)
        assert response.headers["openai-model"] == "scripted"
        assert set(rate_limits(response.headers)) == RATE_LIMITS
        assert "[DONE]" in await response.text()


@pytest.mark.parametrize(
    ("body", "status"), [(chat(temperature=3), 400), (chat(colour=1), 400), (chat() | {"model": "none"}, 404)]
)
async def test_errors_have_them_too(api: Api, body: Json, status: int):
    answer = await api.request("POST", CHAT, body)
    assert answer.status == status
    has_common_headers(answer.headers)
    assert set(rate_limits(answer.headers)) == RATE_LIMITS


async def test_a_wrong_key_has_no_limits(api: Api):
    answer = await ask(api.with_key("sk-wrong"))
    assert answer.status == 401
    has_common_headers(answer.headers)
    assert not rate_limits(answer.headers)


async def test_what_calls_no_model_tells_of_no_limits(api: Api):
    answer = await api.request("GET", "/assistants")
    has_common_headers(answer.headers)
    assert not rate_limits(answer.headers)


@pytest.mark.settings(organization="acme-labs")
async def test_the_organization(api: Api):
    assert (await api.request("GET", "/assistants")).headers["openai-organization"] == "acme-labs"


async def test_request_ids_differ(api: Api):
    answers = [await api.request("GET", "/assistants") for _ in range(3)]
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


# --- limits


@pytest.mark.settings(requests_per_minute=2)
async def test_requests_beyond_the_limit_are_refused(api: Api, other: Api, upstream: ScriptedUpstream):
    assert rate_limits((await ask(api)).headers)["x-ratelimit-remaining-requests"] == "1"
    async with api.open_stream(CHAT, chat()) as response:
        assert response.headers["x-ratelimit-remaining-requests"] == "0"
        await response.read()
    answer = await ask(api)
    assert answer.status == 429
    error = answer.body["error"]
    assert (error["type"], error["param"], error["code"]) == ("requests", None, "rate_limit_exceeded")
    assert error["message"].startswith(
        "Rate limit reached for project proj_default on requests per minute: Limit 2, Used 2, Requested 1. "
        "Please try again in "
    )
    wait = int(answer.headers["retry-after-ms"])
    assert 0 < wait <= 30_000
    assert int(answer.headers["retry-after"]) == math.ceil(wait / 1000)
    assert answer.headers["x-ratelimit-limit-requests"] == "2"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    has_common_headers(answer.headers)
    assert len(upstream.requests) == 2
    # Another project has a limit of its own; what calls no model has none.
    assert (await ask(other)).status == 200
    assert (await api.request("GET", "/assistants")).status == 200


@pytest.mark.settings(requests_per_minute=1)
async def test_a_refused_stream_is_an_ordinary_answer(api: Api):
    await ask(api)
    answer = await ask(api, stream=True)
    assert answer.status == 429
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.settings(tokens_per_minute=1000)
async def test_tokens_that_were_not_used_are_given_back(api: Api, upstream: ScriptedUpstream):
    upstream.script(*[Reply(text="Yes.", usage=(10, 5))] * 4)
    for stream in (False, True, False, True):
        # One reserves nearly all: two would not fit.
        if stream:
            assert await streamed(api, max_completion_tokens=900)
        else:
            assert (await ask(api, max_completion_tokens=900)).status == 200


@pytest.mark.settings(tokens_per_minute=1000)
@pytest.mark.parametrize("stream", [False, True])
async def test_tokens_beyond_the_estimate_are_owed(api: Api, upstream: ScriptedUpstream, stream: bool):
    upstream.script(Reply(text="Yes.", usage=(5_000, 1_000)))
    if stream:
        await streamed(api)
    else:
        await ask(api)
    answer = await ask(api)
    assert answer.status == 429
    error = answer.body["error"]
    assert (error["type"], error["code"]) == ("tokens", "rate_limit_exceeded")
    assert "on tokens per minute: Limit 1000, Used 1000, Requested " in error["message"]
    assert answer.headers["x-ratelimit-remaining-tokens"] == "0"
    assert 200 < int(answer.headers["retry-after"]) < 310
    assert len(upstream.requests) == 1


@pytest.mark.settings(tokens_per_minute=1000)
async def test_a_call_that_fails_costs_no_tokens(api: Api, upstream: ScriptedUpstream):
    upstream.script(Reply(status=400), Reply(status=400))
    statuses = [(await ask(api, max_completion_tokens=900)).status for _ in range(3)]
    assert statuses == [400, 400, 200]


@pytest.mark.settings(tokens_per_minute=1000)
async def test_a_call_that_never_fits_is_not_tried_again(api: Api):
    answer = await ask(api, max_completion_tokens=1001)
    assert answer.status == 429
    assert answer.body["error"]["type"] == "tokens"
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize(("said", "told"), [("1.5", "2"), ("inf", "86400"), ("nan", "0"), ("-3", "0")])
async def test_the_limits_of_the_models_server_are_passed_on(
    api: Api, upstream: ScriptedUpstream, said: str, told: str
):
    upstream.script(Reply(status=429, headers={"retry-after": said}))
    answer = await ask(api)
    assert answer.status == 429
    assert answer.headers["retry-after"] == told
    assert "x-should-retry" not in answer.headers


# --- pages of other origins


async def test_a_page_of_another_origin(server: Server):
    url = f"{server.url}/v1{CHAT}"
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-stainless-os",
    }
    headers = {"origin": "https://app.example", "authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession() as session:
        async with session.options(url, headers=asked) as response:
            assert response.status == 204
            assert response.headers["access-control-allow-origin"] == "*"
            assert response.headers["access-control-allow-headers"] == asked["access-control-request-headers"]
            assert "POST" in response.headers["access-control-allow-methods"]
        async with session.post(url, json=chat(), headers=headers) as response:
            assert response.status == 200
            assert response.headers["access-control-allow-origin"] == "*"
            assert response.headers["access-control-expose-headers"] == "*"


async def test_two_lengths_of_one_body_are_refused(server: Server):
    """The gate takes a body's named length for its length, because the HTTP server does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    head = f"POST /v1/assistants HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n".encode()
    writer.write(head + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
    async with asyncio.timeout(20):
        assert b" 400 " in await reader.readline()
    writer.close()
