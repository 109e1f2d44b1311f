"""Tool calls from the real local model, which can only write text."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from retinue.inference.chat import ChatBackend, ChatEvent, ChatRequest, Finished, TextDelta
from retinue.inference.local.process import LocalModel
from retinue.inference.native import NativeChat
from retinue.inference.prompted import PromptedTools
from retinue.inference.prompted.grammar import WORDS
from retinue.inference.route import Route, Server
from retinue.inference.slots import FairSlots
from retinue.inference.upstream import Upstream

# One event loop for the module, in which its servers live.
pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]


class Counted:
    """A backend that remembers what it was asked."""

    def __init__(self, inner: ChatBackend) -> None:
        self._inner = inner
        self.requests: list[ChatRequest] = []

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        self.requests.append(request)
        async with aclosing(self._inner.stream(request)) as events:
            async for event in events:
                yield event


@asynccontextmanager
async def serving(weights: Path) -> AsyncIterator[Counted]:
    model = LocalModel("m", weights, context_length=4096, slots=1, threads=0)
    await model.start()
    assert await model.wait_ready(180), model.reason
    upstream = Upstream(
        "http://local/v1",
        slots=FairSlots(1, waiting=100, timeout=300),
        api_key=model.api_key,
        connector=lambda: aiohttp.UnixConnector(str(model.socket_path), force_close=True),
    )
    yield Counted(NativeChat(Route("m", [Server(upstream)], retries=0)))
    await upstream.close()
    await model.stop()


@pytest.fixture(scope="module")
async def default(default_weights: Path) -> AsyncIterator[Counted]:
    async with serving(default_weights) as backend:
        yield backend


@pytest.fixture(scope="module")
async def small(small_weights: Path) -> AsyncIterator[Counted]:
    async with serving(small_weights) as backend:
        yield backend


def tool(name: str, description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


CITY = {"type": "string", "description": "The city and state e.g. San Francisco, CA"}
UNIT = {"type": "string", "enum": ["c", "f"]}
WEATHER = tool("getCurrentWeather", "Get the weather in location", {"location": CITY, "unit": UNIT}, ["location"])
NICKNAME = tool("getNickname", "Get the nickname of a city", {"location": CITY}, ["location"])
FIND = tool("find_order", "Find the latest order of a customer: gives its id", {"email": {"type": "string"}}, ["email"])
STATUS = tool("order_status", "Get the status of an order", {"order_id": {"type": "string"}}, ["order_id"])


async def ask(
    backend: Counted, messages: list[dict[str, Any]], tools: list[dict[str, Any]], **fields: Any
) -> tuple[str, list[dict[str, Any]], Finished]:
    text, calls, end = "", [], None
    request = ChatRequest(messages, tools, **{"temperature": 0, "max_tokens": 300, **fields})
    async for event in PromptedTools(backend, grammar=True).stream(request):
        if isinstance(event, TextDelta):
            text += event.text
        elif isinstance(event, Finished):
            end = event
        else:
            if event.id:
                function = {"name": event.name, "arguments": ""}
                calls.append({"id": event.id, "type": "function", "function": function})
            calls[event.index]["function"]["arguments"] += event.arguments
    assert end is not None
    assert end.usage.prompt_tokens > 0
    assert (end.reason == "tool_calls") == bool(calls)
    return text, calls, end


def user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def named(calls: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls]


def answering(
    messages: list[dict[str, Any]], calls: list[dict[str, Any]], answer: Callable[[str, dict[str, Any]], str]
) -> list[dict[str, Any]]:
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": answer(*function)}
        for call, function in zip(calls, named(calls), strict=True)
    ]
    return [*messages, {"role": "assistant", "content": None, "tool_calls": calls}, *results]


async def test_two_functions_at_once_then_words(default: Counted) -> None:
    messages = user("What's the weather in San Francisco, and what's its nickname?")
    _, calls, _ = await ask(default, messages, [WEATHER, NICKNAME])
    assert sorted(name for name, _ in named(calls)) == ["getCurrentWeather", "getNickname"]
    assert all("San Francisco" in arguments["location"] for _, arguments in named(calls))
    results = {"getCurrentWeather": "72F and sunny", "getNickname": "The Golden City"}
    text, calls, _ = await ask(default, answering(messages, calls, lambda name, _: results[name]), [WEATHER, NICKNAME])
    assert not calls
    assert "72" in text
    assert "Golden City" in text


async def test_one_function_for_three_cities(default: Counted) -> None:
    _, calls, _ = await ask(default, user("What's the weather in Paris, Tokyo and London?"), [WEATHER, NICKNAME])
    weather = [arguments["location"] for name, arguments in named(calls) if name == "getCurrentWeather"]
    assert len(weather) == 3
    assert all(any(city in location for location in weather) for city in ("Paris", "Tokyo", "London"))


async def test_a_chinese_question(default: Counted) -> None:
    messages = user("查一下北京、上海的天气。")
    _, calls, _ = await ask(default, messages, [WEATHER, NICKNAME])
    assert {name for name, _ in named(calls)} == {"getCurrentWeather"}
    weather = {"北京": "晴，22度", "上海": "小雨，19度"}
    asked = answering(messages, calls, lambda _, arguments: weather.get(arguments["location"][:2], "不详"))
    text, calls, _ = await ask(default, asked, [WEATHER, NICKNAME])
    assert not calls
    assert "22" in text


@pytest.mark.parametrize("greeting", ["Hello! Who are you?", "hi", "你好，你是谁？", "Thanks, that was great!"])
async def test_small_talk_needs_no_function(default: Counted, greeting: str) -> None:
    text, calls, end = await ask(default, user(greeting), [WEATHER, NICKNAME, STATUS])
    assert not calls
    assert text.strip()
    assert end.reason in ("stop", "length")
    assert "answer_in_words" not in text


async def test_a_conversation_of_calls_comes_to_an_end(default: Counted) -> None:
    messages = user("Has the most recent order by eve@example.net shipped?")
    seen: list[tuple[str, str]] = []
    results = {"find_order": "A-1077", "order_status": "shipped on Monday"}
    for _ in range(5):
        text, calls, _ = await ask(default, messages, [FIND, STATUS])
        if not calls:
            assert text
            break
        seen += [(name, json.dumps(arguments)) for name, arguments in named(calls)]
        messages = answering(messages, calls, lambda name, _: results[name])
    else:
        pytest.fail(f"still calling: {seen}")
    assert seen
    assert len(set(seen)) == len(seen)


async def test_forced_calls(default: Counted) -> None:
    choice = {"type": "function", "function": {"name": "getNickname"}}
    _, calls, _ = await ask(default, user("Hello!"), [WEATHER, NICKNAME], tool_choice=choice)
    assert {name for name, _ in named(calls)} == {"getNickname"}
    fields = {"tool_choice": "required", "parallel_tool_calls": False}
    _, calls, _ = await ask(default, user("Weather in Paris and in Rome?"), [WEATHER, NICKNAME], **fields)
    assert len(calls) == 1
    text, calls, _ = await ask(default, user("Weather in Paris?"), [WEATHER], tool_choice="none")
    assert text
    assert not calls


async def test_words_alone_is_a_grammar_the_server_takes(small: Counted) -> None:
    text, _, _ = await ask(small, user('Say {"a": 1} and nothing else.'), [], extra={"grammar": WORDS}, max_tokens=8)
    assert text[0] not in "{[<` \n"


class Holds(dict[str, Any]):
    """A schema with one property, which is required."""

    def __init__(self, inner: Any, **root: Any) -> None:
        super().__init__(type="object", properties={"a": inner}, required=["a"], **root)


SCHEMAS: dict[str, Any] = {
    "absent": None,
    "empty": {},
    "any object": {"type": "object"},
    "pattern": Holds({"type": "string", "pattern": "^(?=a)b$"}),
    "format": Holds({"type": "string", "format": "phone"}),
    "known formats": Holds({"type": "string", "format": "date-time"}),
    "reference": Holds({"$ref": "#/$defs/X"}, **{"$defs": {"X": {"type": "integer"}}}),
    "remote reference": Holds({"$ref": "https://example.com/x"}),
    "recursion": Holds({"$ref": "#"}),
    "one of": Holds({"oneOf": [{"type": "string"}, {"minLength": 1}]}),
    "not": Holds({"not": {"type": "string"}}),
    "condition": Holds({"type": "string"}, **{"if": {"required": ["a"]}, "then": {"required": ["b"]}}),
    "bad type": Holds({"type": "objekt"}),
    "unique": Holds({"type": "array", "items": {"type": "string"}, "uniqueItems": True, "contains": {"const": 1}}),
    "property names": Holds({"type": "object", "propertyNames": {"pattern": "^a"}, "patternProperties": {"^a": {}}}),
    "required but unnamed": {"type": "object", "properties": {}, "required": ["b"], "additionalProperties": False},
    "contradiction": Holds({"type": "integer", "minimum": 10, "maximum": 1}),
    "contradicting enum": Holds({"type": "string", "enum": [1]}),
    "nothing allowed": Holds({"anyOf": []}),
    "huge list": Holds({"type": "array", "items": {"type": "integer"}, "maxItems": 10**6}),
    "huge string": Holds({"type": "string", "maxLength": 10**7}),
    "many properties": {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(300)}},
    "no properties": {"type": "object", "properties": []},
    "nullable": Holds({"type": ["string", "null"], "enum": ["x", None]}),
    "number": Holds({"type": "number", "minimum": 1, "exclusiveMinimum": True, "multipleOf": 0.01}),
    "all of": Holds({"allOf": [{"type": "string"}, {"minLength": 2}]}),
    "python": Holds({"type": "string", "contentMediaType": "text/x-python"}),
    "tuple": Holds({"type": "array", "items": [{"type": "string"}], "prefixItems": [{"type": "string"}]}),
}


@pytest.mark.parametrize("case", SCHEMAS)
async def test_any_schema_can_be_called(small: Counted, case: str) -> None:
    function: dict[str, Any] = {"name": "f", "description": "Does it", "strict": True}
    if SCHEMAS[case] is not None:
        function["parameters"] = SCHEMAS[case]
    small.requests.clear()
    tools = [{"type": "function", "function": function}]
    request = user("Call f, with short values.")
    _, calls, end = await ask(small, request, tools, tool_choice="required", parallel_tool_calls=False)
    # One pass: the first grammar was taken.
    assert len(small.requests) == 1
    assert end.reason in ("tool_calls", "length")
    for _, arguments in named(calls):
        Draft202012Validator({"type": "object"}).validate(arguments)
