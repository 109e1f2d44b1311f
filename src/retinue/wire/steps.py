"""Run steps: what a run did."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .common import WireObject, is_false, is_none
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


class LogsOutput(WireObject):
    """Text that code wrote."""

    type: Literal["logs"] = "logs"
    logs: str


class OutputFile(WireObject):
    """A file that code wrote."""

    file_id: str


class ImageOutput(WireObject):
    """A picture that code drew."""

    type: Literal["image"] = "image"
    image: OutputFile


CodeOutput = Annotated[LogsOutput | ImageOutput, Field(discriminator="type")]


class CodeInterpreterCall(WireObject):
    """Code, and what came of it."""

    input: str
    outputs: list[CodeOutput] = Field(default_factory=list[CodeOutput])


class CodeInterpreterToolCall(WireObject):
    """A call of the code interpreter in a step."""

    id: str
    type: Literal["code_interpreter"] = "code_interpreter"
    code_interpreter: CodeInterpreterCall


class ResultText(WireObject):
    """A passage of a file."""

    type: Literal["text"] = "text"
    text: str


class FileSearchResult(WireObject):
    """A passage that file search found; its `content` is shown to those who ask for it by `include[]`."""

    file_id: str
    file_name: str
    #: 0 to 1.
    score: float
    content: list[ResultText] | None = Field(default=None, exclude_if=is_none)


class UsedRanking(WireObject):
    """How file search ranked."""

    ranker: Literal["auto", "default_2024_08_21"]
    score_threshold: float


class FileSearchCall(WireObject):
    """What file search was asked for and found; its `queries` are shown to those who ask for them by `include[]`."""

    queries: list[str] | None = Field(default=None, exclude_if=is_none)
    ranking_options: UsedRanking | None = Field(default=None, exclude_if=is_none)
    results: list[FileSearchResult] | None = Field(default=None, exclude_if=is_none)


class FileSearchToolCall(WireObject):
    """A call of file search in a step."""

    id: str
    type: Literal["file_search"] = "file_search"
    file_search: FileSearchCall = Field(default_factory=FileSearchCall)


ToolCall = Annotated[FunctionToolCall | CodeInterpreterToolCall | FileSearchToolCall, Field(discriminator="type")]


class ToolCallsDetails(WireObject):
    """A step that called tools."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[ToolCall]


StepDetails = Annotated[MessageCreationDetails | ToolCallsDetails, Field(discriminator="type")]
StepStatus = Literal["in_progress", "cancelled", "failed", "completed", "expired"]


class StepError(WireObject):
    """Why a step failed."""

    code: Literal["server_error", "rate_limit_exceeded"]
    message: str


class CallConsent(WireObject):
    """What a person is to say to a call before it is made."""

    #: What "always" is remembered for.
    key: str
    #: Why the person is asked, in words.
    reason: str
    #: Where the person has to sign in first, if so.
    authorize_url: str | None = None
    #: None while the call waits.
    allowed: bool | None = None
    #: Whether the call, once allowed, has been begun: it is never made twice.
    begun: bool = False


class ServedCall(WireObject):
    """A call that Retinue runs, as the model knows it."""

    name: str
    #: JSON text, as the model wrote it.
    arguments: str
    #: What the model was told.
    output: str = ""
    #: Ids of files that it has written, by the path under which an answer may link to them.
    files: dict[str, str] = Field(default_factory=dict[str, str])
    #: Addresses of the web that were read.
    addresses: list[str] = Field(default_factory=list[str])
    #: Ids of pictures that the user is shown with the next message.
    pictures: list[str] = Field(default_factory=list[str])
    #: Whether it did not work.
    failed: bool = False
    #: What it waits or waited for, if a person has to allow it.
    consent: CallConsent | None = None


class RunStep(WireObject):
    """One step of a run."""

    internal: ClassVar[frozenset[str]] = frozenset({"awaited", "served"})

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
    #: Whether the run's assistant was protected: an extension.
    protected: bool = Field(default=False, exclude_if=is_false)
    #: Whether the client was asked for the outputs of its calls.
    awaited: bool = False
    #: What passed between the model and the tools that Retinue runs, by the call's id.
    served: dict[str, ServedCall] = Field(default_factory=dict[str, ServedCall])


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


class LogsOutputDelta(LogsOutput):
    """A piece of what code wrote."""

    #: Position in `outputs`.
    index: int


class ImageOutputDelta(ImageOutput):
    """A picture that code drew."""

    #: Position in `outputs`.
    index: int


class CodeInterpreterDelta(WireObject):
    """A piece of code, or of what came of it."""

    input: str | None = Field(default=None, exclude_if=is_none)
    outputs: list[LogsOutputDelta | ImageOutputDelta] | None = Field(default=None, exclude_if=is_none)


class CodeInterpreterToolCallDelta(WireObject):
    """A piece of a call of the code interpreter in a step."""

    index: int
    id: str | None = Field(default=None, exclude_if=is_none)
    type: Literal["code_interpreter"] = "code_interpreter"
    code_interpreter: CodeInterpreterDelta


class FileSearchToolCallDelta(WireObject):
    """A piece of a call of file search in a step."""

    index: int
    id: str | None = Field(default=None, exclude_if=is_none)
    type: Literal["file_search"] = "file_search"
    file_search: FileSearchCall


ToolCallDelta = FunctionToolCallDelta | CodeInterpreterToolCallDelta | FileSearchToolCallDelta


class ToolCallsDeltaDetails(WireObject):
    """Pieces of tool calls."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[ToolCallDelta]


class RunStepDeltaBody(WireObject):
    """What a delta adds."""

    step_details: ToolCallsDeltaDetails


class RunStepDelta(WireObject):
    """A piece of a step, streamed."""

    id: str
    object: Literal["thread.run.step.delta"] = "thread.run.step.delta"
    delta: RunStepDeltaBody
    #: Whether the run's assistant was protected: an extension.
    protected: bool = Field(default=False, exclude_if=is_false)
