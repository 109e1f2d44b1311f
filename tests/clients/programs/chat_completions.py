"""What code written for chat completions does with the official Python client, as far as all its lines agree.

Run like `assistants.py`.
"""

from __future__ import annotations

import json
import unittest
from typing import Any

import openai
from common import ANSWER, MODEL, OPTIONS, OUTPUTS, TOOLS, asked
from openai import AsyncOpenAI, OpenAI

QUESTION = [
    {"role": "system", "content": "You are a helpful assistant."},
    {"role": "user", "content": "Hello! 你好!"},
]
SAID = "Hello! 你好!"


def text_of(chunks: list[Any], index: int = 0) -> str:
    """The text of one choice of a stream."""
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


def outputs(calls: Any) -> list[Any]:
    """The messages that answer calls."""
    return [
        {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": OUTPUTS[call.function.name]}
        for call in calls
    ]


class WithChat(unittest.TestCase):
    """A client."""

    def setUp(self) -> None:
        # No types: they are not the same in all lines.
        self.client: Any = OpenAI(**OPTIONS)
        self.addCleanup(self.client.close)
        self.chat = self.client.chat.completions


class Answers(WithChat):
    """Whole answers."""

    def test_an_answer(self) -> None:
        answer = self.chat.create(
            model="gpt-3.5-turbo", messages=QUESTION, temperature=0, seed=1, stop=["。"], user="u"
        )
        (choice,) = answer.choices
        self.assertEqual(
            (choice.message.role, choice.message.content, choice.finish_reason), ("assistant", SAID, "stop")
        )
        self.assertEqual((answer.object, answer.model), ("chat.completion", "scripted"))
        self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)

    def test_several_answers(self) -> None:
        answer = self.chat.create(model=MODEL, messages=QUESTION, n=3)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1, 2])
        self.assertEqual({choice.message.content for choice in answer.choices}, {SAID})

    def test_the_answer_as_it_was_sent(self) -> None:
        response = self.chat.with_raw_response.create(model=MODEL, messages=QUESTION)
        self.assertEqual(response.parse().choices[0].message.content, SAID)
        self.assertEqual(response.headers["openai-model"], "scripted")
        self.assertTrue(response.headers["x-request-id"].startswith("req_"))
        for name in ("limit-requests", "remaining-requests", "reset-requests", "limit-tokens", "remaining-tokens"):
            self.assertTrue(response.headers[f"x-ratelimit-{name}"])

    def test_errors(self) -> None:
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.chat.create(model=MODEL, messages=QUESTION, temperature=3)
        self.assertEqual(wrong.exception.param, "temperature")
        with self.assertRaises(openai.NotFoundError) as unknown:
            self.chat.create(model="none", messages=QUESTION)
        self.assertEqual(unknown.exception.code, "model_not_found")
        for stream in (False, True):
            with self.assertRaisesRegex(openai.BadRequestError, "The model refuses"):
                self.chat.create(model=MODEL, messages=asked("Fail."), stream=stream)


class Streams(WithChat):
    """Streamed answers."""

    def test_chunks(self) -> None:
        chunks = list(self.chat.create(model=MODEL, messages=QUESTION, stream=True))
        self.assertEqual(text_of(chunks), SAID)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual(chunks[-1].choices[0].finish_reason, "stop")
        self.assertEqual(len({(chunk.id, chunk.created) for chunk in chunks}), 1)

    def test_two_answers(self) -> None:
        chunks = list(self.chat.create(model=MODEL, messages=QUESTION, stream=True, n=2))
        self.assertEqual([text_of(chunks, index) for index in (0, 1)], [SAID, SAID])
        ends = [choice.index for chunk in chunks for choice in chunk.choices if choice.finish_reason]
        self.assertEqual(sorted(ends), [0, 1])

    def test_a_reader_who_leaves(self) -> None:
        stream = self.chat.create(model=MODEL, messages=asked("Count forever."), stream=True)
        self.assertEqual(next(chunk for chunk in stream if chunk.choices[0].delta.content).choices[0].index, 0)
        stream.close()
        self.assertEqual(self.chat.create(model=MODEL, messages=QUESTION).choices[0].message.content, SAID)

    def test_lines(self) -> None:
        with self.chat.with_streaming_response.create(model=MODEL, messages=QUESTION, stream=True) as response:
            self.assertEqual(response.headers["openai-model"], "scripted")
            lines = [line for line in response.iter_lines() if line.startswith("data: ")]
        self.assertEqual(lines[-1], "data: [DONE]")
        self.assertEqual(json.loads(lines[0][6:])["object"], "chat.completion.chunk")


class Functions(WithChat):
    """Functions that the client calls."""

    def test_calls_and_outputs(self) -> None:
        messages = asked("Oslo?")
        first = self.chat.create(model=MODEL, messages=messages, tools=TOOLS, tool_choice="auto").choices[0]
        self.assertEqual((first.finish_reason, first.message.content), ("tool_calls", None))
        calls = first.message.tool_calls
        self.assertEqual([call.function.name for call in calls], list(OUTPUTS))
        self.assertEqual([json.loads(call.function.arguments) for call in calls], [{"city": "Oslo"}] * 2)
        # The message goes back as the client's own object.
        messages = [*messages, first.message, *outputs(calls)]
        second = self.chat.create(model=MODEL, messages=messages).choices[0]
        self.assertEqual((second.message.content, second.finish_reason), (ANSWER, "stop"))

    def test_streamed_calls(self) -> None:
        chunks = list(self.chat.create(model=MODEL, messages=asked("Oslo?"), tools=TOOLS, stream=True))
        arguments = {0: "", 1: ""}
        for chunk in chunks:
            for call in chunk.choices[0].delta.tool_calls or ():
                arguments[call.index] += call.function.arguments or ""
        self.assertEqual([json.loads(text) for text in arguments.values()], [{"city": "Oslo"}] * 2)
        self.assertEqual(chunks[-1].choices[0].finish_reason, "tool_calls")

    def test_as_before_tools(self) -> None:
        functions = [tool["function"] for tool in TOOLS[:1]]
        first = self.chat.create(model=MODEL, messages=asked("Oslo?"), functions=functions, function_call="auto")
        (choice,) = first.choices
        call = choice.message.function_call
        self.assertEqual((choice.finish_reason, call.name), ("function_call", "getCurrentWeather"))
        output = {"role": "function", "name": call.name, "content": OUTPUTS[call.name]}
        second = self.chat.create(model=MODEL, messages=[*asked("Oslo?"), choice.message, output], functions=functions)
        self.assertEqual(second.choices[0].message.content, "7°")


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    """The same on the asynchronous client."""

    async def test_an_answer_and_a_stream(self) -> None:
        async with AsyncOpenAI(**OPTIONS) as client:
            chat: Any = client.chat.completions
            answer = await chat.create(model=MODEL, messages=QUESTION)
            self.assertEqual(answer.choices[0].message.content, SAID)
            chunks = [chunk async for chunk in await chat.create(model=MODEL, messages=QUESTION, stream=True)]
            self.assertEqual(text_of(chunks), SAID)
