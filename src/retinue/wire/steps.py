"""Run steps: what a run did."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .common import WireObject, is_none
from .runs import CompletionUsage


class MessageCreation(WireObject):
    """The message that a step wrote."""

    message_id: str


class MessageCreationDetails(WireObject):
    """A step that wrote a message."""

    type: Literal["message_creation"] = "message_creation"
    message_creation: MessageCreation


class FunctionCallResult(WireObject):
    """A call with its output, null while there is none."""

    name: str
    arguments: str
    output: str | None = None


class FunctionToolCall(WireObject):
    """A function call in a step."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCallResult


class ToolCallsDetails(WireObject):
    """A step that called tools."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[FunctionToolCall]


StepDetails = Annotated[MessageCreationDetails | ToolCallsDetails, Field(discriminator="type")]
StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class StepError(WireObject):
    """Why a step failed."""

    code: Literal["server_error", "rate_limit_exceeded"]
    message: str


class RunStep(WireObject):
    """One step of a run."""

    id: str
    object: Literal["thread.run.step"] = "thread.run.step"
    created_at: int
    assistant_id: str
    thread_id: str
    run_id: str
    type: Literal["message_creation", "tool_calls"]
    status: StepStatus
    step_details: StepDetails
    last_error: StepError | None = None
    expired_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    usage: CompletionUsage | None = None


class FunctionDelta(WireObject):
    """A piece of a call."""

    name: str | None = Field(default=None, exclude_if=is_none)
    arguments: str | None = Field(default=None, exclude_if=is_none)
    output: str | None = None


class FunctionToolCallDelta(WireObject):
    """A piece of a function call in a step."""

    index: int
    id: str | None = Field(default=None, exclude_if=is_none)
    type: Literal["function"] = "function"
    function: FunctionDelta


class ToolCallsDeltaDetails(WireObject):
    """Pieces of tool calls."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[FunctionToolCallDelta]


class RunStepDeltaBody(WireObject):
    """What a delta adds."""

    step_details: ToolCallsDeltaDetails


class RunStepDelta(WireObject):
    """A piece of a step, streamed."""

    id: str
    object: Literal["thread.run.step.delta"] = "thread.run.step.delta"
    delta: RunStepDeltaBody
