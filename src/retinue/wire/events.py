"""Stream events: names and payloads, as server-sent events carry them."""

from __future__ import annotations

from typing import Literal, get_args

from .common import WireObject
from .messages import Message, MessageDelta
from .runs import Run
from .steps import RunStep, RunStepDelta
from .threads import Thread

EventName = Literal[
    "thread.created",
    "thread.run.created",
    "thread.run.queued",
    "thread.run.in_progress",
    "thread.run.requires_action",
    "thread.run.completed",
    "thread.run.incomplete",
    "thread.run.failed",
    "thread.run.cancelling",
    "thread.run.cancelled",
    "thread.run.expired",
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.run.step.delta",
    "thread.run.step.completed",
    "thread.run.step.failed",
    "thread.run.step.cancelled",
    "thread.run.step.expired",
    "thread.message.created",
    "thread.message.in_progress",
    "thread.message.delta",
    "thread.message.completed",
    "thread.message.incomplete",
    "error",
    "done",
]

EVENT_NAMES: tuple[str, ...] = get_args(EventName)


class ErrorDetail(WireObject):
    """What went wrong, inside an error body or an `error` event."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


#: What an event carries; `done` carries nothing.
EventData = Thread | Run | RunStep | RunStepDelta | Message | MessageDelta | ErrorDetail
