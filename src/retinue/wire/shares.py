"""Links by which people outside read a thread, and what they are shown of it. An extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .common import WireObject, WireRequest

#: Seconds for which a link may be good.
_SHORTEST, _LONGEST = 60, 10 * 365 * 86_400


class ThreadShareCreate(WireRequest):
    """Body of `POST /threads/{id}/shares`."""

    #: What stands above the conversation.
    title: Annotated[str, StringConstraints(max_length=200)] = ""
    #: Seconds; unset: until it is revoked.
    expires_in: Annotated[int, Field(ge=_SHORTEST, le=_LONGEST)] | None = None


class ThreadShare(WireObject):
    """A link, as those see it who may read the thread."""

    id: str
    object: Literal["thread.share"] = "thread.share"
    thread_id: str
    title: str
    #: None where the link was made with another `secret_key`: it works, and cannot be told again.
    url: str | None
    created_at: int
    expires_at: int | None
    #: How many messages it shows.
    message_count: int


class SharedThread(WireObject):
    """A thread, as whoever has the link sees it."""

    object: Literal["shared_thread"] = "shared_thread"
    title: str
    created_at: int
    expires_at: int | None


class SharedText(WireObject):
    """Text in Markdown; links to files lead to what the share serves."""

    type: Literal["text"] = "text"
    text: str


class SharedImage(WireObject):
    """A picture."""

    type: Literal["image"] = "image"
    url: str


class SharedMessage(WireObject):
    """A message, as whoever has the link sees it."""

    id: str
    object: Literal["shared_thread.message"] = "shared_thread.message"
    created_at: int
    role: Literal["user", "assistant"]
    content: list[SharedText | SharedImage]
