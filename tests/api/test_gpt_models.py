"""GPTs as models of chat completions: `model: "gpt:<slug>"`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest

from retinue.accounts.keys import Keys

from ..harness import KEY, Api, Json, Refused, Server, eventually, read_until
from ..scripted import Call, Reply, ScriptedUpstream
from .conftest import member
from .extensions import post

MODEL = "gpt:math-tutor"
HELLO = {"model": MODEL, "messages": [{"role": "user", "content": "What is 2 + 2?"}]}


async def published(api: Api, **fields: object) -> Json:
    body = {"name": "Math Tutor", "instructions": "Teach.", **fields}
    gpt = await api.call("POST", "/gpts", body, extension=True)
    await post(api, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    return gpt


async def no_threads(api: Api) -> None:
    await eventually(lambda: api.call("GET", "/threads", extension=True), lambda page: not page["data"])


async def test_a_gpt_answers_whole(api: Api, upstream: ScriptedUpstream) -> None:
    gpt = await published(api)
    for name in (MODEL, gpt["id"]):
        upstream.script(Reply(text="It is 4.", usage=(11, 4)))
        answer = await api.post("/chat/completions", {**HELLO, "model": name})
        (choice,) = answer["choices"]
        assert (answer["model"], choice["message"]["content"], choice["finish_reason"]) == (MODEL, "It is 4.", "stop")
        assert answer["usage"] == {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}
        assert "annotations" not in choice["message"]
    asked = upstream.requests[-1]["messages"]
    assert asked[0]["content"].endswith("Teach.")
    assert asked[1]["content"] == "What is 2 + 2?"
    await no_threads(api)


async def test_a_gpt_answers_as_chunks(api: Api, upstream: ScriptedUpstream) -> None:
    await published(api)
    upstream.script(Reply(text="It is 4.", usage=(11, 4)))
    chunks = await api.chunks("/chat/completions", {**HELLO, "stream_options": {"include_usage": True}})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas[0] == {"role": "assistant", "content": "", "refusal": None}
    assert "".join(delta.get("content", "") for delta in deltas) == "It is 4."
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[-3:-1]] == [None, "stop"]
    assert chunks[-1]["usage"]["total_tokens"] == 15
    assert {(chunk["model"], chunk["id"]) for chunk in chunks} == {(MODEL, chunks[0]["id"])}
    await no_threads(api)


async def test_by_the_official_client(server: Server, api: Api, upstream: ScriptedUpstream) -> None:
    await published(api)
    options: Any = {"max_retries": 0, "_strict_response_validation": True}
    client = openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY, **options)
    upstream.script(Reply(text="Four."), Reply(text="Five."))
    messages: Any = [
        {"role": "system", "content": "Speak English."},
        {"role": "user", "content": "1 + 1?"},
        {"role": "assistant", "content": "Two."},
        {"role": "user", "content": [{"type": "text", "text": "2 + 2?"}]},
    ]
    whole = await client.chat.completions.create(model=MODEL, messages=messages, temperature=0.3, max_tokens=20)
    assert whole.choices[0].message.content == "Four."
    request = upstream.requests[-1]
    assert [one["role"] for one in request["messages"]] == ["system", "user", "assistant", "user"]
    assert "Teach." in request["messages"][0]["content"]
    assert request["messages"][0]["content"].endswith("Speak English.")
    assert (request["temperature"], request["max_tokens"]) == (0.3, 20)
    await client.models.retrieve(MODEL)
    async with client.chat.completions.stream(model=MODEL, messages=messages) as stream:
        said = [event.delta async for event in stream if event.type == "content.delta"]
        assert ("".join(said), (await stream.get_final_completion()).choices[0].finish_reason) == ("Five.", "stop")


async def test_it_answers_with_its_tools_and_cites(api: Api, upstream: ScriptedUpstream) -> None:
    file = await api.file("The trick goes to the highest trump. " * 400, "rules.txt")
    gpt = await published(api, knowledge=[file])
    (store,) = (
        await api.get(f"/assistants/{(await api.call('GET', '/gpts/' + gpt['id'], extension=True))['assistant_id']}")
    )["tool_resources"]["file_search"]["vector_store_ids"]
    await api.settled(f"/vector_stores/{store}")
    for stream in (False, True):
        upstream.script(
            Reply(text="Let me see.", tool_calls=[Call("file_search", {"query": "trick"})]),
            Reply(text="To the highest trump【0:0†rules.txt】."),
        )
        if stream:
            # As the official API streams them, though its document does not say so.
            async with api.open_stream("/chat/completions", HELLO) as response:
                lines = (await response.text()).split("\n\n")
            chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
            text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
            (cited,) = chunks[-1]["choices"][0]["delta"]["annotations"]
        else:
            message = (await api.post("/chat/completions", HELLO))["choices"][0]["message"]
            text, (cited,) = message["content"], message["annotations"]
        place = cited["url_citation"]
        assert text.startswith("Let me see.\n\nTo the highest trump")
        assert text[place["start_index"] : place["end_index"]].startswith("【")
        assert (cited["type"], place["title"]) == ("url_citation", "rules.txt")
        assert place["url"].endswith(f"/v1/files/{file}/content")


async def test_functions_that_nobody_offers_are_denied(api: Api, upstream: ScriptedUpstream) -> None:
    await published(api)
    upstream.script(Reply(tool_calls=[Call("launch", {})]), Reply(text="I cannot."))
    answer = await api.post("/chat/completions", HELLO)
    assert answer["choices"][0]["message"]["content"] == "I cannot."
    assert "there is no such function" in upstream.requests[-1]["messages"][-1]["content"]


async def test_a_limit_ends_it(api: Api, upstream: ScriptedUpstream) -> None:
    await published(api)
    upstream.script(Reply(text="It is", finish_reason="length"))
    answer = await api.post("/chat/completions", {**HELLO, "max_completion_tokens": 2})
    assert (answer["choices"][0]["finish_reason"], answer["choices"][0]["message"]["content"]) == ("length", "It is")


async def test_who_hangs_up_ends_the_work(api: Api, upstream: ScriptedUpstream) -> None:
    await published(api)
    upstream.script(Reply(text="It is going to", hang=True))
    async with api.open_stream("/chat/completions", HELLO) as response:
        await read_until(response.content, b"going")
        assert len((await api.call("GET", "/threads", extension=True))["data"]) == 1
    await no_threads(api)
    upstream.script(Reply(text="", hang=True))
    task = asyncio.create_task(api.post("/chat/completions", HELLO))
    await eventually(lambda: api.call("GET", "/threads", extension=True), lambda page: page["data"])
    await eventually(_asked(upstream, 2))
    task.cancel()
    await no_threads(api)
    assert not (await api.call("GET", "/runs", extension=True))["data"]


def _asked(upstream: ScriptedUpstream, number: int) -> Callable[[], Awaitable[bool]]:
    async def asked() -> bool:
        return len(upstream.requests) >= number

    return asked


@pytest.mark.parametrize("stream", [False, True])
async def test_a_failure_is_told_by_its_status(api: Api, upstream: ScriptedUpstream, stream: bool) -> None:
    await published(api)
    upstream.script(Reply(status=500, error={"message": "broken"}))
    if stream:
        with pytest.raises(Refused) as refused:
            await api.chunks("/chat/completions", HELLO)
        assert refused.value.answer.status == 502
    else:
        await api.refused("POST", "/chat/completions", HELLO, status=502)
    await no_threads(api)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("logprobs", True),
        ("tools", [{"type": "function", "function": {"name": "f"}}]),
        ("functions", [{"name": "f"}]),
        ("stop", "x"),
        ("seed", 1),
        ("store", True),
        ("presence_penalty", 1.0),
        ("logit_bias", {"1": 5}),
    ],
)
async def test_parameters_that_a_gpt_would_ignore_are_refused(api: Api, field: str, value: object) -> None:
    await published(api)
    error = await api.refused("POST", "/chat/completions", {**HELLO, field: value})
    assert (error["code"], error["param"]) == ("unsupported_parameter", field)


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "Only this."}],
        [{"role": "tool", "tool_call_id": "x", "content": "y"}],
        [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
        [{"role": "user", "content": "x" * 256_001}],
    ],
)
async def test_messages_that_threads_do_not_have_are_refused(api: Api, messages: list[Json]) -> None:
    await published(api)
    error = await api.refused("POST", "/chat/completions", {**HELLO, "messages": messages})
    assert error["param"].startswith("messages")
    await api.refused("POST", "/chat/completions", {**HELLO, "top_k": 3})
    await no_threads(api)


async def test_whoever_may_not_use_it_finds_no_model(api: Api, keys: Keys) -> None:
    ada, bob = await member(api, keys, "Ada"), await member(api, keys, "Bob")
    gpt = await ada.call("POST", "/gpts", {"name": "Math Tutor"}, extension=True)
    for client in (ada, bob):
        error = await client.refused("POST", "/chat/completions", HELLO, status=404)
        assert (error["code"], error["param"]) == ("model_not_found", "model")
    await post(ada, f"/gpts/{gpt['id']}/publish")
    assert (await ada.post("/chat/completions", HELLO))["model"] == MODEL
    await bob.refused("POST", "/chat/completions", HELLO, status=404)
    await bob.refused("POST", "/chat/completions", {**HELLO, "model": gpt["id"]}, status=404)


async def test_gpts_are_listed_as_models_for_whoever_wants_that(api: Api, keys: Keys) -> None:
    ada = await member(api, keys, "Ada")
    await published(ada)
    assert MODEL not in [one["id"] for one in (await api.get("/models"))["data"]]
    (found,) = [one for one in (await api.get("/models?gpts=true"))["data"] if one["id"] == MODEL]
    assert (found["owned_by"], found["retinue"]["serves"]) == ("Ada", "scripted")
    assert await api.get(f"/models/{MODEL}") == found
    error = await api.refused("GET", "/models/gpt:nothing", status=404)
    assert error["code"] == "model_not_found"
