"""Assistants."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from .common import (
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
from .tools import Tool, ToolResources

Name = Annotated[str, StringConstraints(max_length=256)]
Description = Annotated[str, StringConstraints(max_length=512)]
Tools = Annotated[list[Tool], Field(max_length=128)]


class Assistant(WireObject):
    """A model with instructions and tools."""

    internal: ClassVar[frozenset[str]] = frozenset({"reasoning_effort"})

    id: str
    object: Literal["assistant"] = "assistant"
    created_at: int
    name: str | None = None
    description: str | None = None
    model: str
    instructions: str | None = None
    tools: list[Tool] = Field(default_factory=list[Tool])
    tool_resources: ToolResources | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    temperature: float | None = 1.0
    top_p: float | None = 1.0
    response_format: ResponseFormat | None = "auto"
    reasoning_effort: ReasoningEffort | None = None
    #: Whether its instructions and files are for administrators only: an extension.
    protected: bool = Field(default=False, exclude_if=is_false)


class _AssistantOptions(WireRequest):
    """What creating and modifying an assistant have in common."""

    name: Name | None = None
    description: Description | None = None
    instructions: Instructions | None = None
    tools: Tools | None = None
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: ReasoningEffort | None = None
    protected: bool | None = None


class AssistantCreate(_AssistantOptions):
    """Body of `POST /assistants`."""

    model: ModelName


class AssistantModify(_AssistantOptions):
    """Body of `POST /assistants/{id}`: what is absent stays as it is."""

    model: ModelName | None = None
