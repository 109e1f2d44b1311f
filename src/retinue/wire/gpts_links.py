"""Guest links of GPTs, and what guests send and get. An extension."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints

from .common import WireObject, WireRequest, each_once

_MOST = 1_000_000


def _site(value: str) -> str:
    """An origin, as browsers write it."""
    parts = urlsplit(value.strip().lower())
    try:
        port = parts.port
    except ValueError:
        port = -1
    rest = parts.path not in ("", "/") or parts.query or parts.fragment or parts.username or port == -1
    host = parts.hostname or ""
    plain = all(one.isalnum() or one in "-." for one in host) and host.isascii()
    if parts.scheme not in ("http", "https") or not host or not plain or rest:
        raise ValueError("expected the address of a site without a path, such as https://example.com")
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


Site = Annotated[str, StringConstraints(max_length=255), AfterValidator(_site)]


class GptLinkOptions(WireRequest):
    """What a guest link allows."""

    #: What it is for, for whoever manages links.
    name: Annotated[str, StringConstraints(max_length=80, strip_whitespace=True)] = ""
    #: Sites that may show the chat in a page of theirs: their origins.
    sites: Annotated[list[Site], Field(max_length=20), AfterValidator(each_once)] = Field(default_factory=list[str])
    #: Most conversations that can be begun with it, ever.
    max_conversations: Annotated[int, Field(ge=1, le=_MOST)] = 1000
    #: Most messages of a guest in one conversation.
    max_messages: Annotated[int, Field(ge=1, le=1000)] = 50
    #: Most messages of all its guests in a day (UTC).
    max_messages_per_day: Annotated[int, Field(ge=1, le=_MOST)] = 500
    #: Dollars that its guests may cost in a day, by the prices of the models; null: no limit.
    max_spend_per_day: Annotated[float, Field(gt=0, le=_MOST)] | None = None


class GptLinkCreate(GptLinkOptions):
    """Body of `POST /gpts/{gpt_id}/links`."""

    #: Seconds for which it is good; null: until it is deleted.
    expires_in: Annotated[int, Field(ge=60, le=10 * 365 * 86_400)] | None = None


class GptLinkUse(WireObject):
    """What guests have used of a link."""

    #: Conversations that were begun, ever.
    conversations: int
    #: Today (UTC).
    messages_today: int
    #: Dollars, today.
    spent_today: float


class GptLink(WireObject):
    """A guest link, as those who may edit the GPT see it."""

    id: str
    object: Literal["gpt.link"] = "gpt.link"
    created_at: int
    gpt_id: str
    name: str
    #: Null where the server's `secret_key` is another one than when the link was made.
    token: str | None
    #: Where guests' browsers go; null as `token`.
    url: str | None
    expires_at: int | None
    sites: list[str]
    max_conversations: int
    max_messages: int
    max_messages_per_day: int
    max_spend_per_day: float | None
    used: GptLinkUse


# --- what guests send and get


class GuestProfile(WireObject):
    """A GPT as guests see it."""

    object: Literal["guest.gpt"] = "guest.gpt"
    name: str
    description: str
    conversation_starters: list[str]
    language: str | None
    privacy_policy_url: str | None
    picture_url: str
    #: Most characters of a message.
    max_characters: int


class GuestConversation(WireObject):
    """A conversation that was begun. What it is opened with is told this once."""

    id: str
    object: Literal["guest.conversation"] = "guest.conversation"
    secret: str


class GuestMessageCreate(WireRequest):
    """Body of `POST /guest/{token}/conversations/{conversation_id}/messages`."""

    text: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    stream: bool | None = None


class GuestMessage(WireObject):
    """What a guest or the GPT has said."""

    object: Literal["guest.message"] = "guest.message"
    role: Literal["user", "assistant"]
    created_at: int
    text: str
    #: Why it ended: `stop`, or `length`.
    finish_reason: Literal["stop", "length"] | None = None


class GuestMessages(WireObject):
    """A conversation, oldest first."""

    object: Literal["list"] = "list"
    data: list[GuestMessage]
