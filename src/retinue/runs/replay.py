"""The events of a run once more, from what is kept of it: for readers who join late, anywhere, or come back.

A run's events follow from its state: the run, its steps and its messages. They come in the order in which the run's
driver emits them, with the same ids, so that a reader can go on where another stream broke off.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidRequest
from ..store.runs import RunView
from ..wire.common import WireObject
from ..wire.events import EventName
from ..wire.messages import Annotation, ImageFileContent, Message, Text, TextContent
from ..wire.runs import Run, RunStatus
from ..wire.steps import (
    FunctionToolCall,
    MessageCreationDetails,
    RunStep,
    RunStepDelta,
    RunStepDeltaBody,
    ToolCall,
    ToolCallsDeltaDetails,
    ToolCallsDetails,
)
from .calls import of_client
from .citations import numbered
from .pieces import picture_piece, piece, place, size, text_piece
from .turn import required_action


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        name: its name.
        data: its object.
        at: what tells it from other events of the same object; the event's id is ``<object id>.<at>``.
    """

    name: EventName
    data: WireObject
    at: str

    @property
    def id(self) -> str:
        """The event's id."""
        return f"{getattr(self.data, 'id', '')}.{self.at}"


@dataclass(frozen=True, slots=True)
class _Content:
    """A message's pictures, and the text behind them, which may grow still unless it has `ended`."""

    message: str
    pictures: list[ImageFileContent]
    text: str
    annotations: list[Annotation]
    ended: bool

    def since(self, at: str | None) -> Iterator[Event]:
        """What follows after the first `at` pictures and characters."""
        known, before = int(at or 0), len(self.pictures)
        for index, picture in enumerate(self.pictures[known:], known):
            yield Event("thread.message.delta", picture_piece(self.message, index, picture), str(index + 1))
        known = max(0, known - before)
        if len(self.text) > known or (self.ended and at is None and not self.text and not self.pictures):
            new = numbered(self.annotations, sum(one.end_index <= known for one in self.annotations))
            delta = text_piece(self.message, before, self.text[known:], new if new or not known else None)
            yield Event("thread.message.delta", delta, str(before + len(self.text)))


@dataclass(frozen=True, slots=True)
class _Calls:
    """A step's tool calls, which may grow still."""

    step: str
    calls: list[ToolCall]
    protected: bool
    #: How far the calls had come before: what was told of them then.
    told: list[int] = field(default_factory=list[int])

    def since(self, at: str | None) -> Iterator[Event]:
        """What follows after the place that `at` names."""
        known = list(map(int, at.split("-"))) if at else list(self.told)
        for index, call in enumerate(self.calls):
            before = known[index] if index < len(known) else None
            if before is None or size(call) > before:
                known[index : index + 1] = [size(call)]
                body = RunStepDeltaBody(step_details=ToolCallsDeltaDetails(tool_calls=[piece(index, call, before)]))
                delta = RunStepDelta(id=self.step, delta=body, protected=self.protected)
                yield Event("thread.run.step.delta", delta, place(known))


def moment(status: RunStatus, steps: int) -> str:
    """The `at` of a run's event that may come more than once: in its cycle, told by how many steps have ended."""
    return f"{status}.{steps}"


def ended(steps: list[RunStep]) -> int:
    """How many of these steps have ended, or go on after a person has allowed their calls."""
    return sum(step.status != "in_progress" or _allowed(step) for step in steps)


class Replay:
    """What one reader has been told of a run, and what follows."""

    def __init__(self, after: str | None) -> None:
        """`after`: the id of the last event that the reader knows; None if it knows none."""
        self._last = after

    def advance(self, view: RunView) -> Iterator[Event]:
        """The events that lie between what the reader knows and the run's state now.

        Raises:
            InvalidRequest: what the reader knows last is no event of this run: it never was, or belongs to an answer
                that was dropped when the process that drove the run died.
        """
        entries = list(_events(view))
        index, at = self._find(entries, view.run)
        for entry in entries[index:]:
            events = (entry,) if isinstance(entry, Event) else entry.since(at)
            at = None
            for event in events:
                self._last = event.id
                yield event

    def _find(self, entries: list[Event | _Content | _Calls], run: Run) -> tuple[int, str | None]:
        """Where to go on: the entry, and what is known of it."""
        owner, _, at = (self._last or "").partition(".")
        if not self._last or owner == run.thread_id:
            return 0, None
        for index, entry in enumerate(entries):
            if isinstance(entry, Event):
                if entry.id == self._last:
                    return index + 1, None
            elif owner == (entry.message if isinstance(entry, _Content) else entry.step) and _is_place(entry, at):
                return index, at
        message = f"Run {run.id} has no event '{self._last}', or no longer: leave `after` out to get all its events."
        raise InvalidRequest(message, param="after")


def _is_place(entry: _Content | _Calls, at: str) -> bool:
    numbers = at.split("-")
    if not all(number.isascii() and number.isdigit() and len(number) < 10 for number in numbers):
        return False
    if isinstance(entry, _Content):
        return len(numbers) == 1
    # What lies beyond these calls belongs to a later entry of theirs.
    sizes = list(map(size, entry.calls))
    return len(numbers) <= len(sizes) and all(int(one) <= known for one, known in zip(numbers, sizes, strict=False))


