"""A function that asks a database, as an article about the Assistants API has it: the model writes SQL, the client runs
it.

The handler answers from within its stream, as the article's does.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler
from typing_extensions import override

from ..faults.harness import KEY, Process

pytestmark = [pytest.mark.model, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TABLE = """CREATE TABLE Courses (
\tid INT AUTO_INCREMENT PRIMARY KEY,
\tcourse_date DATE NOT NULL,
\tstart_time TIME NOT NULL,
\tend_time TIME NOT NULL,
\tcourse_name VARCHAR(255) NOT NULL,
\tinstructor VARCHAR(255) NOT NULL
);"""
COURSES = [
    ("2024-01-23", "aaaaa", "张三"),
    ("2024-01-25", "bbbbbbbb", "张三"),
    ("2024-01-29", "ccccc", "张三"),
    ("2024-02-20", "dddddd", "张三"),
    ("2024-02-22", "eeeeeee", "李四"),
]
ASK: Any = {
    "type": "function",
    "function": {
        "name": "ask_database",
        "description": "Use this function to answer user questions about course schedule. Output should be a fully "
        "formed SQL query.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {
                    "type": "string",
                    "description": "SQL query extracting info to answer the user's question.\nSQL should be written "
                    f"using this database schema:\n\n{TABLE}\n\nThe query should be returned in plain text, not in "
                    "JSON.\nThe query should only contain grammars supported by SQLite.",
                }
            },
            "required": ["query"],
        },
    },
}


#: The default model mixes both numbers into one query unless it is told, with an example.
INSTRUCTIONS = (
    "你是课程助手。每次查询只问一个数字，例如 SELECT COUNT(*) FROM Courses WHERE instructor = '王五'；"
    "涉及几位老师就调用几次，再自己比较。"
)


class Courses:
    """The database, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.execute(TABLE)
        rows = [(day, "20:00", "22:00", name, teacher) for day, name, teacher in COURSES]
        self._connection.executemany(
            "insert into Courses (course_date, start_time, end_time, course_name, instructor) values (?, ?, ?, ?, ?)",
            rows,
        )

    def ask(self, query: str) -> str:
        try:
            return str(self._connection.execute(query).fetchall())
        except sqlite3.Error as error:
            return f"Error: {error}"


class Handler(AssistantEventHandler):
    """Runs what the model asks for, and goes on in a stream of its own."""

    def __init__(self, client: openai.OpenAI, courses: Courses) -> None:
        super().__init__()
        self.client, self.courses = client, courses
        self.answer = ""

    @override
    def on_text_done(self, text: Any) -> None:
        self.answer = text.value

    @override
    def on_event(self, event: Any) -> None:
        if event.event != "thread.run.requires_action":
            return
        calls = event.data.required_action.submit_tool_outputs.tool_calls
        queries = [json.loads(call.function.arguments).get("query", "") for call in calls]
        self.courses.asked.append(queries)
        outputs: Any = [
            {"tool_call_id": call.id, "output": self.courses.ask(query)}
            for call, query in zip(calls, queries, strict=True)
        ]
        following = Handler(self.client, self.courses)
        with self.client.beta.threads.runs.submit_tool_outputs_stream(
            thread_id=event.data.thread_id, run_id=event.data.id, tool_outputs=outputs, event_handler=following
        ) as stream:
            stream.until_done()
        self.answer = following.answer


def ask(client: openai.OpenAI, question: str) -> tuple[Courses, str]:
    """What the database was asked, and the answer."""
    courses = Courses()
    assistant = client.beta.assistants.create(
        model="gpt-4o",
        temperature=0,
        instructions=INSTRUCTIONS,
        tools=[ASK],
    ).id
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}]).id
    handler = Handler(client, courses)
    with client.beta.threads.runs.stream(thread_id=thread, assistant_id=assistant, event_handler=handler) as stream:
        stream.until_done()
    return courses, handler.answer


async def test_two_queries_in_one_turn_and_an_answer_from_both(server: Process) -> None:
    client = openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0)
    question = "How many courses does 张三 teach, how many more than 李四?"
    courses, answer = await asyncio.to_thread(ask, client, question)
    (together, *_) = courses.asked
    assert {courses.ask(query) for query in together} >= {"[(4,)]", "[(1,)]"}, together
    assert "4" in answer, answer
    assert re.search(r"[3三]|three", answer), answer
