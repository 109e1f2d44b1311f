"""What code written for Assistants does with the official Python client, as far as all its lines agree, v1 and v2.

Run by `unittest` in the client's own environment, with OPENAI_BASE_URL and OPENAI_API_KEY set. The model does as
`tests/clients/model.py` says. Every answer is held to the client's own types.
"""

from __future__ import annotations

import unittest
from typing import Any

import openai
from common import ANSWER, MODEL, OPTIONS, OUTPUTS, TOOLS, WithClient, asked, outputs, text_of
from openai import AssistantEventHandler, AsyncAssistantEventHandler, AsyncOpenAI
from openai.types.beta.threads import Message, Run
from openai.types.beta.threads.runs import RunStep


class Objects(WithClient):
    """Assistants, threads and messages."""

    def test_an_assistant_is_changed_and_deleted(self) -> None:
        made = self.assistants.create(
            model=MODEL,
            name="Guide",
            description="Knows cities",
            instructions="Be brief.",
            tools=[*TOOLS, {"type": "code_interpreter"}],
            metadata={"team": "a"},
        )
        self.assertEqual([tool.type for tool in made.tools], ["function", "function", "code_interpreter"])
        self.assertEqual(self.assistants.retrieve(made.id), made)
        changed = self.assistants.update(made.id, name="New", tools=[])
        self.assertEqual((changed.name, changed.tools, changed.description), ("New", [], "Knows cities"))
        self.assertTrue(self.assistants.delete(made.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            self.assistants.retrieve(made.id)

    def test_lists_page_by_themselves(self) -> None:
        made = [self.assistants.create(model=MODEL, name=str(number)).id for number in range(7)]
        newest_first = [assistant.id for assistant in self.assistants.list(limit=2)]
        self.assertEqual(newest_first[:7], made[::-1])
        self.assertEqual([one.id for one in self.assistants.list(order="asc", limit=3)], newest_first[::-1])
        page = self.assistants.list(limit=3, after=made[5])
        self.assertEqual([one.id for one in page.data], made[4:1:-1])
        self.assertTrue(page.has_next_page())

    def test_a_thread_and_its_messages(self) -> None:
        thread = self.threads.create(messages=asked("1"), metadata={"user": "a"})
        self.assertEqual(self.threads.update(thread.id, metadata={"user": "b"}).metadata, {"user": "b"})
        self.messages.create(thread.id, role="assistant", content="2")
        third = self.messages.create(thread.id, role="user", content="3", metadata={"a": "b"})
        self.assertEqual(self.messages.retrieve(third.id, thread_id=thread.id), third)
        self.assertEqual(self.messages.update(third.id, thread_id=thread.id, metadata={}).metadata, {})
        self.assertEqual([text_of(one) for one in self.messages.list(thread.id, order="asc", limit=1)], ["1", "2", "3"])
        self.assertEqual([one.role for one in self.messages.list(thread.id)], ["user", "assistant", "user"])
        self.assertTrue(self.threads.delete(thread.id).deleted)
        with self.assertRaises(openai.NotFoundError):
            self.threads.retrieve(thread.id)

    def test_models(self) -> None:
        self.assertIn("scripted", [model.id for model in self.client.models.list()])


class PolledRuns(WithClient):
    """Runs that the client asks for until they are done."""

    def test_create_and_poll(self) -> None:
        thread = self.threads.create()
        question = "What are your instructions?"
        asked = self.messages.create(thread.id, role="user", content=question)
        run = self.runs.create_and_poll(
            thread_id=thread.id,
            assistant_id=self.tutor,
            additional_instructions="称呼用户为 Jane Doe。",
            metadata={"kept": "yes"},
        )
        self.assertEqual((run.status, run.metadata), ("completed", {"kept": "yes"}))
        self.assertEqual(run.usage.total_tokens, run.usage.prompt_tokens + run.usage.completion_tokens)
        answer, first = self.messages.list(thread.id).data
        self.assertEqual(first, asked)
        self.assertIn("You are a math tutor.", text_of(answer))
        self.assertIn("称呼用户为 Jane Doe。", text_of(answer))
        (step,) = self.runs.steps.list(run.id, thread_id=thread.id).data
        self.assertEqual(step.step_details.message_creation.message_id, answer.id)
        self.assertEqual(self.runs.steps.retrieve(step.id, thread_id=thread.id, run_id=run.id), step)
        self.assertEqual([one.id for one in self.runs.list(thread.id)], [run.id])
        self.assertEqual(self.runs.update(run.id, thread_id=thread.id, metadata={}).metadata, {})

    def test_messages_of_one_run(self) -> None:
        run = self.threads.create_and_run_poll(assistant_id=self.tutor, thread={"messages": asked("1")})
        second = self.runs.create_and_poll(
            thread_id=run.thread_id, assistant_id=self.tutor, additional_messages=asked("2")
        )
        found = self.messages.list(run.thread_id, run_id=second.id).data
        self.assertEqual([(text_of(one), one.role) for one in found], [("2", "assistant")])

    def test_functions(self) -> None:
        run = self.threads.create_and_run_poll(assistant_id=self.guide, thread={"messages": asked("Oslo?")})
        self.assertEqual(run.status, "requires_action")
        run = self.runs.submit_tool_outputs_and_poll(
            run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run), poll_interval_ms=20
        )
        self.assertEqual(run.status, "completed")
        self.assertEqual(text_of(self.messages.list(run.thread_id).data[0]), ANSWER)
        calls, message = self.runs.steps.list(run.id, thread_id=run.thread_id, order="asc").data
        self.assertEqual(
            {call.function.name: call.function.output for call in calls.step_details.tool_calls},
            OUTPUTS,
        )
        self.assertEqual(message.type, "message_creation")

    def test_a_failed_run(self) -> None:
        run = self.threads.create_and_run_poll(assistant_id=self.tutor, thread={"messages": asked("Fail.")})
        self.assertEqual(run.status, "failed")
        self.assertIn("The model refuses.", run.last_error.message)

    def test_the_server_says_when_to_poll_again(self) -> None:
        """Else the client sleeps a second between two polls."""
        answer = self.threads.with_raw_response.create_and_run(
            assistant_id=self.tutor, thread={"messages": asked("Hi")}
        )
        self.assertLess(int(answer.headers["openai-poll-after-ms"]), 1000)
        run = answer.parse()
        self.assertEqual(self.runs.poll(run.id, thread_id=run.thread_id).status, "completed")


class Recorder(AssistantEventHandler):
    """Writes down what the handler's methods are called with."""

    def __init__(self) -> None:
        super().__init__()
        self.deltas: list[str] = []
        self.texts: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.argument_pieces: list[str] = []
        self.done_steps: list[RunStep] = []
        self.done_messages: list[Message] = []
        self.ended = False

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.deltas.append(delta.value or "")
        assert snapshot.value == "".join(self.deltas)

    def on_text_done(self, text: Any) -> None:
        self.texts.append(text.value)

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.argument_pieces.append(delta.function.arguments or "")

    def on_tool_call_done(self, tool_call: Any) -> None:
        self.calls.append((tool_call.function.name, tool_call.function.arguments))

    def on_run_step_done(self, run_step: RunStep) -> None:
        self.done_steps.append(run_step)

    def on_message_done(self, message: Message) -> None:
        self.done_messages.append(message)

    def on_end(self) -> None:
        self.ended = True


class Submitter(Recorder):
    """Submits outputs from within the handler, as OpenAI's guide does."""

    def __init__(self, client: Any, followed: Recorder) -> None:
        super().__init__()
        self.client = client
        self.followed = followed

    def on_event(self, event: Any) -> None:
        if event.event == "thread.run.requires_action":
            run: Run = event.data
            with self.client.beta.threads.runs.submit_tool_outputs_stream(
                run_id=run.id, thread_id=run.thread_id, tool_outputs=outputs(run), event_handler=self.followed
            ) as stream:
                stream.until_done()


class StreamedRuns(WithClient):
    """Runs that come as events."""

    def test_an_event_handler(self) -> None:
        thread = self.threads.create(messages=asked("Take 11 from both sides."))
        with self.runs.stream(thread_id=thread.id, assistant_id=self.tutor, event_handler=Recorder()) as stream:
            stream.until_done()
        self.assertEqual("".join(stream.deltas), "Take 11 from both sides.")
        self.assertGreater(len(stream.deltas), 1)
        self.assertEqual(stream.texts, ["Take 11 from both sides."])
        self.assertTrue(stream.ended)
        run = stream.current_run
        self.assertEqual(run, self.runs.retrieve(run.id, thread_id=thread.id))
        self.assertEqual(run.status, "completed")
        (message,) = stream.get_final_messages()
        self.assertEqual(stream.done_messages, [message])
        self.assertEqual(message, self.messages.retrieve(message.id, thread_id=thread.id))
        self.assertEqual(stream.done_steps, self.runs.steps.list(run.id, thread_id=thread.id).data)
        # The client's own collection keeps a step as it was when it began.
        self.assertEqual([step.id for step in stream.get_final_run_steps()], [step.id for step in stream.done_steps])

    def test_text_deltas(self) -> None:
        thread = self.threads.create(messages=asked("one two three"))
        with self.runs.stream(thread_id=thread.id, assistant_id=self.tutor) as stream:
            self.assertEqual(list(stream.text_deltas), ["one", " two", " three"])

    def test_create_and_run_stream(self) -> None:
        with self.threads.create_and_run_stream(
            assistant_id=self.tutor, thread={"messages": asked("one two")}, event_handler=Recorder()
        ) as stream:
            stream.until_done()
        self.assertEqual(stream.texts, ["one two"])
        self.assertEqual([step.type for step in stream.done_steps], ["message_creation"])

    def test_raw_events(self) -> None:
        events = self.threads.create_and_run(assistant_id=self.tutor, thread={"messages": asked("Hi")}, stream=True)
        names = [event.event for event in events]
        self.assertEqual((names[0], names[-1]), ("thread.created", "thread.run.completed"))

    def test_functions_in_a_handler(self) -> None:
        thread = self.threads.create(messages=asked("Oslo?"))
        handler = Submitter(self.client, Recorder())
        with self.runs.stream(thread_id=thread.id, assistant_id=self.guide, event_handler=handler) as stream:
            stream.until_done()
        arguments = '{"city": "Oslo"}'
        self.assertEqual(handler.calls, [(name, arguments) for name in OUTPUTS])
        self.assertEqual("".join(handler.argument_pieces), arguments * 2)
        self.assertEqual(handler.followed.texts, [ANSWER])
        self.assertEqual([step.type for step in handler.followed.done_steps], ["tool_calls", "message_creation"])
        run = handler.followed.get_final_run()
        self.assertEqual(run.status, "completed")

    def test_a_run_that_fails(self) -> None:
        thread = self.threads.create(messages=asked("Fail."))
        with self.runs.stream(thread_id=thread.id, assistant_id=self.tutor) as stream:
            names = [event.event for event in stream]
        self.assertIn("thread.run.failed", names)

    def test_cancel(self) -> None:
        thread = self.threads.create(messages=asked("Count forever."))
        with self.runs.stream(thread_id=thread.id, assistant_id=self.tutor) as stream:
            for event in stream:
                if event.event == "thread.message.delta" and stream.current_run:
                    self.runs.cancel(stream.current_run.id, thread_id=thread.id)
                    break
            names = [event.event for event in stream]
        self.assertEqual(names[-1], "thread.run.cancelled")
        self.assertEqual(self.runs.poll(stream.current_run.id, thread_id=thread.id).status, "cancelled")
        self.assertEqual(self.messages.list(thread.id).data[0].status, "incomplete")


class Errors(WithClient):
    """What is raised, and what the exceptions say."""

    def test_classes_and_bodies(self) -> None:
        with self.assertRaises(openai.NotFoundError) as missing:
            self.assistants.retrieve("asst_none")
        self.assertIn("asst_none", missing.exception.message)
        self.assertEqual(missing.exception.status_code, 404)
        body: Any = missing.exception.body
        self.assertEqual(sorted(body), ["code", "message", "param", "type"])
        self.assertRegex(missing.exception.request_id or "", "^req_")
        with self.assertRaises(openai.BadRequestError) as wrong:
            self.assistants.create(model=MODEL, name="x" * 257)
        self.assertEqual((wrong.exception.param, wrong.exception.type), ("name", "invalid_request_error"))
        with self.assertRaises(openai.NotFoundError) as unknown:
            self.assistants.create(model="none")
        self.assertEqual(unknown.exception.code, "model_not_found")
        with self.assertRaises(openai.AuthenticationError):
            self.client.with_options(api_key="wrong").beta.assistants.list()

    def test_a_locked_thread_is_refused_at_once(self) -> None:
        run = self.threads.create_and_run_poll(assistant_id=self.guide, thread={"messages": asked("Oslo?")})
        patient = self.client.with_options(max_retries=5).beta.threads
        with self.assertRaisesRegex(openai.BadRequestError, f"{run.thread_id} already has an active run {run.id}"):
            patient.runs.create(run.thread_id, assistant_id=self.guide)
        with self.assertRaisesRegex(openai.BadRequestError, f"add messages to {run.thread_id} while a run {run.id} is"):
            patient.messages.create(run.thread_id, role="user", content="x")
        wrong = [{"tool_call_id": "call_none", "output": ""}]
        with self.assertRaisesRegex(openai.BadRequestError, "Expected tool outputs for call_ids"):
            self.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=wrong)
        self.runs.cancel(run.id, thread_id=run.thread_id)
        self.assertEqual(self.runs.poll(run.id, thread_id=run.thread_id).status, "cancelled")
        self.messages.create(run.thread_id, role="user", content="x")

    def test_headers(self) -> None:
        headers = self.threads.with_raw_response.create().headers
        self.assertRegex(headers["x-request-id"], "^req_")
        self.assertEqual(headers["openai-version"], "2020-10-01")
        self.assertRegex(headers["openai-processing-ms"], "^[0-9]+$")


