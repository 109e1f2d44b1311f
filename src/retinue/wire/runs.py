"""Runs: an assistant at work on a thread."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from .common import (
    Id,
    Instructions,
    Metadata,
    ModelName,
    ReasoningEffort,
    ResponseFormat,
    Temperature,
    TopP,
    WireObject,
    WireRequest,
    is_false,
)
from .messages import MessageCreate
from .threads import ThreadCreate
from .tools import RequiredToolCall, Tool, ToolChoice, ToolResources

RunStatus = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]

#: A run in one of these holds its thread's lock.
ACTIVE: tuple[RunStatus, ...] = ("queued", "in_progress", "requires_action", "cancelling")
#: A run in one of these has ended and never changes its status again.
TERMINAL: tuple[RunStatus, ...] = ("completed", "incomplete", "failed", "cancelled", "expired")


class SubmitToolOutputsAction(WireObject):
    """The calls that wait for outputs."""

    tool_calls: list[RequiredToolCall]


class RequiredAction(WireObject):
    """What a run waits for."""

    type: Literal["submit_tool_outputs"] = "submit_tool_outputs"
    submit_tool_outputs: SubmitToolOutputsAction


class LastError(WireObject):
    """Why a run failed."""

    code: Literal["server_error", "rate_limit_exceeded", "invalid_prompt"]
    message: str


class RunIncompleteDetails(WireObject):
    """Which limit ended a run."""

    reason: Literal["max_completion_tokens", "max_prompt_tokens"]


class CompletionUsage(WireObject):
    """Tokens used."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Amount(WireObject):
    """An amount of money."""

    value: float
    currency: Literal["usd"] = "usd"


class Asked(WireObject):
    """How one request to a run's model was made, so that it can be made once more: see `runs.prompts`."""

    #: From 0, over the run's whole life.
    number: int
    #: When, in seconds.
    at: int
    #: How many steps the run had made.
    steps: int
    #: Tokens that the thread's messages could have, how many of them there were, and the id of the newest.
    budget: int
    count: int
    newest: str = ""
    #: Whether no more tools could be called.
    closing: bool = False
    #: The `tool_choice`, and the most tokens of the answer.
    choice: str | dict[str, Any] = "auto"
    most: int | None = None
    #: Which definitions of Retinue's own functions were told; "" where there were none.
    offered: str = ""
    #: Whether the functions were told in words.
    prompted: bool = False
    #: Digest of the request.
    digest: str


class TruncationStrategy(WireRequest):
    """Which messages of the thread the model sees."""

    type: Literal["auto", "last_messages"]
    last_messages: Annotated[int, Field(ge=1)] | None = None


class Run(WireObject):
    """One execution of an assistant on a thread."""

    internal: ClassVar[frozenset[str]] = frozenset(
        {"reasoning_effort", "key", "user", "spent", "confidential", "asked"}
    )

    id: str
    object: Literal["thread.run"] = "thread.run"
    created_at: int
    thread_id: str
    assistant_id: str
    status: RunStatus
    required_action: RequiredAction | None = None
    last_error: LastError | None = None
    expires_at: int | None = None
    started_at: int | None = None
    cancelled_at: int | None = None
    failed_at: int | None = None
    completed_at: int | None = None
    incomplete_details: RunIncompleteDetails | None = None
    model: str
    instructions: str
    tools: list[Tool] = Field(default_factory=list[Tool])
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    usage: CompletionUsage | None = None
    #: What the run cost, once it has ended; an extension.
    cost: Amount | None = None
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    max_prompt_tokens: int | None = None
    max_completion_tokens: int | None = None
    truncation_strategy: TruncationStrategy = Field(default_factory=lambda: TruncationStrategy(type="auto"))
    tool_choice: ToolChoice = "auto"
    parallel_tool_calls: bool = True
    response_format: ResponseFormat = "auto"
    reasoning_effort: ReasoningEffort | None = None
    #: The ids of the API key that created the run and of the person whose it is.
    key: str = ""
    user: str = ""
    #: Nano-dollars that it has cost so far.
    spent: int = 0
    #: Whether its assistant was protected: an extension.
    protected: bool = Field(default=False, exclude_if=is_false)
    #: How many characters of the instructions, the first ones, are those of a protected assistant.
    confidential: int = 0
    #: How its last requests to the model were made.
    asked: list[Asked] = Field(default_factory=list[Asked])


class RunPrompt(WireObject):
    """What a run's model was sent, once; an extension."""

    id: str
    object: Literal["thread.run.prompt"] = "thread.run.prompt"
    created_at: int
    thread_id: str
    run_id: str
    assistant_id: str
    #: How many steps the run had made by then.
    steps: int
    #: Whether this is, to the byte, what was sent. Else something that it was made of has changed or is gone.
    exact: bool
    #: Whether the functions were told in words, since the model does not take `tools`.
    prompted: bool
    #: The body of the request of chat completions. Data of pictures are cut short.
    body: dict[str, Any]
    protected: bool = Field(default=False, exclude_if=is_false)


class _RunOptions(WireRequest):
    """What both ways of creating a run have in common."""

    assistant_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    model: ModelName | None = None
    instructions: Instructions | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: Annotated[int, Field(ge=256, le=2**53)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=256, le=2**53)] | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None


class RunCreate(_RunOptions):
    """Body of `POST /threads/{id}/runs`."""

    additional_instructions: Instructions | None = None
    additional_messages: Annotated[list[MessageCreate], Field(max_length=1000)] | None = None


class ThreadAndRunCreate(_RunOptions):
    """Body of `POST /threads/runs`."""

    thread: ThreadCreate | None = None
    tool_resources: ToolResources | None = None


class RunModify(WireRequest):
    """Body of `POST /threads/{id}/runs/{id}`."""

    metadata: Metadata | None = None


class ToolOutput(WireRequest):
    """What a function answered."""

    tool_call_id: Id
    output: str = ""


class ToolOutputsSubmit(WireRequest):
    """Body of `POST /threads/{id}/runs/{id}/submit_tool_outputs`."""

    tool_outputs: Annotated[list[ToolOutput], Field(max_length=1024)]
    stream: bool | None = None
