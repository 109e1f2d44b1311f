"""Threads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .common import Id, Metadata, WireObject, WireRequest, is_none
from .messages import MessageCreate
from .tools import ToolResources


class Thread(WireObject):
    """A conversation."""

    id: str
    object: Literal["thread"] = "thread"
    created_at: int
    tool_resources: ToolResources | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])
    #: When its newest message was made, or the thread, in lists in that order. An extension.
    last_used_at: int | None = Field(default=None, exclude_if=is_none)


class ThreadCreate(WireRequest):
    """Body of `POST /threads`."""

    messages: Annotated[list[MessageCreate], Field(max_length=1000)] = Field(default_factory=list[MessageCreate])
    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None


class ThreadFork(WireRequest):
    """Body of `POST /threads/{id}/fork`."""

    #: The last message to take; unset: all.
    message_id: Id | None = None
    #: Instead of the metadata of the thread that is copied.
    metadata: Metadata | None = None


class ThreadModify(WireRequest):
    """Body of `POST /threads/{id}`."""

    tool_resources: ToolResources | None = None
    metadata: Metadata | None = None
