"""Chat completions that were stored, and the messages that they answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from .common import WireObject, is_none


class StoredCompletion(WireObject):
    """A chat completion as it was answered, with its metadata. What is not named here is kept as it came."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[dict[str, Any]]
    metadata: dict[str, str]


class StoredMessage(WireObject):
    """A message of the request that a stored chat completion answers."""

    id: str
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    name: str | None = Field(default=None, exclude_if=is_none)
    #: The text; None where the message has parts.
    content: str | None
    #: The parts with `type` and the field of that name; None where the message has plain text, or none.
    content_parts: list[dict[str, Any]] | None
    refusal: str | None
    tool_calls: list[dict[str, Any]] | None = Field(default=None, exclude_if=is_none)
    function_call: dict[str, Any] | None = Field(default=None, exclude_if=is_none)
    #: The call that a tool's message answers.
    tool_call_id: str | None = Field(default=None, exclude_if=is_none)