#: Draws a picture and writes a file.
CODE = """import matplotlib.pyplot as plt
plt.plot([1, 3, 2])
plt.show()
open('/mnt/data/报告 1.csv', 'w').write('a,b')
print('done')"""


class CodeRecorder(AssistantEventHandler):
    """Writes down what comes of code."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[Any] = []
        self.texts: list[str] = []
        self.calls: list[Any] = []

    def on_image_file_done(self, image_file: Any) -> None:
        self.pictures.append(image_file)

    def on_text_done(self, text: Any) -> None:
        self.texts.append(text.value)

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.calls.append(snapshot)


class CodeThatRuns(WithClient):
    """The code interpreter."""

    def test_code_that_draws_and_writes(self) -> None:
        coder = self.assistants.create(model=MODEL, tools=[{"type": "code_interpreter"}]).id
        thread = self.threads.create(messages=asked(f"Run {CODE}"))
        with self.runs.stream(thread_id=thread.id, assistant_id=coder, event_handler=CodeRecorder()) as stream:
            stream.until_done()
        (message,) = stream.get_final_messages()
        self.assertEqual(message, self.messages.list(thread.id).data[0])
        image, answer = message.content
        self.assertEqual(stream.pictures, [image.image_file])
        self.assertTrue(self.client.files.content(image.image_file.file_id).read().startswith(b"\x89PNG"))
        self.assertEqual(stream.texts, [answer.text.value])
        (path,) = answer.text.annotations
        self.assertEqual(answer.text.value[path.start_index : path.end_index], "sandbox:/mnt/data/报告 1.csv")
        self.assertEqual(self.client.files.content(path.file_path.file_id).read(), b"a,b")
        call = stream.calls[-1].code_interpreter
        self.assertEqual(call.input, CODE)
        self.assertEqual({output.type for output in call.outputs}, {"logs", "image"})


class AsyncRecorder(AsyncAssistantEventHandler):
    """Writes down the text."""

    def __init__(self) -> None:
        super().__init__()
        self.deltas: list[str] = []

    async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.deltas.append(delta.value or "")


class Asynchronous(unittest.IsolatedAsyncioTestCase):
    """The same calls on the asynchronous client."""

    async def test_polled_and_streamed_runs(self) -> None:
        async with AsyncOpenAI(**OPTIONS) as client:
            beta: Any = client.beta
            guide = await beta.assistants.create(model=MODEL, tools=TOOLS)
            tutor = await beta.assistants.create(model=MODEL)
            thread = await beta.threads.create(messages=asked("Weather?"))
            run = await beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=guide.id)
            run = await beta.threads.runs.submit_tool_outputs_and_poll(
                run_id=run.id, thread_id=thread.id, tool_outputs=outputs(run)
            )
            self.assertEqual(run.status, "completed")
            await beta.threads.messages.create(thread.id, role="user", content="x = 1")
            async with beta.threads.runs.stream(
                thread_id=thread.id, assistant_id=tutor.id, event_handler=AsyncRecorder()
            ) as stream:
                await stream.until_done()
            self.assertEqual("".join(stream.deltas), "x = 1")
            texts = [text_of(message) async for message in beta.threads.messages.list(thread.id, order="asc", limit=1)]
            self.assertEqual(texts, ["Weather?", ANSWER, "x = 1", "x = 1"])
            with self.assertRaises(openai.NotFoundError):
                await beta.threads.retrieve("thread_none")
