"""The official Python client, unmodified, on both its lines: synchronous and asynchronous."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI, OpenAI
from openai.types.beta.threads import Message, Run, Text, TextDelta

from retinue.settings import ModelSettings, Settings

from ..harness import KEY, empty, function, in_thread, serving
from ..scripted import Call, Reply, ScriptedUpstream, upstream_in_thread

QUESTION = "I need to solve the equation `3x + 11 = 14`. Can you help me?"
TOOLS: Any = [function("getCurrentWeather", city="string"), function("getNickname", city="string")]
CALLS = [Call("getCurrentWeather", {"city": "Oslo"}), Call("getNickname", {"city": "Oslo"})]
OUTPUTS = {"getCurrentWeather": "7°", "getNickname": "The Tiger City"}


@dataclass
class Served:
    """A server with its model's server, in threads of their own."""

    base_url: str
    upstream: ScriptedUpstream


@pytest.fixture
def served(postgres: str, tmp_path: Path) -> Iterator[Served]:
    empty(postgres)
    with upstream_in_thread() as upstream:
        models = {"scripted": ModelSettings(base_url=upstream.base_url, retries=0)}
        settings = Settings(data=tmp_path, models=models, default_model="scripted")
        with in_thread(serving(settings, postgres)) as server:
            yield Served(server.url + "/v1", upstream)


@pytest.fixture
def client(served: Served) -> Iterator[OpenAI]:
    with OpenAI(base_url=served.base_url, api_key=KEY, max_retries=0, timeout=20) as client:
        yield client


def outputs(run: Run) -> Any:
    """What the functions of `CALLS` answer."""
    assert run.required_action is not None
    calls = run.required_action.submit_tool_outputs.tool_calls
    return [{"tool_call_id": call.id, "output": OUTPUTS[call.function.name]} for call in calls]


def text_of(message: Message) -> str:
    (part,) = message.content
    assert part.type == "text"
    return part.text.value


def math_tutor(client: OpenAI) -> str:
    assistant = client.beta.assistants.create(
        name="Math Tutor",
        instructions="You are a personal math tutor. Write and run code to answer math questions.",
        model="gpt-4-1106-preview",
    )
    return assistant.id


@pytest.mark.parametrize("question", [QUESTION, "你都能做什么？"])
def test_the_math_tutor_polled(client: OpenAI, served: Served, question: str) -> None:
    served.upstream.script(Reply(text="x = 1，Jane Doe。", usage=(30, 6)))
    assistant = math_tutor(client)
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content=question)
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id,
        assistant_id=assistant,
        instructions="Please address the user as Jane Doe. The user has a premium account.",
    )
    assert run.status == "completed"
    assert run.usage is not None
    assert run.usage.total_tokens == 36
    answer, asked = client.beta.threads.messages.list(thread.id).data
    assert (text_of(asked), text_of(answer)) == (question, "x = 1，Jane Doe。")
    (step,) = client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data
    assert step.step_details.type == "message_creation"
    assert step.step_details.message_creation.message_id == answer.id
    system, user = served.upstream.requests[0]["messages"]
    assert (system["role"], user["content"]) == ("system", question)
    assert "Jane Doe" in system["content"]


def test_the_client_is_told_when_to_poll_again(client: OpenAI) -> None:
    """Else it sleeps a second between two polls."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    answer = client.beta.threads.runs.with_raw_response.create(thread.id, assistant_id=math_tutor(client))
    assert int(answer.headers["openai-poll-after-ms"]) < 1000
    assert client.beta.threads.runs.poll(answer.parse().id, thread_id=thread.id).status == "completed"


class Recorder(AssistantEventHandler):
    """Writes down what the handler's methods are called with."""

    def __init__(self) -> None:
        super().__init__()
        self.deltas: list[str] = []
        self.texts: list[str] = []
        self.ended = False

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        self.deltas.append(delta.value or "")
        assert snapshot.value == "".join(self.deltas)

    def on_text_done(self, text: Text) -> None:
        self.texts.append(text.value)

    def on_end(self) -> None:
        self.ended = True


def test_the_math_tutor_streamed(client: OpenAI, served: Served) -> None:
    served.upstream.script(Reply(text="Take 11 from both sides."))
    thread = client.beta.threads.create(messages=[{"role": "user", "content": QUESTION}])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=math_tutor(client), event_handler=Recorder()
    ) as stream:
        stream.until_done()
    assert "".join(stream.deltas) == "Take 11 from both sides."
    assert stream.texts == ["Take 11 from both sides."]
    assert stream.ended
    assert stream.current_run is not None
    assert stream.current_run.status == "completed"
    (message,) = stream.get_final_messages()
    assert message == client.beta.threads.messages.retrieve(message.id, thread_id=thread.id)
    steps = client.beta.threads.runs.steps.list(stream.current_run.id, thread_id=thread.id).data
    assert [step.id for step in stream.get_final_run_steps()] == [step.id for step in steps]


def test_text_deltas(client: OpenAI, served: Served) -> None:
    served.upstream.script(Reply(text="one two three"))
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Count."}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=math_tutor(client)) as stream:
        assert list(stream.text_deltas) == ["one", " two", " three"]


def test_raw_events(client: OpenAI) -> None:
    events = client.beta.threads.create_and_run(
        assistant_id=math_tutor(client), thread={"messages": [{"role": "user", "content": "Hi"}]}, stream=True
    )
    names = [event.event for event in events]
    assert (names[0], names[-1]) == ("thread.created", "thread.run.completed")


def test_create_and_run_poll(client: OpenAI) -> None:
    run = client.beta.threads.create_and_run_poll(
        assistant_id=math_tutor(client), thread={"messages": [{"role": "user", "content": "Hi"}]}
    )
    assert run.status == "completed"
    assert text_of(client.beta.threads.messages.list(run.thread_id, run_id=run.id).data[0]) == "Hi"


