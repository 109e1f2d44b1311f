"""Version 1 of the Assistants API: what `OpenAI-Beta: assistants=v1` sends and is answered, where it differs.

Source: the official OpenAPI document of 2024-04-15, the last with version 1. No object is stored in these shapes:
they are views of the version 2 objects.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from .assistants import Description, Name
from .common import Id, Instructions, Metadata, ModelName, Temperature, TopP, WireObject, WireRequest, is_false, is_none
from .messages import FilePath, IncompleteDetails
from .runs import (
    CompletionUsage,
    LastError,
    RequiredAction,
    RunIncompleteDetails,
    TruncationStrategy,
)
from .steps import (
    CodeInterpreterToolCall,
    CodeInterpreterToolCallDelta,
    FunctionToolCall,
    FunctionToolCallDelta,
    MessageCreationDetails,
    StepError,
    StepStatus,
)
from .tools import CodeInterpreterTool, ExtensionTool, FunctionName

#: The most files of an assistant, and of a message.
ASSISTANT_FILES, MESSAGE_FILES = 20, 10

# --- tools


class FunctionDefinition(WireRequest):
    """A function that the client runs when the model asks for it."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = Field(default=None, exclude_if=is_none)
    #: JSON schema of the arguments; none means no arguments.
    parameters: dict[str, Any] | None = Field(default=None, exclude_if=is_none)


class FunctionTool(WireRequest):
    """A function tool."""

    type: Literal["function"]
    function: FunctionDefinition


class RetrievalTool(WireRequest):
    """Search in the files of the assistant and of the thread's messages: `file_search` in version 2."""

    type: Literal["retrieval"]


Tool = Annotated[CodeInterpreterTool | RetrievalTool | FunctionTool | ExtensionTool, Field(discriminator="type")]


class NamedToolChoice(WireRequest):
    """The tool that the model must call."""

    type: Literal["function", "code_interpreter", "retrieval", "web_browsing", "image_generation"]
    function: FunctionName | None = Field(default=None, exclude_if=is_none)


ToolChoice = Literal["none", "auto"] | NamedToolChoice


class ResponseFormatObject(WireRequest):
    """Text, or any JSON object."""

    type: Literal["text", "json_object"] = "text"


ResponseFormat = Literal["none", "auto"] | ResponseFormatObject

# --- assistants


class Assistant(WireObject):
    """A model with instructions and tools."""

    id: str
    object: Literal["assistant"] = "assistant"
    created_at: int
    name: str | None
    description: str | None
    model: str
    instructions: str | None
    tools: list[Tool]
    file_ids: list[str]
    metadata: dict[str, str]
    #: As in version 2.
    protected: bool = Field(default=False, exclude_if=is_false)


class AssistantOptions(WireRequest):
    """What creating and modifying an assistant have in common."""

    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: Annotated[list[Tool], Field(max_length=128)] | None = None
    file_ids: Annotated[list[Id], Field(max_length=ASSISTANT_FILES)] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None


class AssistantCreate(AssistantOptions):
    """Body of `POST /assistants`."""

    model: ModelName


class AssistantModify(AssistantOptions):
    """Body of `POST /assistants/{id}`: what is absent stays as it is."""

    model: ModelName | None = None


class AssistantFile(WireObject):
    """A file of an assistant."""

    id: str
    object: Literal["assistant.file"] = "assistant.file"
    created_at: int
    assistant_id: str


class AssistantFileCreate(WireRequest):
    """Body of `POST /assistants/{id}/files`."""

    file_id: Id


# --- threads and messages


class Thread(WireObject):
    """A conversation."""

    id: str
    object: Literal["thread"] = "thread"
    created_at: int
    metadata: dict[str, str]


class Quote(WireObject):
    """The passage that a citation points to."""

    file_id: str
    #: `""` where only the file is known.
    quote: str = ""


class FileCitation(WireObject):
    """A mark in the text that cites a file."""

    type: Literal["file_citation"] = "file_citation"
    text: str
    file_citation: Quote
    start_index: int
    end_index: int


Annotation = Annotated[FileCitation | FilePath, Field(discriminator="type")]


class Text(WireObject):
    """Text with its annotations."""

    value: str
    annotations: list[Annotation] = Field(default_factory=list[Annotation])


class TextContent(WireObject):
    """A text part."""

    type: Literal["text"] = "text"
    text: Text


class ImageFile(WireObject):
    """A picture by file."""

    file_id: str


class ImageFileContent(WireObject):
    """A picture part."""

    type: Literal["image_file"] = "image_file"
    image_file: ImageFile


MessageContent = Annotated[TextContent | ImageFileContent, Field(discriminator="type")]


class Message(WireObject):
    """A message in a thread."""

    id: str
    object: Literal["thread.message"] = "thread.message"
    created_at: int
    thread_id: str
    status: Literal["in_progress", "incomplete", "completed"]
    incomplete_details: IncompleteDetails | None
    completed_at: int | None
    incomplete_at: int | None
    role: Literal["user", "assistant"]
    content: list[MessageContent]
    assistant_id: str | None
    run_id: str | None
    file_ids: list[str]
    metadata: dict[str, str]


