"""LangChain's `OpenAIAssistantRunnable`, as articles of its time use it: created, invoked, with tools of one's own.

Run by `unittest` with OPENAI_BASE_URL and OPENAI_API_KEY set; `create_assistant` makes its own client from them.
"""

# LangChain is in the environment of the program, not in that of the types' checker.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import unittest
from typing import Any

from langchain_classic.agents import AgentExecutor
from langchain_classic.agents.openai_assistant import OpenAIAssistantRunnable
from langchain_core.tools import tool

INSTRUCTIONS = "You are a professional data analyst. Write and run Python code to answer the question."


@tool
def get_current_weather(city: str) -> str:
    """The weather in a city."""
    return f"7° in {city}"


@tool
def get_nickname(city: str) -> str:
    """What people call a city."""
    return f"{city}, the Tiger City"


TOOLS: list[Any] = [get_current_weather, get_nickname]
ANSWER = "7° in Oslo, Oslo, the Tiger City"


def assistant(**fields: Any) -> OpenAIAssistantRunnable:
    """A new assistant that asks for its run's state every 20 ms."""
    return OpenAIAssistantRunnable.create_assistant(
        name="data analysis assistant", instructions=INSTRUCTIONS, model="gpt-4", check_every_ms=20, **fields
    )


class AsRunnable(unittest.TestCase):
    """Messages out of messages."""

    def test_a_question_and_the_next(self) -> None:
        analyst = assistant(tools=[])
        (message,) = analyst.invoke({"content": "最近2周活跃表现最突出的是哪一天?", "thread_metadata": {"user": "a"}})
        self.assertEqual((message.role, message.assistant_id), ("assistant", analyst.assistant_id))
        self.assertEqual(message.content[0].text.value, "最近2周活跃表现最突出的是哪一天?")
        (message,) = analyst.invoke(
            {"content": "What are your instructions?", "thread_id": message.thread_id, "temperature": 0.1}
        )
        self.assertIn(INSTRUCTIONS, message.content[0].text.value)

    def test_functions_by_hand(self) -> None:
        guide = assistant(tools=TOOLS)
        calls: Any = guide.invoke({"content": "Weather?"})
        self.assertEqual([call.function.name for call in calls], ["get_current_weather", "get_nickname"])
        self.assertEqual([call.function.arguments for call in calls], ['{"city": "Oslo"}'] * 2)

    def test_a_file_to_analyse(self) -> None:
        analyst = assistant(tools=[{"type": "code_interpreter"}])
        file = analyst.client.files.create(file=("TEST.csv", b"day,active\n1,20\n2,31\n"), purpose="assistants")
        attachments = [{"file_id": file.id, "tools": [{"type": "code_interpreter"}]}]
        (message,) = analyst.invoke({"content": "Which day?", "attachments": attachments})
        self.assertEqual(message.content[0].text.value, "Which day?")
        asked = analyst.client.beta.threads.messages.list(message.thread_id, order="asc").data[0]
        self.assertEqual(asked.attachments[0].file_id, file.id)


class AsAgent(unittest.TestCase):
    """Inside LangChain's loop."""

    def test_an_executor(self) -> None:
        executor: Any = AgentExecutor(agent=assistant(tools=TOOLS, as_agent=True), tools=TOOLS)
        result = executor.invoke({"content": "Weather in Oslo?"})
        self.assertEqual(result["output"], ANSWER)
        self.assertEqual(result["attachments"], [])
        following = executor.invoke({"content": "And now?", "thread_id": result["thread_id"]})
        self.assertNotEqual(following["run_id"], result["run_id"])

    def test_a_loop_of_ones_own(self) -> None:
        guide = assistant(tools=TOOLS, as_agent=True)
        actions: Any = guide.invoke({"content": "Weather in Oslo?"})
        tools = {one.name: one for one in TOOLS}
        outputs = [
            {"tool_call_id": action.tool_call_id, "output": tools[action.tool].invoke(action.tool_input)}
            for action in actions
        ]
        last = actions[-1]
        finish: Any = guide.invoke({"tool_outputs": outputs, "run_id": last.run_id, "thread_id": last.thread_id})
        self.assertEqual(finish.return_values["output"], ANSWER)


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    """The same on the asynchronous client, as far as LangChain 1.0.8 can: it fails at reading a list of messages."""

    async def test_functions(self) -> None:
        guide = await OpenAIAssistantRunnable.acreate_assistant(
            name="guide", instructions=INSTRUCTIONS, tools=TOOLS, model="gpt-4", check_every_ms=20
        )
        calls: Any = await guide.ainvoke({"content": "Weather?"})
        self.assertEqual([call.function.name for call in calls], ["get_current_weather", "get_nickname"])