def _events(view: RunView) -> Iterator[Event | _Content | _Calls]:
    """Everything that has happened, in order."""
    run, done = view.run, 0
    yield _run(run, "created", "created")
    yield _run(run, "queued", moment("queued", 0))
    if run.started_at is None:
        yield from _run_end(run, cancelling=True)
        return
    yield _run(run, "in_progress", moment("in_progress", 0))
    cancelling = run.status == "cancelled"
    for step in view.steps:
        yield Event("thread.run.step.created", _begun(step), "created")
        yield Event("thread.run.step.in_progress", _begun(step), "in_progress")
        message = _message_of(step, view)
        if message:
            yield from _message_begin(message)
        calls = _calls(step)
        if calls:
            yield calls
        waits = _required_action(step)
        if waits:
            yield _run(run, "requires_action", moment("requires_action", done), required_action=waits)
        goes_on = _allowed(step)
        if goes_on:
            done += 1
            yield _run(run, "queued", moment("queued", done))
            yield _run(run, "in_progress", moment("in_progress", done))
            if calls and isinstance(step.step_details, ToolCallsDetails):
                yield _Calls(step.id, _told(step, step.step_details), step.protected, list(map(size, calls.calls)))
        if cancelling and step.status == "cancelled":
            yield _run(run, "cancelling", "cancelling")
            cancelling = False
        if message and message.status != "in_progress":
            yield Event(_ended_message(message), message, message.status)
        if step.status != "in_progress":
            done += not goes_on
            name: Any = f"thread.run.step.{step.status}"
            yield Event(name, step, step.status)
        if waits and step.status == "completed" and not goes_on:
            yield _run(run, "queued", moment("queued", done))
            if run.status != "queued" or step is not view.steps[-1]:
                yield _run(run, "in_progress", moment("in_progress", done))
    yield from _run_end(run, cancelling=cancelling)


def _run_end(run: Run, *, cancelling: bool) -> Iterator[Event]:
    if run.status == "cancelled" and cancelling:
        yield _run(run, "cancelling", "cancelling")
    if run.status in ("completed", "incomplete", "failed", "cancelled", "expired"):
        name: Any = f"thread.run.{run.status}"
        yield Event(name, run, run.status)


def _run(run: Run, status: Any, at: str, **fields: Any) -> Event:
    """The run as it was then."""
    blank: dict[str, Any] = dict.fromkeys(
        (
            "required_action",
            "usage",
            "cost",
            "last_error",
            "incomplete_details",
            "completed_at",
            "failed_at",
            "cancelled_at",
        )
    )
    if status in ("created", "queued") and at in ("created", moment("queued", 0)):
        blank["started_at"] = None
    then = run.model_copy(update={**blank, **fields, "status": "queued" if status == "created" else status})
    name: Any = f"thread.run.{status}"
    return Event(name, then, at)


def _required_action(step: RunStep) -> Any:
    """What the client was asked for with this step, if it was."""
    if not step.awaited or not isinstance(step.step_details, ToolCallsDetails):
        return None
    asked = of_client(step.step_details.tool_calls, step.served)
    return required_action([_without_output(call) for call in asked])


def _allowed(step: RunStep) -> bool:
    """Whether a call of this step waited for a person, was allowed, and the run has gone on."""
    consents = [served.consent for served in step.served.values() if served.consent]
    return any(consent.allowed for consent in consents)


def _calls(step: RunStep) -> _Calls | None:
    """The calls of a step as they were when the model had made them, and those that nobody had to allow were run."""
    if not isinstance(step.step_details, ToolCallsDetails):
        return None
    asked = {call.id for call in of_client(step.step_details.tool_calls, step.served)}
    calls = [_without_output(call) if call.id in asked else call for call in step.step_details.tool_calls]
    return _Calls(step.id, calls, step.protected)


def _told(step: RunStep, details: ToolCallsDetails) -> list[ToolCall]:
    """The calls of a step, without what the client has said: that is known to it."""
    return [call if call.id in step.served else _without_output(call) for call in details.tool_calls]


def _without_output(call: Any) -> Any:
    if not isinstance(call, FunctionToolCall):
        return call
    return call.model_copy(update={"function": call.function.model_copy(update={"output": None})})


def _begun(step: RunStep) -> RunStep:
    """The step as it was when it began."""
    times = dict.fromkeys(("completed_at", "cancelled_at", "failed_at", "expired_at", "last_error", "usage"))
    kept = isinstance(step.step_details, MessageCreationDetails)
    details = step.step_details if kept else ToolCallsDetails(tool_calls=[])
    return step.model_copy(update={**times, "status": "in_progress", "step_details": details})


def _message_of(step: RunStep, view: RunView) -> Message | None:
    details = step.step_details
    if not isinstance(details, MessageCreationDetails):
        return None
    return view.messages.get(details.message_creation.message_id)


def _message_begin(message: Message) -> Iterator[Event | _Content]:
    blank = {"status": "in_progress", "content": [], "completed_at": None, "incomplete_at": None}
    begun = message.model_copy(update={**blank, "incomplete_details": None})
    yield Event("thread.message.created", begun, "created")
    yield Event("thread.message.in_progress", begun, "in_progress")
    pictures = [part for part in message.content if isinstance(part, ImageFileContent)]
    text = next((part.text for part in message.content if isinstance(part, TextContent)), Text(value=""))
    yield _Content(message.id, pictures, text.value, text.annotations, message.status != "in_progress")


def _ended_message(message: Message) -> EventName:
    return "thread.message.completed" if message.status == "completed" else "thread.message.incomplete"
