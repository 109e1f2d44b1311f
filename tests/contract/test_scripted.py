"""The scripted upstream itself: official shapes, and every way of going wrong that tests rely on."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from tests.contract.spec import validate
from tests.scripted import Call, Reply, ScriptedUpstream, upstream_in_thread

Json = dict[str, Any]


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def request(text: str = "Hello there", **fields: Any) -> Json:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **fields}


async def whole(http: aiohttp.ClientSession, upstream: ScriptedUpstream, **fields: Any) -> Json:
    async with http.post(f"{upstream.base_url}/chat/completions", json=request(**fields)) as answer:
        assert answer.status == 200
        return await answer.json()


async def streamed(http: aiohttp.ClientSession, upstream: ScriptedUpstream, **fields: Any) -> list[str]:
    """The `data:` texts of a stream."""
    async with http.post(f"{upstream.base_url}/chat/completions", json=request(stream=True, **fields)) as answer:
        assert answer.content_type == "text/event-stream"
        body = (await answer.read()).decode()
    return [event.removeprefix("data: ") for event in body.split("\n\n") if event]


async def test_without_a_script_it_echoes_the_last_user_message(
    upstream: ScriptedUpstream, http: aiohttp.ClientSession
):
    body = await whole(http, upstream)
    validate("CreateChatCompletionResponse", body)
    assert body["choices"][0]["message"]["content"] == "Hello there"
    parts = [{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}]
    body = await whole(http, upstream, messages=[{"role": "user", "content": parts}, {"role": "assistant"}])
    assert body["choices"][0]["message"]["content"] == "in parts"


async def test_replies_come_in_order_and_requests_are_recorded(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(Reply(text="one"), lambda body: Reply(text=body["model"].upper()))
    texts = [(await whole(http, upstream, text=str(n)))["choices"][0]["message"]["content"] for n in range(3)]
    assert texts == ["one", "M", "2"]
    assert [body["messages"][0]["content"] for body in upstream.requests] == ["0", "1", "2"]
    assert len(upstream.request_headers) == 3


async def test_whole_tool_calls_have_the_official_shape(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"}), Call("time", "no json", id="mine")]))
    body = await whole(http, upstream)
    validate("CreateChatCompletionResponse", body)
    assert body["choices"][0]["finish_reason"] == "tool_calls"
    calls = body["choices"][0]["message"]["tool_calls"]
    assert [(call["id"], call["function"]["arguments"]) for call in calls] == [
        ("call_1", '{"city": "Oslo"}'),
        ("mine", "no json"),
    ]


async def test_a_stream_has_role_text_reason_usage_and_done(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(Reply(text="a b c", usage=(3, 4), finish_reason="length"))
    *events, done = await streamed(http, upstream, stream_options={"include_usage": True})
    assert done == "[DONE]"
    chunks = [json.loads(event) for event in events]
    for chunk in chunks:
        validate("CreateChatCompletionStreamResponse", chunk)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["delta"]["content"] for chunk in chunks[1:-2]] == ["a", " b", " c"]
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


async def test_usage_is_streamed_only_when_asked_for(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    events = await streamed(http, upstream)
    assert not any("usage" in event for event in events)


async def test_the_official_client_reads_streamed_tool_calls(upstream: ScriptedUpstream):
    upstream.script(Reply(text="Wait.", tool_calls=[Call("weather", {"city": "Oslo"}), Call("time", {})]))
    async with (
        openai.AsyncOpenAI(base_url=upstream.base_url, api_key="sk-test", max_retries=0) as client,
        client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "?"}]) as stream,
    ):
        message = (await stream.get_final_completion()).choices[0].message
    assert message.content == "Wait."
    assert [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or []] == [
        ("call_1", "weather", '{"city": "Oslo"}'),
        ("call_2", "time", "{}"),
    ]
    assert upstream.request_headers[0]["authorization"] == "Bearer sk-test"


async def test_a_refusal_has_status_headers_and_body(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(
        Reply(status=429, headers={"retry-after": "3"}, error={"code": "slow_down"}),
        Reply(status=502, error="<html>bad gateway</html>"),
    )
    async with http.post(f"{upstream.base_url}/chat/completions", json=request()) as answer:
        assert (answer.status, answer.headers["retry-after"]) == (429, "3")
        body = await answer.json()
        validate("ErrorResponse", body)
        assert body["error"]["code"] == "slow_down"
    async with http.post(f"{upstream.base_url}/chat/completions", json=request()) as answer:
        assert (answer.status, await answer.text()) == (502, "<html>bad gateway</html>")


async def test_an_error_in_the_middle_of_a_stream(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(Reply(text="a", error={"message": "out of memory", "type": "server_error"}))
    events = await streamed(http, upstream)
    assert json.loads(events[-1])["error"]["message"] == "out of memory"


async def test_malformed_bodies_are_no_json(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(Reply(text="a", malformed=True), Reply(text="a", malformed=True))
    async with http.post(f"{upstream.base_url}/chat/completions", json=request()) as answer:
        with pytest.raises(json.JSONDecodeError):
            await answer.json()
    events = await streamed(http, upstream)
    with pytest.raises(json.JSONDecodeError):
        [json.loads(event) for event in events if event != "[DONE]"]


@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_broken_stream_delivers_its_first_chunks(
    upstream: ScriptedUpstream, http: aiohttp.ClientSession, count: int
):
    upstream.script(Reply(text="a b c", break_after=count))
    received = b""
    with pytest.raises(aiohttp.ClientPayloadError):  # noqa: PT012 - what came before the break counts too
        async with http.post(f"{upstream.base_url}/chat/completions", json=request(stream=True)) as answer:
            async for piece in answer.content.iter_any():
                received += piece
    assert received.count(b'"content"') == 1 + count  # the role chunk has an empty content
    assert b"[DONE]" not in received
    assert upstream.disconnects == 0


async def test_a_broken_whole_answer_sends_nothing(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    upstream.script(Reply(text="a", break_after=0))
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await whole(http, upstream)


async def test_a_late_reply_waits_for_its_event(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    gate = asyncio.Event()
    upstream.script(Reply(text="late", delay_before=gate))
    answer = asyncio.create_task(whole(http, upstream))
    await upstream.wait_for_requests(1)
    assert not answer.done()
    gate.set()
    assert (await answer)["choices"][0]["message"]["content"] == "late"


async def test_a_stream_waits_at_an_event_among_its_chunks(upstream: ScriptedUpstream, http: aiohttp.ClientSession):
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["first", gate, "second"]))
    async with http.post(f"{upstream.base_url}/chat/completions", json=request(stream=True)) as answer:
        received = b""
        while b"first" not in received:
            received += await answer.content.readany()
        assert b"second" not in received
        gate.set()
        received += await answer.content.read()
    assert b"second" in received
    assert received.rstrip().endswith(b"[DONE]")


@pytest.mark.parametrize("text", ["", "some text"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_gives_up_on_a_hanging_reply_is_noticed(
    upstream: ScriptedUpstream, http: aiohttp.ClientSession, text: str, stream: bool
):
    upstream.script(Reply(text=text, hang=True))

    async def read() -> None:
        async with http.post(f"{upstream.base_url}/chat/completions", json=request(stream=stream)) as answer:
            await answer.read()

    client = asyncio.create_task(read())
    await upstream.wait_for_requests(1)
    assert upstream.disconnects == 0
    client.cancel()
    await upstream.wait_for_disconnects(1)


async def test_closing_the_server_ends_hanging_replies(http: aiohttp.ClientSession):
    async with ScriptedUpstream(default=Reply(hang=True)) as upstream:
        client = asyncio.create_task(whole(http, upstream))
        await upstream.wait_for_requests(1)
    with pytest.raises(aiohttp.ClientError):
        await client
    assert upstream.disconnects == 0


def test_it_runs_in_a_thread_for_clients_that_block():
    with (
        upstream_in_thread() as upstream,
        openai.OpenAI(base_url=upstream.base_url, api_key="sk-test", max_retries=0) as client,
    ):
        answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert answer.choices[0].message.content == "Hi"
    assert len(upstream.requests) == 1