class MessageCreate(WireRequest):
    """Body of `POST /threads/{id}/messages`."""

    role: Literal["user", "assistant"]
    content: Annotated[str, StringConstraints(min_length=1, max_length=256_000)]
    file_ids: Annotated[list[Id], Field(max_length=MESSAGE_FILES)] | None = None
    metadata: Metadata | None = None


class MessageFile(WireObject):
    """A file of a message."""

    id: str
    object: Literal["thread.message.file"] = "thread.message.file"
    created_at: int
    message_id: str


class ThreadCreate(WireRequest):
    """Body of `POST /threads`."""

    messages: Annotated[list[MessageCreate], Field(max_length=1000)] = Field(default_factory=list[MessageCreate])
    metadata: Metadata | None = None


class ThreadModify(WireRequest):
    """Body of `POST /threads/{id}`: what is absent stays as it is."""

    metadata: Metadata | None = None


# --- runs


class Run(WireObject):
    """One execution of an assistant on a thread."""

    id: str
    object: Literal["thread.run"] = "thread.run"
    created_at: int
    thread_id: str
    assistant_id: str
    status: Literal[
        "queued", "in_progress", "requires_action", "cancelling", "cancelled", "failed", "completed", "expired"
    ]
    required_action: RequiredAction | None
    last_error: LastError | None
    expires_at: int | None
    started_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    incomplete_details: RunIncompleteDetails | None
    model: str
    instructions: str
    tools: list[Tool]
    file_ids: list[str]
    metadata: dict[str, str]
    usage: CompletionUsage | None
    temperature: float | None
    top_p: float | None
    max_prompt_tokens: int | None
    max_completion_tokens: int | None
    truncation_strategy: TruncationStrategy
    tool_choice: ToolChoice
    response_format: ResponseFormat
    #: As in version 2.
    protected: bool = Field(default=False, exclude_if=is_false)


class RunOptions(WireRequest):
    """What both ways of creating a run have in common."""

    assistant_id: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    model: ModelName | None = None
    instructions: Instructions | None = None
    tools: Annotated[list[Tool], Field(max_length=20)] | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    stream: bool | None = None
    max_prompt_tokens: Annotated[int, Field(ge=256, le=2**53)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=256, le=2**53)] | None = None
    truncation_strategy: TruncationStrategy | None = None
    tool_choice: ToolChoice | None = None
    response_format: ResponseFormat | None = None


class RunCreate(RunOptions):
    """Body of `POST /threads/{id}/runs`."""

    additional_instructions: Instructions | None = None
    additional_messages: Annotated[list[MessageCreate], Field(max_length=1000)] | None = None


class ThreadAndRunCreate(RunOptions):
    """Body of `POST /threads/runs`."""

    thread: ThreadCreate | None = None


# --- run steps


class RetrievalToolCall(WireObject):
    """A call of retrieval in a step. Version 1 says nothing about what was found."""

    id: str
    type: Literal["retrieval"] = "retrieval"
    retrieval: dict[str, Any] = Field(default_factory=dict[str, Any])


ToolCall = Annotated[FunctionToolCall | CodeInterpreterToolCall | RetrievalToolCall, Field(discriminator="type")]


class ToolCallsDetails(WireObject):
    """A step that called tools."""

    type: Literal["tool_calls"] = "tool_calls"
    tool_calls: list[ToolCall]


StepDetails = Annotated[MessageCreationDetails | ToolCallsDetails, Field(discriminator="type")]


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
    last_error: StepError | None
    expired_at: int | None
    cancelled_at: int | None
    failed_at: int | None
    completed_at: int | None
    metadata: dict[str, str]
    usage: CompletionUsage | None
    #: As in version 2.
    protected: bool = Field(default=False, exclude_if=is_false)


# --- pieces of a stream


class FileCitationDelta(FileCitation):
    """A citation, with its position among the text's annotations."""

    index: int


class FilePathDelta(FilePath):
    """A path, with its position among the text's annotations."""

    index: int


AnnotationDelta = Annotated[FileCitationDelta | FilePathDelta, Field(discriminator="type")]


class TextDelta(WireObject):
    """A piece of text."""

    value: str | None = Field(default=None, exclude_if=is_none)
    annotations: list[AnnotationDelta] | None = Field(default=None, exclude_if=is_none)


class TextDeltaContent(WireObject):
    """A piece of a text part."""

    index: int
    type: Literal["text"] = "text"
    text: TextDelta


class ImageFileDeltaContent(ImageFileContent):
    """A picture part."""

    index: int


ContentDelta = Annotated[TextDeltaContent | ImageFileDeltaContent, Field(discriminator="type")]


class MessageDeltaBody(WireObject):
    """What a delta adds."""

    content: list[ContentDelta]


class MessageDelta(WireObject):
    """A piece of a message, streamed."""

    id: str
    object: Literal["thread.message.delta"] = "thread.message.delta"
    delta: MessageDeltaBody


class RetrievalToolCallDelta(WireObject):
    """A piece of a call of retrieval in a step."""

    index: int
    id: str | None = Field(default=None, exclude_if=is_none)
    type: Literal["retrieval"] = "retrieval"
    retrieval: dict[str, Any] = Field(default_factory=dict[str, Any])


ToolCallDelta = Annotated[
    FunctionToolCallDelta | CodeInterpreterToolCallDelta | RetrievalToolCallDelta, Field(discriminator="type")
]


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
    #: As in version 2.
    protected: bool = Field(default=False, exclude_if=is_false)
