"""One answer of the model as it comes in: the message and the tool calls it becomes, and their events."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Literal, Protocol

from ..errors import ModelError
from ..inference.chat import ToolCallDelta
from ..store.conversations import NewMessage
from ..store.ids import new_id
from ..wire.common import WireObject
from ..wire.events import EventName
from ..wire.messages import (
    IncompleteDetails,
    Message,
    MessageDelta,
    MessageDeltaBody,
    Text,
    TextContent,
    TextDelta,
    TextDeltaContent,
)
from ..wire.runs import CompletionUsage, RequiredAction, Run, SubmitToolOutputsAction
from ..wire.steps import (
    FunctionCallResult,
    FunctionDelta,
    FunctionToolCall,
    FunctionToolCallDelta,
    MessageCreation,
    MessageCreationDetails,
    RunStep,
    RunStepDelta,
    RunStepDeltaBody,
    StepError,
    StepStatus,
    ToolCallsDeltaDetails,
    ToolCallsDetails,
)
from ..wire.tools import FunctionCall, RequiredToolCall
from .context import message_tokens

#: Seconds after which an answer that still comes in is worth writing, so that others see it in the making.
_WORTH_SHOWING = 0.5

Reason = Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]


def storable(text: str) -> str:
    """What a model's server sent, without the one character that PostgreSQL does not keep: NUL."""
    return text.replace("\x00", "\ufffd")


class Sink(Protocol):
    """Where events go."""

    @property
    def heard(self) -> bool:
        """Whether anyone listens."""
        ...

    def emit(self, name: EventName, data: WireObject) -> None:
        """Pass on an event."""
        ...


class Turn:
    """What one call of the model brings."""

    def __init__(self, run: Run, sink: Sink) -> None:
        self._run = run
        self._sink = sink
        self._text: list[str] = []
        self._message: Message | None = None
        self._message_step: RunStep | None = None
        self._calls: list[FunctionToolCall] = []
        self._call_step: RunStep | None = None
        self._show_at = time.monotonic() + _WORTH_SHOWING
        self._told: set[str] = set()

    @property
    def begun(self) -> bool:
        """Whether the model has said anything."""
        return self._message is not None or self._call_step is not None

    @property
    def unseen(self) -> bool:
        """Whether there is something worth writing that has not been written."""
        return self.begun and time.monotonic() > self._show_at

    @unseen.setter
    def unseen(self, value: bool) -> None:
        self._show_at = 0.0 if value else float("inf")

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
        self._text.append(text)
        if self._sink.heard:
            content = TextDeltaContent(index=0, text=TextDelta(value=text))
            delta = MessageDelta(id=self._message.id, delta=MessageDeltaBody(content=[content]))
            self._sink.emit("thread.message.delta", delta)

    def add_call(self, delta: ToolCallDelta) -> None:
        """A piece of a tool call."""
        delta = replace(delta, arguments=storable(delta.arguments))
        if self._call_step is None:
            self._call_step = self._begin_step("tool_calls", ToolCallsDetails(tool_calls=self._calls))
        if delta.index > len(self._calls) or delta.index < 0:
            raise ModelError("The model's server sent tool calls out of order.")
        if first := delta.index == len(self._calls):
            call = FunctionToolCall(
                id=self._call_id(delta.id),
                function=FunctionCallResult(name=storable(delta.name or ""), arguments=delta.arguments),
            )
            self._calls.append(call)
        else:
            call = self._calls[delta.index]
            call.function.arguments += delta.arguments
        # The list was copied when the step was made.
        self._call_step.step_details = ToolCallsDetails(tool_calls=self._calls)
        if self._sink.heard:
            self._emit_call_delta(call, delta, first=first)

    @property
    def writing(self) -> bool:
        """Whether a message is under way."""
        return self._message is not None and self._message.status == "in_progress"

    def close_message(self) -> None:
        """The text is whole, if there is any."""
        if self._message and self._message_step:
            now = int(time.time())
            self._fill(self._message, status="completed", completed_at=now)
            self._message_step.status = "completed"
            self._message_step.completed_at = now

    def complete(self, usage: CompletionUsage) -> None:
        """The answer is whole. An answer without text or calls becomes an empty message."""
        if not self.begun:
            self._begin_message()
        if self.writing:
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
        if self._message and self._message.status == "in_progress":
            details = IncompleteDetails(reason=reason)
            self._fill(self._message, status="incomplete", incomplete_at=now, incomplete_details=details)
        for step in self.steps:
            if step.status == "in_progress":
                step.status = status
                setattr(step, f"{status}_at", now)
                if error and status == "failed":
                    code = "rate_limit_exceeded" if error.run_code == "rate_limit_exceeded" else "server_error"
                    step.last_error = StepError(code=code, message=error.message)

    def required_action(self) -> RequiredAction | None:
        """What the client is asked for: an output for each call."""
        if not self._calls:
            return None
        calls = [
            RequiredToolCall(
                id=call.id, function=FunctionCall(name=call.function.name, arguments=call.function.arguments)
            )
            for call in self._calls
        ]
        return RequiredAction(submit_tool_outputs=SubmitToolOutputsAction(tool_calls=calls))

    def new_messages(self) -> list[NewMessage]:
        """The message of this answer, as it stands."""
        if self._message is None:
            return []
        if self._message.status == "in_progress":
            self._fill(self._message)
        return [NewMessage(self._message, message_tokens(self._value))]

    def emit_end(self) -> None:
        """The closing events of what has been committed, once."""
        if not self._sink.heard:
            return
        if self._message and not self.writing and self._message.id not in self._told:
            self._told.add(self._message.id)
            name: EventName = (
                "thread.message.completed" if self._message.status == "completed" else "thread.message.incomplete"
            )
            self._sink.emit(name, self._message)
        for step in self.steps:
            if step.status != "in_progress" and step.id not in self._told:
                self._told.add(step.id)
                self._sink.emit(_STEP_EVENTS[step.status], step)

    @property
    def _value(self) -> str:
        return "".join(self._text)

    def _fill(self, message: Message, **fields: object) -> None:
        message.content = [TextContent(text=Text(value=self._value))]
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
        self._sink.emit("thread.message.created", self._message)
        self._sink.emit("thread.message.in_progress", self._message)

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
        )
        self._sink.emit("thread.run.step.created", step)
        self._sink.emit("thread.run.step.in_progress", step)
        return step

    def _call_id(self, given: str | None) -> str:
        """The id that the model's server gave, unless it gave none or gave another call the same."""
        identifier = storable(given or "")
        taken = any(call.id == identifier for call in self._calls)
        return new_id("call_") if taken or not identifier else identifier

    def _emit_call_delta(self, call: FunctionToolCall, delta: ToolCallDelta, *, first: bool) -> None:
        assert self._call_step is not None  # noqa: S101 (the caller made it)
        function = FunctionDelta(name=call.function.name if first else None, arguments=delta.arguments)
        piece = FunctionToolCallDelta(index=delta.index, id=call.id if first else None, function=function)
        body = RunStepDeltaBody(step_details=ToolCallsDeltaDetails(tool_calls=[piece]))
        self._sink.emit("thread.run.step.delta", RunStepDelta(id=self._call_step.id, delta=body))


_STEP_EVENTS: dict[StepStatus, EventName] = {
    "completed": "thread.run.step.completed",
    "failed": "thread.run.step.failed",
    "cancelled": "thread.run.step.cancelled",
    "expired": "thread.run.step.expired",
}