def test_functions_polled(client: OpenAI, served: Served) -> None:
    served.upstream.script(Reply(tool_calls=CALLS), Reply(text="7° in the Tiger City."))
    assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Weather in Oslo?"}])
    run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
    assert run.status == "requires_action"
    run = client.beta.threads.runs.submit_tool_outputs_and_poll(
        run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
    )
    assert run.status == "completed"
    results = [message["content"] for message in served.upstream.requests[1]["messages"] if message["role"] == "tool"]
    assert results == list(OUTPUTS.values())
    assert text_of(client.beta.threads.messages.list(thread.id).data[0]) == "7° in the Tiger City."


class Submitter(AssistantEventHandler):
    """Submits outputs from within the handler, as OpenAI's guide does."""

    def __init__(self, client: OpenAI, followed: Recorder) -> None:
        super().__init__()
        self.client = client
        self.followed = followed
        self.done_calls: list[Any] = []

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.done_calls.append((tool_call.function.name, tool_call.function.arguments))

    def on_event(self, event: Any) -> None:
        if event.event == "thread.run.requires_action":
            run: Run = event.data
            with self.client.beta.threads.runs.submit_tool_outputs_stream(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run), event_handler=self.followed
            ) as stream:
                stream.until_done()


def test_functions_streamed_in_a_handler(client: OpenAI, served: Served) -> None:
    served.upstream.script(Reply(tool_calls=CALLS), Reply(text="7° in the Tiger City."))
    assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS)
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Weather in Oslo?"}])
    handler = Submitter(client, Recorder())
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=handler
    ) as stream:
        stream.until_done()
    assert handler.done_calls == [(call.name, call.arguments_text()) for call in CALLS]
    assert handler.followed.texts == ["7° in the Tiger City."]


def test_lists_page_by_themselves(client: OpenAI) -> None:
    made = [client.beta.assistants.create(model="gpt-4o", name=str(number)).id for number in range(7)]
    assert [assistant.id for assistant in client.beta.assistants.list(order="asc", limit=3)] == made
    assert [assistant.id for assistant in client.beta.assistants.list(limit=2)] == made[::-1]


def test_objects_are_changed_and_deleted(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    assert client.beta.assistants.update(assistant.id, name="New").name == "New"
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hi"}])
    message = client.beta.threads.messages.list(thread.id).data[0]
    assert client.beta.threads.messages.update(message.id, thread_id=thread.id, metadata={"a": "b"}).metadata == {
        "a": "b"
    }
    assert client.beta.threads.messages.delete(message.id, thread_id=thread.id).deleted
    assert client.beta.threads.delete(thread.id).deleted
    assert client.beta.assistants.delete(assistant.id).deleted
    assert "scripted" in [model.id for model in client.models.list()]


def test_errors_have_their_classes(client: OpenAI, served: Served) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.beta.assistants.retrieve("asst_none")
    assert "asst_none" in missing.value.message
    with pytest.raises(openai.BadRequestError) as wrong:
        client.beta.assistants.create(model="gpt-4o", temperature=3)
    assert (wrong.value.param, wrong.value.type) == ("temperature", "invalid_request_error")
    with pytest.raises(openai.NotFoundError) as unknown:
        client.beta.assistants.create(model="none")
    assert unknown.value.code == "model_not_found"
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").beta.assistants.list()
    assert (missing.value.request_id or "").startswith("req_")


def test_a_locked_thread_is_refused_at_once(client: OpenAI, served: Served) -> None:
    served.upstream.script(Reply(tool_calls=CALLS))
    assistant = client.beta.assistants.create(model="gpt-4o", tools=TOOLS)
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant.id, thread={"messages": [{"role": "user", "content": "Hi"}]}
    )
    patient = client.with_options(max_retries=5)
    with pytest.raises(openai.BadRequestError, match="already has an active run"):
        patient.beta.threads.runs.create(run.thread_id, assistant_id=assistant.id)
    with pytest.raises(openai.BadRequestError, match="Can't add messages"):
        patient.beta.threads.messages.create(run.thread_id, role="user", content="x")
    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    assert client.beta.threads.runs.poll(run.id, thread_id=run.thread_id).status == "cancelled"


class AsyncRecorder(AsyncAssistantEventHandler):
    """Writes down the text."""

    def __init__(self) -> None:
        super().__init__()
        self.deltas: list[str] = []

    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        self.deltas.append(delta.value or "")


async def test_the_asynchronous_client(served: Served) -> None:
    served.upstream.script(Reply(tool_calls=CALLS), Reply(text="It is 7°."), Reply(text="x = 1"), Reply(text="done"))
    async with AsyncOpenAI(base_url=served.base_url, api_key=KEY, max_retries=0, timeout=20) as client:
        beta = client.beta
        assistant = await beta.assistants.create(model="gpt-4o", tools=TOOLS)
        thread = await beta.threads.create(messages=[{"role": "user", "content": "Weather?"}])
        run = await beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        run = await beta.threads.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
        )
        assert run.status == "completed"
        async with beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=assistant.id, event_handler=AsyncRecorder()
        ) as stream:
            await stream.until_done()
        assert "".join(stream.deltas) == "x = 1"
        run = await beta.threads.create_and_run_poll(assistant_id=assistant.id)
        assert run.status == "completed"
        texts = [text_of(message) async for message in beta.threads.messages.list(thread.id, order="asc", limit=1)]
        assert texts == ["Weather?", "It is 7°.", "x = 1"]
        with pytest.raises(openai.NotFoundError):
            await beta.threads.retrieve("thread_none")
