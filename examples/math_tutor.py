"""A maths tutor, in English and Chinese, polled and then streamed.

    export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=...
    python examples/math_tutor.py

Written for the Assistants API as any server of it speaks it; the two variables choose the server. Prints what
happens; the exit status is 0 only if every run completed with an answer.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import sys
import warnings

from openai import AssistantEventHandler, OpenAI, OpenAIError
from openai.types.beta import Assistant
from openai.types.beta.threads import Message, Run, Text, TextDelta
from openai.types.beta.threads.runs import RunStep

MODEL = "gpt-4-1106-preview"
# The client marks every Assistants call as deprecated, since OpenAI's own server no longer answers them.
warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated", category=DeprecationWarning)

QUESTION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
RUN_INSTRUCTIONS = "Please address the user as Jane Doe. The user has a premium account."
CHINESE_QUESTION = "你都能做什么？"


class Failed(Exception):
    """Something did not happen as it should."""


def text_of(message: Message) -> str:
    """The text of all the parts of `message`."""
    return "".join(part.text.value for part in message.content if part.type == "text")


def expect_completed(run: Run) -> None:
    """Raise `Failed` unless `run` has completed."""
    if run.status != "completed":
        reason = run.last_error.message if run.last_error else "no reason given"
        raise Failed(f"the run is {run.status}: {reason}")


def show_thread(client: OpenAI, run: Run) -> None:
    """Print the thread's messages, oldest first, and the run's steps; raise `Failed` where there is no answer."""
    messages = list(client.beta.threads.messages.list(run.thread_id, order="asc"))
    for message in messages:
        print(f"  {message.role}: {text_of(message)}")
    if not any(message.run_id == run.id and text_of(message).strip() for message in messages):
        raise Failed("the run wrote no message")
    steps = list(client.beta.threads.runs.steps.list(run.id, thread_id=run.thread_id, order="asc"))
    for step in steps:
        print(f"  step {step.id}: {step.type}, {step.status}")
    if not steps:
        raise Failed("the run has no steps")
    if run.usage:
        print(f"  {run.usage.prompt_tokens} prompt tokens, {run.usage.completion_tokens} completion tokens")


def ask(client: OpenAI, assistant: Assistant, question: str, instructions: str | None = None) -> None:
    """Ask on a new thread and poll until the run has ended."""
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content=question)
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, instructions=instructions
    )
    expect_completed(run)
    show_thread(client, run)


class Printer(AssistantEventHandler):
    """Prints the answer as it comes, and every step."""

    def on_text_created(self, text: Text) -> None:
        """A message begins."""
        print("  assistant: ", end="", flush=True)

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """A piece of the message."""
        print(delta.value or "", end="", flush=True)

    def on_text_done(self, text: Text) -> None:
        """The message is whole."""
        print()

    def on_run_step_done(self, run_step: RunStep) -> None:
        """A step has ended."""
        print(f"  step {run_step.id}: {run_step.type}, {run_step.status}")


def ask_streamed(client: OpenAI, assistant: Assistant, question: str) -> None:
    """Ask on a new thread and print the answer while it is written."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": question}])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=Printer()
    ) as stream:
        stream.until_done()
        if stream.current_run is None:
            raise Failed("the stream brought no run")
        expect_completed(stream.current_run)
        if not any(text_of(message).strip() for message in stream.get_final_messages()):
            raise Failed("the stream brought no text")


def main() -> None:
    """Do it all against the server that the environment names."""
    client = OpenAI()
    assistant = client.beta.assistants.create(
        name="Math Tutor",
        instructions="You are a personal math tutor. Write and run code to answer math questions.",
        tools=[{"type": "code_interpreter"}],
        model=MODEL,
    )
    print(f"Assistant {assistant.id} with the model {assistant.model}")
    try:
        print("\nPolled:")
        ask(client, assistant, QUESTION, RUN_INSTRUCTIONS)
        print("\nStreamed:")
        ask_streamed(client, assistant, QUESTION)
        print("\nIn Chinese, streamed:")
        ask_streamed(client, assistant, CHINESE_QUESTION)
    finally:
        client.beta.assistants.delete(assistant.id)


if __name__ == "__main__":
    try:
        main()
    except (Failed, OpenAIError) as failure:
        sys.exit(f"\nIt did not work: {failure}")
