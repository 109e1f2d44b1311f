"""LangChain's `ChatOpenAI`, as applications use it. Run like `assistants.py`."""

# LangChain is in the environment of the program, not in that of the types' checker.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import unittest
from typing import Any

from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

ASKED = [SystemMessage("You are a helpful assistant."), HumanMessage("Where was it played? 在哪里？")]
SAID = "Where was it played? 在哪里？"


@tool
def get_current_weather(city: str) -> str:
    """The weather in a city."""
    return f"7° in {city}"


@tool
def get_nickname(city: str) -> str:
    """What people call a city."""
    return f"{city}, the Tiger City"


TOOLS: list[Any] = [get_current_weather, get_nickname]


class Place(BaseModel):
    """Where something is."""

    city: str


OSLO = Place(city="Oslo")


def model(**options: Any) -> Any:
    """The chat model, at the address that the environment names."""
    return ChatOpenAI(model="gpt-4o", temperature=0, max_retries=0, timeout=20, **options)


class Texts(unittest.TestCase):
    """Texts out of messages."""

    def test_invoke(self) -> None:
        answer = model().invoke(ASKED)
        self.assertEqual(answer.content, SAID)
        self.assertEqual(answer.response_metadata["model_name"], "scripted")
        self.assertEqual(answer.usage_metadata["total_tokens"], 12)
        self.assertEqual(answer.response_metadata["finish_reason"], "stop")

    def test_stream(self) -> None:
        chunks = list(model(stream_usage=True).stream(ASKED))
        self.assertGreater(len([chunk for chunk in chunks if chunk.content]), 1)
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        self.assertEqual(whole.content, SAID)
        self.assertEqual(whole.usage_metadata["total_tokens"], 12)

    def test_batch(self) -> None:
        answers = model().batch(["one", "two", "three"])
        self.assertEqual([answer.content for answer in answers], ["one", "two", "three"])

    def test_several_answers(self) -> None:
        (answers,) = model(n=2).generate([ASKED]).generations
        self.assertEqual([answer.text for answer in answers], [SAID, SAID])


class Tools(unittest.TestCase):
    """Functions that the model calls."""

    def test_calls_and_outputs(self) -> None:
        bound = model().bind_tools(TOOLS)
        messages: list[Any] = [HumanMessage("Oslo?")]
        messages.append(bound.invoke(messages))
        calls = messages[-1].tool_calls
        self.assertEqual([call["name"] for call in calls], [one.name for one in TOOLS])
        outputs = [one.invoke(call) for one, call in zip(TOOLS, calls, strict=True)]
        self.assertTrue(all(isinstance(output, ToolMessage) for output in outputs))
        self.assertEqual(bound.invoke([*messages, *outputs]).content, "7° in Oslo, Oslo, the Tiger City")

    def test_streamed_calls(self) -> None:
        whole = None
        for chunk in model().bind_tools(TOOLS, tool_choice="required").stream("Oslo?"):
            whole = chunk if whole is None else whole + chunk
        assert whole is not None
        self.assertEqual([call["args"] for call in whole.tool_calls], [{"city": "Oslo"}] * 2)


class Objects(unittest.TestCase):
    """Answers as objects."""

    def test_each_method(self) -> None:
        for method in ("json_schema", "function_calling"):
            with self.subTest(method):
                self.assertEqual(model().with_structured_output(Place, method=method).invoke("Where?"), OSLO)

    def test_json_mode(self) -> None:
        asked = model().with_structured_output(Place, method="json_mode")
        self.assertEqual(asked.invoke('{"city": "Oslo"}'), OSLO)


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    """The same on the asynchronous client."""

    async def test_texts(self) -> None:
        self.assertEqual((await model().ainvoke(ASKED)).content, SAID)
        self.assertEqual("".join([chunk.content async for chunk in model().astream(ASKED)]), SAID)
        self.assertEqual([answer.content for answer in await model().abatch(["one", "two"])], ["one", "two"])
