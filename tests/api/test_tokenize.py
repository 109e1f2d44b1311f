"""`POST /v1/tokenize`: texts as tokens, and the tokens of chat requests."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from retinue.inference.tokenizers import encode
from retinue.wire.tokenize import EncodingName

from ..harness import Api, function
from ..texts import thousand

HELLO = {"role": "user", "content": "hello"}


async def tokenize(api: Api, **body: Any) -> dict[str, Any]:
    return await api.call("POST", "/tokenize", body, extension=True)


async def test_a_text_and_its_tokens(api: Api) -> None:
    assert await tokenize(api, encoding="cl100k_base", input="tiktoken is great!") == {
        "object": "tokenization",
        "model": None,
        "encoding": "cl100k_base",
        "estimate": False,
        "total_tokens": 6,
        "data": [{"index": 0, "count": 6, "tokens": [83, 1609, 5963, 374, 2294, 0]}],
    }


@pytest.mark.parametrize("name", get_args(EncodingName))
async def test_a_thousand_texts(api: Api, name: EncodingName) -> None:
    """They are those that the unit tests compare with tiktoken."""
    texts = thousand()
    answer = await tokenize(api, encoding=name, input=texts)
    assert [text["index"] for text in answer["data"]] == list(range(1000))
    assert [text["tokens"] for text in answer["data"]] == await encode(name, texts)
    assert answer["total_tokens"] == sum(text["count"] for text in answer["data"])


async def test_counts_alone(api: Api) -> None:
    answer = await tokenize(api, encoding="o200k_base", input=["hello world", ""], **{"return": "counts"})
    assert answer["data"] == [{"index": 0, "count": 2}, {"index": 1, "count": 0}]


async def test_pieces_show_bytes_that_are_no_text(api: Api) -> None:
    answer = await tokenize(api, encoding="cl100k_base", input="お誕", **{"return": "pieces"})
    assert answer["data"] == [
        {
            "index": 0,
            "count": 3,
            "tokens": [33334, 45918, 243],
            "pieces": [
                {"token": "お", "bytes": [0xE3, 0x81, 0x8A]},
                {"token": "\\xe8\\xaa", "bytes": [0xE8, 0xAA]},
                {"token": "\\x95", "bytes": [0x95]},
            ],
        }
    ]


async def test_what_looks_like_a_special_token_is_text(api: Api) -> None:
    answer = await tokenize(api, encoding="cl100k_base", input="<|endoftext|>")
    assert 100257 not in answer["data"][0]["tokens"]
    assert answer["total_tokens"] == 7


# --- which tokenizer


@pytest.mark.model_settings(served_name="openai/gpt-4o")
async def test_the_name_that_the_server_is_asked_for_tells_the_encoding(api: Api) -> None:
    answer = await tokenize(api, model="gpt-3.5-turbo", input="hello world")
    assert (answer["model"], answer["encoding"], answer["estimate"]) == ("scripted", "o200k_base", False)
    assert answer["data"][0]["tokens"] == [24912, 2375]


@pytest.mark.model_settings(served_name="openai/gpt-4o", tokenizer="cl100k_base")
async def test_the_setting_comes_before_the_name(api: Api) -> None:
    answer = await tokenize(api, model="scripted", input="hello world")
    assert (answer["encoding"], answer["data"][0]["tokens"]) == ("cl100k_base", [15339, 1917])


async def test_an_alias_is_believed_last_and_makes_an_estimate(api: Api) -> None:
    answer = await tokenize(api, model="gpt-4o", input="hello world")
    assert (answer["model"], answer["encoding"], answer["estimate"]) == ("scripted", "o200k_base", True)


async def test_a_named_encoding_comes_first(api: Api) -> None:
    answer = await tokenize(api, model="gpt-4o", encoding="cl100k_base", input="hello world")
    assert (answer["model"], answer["encoding"], answer["estimate"]) == (None, "cl100k_base", False)


@pytest.mark.parametrize("content", [{"input": "hello"}, {"messages": [HELLO]}])
async def test_an_unknown_tokenizer_is_refused_with_what_to_do(api: Api, content: dict[str, Any]) -> None:
    error = await api.refused("POST", "/tokenize", {"model": "scripted", **content})
    assert error["code"] == "unknown_tokenizer"
    assert "`encoding`" in error["message"]
    assert "`tokenizer`" in error["message"]


# --- chat requests


@pytest.mark.model_settings(tokenizer="cl100k_base")
async def test_a_chat_request_is_counted_without_asking_the_model(api: Api, upstream: Any) -> None:
    body = {"model": "scripted", "messages": [HELLO], "temperature": 1, "stream": True, "max_tokens": 5}
    assert await tokenize(api, **body) == {
        "object": "tokenization",
        "model": "scripted",
        "encoding": "cl100k_base",
        "estimate": False,
        "total_tokens": 8,
        "data": [{"index": 0, "count": 8}],
    }
    assert upstream.requests == []


async def test_tools_and_functions_count_the_same_and_are_estimates(api: Api) -> None:
    tool = function("foo")
    body = {"model": "any", "encoding": "cl100k_base", "messages": [HELLO]}
    tools = await tokenize(api, **body, tools=[tool])
    functions = await tokenize(api, **body, functions=[tool["function"]])
    assert tools == functions
    assert (tools["total_tokens"], tools["estimate"]) == (31, True)
    none = await tokenize(api, **body, functions=[tool["function"]], function_call="none")
    assert none["total_tokens"] == 32
    chosen = await tokenize(api, **body, functions=[tool["function"]], function_call={"name": "foo"})
    assert chosen["total_tokens"] == 36


async def test_a_request_with_every_role_is_counted(api: Api) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": " kind."}]},
        {"role": "user", "name": "Ann", "content": "Hi"},
        {"role": "assistant", "tool_calls": [call], "content": None},
        {"role": "tool", "tool_call_id": "call_1", "content": "1"},
        {"role": "assistant", "refusal": "No."},
        {"role": "assistant", "function_call": {"name": "g", "arguments": "{}"}},
        {"role": "function", "name": "g", "content": "2"},
    ]
    answer = await tokenize(api, model="any", encoding="o200k_base", messages=messages)
    assert answer["total_tokens"] > 7 * 3 + 3
    assert answer["estimate"]


# --- refusals


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": "x"}, "model"),
        ({"input": 5, "encoding": "cl100k_base"}, "input"),
        ({"input": [], "encoding": "cl100k_base"}, "input"),
        ({"input": ["x"] * 2049, "encoding": "cl100k_base"}, "input"),
        ({"input": "x", "encoding": "p50k_base"}, "encoding"),
        ({"input": "x", "encoding": "cl100k_base", "return": "all"}, "return"),
        ({"input": "x", "encoding": "cl100k_base", "stop": "x"}, "stop"),
        ({"input": "x" * 70_000, "encoding": "cl100k_base", "return": "pieces"}, "return"),
        ({"messages": [HELLO], "encoding": "cl100k_base"}, "model"),
        ({"messages": [], "model": "gpt-4o"}, "messages"),
        ({"messages": [HELLO], "model": "gpt-4o", "return": "tokens"}, "return"),
        ({"messages": [HELLO], "model": "gpt-4o", "temperature": 3}, "temperature"),
        ({"messages": [HELLO], "model": "gpt-4o", "tool_choice": "auto"}, "tool_choice"),
        ({"input": " " * 900_001, "encoding": "cl100k_base"}, None),
    ],
)
async def test_what_is_wrong_is_named(api: Api, body: dict[str, Any], param: str | None) -> None:
    error = await api.refused("POST", "/tokenize", body)
    assert error["param"] == param, error


async def test_an_unknown_model_is_404(api: Api) -> None:
    error = await api.refused("POST", "/tokenize", {"model": "nope", "input": "x"}, status=404)
    assert error["code"] == "model_not_found"


@pytest.mark.settings(max_tokenize_bytes=2000)
async def test_a_request_beyond_the_limit_is_413(api: Api) -> None:
    await tokenize(api, encoding="cl100k_base", input="x" * 1000)
    await api.refused("POST", "/tokenize", {"encoding": "cl100k_base", "input": "x" * 2000}, status=413)


async def test_text_that_is_no_unicode_is_refused(api: Api) -> None:
    data = json.dumps({"encoding": "cl100k_base", "input": "\ud800"}).encode()
    answer = await api.request("POST", "/tokenize", data=data)
    assert answer.status == 400
