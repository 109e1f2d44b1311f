"""The code interpreter as articles about the Assistants API use it, on the default model through the official client.

What the model says is its own affair; what its code computes, and that the answer tells it, is held.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
import re
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler
from openai.types.beta.threads import Text, TextDelta
from openai.types.beta.threads.runs import ToolCall, ToolCallDelta
from typing_extensions import override

from ..faults.harness import KEY, Process
from .conftest import long

pytestmark = [pytest.mark.model, pytest.mark.timeout(900), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

TOOL: Any = {"type": "code_interpreter"}
#: Two weeks; the most was sold on 9 March 2024.
SALES = [512, 430, 388, 610, 745, 931, 402, 498, 441, 420, 655, 702, 890, 377]
BEST = re.compile(r"2024-03-09|0?3/0?9|March 0?9|9(th)? (of )?March|3月0?9日|03月09日")


class Printer(AssistantEventHandler):
    """Prints the answer, the code and what the code wrote, piece by piece as they come."""

    @override
    def on_text_created(self, text: Text) -> None:
        print("\nassistant > ", end="", flush=True)

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        print(delta.value, end="", flush=True)

    @override
    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        print(f"\nassistant > {tool_call.type}\n", flush=True)

    @override
    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        if delta.type != "code_interpreter" or not delta.code_interpreter:
            return
        print(delta.code_interpreter.input or "", end="", flush=True)
        for output in delta.code_interpreter.outputs or ():
            if output.type == "logs":
                print(f"\noutput > {output.logs}", flush=True)


class Run:
    """A run that has ended, as the server keeps it.

    Attributes:
        calls: of the code interpreter, with code and outputs.
        message: the answer.
    """

    def __init__(self, client: openai.OpenAI, run: Any) -> None:
        assert run.status == "completed", run.last_error
        steps: Any = client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
        details = [step.step_details for step in steps if step.type == "tool_calls"]
        self.calls = [call.code_interpreter for one in details for call in one.tool_calls]
        (self.message, *_) = client.beta.threads.messages.list(run.thread_id, run_id=run.id).data

    @property
    def code(self) -> str:
        return "".join(call.input for call in self.calls)

    @property
    def logs(self) -> str:
        return "".join(output.logs for call in self.calls for output in call.outputs if output.type == "logs")

    @property
    def pictures(self) -> list[str]:
        """The ids of the pictures that code drew."""
        return [output.image.file_id for call in self.calls for output in call.outputs if output.type == "image"]

    @property
    def answer(self) -> str:
        (text,) = [part.text.value for part in self.message.content if part.type == "text"]
        return text


@pytest.fixture
def official(server: Process) -> openai.OpenAI:
    """The official client, unmodified, as scripts use it: it blocks."""
    return openai.OpenAI(base_url=server.base_url, api_key=KEY, max_retries=0)


def made(client: openai.OpenAI, instructions: str, **more: Any) -> str:
    """The id of a new assistant that runs code."""
    tools: Any = [TOOL]
    beta = client.beta.assistants
    return beta.create(model="gpt-4-turbo", temperature=0, instructions=instructions, tools=tools, **more).id


def uploaded(client: openai.OpenAI, name: str, columns: str) -> str:
    """The id of a table with two weeks of sales."""
    rows = [f"2024-03-{day:02},{sales}" for day, sales in enumerate(SALES, start=4)]
    table = "\n".join([columns, *rows, ""])
    return client.files.create(file=(name, table.encode()), purpose="assistants").id


def streamed(client: openai.OpenAI, assistant: str, question: str, file: str | None = None) -> Run:
    """Ask on a new thread, printing what comes."""
    thread = client.beta.threads.create().id
    attachments: Any = [{"file_id": file, "tools": [TOOL]}] if file else []
    client.beta.threads.messages.create(thread, role="user", content=question, attachments=attachments)
    printer = Printer()
    with client.beta.threads.runs.stream(thread_id=thread, assistant_id=assistant, event_handler=printer) as stream:
        stream.until_done()
        return Run(client, stream.current_run)


def polled(client: openai.OpenAI, assistant: str, message: dict[str, Any], **more: Any) -> Run:
    """Ask on a new thread, and wait for the end."""
    thread: Any = {"messages": [{"role": "user", **message}]}
    run = client.beta.threads.create_and_run_poll(assistant_id=assistant, thread=thread, **more)
    return Run(client, run)


@pytest.mark.parametrize(
    ("instructions", "question"),
    [
        ("You are a math tutor. Write and run code to answer.", "What is the square root of 1234567?"),
        ("你是人工智能助手。你可以通过代码回答很多数学问题。", "用代码计算 1234567 的平方根"),
    ],
)
async def test_a_root_by_code_is_printed_as_it_comes(
    official: openai.OpenAI, capsys: pytest.CaptureFixture[str], instructions: str, question: str
) -> None:
    run = await asyncio.to_thread(streamed, official, made(official, instructions), question)
    assert "1111.11" in run.logs
    assert "1111.1" in run.answer.replace(",", "")
    called, *outputs = capsys.readouterr().out.split("\noutput > ")
    assert called == f"\nassistant > code_interpreter\n\n{run.code}"
    logs, answer = "".join(outputs).split("\nassistant > ")
    assert logs.replace("\n", "") == run.logs.replace("\n", "")
    assert answer == run.answer


async def test_an_equation_with_instructions_for_the_run(official: openai.OpenAI) -> None:
    assistant = made(official, "You are a personal math tutor. Write and run code to answer math questions.")
    question = {"content": "I need to solve the equation `3x + 11 = 14`. Can you help me?"}
    instructions = "Please address the user as Jane Doe. The user has a premium account."
    run = await asyncio.to_thread(polled, official, assistant, question, instructions=instructions)
    assert re.search(r"(?<![\d.])1(\.0+)?(?![\d.]*\d)", run.answer), run.answer


@pytest.mark.parametrize(
    ("instructions", "name", "columns", "question", "attached"),
    [
        (
            "You are a data analyst. Analyse the data as you are asked to.",
            "two weeks.csv",
            "date,sales",
            "What are the total sales, and which was the best day?",
            True,
        ),
        pytest.param(
            "你是数据分析师，按要求分析数据。",
            "mydata.csv",
            "日期,销售额",
            "统计总销售额，哪一天卖得最好？",
            False,
            marks=long,
        ),
    ],
)
async def test_total_sales_and_the_best_day(
    official: openai.OpenAI, instructions: str, name: str, columns: str, question: str, attached: bool
) -> None:
    file = uploaded(official, name, columns)
    resources = {} if attached else {"tool_resources": {"code_interpreter": {"file_ids": [file]}}}
    assistant = made(official, instructions, **resources)
    attachments = {"attachments": [{"file_id": file, "tools": [TOOL]}]} if attached else {}
    run = await asyncio.to_thread(polled, official, assistant, {"content": question, **attachments})
    assert str(sum(SALES)) in run.answer.replace(",", ""), run.answer
    assert BEST.search(run.answer), run.answer


@pytest.mark.parametrize(
    ("instructions", "columns", "question"),
    [
        pytest.param(
            "You are great at creating beautiful data visualizations. You analyze data present in .csv files, "
            "understand trends, and come up with data visualizations relevant to those trends. You also share a brief "
            "text summary of the trends observed.",
            "Date,Weekday,Customers,Sales",
            "Create 3 data visualizations based on the trends in this file.",
            marks=long,
        ),
        (
            "你擅长制作精美的数据可视化。你分析 .csv 文件中的数据，了解趋势，并提出与这些趋势相关的数据可视化。",
            "日期,星期,客流量,销售额（元）",
            "用这些数据画三张不同的图。",
        ),
    ],
)
async def test_three_charts_from_a_table(
    official: openai.OpenAI, capsys: pytest.CaptureFixture[str], instructions: str, columns: str, question: str
) -> None:
    days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    rows = [f"2024-03-{day:02},{days[(day - 4) % 7]},{sales // 20},{sales}" for day, sales in enumerate(SALES, start=4)]
    table = "\n".join([columns, *rows, ""]).encode()
    file = official.files.create(file=("sales.csv", table), purpose="assistants").id
    run = await asyncio.to_thread(streamed, official, made(official, instructions), question, file)
    assert len(run.pictures) == len(set(run.pictures)) >= 3
    for picture in run.pictures:
        assert official.files.content(picture).read().startswith(b"\x89PNG")
    assert [part.image_file.file_id for part in run.message.content if part.type == "image_file"] == run.pictures
    assert run.calls[0].input in capsys.readouterr().out
