"""Tools as assistants and runs name them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from .common import Id, WireRequest, is_none
from .vector_stores import VectorStoreHelper


class FunctionDefinition(WireRequest):
    """A function that the client runs when the model asks for it."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = Field(default=None, exclude_if=is_none)
    #: JSON schema of the arguments; none means no arguments.
    parameters: dict[str, Any] | None = Field(default=None, exclude_if=is_none)
    strict: bool | None = Field(default=None, exclude_if=is_none)


class FunctionTool(WireRequest):
    """A function tool."""

    type: Literal["function"]
    function: FunctionDefinition


class CodeInterpreterTool(WireRequest):
    """The code interpreter."""

    type: Literal["code_interpreter"]


class RankingOptions(WireRequest):
    """How file search ranks."""

    ranker: Literal["auto", "default_2024_08_21"] | None = Field(default=None, exclude_if=is_none)
    score_threshold: Annotated[float, Field(ge=0, le=1)]


class FileSearchOptions(WireRequest):
    """Options of file search."""

    max_num_results: Annotated[int, Field(ge=1, le=50)] | None = Field(default=None, exclude_if=is_none)
    ranking_options: RankingOptions | None = Field(default=None, exclude_if=is_none)


class FileSearchTool(WireRequest):
    """Search in the assistant's and the thread's vector stores."""

    type: Literal["file_search"]
    file_search: FileSearchOptions | None = Field(default=None, exclude_if=is_none)


class FileSearchToolName(WireRequest):
    """File search as an attachment names it: without options."""

    type: Literal["file_search"]


class WebBrowsingTool(WireRequest):
    """Search and pages of the web. An extension."""

    type: Literal["web_browsing"]


class ImageGenerationOptions(WireRequest):
    """Options of image generation."""

    #: None: the setting `default_image_model`, else the first that there is.
    model: str | None = Field(default=None, exclude_if=is_none)


class ImageGenerationTool(WireRequest):
    """Pictures from words. An extension."""

    type: Literal["image_generation"]
    image_generation: ImageGenerationOptions | None = Field(default=None, exclude_if=is_none)


class ConnectionTools(WireRequest):
    """Which operations of a connection may be called."""

    #: Of a connection (`POST /v1/connections`).
    connection_id: Id
    #: Names of operations or tools; None means all.
    allowed_tools: Annotated[list[Id], Field(max_length=500)] | None = Field(default=None, exclude_if=is_none)


class ActionTool(WireRequest):
    """The operations of an OpenAPI document. An extension."""

    type: Literal["action"]
    action: ConnectionTools


class McpTool(WireRequest):
    """The tools of an MCP server. An extension."""

    type: Literal["mcp"]
    mcp: ConnectionTools


ExtensionTool = WebBrowsingTool | ImageGenerationTool | ActionTool | McpTool
Tool = Annotated[CodeInterpreterTool | FileSearchTool | FunctionTool | ExtensionTool, Field(discriminator="type")]
AttachmentTool = Annotated[CodeInterpreterTool | FileSearchToolName, Field(discriminator="type")]


class CodeInterpreterResources(WireRequest):
    """Files that the code interpreter sees."""

    file_ids: Annotated[list[Id], Field(max_length=20)] = Field(default_factory=list[str])


class FileSearchResources(WireRequest):
    """Vector stores that file search looks into."""

    vector_store_ids: Annotated[list[Id], Field(max_length=1)] = Field(default_factory=list[str])
    #: Only in requests: a store to be made, instead of the id of one.
    vector_stores: Annotated[list[VectorStoreHelper], Field(max_length=1)] = Field(
        default_factory=list[VectorStoreHelper], exclude=True
    )


class ToolResources(WireRequest):
    """What tools work with."""

    code_interpreter: CodeInterpreterResources | None = Field(default=None, exclude_if=is_none)
    file_search: FileSearchResources | None = Field(default=None, exclude_if=is_none)


class FunctionName(WireRequest):
    """A function by name."""

    name: str


class NamedToolChoice(WireRequest):
    """One tool that the model must call."""

    type: Literal["function", "code_interpreter", "file_search", "web_browsing", "image_generation"]
    function: FunctionName | None = Field(default=None, exclude_if=is_none)


ToolChoice = Literal["none", "auto", "required"] | NamedToolChoice


class FunctionCall(WireRequest):
    """A call as the model wrote it; `arguments` is JSON text."""

    name: str
    arguments: str


class RequiredToolCall(WireRequest):
    """A call that waits for the client's output."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall
