"""One answer of the model as it comes in: the message and the tool calls it becomes, and their events."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, Protocol

from ..errors import ModelError
from ..inference.chat import ToolCallDelta
from ..store.conversations import NewMessage
from ..store.ids import new_id
from ..tools.tool import Offered, Served
from ..wire.common import JsonObjectFormat, JsonSchemaResponseFormat, WireObject
from ..wire.events import EventName
from ..wire.messages import ImageFileContent, IncompleteDetails, Message, Text, TextContent
from ..wire.runs import CompletionUsage, RequiredAction, Run, SubmitToolOutputsAction
from ..wire.steps import (
    FunctionToolCall,
    MessageCreation,
    MessageCreationDetails,
    RunStep,
    RunStepDelta,
    RunStepDeltaBody,
    StepError,
    StepStatus,
    ToolCall,
    ToolCallsDeltaDetails,
    ToolCallsDetails,
)
from ..wire.tools import FunctionCall, RequiredToolCall
from .calls import Calls, Pending, storable
from .citations import Answer, Sources, numbered, sources_line
from .context import message_tokens
from .leaks import MOST_WITHHELD, LeakFilter, Secret
from .pieces import picture_piece, piece, place, size, text_piece

#: Seconds after which an answer that still comes in is worth writing, so that others see it in the making.
_WORTH_SHOWING = 0.5
#: Seconds between two writings of an answer that somebody reads along.
_PACE = 0.2

Reason = Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]


def required_action(calls: Sequence[FunctionToolCall]) -> RequiredAction | None:
    """What a client is asked for these calls: an output for each."""
    if not calls:
        return None
    wanted = [
        RequiredToolCall(id=call.id, function=FunctionCall(name=call.function.name, arguments=call.function.arguments))
        for call in calls
    ]
    return RequiredAction(submit_tool_outputs=SubmitToolOutputsAction(tool_calls=wanted))


class Sink(Protocol):
    """Where events go."""

    @property
    def heard(self) -> bool:
        """Whether anyone listens."""
        ...

    def emit(self, name: EventName, data: WireObject, at: str) -> None:
        """Pass on an event; `at` tells it from other events of the same object."""
        ...


class Turn:
    """What one call of the model brings."""

    def __init__(
        self,
        run: Run,
        sink: Sink,
        offered: Offered,
        sources: Sources,
        pictures: Sequence[ImageFileContent] = (),
        secrets: Sequence[Secret] = (),
    ) -> None:
        """Begin.

        Args:
            run: the run.
            sink: where events go.
            offered: the functions of the run that Retinue runs itself.
            sources: what the answer may cite.
            pictures: what the message begins with, if there is one: code has drawn them for it.
            secrets: what neither the text nor the calls may repeat.
        """
        self._run = run
        self._sink = sink
        self._pictures = pictures
        self._secrets = secrets
        #: What lets the text go, and the arguments of each call by its index, where there are secrets.
        # What is to be JSON is not ended in its middle.
        self._verbatim = isinstance(run.response_format, JsonObjectFormat | JsonSchemaResponseFormat)
        self._leaks = LeakFilter(secrets, most=None if self._verbatim else MOST_WITHHELD) if secrets else None
        self._leaks_of_calls: dict[int, LeakFilter] = {}
        self._text: list[str] = []
        self._length = 0
        self._calls_before = sources.calls
        self._addresses = sources.addresses
        #: Whether pages that the run has read are named at the end of the text: of its last answer.
        self._names_pages = False
        # A mark put into JSON may break it.
        self._answer = Answer(sources, verbatim=self._verbatim)
        #: How many annotations have been told.
        self._annotated = 0
        self._message: Message | None = None
        self._message_step: RunStep | None = None
        self._calls = Calls(offered)
        #: How far each call has been told.
        self._known: list[int] = []
        self._call_step: RunStep | None = None
        self._show_at = time.monotonic() + _WORTH_SHOWING
        self._shown_at = 0.0
        #: Pieces that have come, and how many of them have been written.
        self._size = self._shown_size = 0
        self._told: set[str] = set()

    @classmethod
    def resumed(cls, run: Run, sink: Sink, offered: Offered, sources: Sources, step: RunStep) -> Turn:
        """An answer whose calls a person has allowed meanwhile; its text, if it had any, is long written.

        Args:
            run: see the constructor.
            sink: see there.
            offered: see there.
            sources: see there.
            step: the step of the calls.
        """
        turn = cls(run, sink, offered, sources)
        turn._calls = Calls.of(step, offered)
        turn._calls_before = sources.calls - len(turn._calls.all)
        turn._call_step = step
        turn._known = list(map(size, turn._calls.all))
        return turn

    @property
    def begun(self) -> bool:
        """Whether the model has said anything."""
        return self._message is not None or self._call_step is not None

    def worth_showing(self, *, watched: bool) -> bool:
        """Whether what there is should be written now, so that others see it: once, or again and again if watched."""
        now = time.monotonic()
        if not self.begun:
            return False
        if watched:
            return self._size > self._shown_size and now > self._shown_at + _PACE
        return self._shown_at == 0 and now > self._show_at

    def shown(self) -> None:
        """What there is has been written."""
        self._shown_at = time.monotonic()
        self._shown_size = self._size

    @property
    def steps(self) -> list[RunStep]:
        """The steps of this answer, in order."""
        return [step for step in (self._message_step, self._call_step) if step]

    def add_text(self, text: str) -> None:
        """A piece of text."""
        if self._message is None:
            self._begin_message()
        assert self._message is not None  # noqa: S101 (begun above)
        text = storable(text)
        self._let_go(self._answer.add(self._leaks.add(text) if self._leaks else text))

    @property
    def leaked(self) -> bool:
        """Whether the text has ended, since it went on telling what is confidential."""
        return self._leaks is not None and self._leaks.over

    def _let_go(self, text: str) -> None:
        """A piece of the answer is ready to be read, and with it its annotations."""
        if not text or not self._message:
            return
        self._size += 1
        self._length += len(text)
        annotations = numbered(self._answer.annotations, self._annotated)
        self._annotated += len(annotations)
        if self._sink.heard:
            shown = annotations if annotations or not self._text else None
            delta = text_piece(self._message.id, len(self._pictures), text, shown)
            self._sink.emit("thread.message.delta", delta, str(len(self._pictures) + self._length))
        self._text.append(text)

    def _end_text(self, message: Message) -> None:
        """Nothing follows. An empty message is told too: clients look for the part that they heard of last in it."""
        if self._leaks:
            self._let_go(self._answer.add(self._leaks.finish()))
        self._let_go(self._answer.finish())
        if self._names_pages:
            self._let_go(sources_line(self._value, self._addresses))
        if not self._text and not self._pictures:
            self._sink.emit("thread.message.delta", text_piece(message.id, 0, "", []), "0")

    @property
    def calls_before(self) -> int:
        """How many tools the run had called before this answer."""
        return self._calls_before

    def add_call(self, delta: ToolCallDelta) -> None:
        """A piece of a tool call."""
        if self._call_step is None:
            self._call_step = self._begin_step("tool_calls", ToolCallsDetails(tool_calls=[]))
        if self._secrets:
            if delta.index not in self._leaks_of_calls:
                self._leaks_of_calls[delta.index] = LeakFilter(self._secrets)
            delta = replace(delta, arguments=self._leaks_of_calls[delta.index].add(delta.arguments))
        self._show_call(delta.index, self._calls.add(delta))

    def _end_arguments(self) -> None:
        """The calls are whole: what was held back of their arguments follows."""
        for index, leaks in self._leaks_of_calls.items():
            if rest := leaks.finish():
                self._show_call(index, self._calls.add(ToolCallDelta(index, arguments=rest)))
        self._leaks_of_calls.clear()

    def pending(self) -> list[Pending]:
        """The calls that Retinue is to run now."""
        return list(self._calls.pending())

    def begin_allowed(self) -> list[Pending]:
        """The calls that waited for a person, who has allowed them: to be made, once this has been committed."""
        pending = list(self._calls.allowed())
        self._calls.begin_allowed()
        return pending

    def update_call(self, index: int, call: ToolCall) -> None:
        """Show a call that Retinue runs as it is now."""
        self._calls.update(index, call)
        self._show_call(index, call)

    def finish_call(self, index: int, done: Served) -> None:
        """Show a call that Retinue has run, and keep what came of it."""
        self._calls.finish(index, done)
        self._show_call(index, done.call)

    def _show_call(self, index: int, call: ToolCall) -> None:
        step = self._call_step
        assert step is not None  # noqa: S101 (the step of this call)
        self._size += 1
        step.step_details = ToolCallsDetails(tool_calls=self._calls.all)
        step.served = self._calls.served
        known = self._known[index] if index < len(self._known) else None
        self._known[index : index + 1] = [size(call)]
        if self._sink.heard and (known is None or size(call) > known):
            body = RunStepDeltaBody(step_details=ToolCallsDeltaDetails(tool_calls=[piece(index, call, known)]))
            shown = RunStepDelta(id=step.id, delta=body, protected=step.protected)
            self._sink.emit("thread.run.step.delta", shown, place(self._known))

    def finish_calls(self) -> None:
        """All calls have been run."""
        if self._call_step:
            self._call_step.status = "completed"
            self._call_step.completed_at = int(time.time())

    @property
    def called(self) -> bool:
        """Whether the model has called tools."""
        return self._call_step is not None

    @property
    def writing(self) -> bool:
        """Whether a message is under way."""
        return self._message is not None and self._message.status == "in_progress"

    def close_message(self) -> None:
        """The text is whole, if there is any."""
        if self._message and self._message_step:
            self._end_text(self._message)
            now = int(time.time())
            self._fill(self._message, status="completed", completed_at=now)
            self._message_step.status = "completed"
            self._message_step.completed_at = now

    def complete(self, usage: CompletionUsage) -> None:
        """The answer is whole. An answer without text or calls becomes an empty message."""
        self._end_arguments()
        if not self.begun:
            self._begin_message()
        if self.writing:
            self._names_pages = not self.called and not self._verbatim
            self.close_message()
        self.steps[-1].usage = usage

    def cut_off(self, reason: Reason, usage: CompletionUsage) -> None:
        """The answer ended early, at a limit; what there is of it is kept."""
        if not self.begun:
            self._begin_message()
        self.stop("failed" if reason == "content_filter" else "completed", reason)
        self.steps[-1].usage = usage

    def stop(self, status: StepStatus, reason: Reason, error: ModelError | None = None) -> None:
        """The run ends in the middle of this answer; what there is of it is kept."""
        now = int(time.time())
        if self._message and self.writing:
            self._end_text(self._message)
            details = IncompleteDetails(reason=reason)
            self._fill(self._message, status="incomplete", incomplete_at=now, incomplete_details=details)
        for step in self.steps:
            if step.status == "in_progress":
                step.status = status
                setattr(step, f"{status}_at", now)
                if error and status == "failed":
                    code = "rate_limit_exceeded" if error.run_code == "rate_limit_exceeded" else "server_error"
                    step.last_error = StepError(code=code, message=error.message)

    def ask_client(self) -> RequiredAction | None:
        """What the client is asked for, if there are calls for it to answer: an output for each."""
        action = required_action(self._calls.of_client)
        if self._call_step:
            self._call_step.awaited = action is not None
        return action

    def new_messages(self) -> list[NewMessage]:
        """The message of this answer, as it stands."""
        if self._message is None:
            return []
        if self._message.status == "in_progress":
            self._fill(self._message)
        return [NewMessage(self._message, message_tokens(self._message))]

    def emit_end(self, *, completed_only: bool = False) -> None:
        """The closing events of what has been committed, once; with `completed_only` just of what is complete."""
        if not self._sink.heard:
            return
        ended = ("completed",) if completed_only else ("completed", "incomplete", "cancelled", "failed", "expired")
        if self._message and self._message.status in ended and self._message.id not in self._told:
            self._told.add(self._message.id)
            name: EventName = (
                "thread.message.completed" if self._message.status == "completed" else "thread.message.incomplete"
            )
            self._sink.emit(name, self._message, self._message.status)
        for step in self.steps:
            if step.status in ended and step.id not in self._told:
                self._told.add(step.id)
                self._sink.emit(_STEP_EVENTS[step.status], step, step.status)

    @property
    def _value(self) -> str:
        return "".join(self._text)

    def _fill(self, message: Message, **fields: object) -> None:
        message.content = list(self._pictures)
        if self._text or not self._pictures:
            text = Text(value=self._value, annotations=list(self._answer.annotations))
            message.content.append(TextContent(text=text))
        for name, value in fields.items():
            setattr(message, name, value)

    def _begin_message(self) -> None:
        identifier = new_id("msg_")
        details = MessageCreationDetails(message_creation=MessageCreation(message_id=identifier))
        self._message_step = self._begin_step("message_creation", details)
        self._message = Message(
            id=identifier,
            created_at=int(time.time()),
            thread_id=self._run.thread_id,
            status="in_progress",
            role="assistant",
            content=[],
            assistant_id=self._run.assistant_id,
            run_id=self._run.id,
        )
        self._sink.emit("thread.message.created", self._message, "created")
        self._sink.emit("thread.message.in_progress", self._message, "in_progress")
        for index, picture in enumerate(self._pictures):
            self._size += 1
            self._sink.emit("thread.message.delta", picture_piece(identifier, index, picture), str(index + 1))

    def _begin_step(
        self, kind: Literal["message_creation", "tool_calls"], details: MessageCreationDetails | ToolCallsDetails
    ) -> RunStep:
        step = RunStep(
            id=new_id("step_"),
            created_at=int(time.time()),
            assistant_id=self._run.assistant_id,
            thread_id=self._run.thread_id,
            run_id=self._run.id,
            type=kind,
            status="in_progress",
            step_details=details,
            protected=self._run.protected,
        )
        self._sink.emit("thread.run.step.created", step, "created")
        self._sink.emit("thread.run.step.in_progress", step, "in_progress")
        return step


_STEP_EVENTS: dict[StepStatus, EventName] = {
    "completed": "thread.run.step.completed",
    "failed": "thread.run.step.failed",
    "cancelled": "thread.run.step.cancelled",
    "expired": "thread.run.step.expired",
}
