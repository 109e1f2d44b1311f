"""A data analyst who runs code on an uploaded table: total sales, the best day, and a chart, streamed.

    export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=...
    python examples/sales_report.py [FOLDER]

Prints the code, what it wrote, and the answers, as they come; charts go to FOLDER, or the current one. The exit status
is 0 only if the figures are right and there is a chart.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import sys
import warnings
from pathlib import Path

from openai import AssistantEventHandler, OpenAI, OpenAIError
from openai.types.beta.threads import ImageFile, Message, Text, TextDelta
from openai.types.beta.threads.runs import ToolCall, ToolCallDelta
from typing_extensions import override

MODEL = "gpt-4-turbo"
# The client marks every Assistants call as deprecated, since OpenAI's own server no longer answers them.
warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated", category=DeprecationWarning)

#: Two weeks from 4 March 2024 on.
SALES = [512, 430, 388, 610, 745, 931, 402, 498, 441, 420, 655, 702, 890, 377]
QUESTION = "What are the total sales, and which day had the highest sales?"
BEST_DAY = ("2024-03-09", "March 9")
CHART_QUESTION = "Draw a bar chart of the sales by day."


class Failed(Exception):
    """Something did not happen as it should."""


class Printer(AssistantEventHandler):
    """Prints what comes, and keeps the ids of pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[str] = []

    @override
    def on_text_created(self, text: Text) -> None:
        """A message begins."""
        print("\n  assistant: ", end="", flush=True)

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """A piece of the message."""
        print(delta.value or "", end="", flush=True)

    @override
    def on_image_file_done(self, image_file: ImageFile) -> None:
        """A picture in the message."""
        self.pictures.append(image_file.file_id)

    @override
    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """A call of a tool begins."""
        print(f"\n  {tool_call.type}:")

    @override
    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """A piece of code, or of what it wrote."""
        if delta.type == "code_interpreter" and delta.code_interpreter:
            print(delta.code_interpreter.input or "", end="", flush=True)
            for output in delta.code_interpreter.outputs or ():
                if output.type == "logs":
                    print(f"\n  output:\n{output.logs}", flush=True)


def text_of(message: Message) -> str:
    """The text of all the parts of `message`."""
    return "".join(part.text.value for part in message.content if part.type == "text")


def ask(client: OpenAI, assistant_id: str, thread_id: str) -> tuple[str, list[str]]:
    """Run the thread, printing what comes; returns the text of the answer and the ids of its pictures."""
    printer = Printer()
    with client.beta.threads.runs.stream(
        thread_id=thread_id, assistant_id=assistant_id, event_handler=printer
    ) as stream:
        stream.until_done()
        run = stream.current_run
        answer = "\n".join(map(text_of, stream.get_final_messages()))
    print()
    if run is None or run.status != "completed":
        reason = run.last_error.message if run and run.last_error else "no reason given"
        raise Failed(f"the run is {run.status if run else 'missing'}: {reason}")
    return answer, printer.pictures


def report(client: OpenAI, assistant_id: str, folder: Path) -> None:
    """Upload the table, ask about it, and save the charts."""
    rows = "".join(f"2024-03-{day:02},{sales}\n" for day, sales in enumerate(SALES, start=4))
    table = client.files.create(file=("sales.csv", f"date,sales\n{rows}".encode()), purpose="assistants")
    thread = client.beta.threads.create(
        messages=[
            {
                "role": "user",
                "content": QUESTION,
                "attachments": [{"file_id": table.id, "tools": [{"type": "code_interpreter"}]}],
            }
        ]
    )
    answer, _ = ask(client, assistant_id, thread.id)
    if str(sum(SALES)) not in answer.replace(",", "") or not any(day in answer for day in BEST_DAY):
        raise Failed("the answer is wrong")
    client.beta.threads.messages.create(thread.id, role="user", content=CHART_QUESTION)
    _, pictures = ask(client, assistant_id, thread.id)
    if not pictures:
        raise Failed("there is no chart")
    for number, picture in enumerate(pictures, start=1):
        path = folder / f"chart-{number}.png"
        path.write_bytes(client.files.content(picture).read())
        print(f"  {path} has {path.stat().st_size} bytes")


def main() -> None:
    """Do it all against the server that the environment names."""
    client = OpenAI()
    assistant = client.beta.assistants.create(
        name="Data analyst",
        instructions="You are a data analyst. Analyse the user's data by running code.",
        tools=[{"type": "code_interpreter"}],
        model=MODEL,
        temperature=0,
    )
    print(f"Assistant {assistant.id} with the model {assistant.model}")
    try:
        report(client, assistant.id, Path(sys.argv[1] if len(sys.argv) > 1 else "."))
    finally:
        client.beta.assistants.delete(assistant.id)


if __name__ == "__main__":
    try:
        main()
    except (Failed, OpenAIError) as failure:
        sys.exit(f"\nIt did not work: {failure}")
