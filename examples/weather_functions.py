"""A weather bot whose two functions run here, in the client: polled and then streamed.

    export OPENAI_BASE_URL=http://127.0.0.1:8000/v1 OPENAI_API_KEY=...
    python examples/weather_functions.py

The run stops with `requires_action` and names the calls; this script makes them and submits the outputs, until
the run completes. Prints what happens; the exit status is 0 only if both runs called a function and completed.
"""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
import sys
import warnings
from typing import Any

from openai import AssistantEventHandler, OpenAI, OpenAIError
from openai.types.beta import AssistantStreamEvent, FunctionToolParam
from openai.types.beta.threads import Message, Run, Text, TextDelta
from openai.types.beta.threads.run_submit_tool_outputs_params import ToolOutput
from typing_extensions import override

MODEL = "gpt-4-1106-preview"
# The client marks every Assistants call as deprecated, since OpenAI's own server no longer answers them.
warnings.filterwarnings("ignore", message="The Assistants API is deprecated|deprecated", category=DeprecationWarning)

QUESTION = "What is the weather in San Francisco, and what is the nickname of Los Angeles?"
#: More rounds of calls than this mean that the model goes in circles.
MOST_ROUNDS = 5

WEATHER = {"san francisco": 22, "los angeles": 27}
NICKNAMES = {"san francisco": "SF", "los angeles": "LA"}


class Failed(Exception):
    """Something did not happen as it should."""


def function_tool(name: str, description: str, **more: Any) -> FunctionToolParam:
    """The definition of a function of a place, with `more` properties that a call may leave out."""
    location = {"type": "string", "description": "The city and state e.g. San Francisco, CA"}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": {"location": location, **more},
                "required": ["location"],
            },
        },
    }


TOOLS = [
    function_tool("getCurrentWeather", "Get the weather in location", unit={"type": "string", "enum": ["c", "f"]}),
    function_tool("getNickname", "Get the nickname of a city"),
]


def call_function(name: str, arguments: str) -> str:
    """Make one call. A mistake in it is an answer too: the model reads it and can do better."""
    try:
        given = json.loads(arguments)
        city = str(given["location"]).split(",")[0].strip().lower()
    except (ValueError, TypeError, KeyError):
        return 'error: the arguments must be a JSON object with a "location"'
    if name == "getCurrentWeather":
        celsius = WEATHER.get(city, 20)
        return f"{celsius * 9 // 5 + 32}F" if given.get("unit") == "f" else f"{celsius}C"
    if name == "getNickname":
        return NICKNAMES.get(city, "no nickname known")
    return f"error: there is no function {name}"


def outputs_for(run: Run) -> list[ToolOutput]:
    """Make every call that `run` waits for."""
    if run.required_action is None:
        raise Failed("the run requires an action but names none")
    outputs: list[ToolOutput] = []
    for call in run.required_action.submit_tool_outputs.tool_calls:
        output = call_function(call.function.name, call.function.arguments)
        print(f"  {call.function.name}({call.function.arguments}) -> {output}")
        outputs.append({"tool_call_id": call.id, "output": output})
    return outputs


def text_of(message: Message) -> str:
    """The text of all the parts of `message`."""
    return "".join(part.text.value for part in message.content if part.type == "text")


def check(run: Run | None, rounds: int) -> None:
    """Raise `Failed` unless `run` has completed after at least one round of calls."""
    if run is None or run.status != "completed":
        reason = run.last_error.message if run and run.last_error else "no reason given"
        raise Failed(f"the run is {run.status if run else 'missing'} after {rounds} rounds of calls: {reason}")
    if not rounds:
        raise Failed("the model called no function")


def polled(client: OpenAI, assistant_id: str) -> None:
    """Ask, and poll until the run has ended."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant_id)
    rounds = 0
    while run.status == "requires_action" and rounds < MOST_ROUNDS:
        rounds += 1
        run = client.beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=outputs_for(run)
        )
    check(run, rounds)
    answer = next(iter(client.beta.threads.messages.list(thread.id, run_id=run.id)), None)
    if answer is None:
        raise Failed("the run wrote no message")
    print(f"  assistant: {text_of(answer)}")


class FunctionCaller(AssistantEventHandler):
    """Prints the answer as it comes; where the run waits for calls, makes them and follows the stream that goes on."""

    def __init__(self, client: OpenAI, rounds: int = 0) -> None:
        super().__init__()
        self.client = client
        #: How often calls were made, over all the streams of the run.
        self.rounds = rounds
        #: The run as the last stream left it.
        self.last_run: Run | None = None

    @override
    def on_event(self, event: AssistantStreamEvent) -> None:
        """Any event; those of the run tell where it stands."""
        if event.event == "thread.run.requires_action" and self.rounds < MOST_ROUNDS:
            self.go_on(event.data)

    def go_on(self, run: Run) -> None:
        """Submit the outputs that `run` waits for, and follow it with a handler of the same kind."""
        following = FunctionCaller(self.client, self.rounds + 1)
        with self.client.beta.threads.runs.submit_tool_outputs_stream(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs_for(run), event_handler=following
        ) as stream:
            stream.until_done()
        self.rounds = following.rounds
        self.last_run = following.last_run

    @override
    def on_text_created(self, text: Text) -> None:
        """A message begins."""
        print("  assistant: ", end="", flush=True)

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """A piece of the message."""
        print(delta.value or "", end="", flush=True)

    @override
    def on_text_done(self, text: Text) -> None:
        """The message is whole."""
        print()

    @override
    def on_end(self) -> None:
        """This stream is over; one that followed it knows more."""
        self.last_run = self.last_run or self.current_run


def streamed(client: OpenAI, assistant_id: str) -> None:
    """Ask, and print the answer while it is written."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    handler = FunctionCaller(client)
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant_id, event_handler=handler
    ) as stream:
        stream.until_done()
    check(handler.last_run, handler.rounds)


def main() -> None:
    """Do it all against the server that the environment names."""
    client = OpenAI()
    assistant = client.beta.assistants.create(
        instructions="You are a weather bot. Use the provided functions to answer questions.",
        model=MODEL,
        tools=TOOLS,
    )
    print(f"Assistant {assistant.id} with the model {assistant.model}")
    try:
        print("\nPolled:")
        polled(client, assistant.id)
        print("\nStreamed:")
        streamed(client, assistant.id)
    finally:
        client.beta.assistants.delete(assistant.id)


if __name__ == "__main__":
    try:
        main()
    except (Failed, OpenAIError) as failure:
        sys.exit(f"\nIt did not work: {failure}")
