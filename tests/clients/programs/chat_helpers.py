"""The helpers for chat completions that newer lines of the Python client have: `stream` and `parse`.

Run like `assistants.py`.
"""

from __future__ import annotations

import unittest
from typing import Any

import openai
from chat_completions import QUESTION, SAID, WithChat, outputs
from common import ANSWER, MODEL, OPTIONS, OUTPUTS, TOOLS, asked
from openai import AsyncOpenAI
from pydantic import BaseModel


class Place(BaseModel):
    """Where something is."""

    city: str


OSLO = Place(city="Oslo")


def helpers(client: Any) -> Any:
    """What has `stream` and `parse`; they were under `beta` at first."""
    chat = client.chat.completions
    return chat if hasattr(chat, "parse") else client.beta.chat.completions


class Parsed(WithChat):
    """Answers and arguments as objects."""

    def setUp(self) -> None:
        super().setUp()
        self.helpers = helpers(self.client)

    def test_an_answer(self) -> None:
        answer = self.helpers.parse(model=MODEL, messages=asked("Where?"), response_format=Place)
        self.assertEqual(answer.choices[0].message.parsed, OSLO)

    def test_arguments(self) -> None:
        tool = openai.pydantic_function_tool(Place, name="find")
        answer = self.helpers.parse(model=MODEL, messages=asked("Where?"), tools=[tool])
        (call,) = answer.choices[0].message.tool_calls
        self.assertEqual((call.function.name, call.function.parsed_arguments), ("find", OSLO))

    def test_a_stream(self) -> None:
        options = {"include_usage": True}
        with self.helpers.stream(model=MODEL, messages=QUESTION, stream_options=options) as stream:
            events = list(stream)
            final = stream.get_final_completion()
        self.assertEqual("".join(event.delta for event in events if event.type == "content.delta"), SAID)
        self.assertEqual([event.content for event in events if event.type == "content.done"], [SAID])
        self.assertEqual((final.choices[0].message.content, final.choices[0].finish_reason), (SAID, "stop"))
        self.assertEqual(final.usage.total_tokens, 12)

    def test_a_stream_of_an_object(self) -> None:
        with self.helpers.stream(model=MODEL, messages=asked("Where?"), response_format=Place) as stream:
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.parsed, OSLO)

    def test_a_stream_with_calls(self) -> None:
        with self.helpers.stream(model=MODEL, messages=asked("Oslo?"), tools=TOOLS) as stream:
            done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
            (choice,) = stream.get_final_completion().choices
        self.assertEqual([event.name for event in done], list(OUTPUTS))
        # The message goes back as the client's own object, which has parsed the arguments.
        messages = [*asked("Oslo?"), choice.message, *outputs(choice.message.tool_calls)]
        self.assertEqual(self.chat.create(model=MODEL, messages=messages).choices[0].message.content, ANSWER)


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    """The same on the asynchronous client."""

    async def test_objects(self) -> None:
        async with AsyncOpenAI(**OPTIONS) as client:
            chat = helpers(client)
            answer = await chat.parse(model=MODEL, messages=asked("Where?"), response_format=Place)
            self.assertEqual(answer.choices[0].message.parsed, OSLO)
            async with chat.stream(model=MODEL, messages=asked("Where?"), response_format=Place) as stream:
                self.assertEqual((await stream.get_final_completion()).choices[0].message.parsed, OSLO)
