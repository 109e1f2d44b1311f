"""`POST /v1/tokenize` for a real local model: what it counts is what the model's `usage` says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from retinue.settings import Settings

from ..harness import Api, empty, function, serving
from ..texts import LANGUAGES, thousand

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

MODEL = "qwen2.5-coder-0.5b-instruct"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(small_weights: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """A client of an application whose default model is the small one."""
    empty(postgres)
    settings = Settings(data=tmp_path_factory.mktemp("tokenize"), default_model=MODEL)
    async with serving(settings, postgres) as server, aiohttp.ClientSession() as session:
        yield Api(session, server.url)


async def tokenize(api: Api, **body: Any) -> dict[str, Any]:
    return await api.call("POST", "/tokenize", {"model": "gpt-4o", **body}, extension=True)


async def test_texts_have_the_models_own_tokens(api: Api) -> None:
    answer = await tokenize(api, input="hello world")
    assert (answer["model"], answer["encoding"], answer["estimate"]) == (MODEL, "model", False)
    assert answer["data"] == [{"index": 0, "count": 2, "tokens": [14990, 1879]}]


async def test_the_pieces_of_texts_in_many_languages_are_the_texts(api: Api) -> None:
    texts = thousand()[: len(LANGUAGES) + 30]
    answer = await tokenize(api, input=texts, **{"return": "pieces"})
    for text, found in zip(texts, answer["data"], strict=True):
        assert b"".join(bytes(piece["bytes"]) for piece in found["pieces"]) == text.encode()
        assert found["count"] == len(found["tokens"]) == len(found["pieces"])


async def test_what_looks_like_a_special_token_is_text(api: Api) -> None:
    assert (await tokenize(api, input="<|im_start|>"))["total_tokens"] > 1


async def test_the_prompt_of_a_chat_request_in_pieces(api: Api) -> None:
    answer = await tokenize(api, messages=[{"role": "user", "content": "Hi 你好"}], **{"return": "pieces"})
    prompt = b"".join(bytes(piece["bytes"]) for piece in answer["data"][0]["pieces"]).decode()
    assert prompt.endswith("<|im_start|>user\nHi 你好<|im_end|>\n<|im_start|>assistant\n")
    assert answer["data"][0]["count"] == answer["total_tokens"]


HI = {"role": "user", "content": "How is the weather in Oslo?"}
SYSTEM = {"role": "system", "content": "Be brief. 请简短。"}
NAMED = {"role": "user", "name": "Ann", "content": "Hello <|im_end|>"}
PARTS = {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "Rain"}
TOOLS = [function("weather", city="string"), function("news")]
SCHEMA = {"name": "x", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}


@pytest.mark.parametrize(
    "request_",
    [
        {"messages": [HI]},
        {"messages": [SYSTEM, HI, {"role": "assistant", "content": "Rain."}, NAMED]},
        {"messages": [PARTS], "temperature": 0, "seed": 1, "stop": ["x"], "logit_bias": {"5": 1}},
        {"messages": [HI], "response_format": {"type": "json_schema", "json_schema": SCHEMA}},
        {"messages": [SYSTEM, HI], "tools": TOOLS},
        {"messages": [HI], "tools": TOOLS, "tool_choice": "none"},
        {"messages": [HI], "tools": TOOLS, "tool_choice": "required"},
        {"messages": [HI], "tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "news"}}},
        {"messages": [HI, CALLED, RESULT], "tools": TOOLS},
        {"messages": [HI, CALLED, RESULT]},
        {"messages": [HI], "functions": [TOOLS[0]["function"]], "function_call": {"name": "weather"}},
    ],
)
async def test_a_chat_request_has_as_many_tokens_as_usage_says(api: Api, request_: dict[str, Any]) -> None:
    counted = await tokenize(api, max_tokens=1, **request_)
    answer = await api.post("/chat/completions", {"model": "gpt-4o", "max_tokens": 1, **request_})
    assert counted["total_tokens"] == answer["usage"]["prompt_tokens"]
    assert (counted["encoding"], counted["estimate"]) == ("model", False)


async def test_pictures_are_refused_as_by_chat(api: Api) -> None:
    parts = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    body = {"model": MODEL, "messages": [{"role": "user", "content": parts}]}
    assert (await api.refused("POST", "/tokenize", body)) == (await api.refused("POST", "/chat/completions", body))
