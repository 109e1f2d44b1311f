"""What the programs for the official Python clients share."""

from __future__ import annotations

import unittest
from typing import Any

from openai import OpenAI
from openai.types.beta.threads import Message, Run

MODEL = "gpt-4o"
OPTIONS: Any = {"max_retries": 0, "timeout": 20, "_strict_response_validation": True}


def function(name: str) -> Any:
    """A function tool that asks about a city."""
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


TOOLS = [function("getCurrentWeather"), function("getNickname")]
OUTPUTS = {"getCurrentWeather": "7°", "getNickname": "The Tiger City"}
ANSWER = "7°, The Tiger City"


def outputs(run: Run) -> Any:
    """What the functions answer that a run waits for."""
    assert run.required_action
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": OUTPUTS[call.function.name]} for call in calls]


def text_of(message: Message) -> str:
    (part,) = message.content
    assert part.type == "text"
    return part.text.value


def asked(text: str) -> Any:
    """The messages of a new thread on which `text` is asked."""
    return [{"role": "user", "content": text}]


class WithClient(unittest.TestCase):
    """A client, and an assistant with and one without functions."""

    def setUp(self) -> None:
        # No types: they are not the same in all lines.
        self.client: Any = OpenAI(**OPTIONS)
        self.addCleanup(self.client.close)
        self.assistants = self.client.beta.assistants
        self.threads = self.client.beta.threads
        self.runs = self.threads.runs
        self.messages = self.threads.messages
        self.tutor = self.assistants.create(name="Math Tutor", instructions="You are a math tutor.", model=MODEL).id
        self.guide = self.assistants.create(model=MODEL, tools=TOOLS).id
