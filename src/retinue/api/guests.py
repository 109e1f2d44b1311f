"""`/v1/guest/{token}`: for people outside the project, who have a link to a GPT. An extension."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from fastapi import APIRouter, Depends, Request, Response

from ..errors import ApiError, AuthenticationFailed, Forbidden
from ..gpts.guests import GuestEnd, Guests, GuestText
from ..settings import Settings
from ..store.gpt_links import OpenLink
from ..wire.gpts_links import (
    GuestConversation,
    GuestMessage,
    GuestMessageCreate,
    GuestMessages,
    GuestProfile,
)
from .chat import AnswerStream
from .gpts import PICTURE_HEADERS
from .http import JsonRoute, address_of, ok
from .lean import HangUp

#: How the paths begin that need no key: a link opens them.
PREFIX = "/v1/guest/"
#: Guests have no keys.
_OPEN: dict[str, Any] = {"security": []}

#: Most bytes of a character in JSON: two surrogates, each escaped; and bytes of a body beside its text.
_ESCAPED, _BESIDE = 12, 1024

router = APIRouter(prefix=PREFIX + "{token}", tags=["Extensions"], route_class=JsonRoute)


def body_limit(settings: Settings) -> int:
    """The most bytes of a body that comes without a key: the longest message, however it is escaped."""
    return _ESCAPED * settings.guest_max_characters + _BESIDE


async def _guests(request: Request) -> Guests:
    return request.app.state.guests


TheGuests = Annotated[Guests, Depends(_guests)]


async def _link(token: str, request: Request, guests: TheGuests) -> OpenLink:
    link = await guests.open(token)
    _require_origin(request, link)
    return link


async def _secret(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise AuthenticationFailed("The secret of the conversation is missing: Authorization: Bearer SECRET.")
    return secret.strip()


TheLink = Annotated[OpenLink, Depends(_link)]
Secret = Annotated[str, Depends(_secret)]


def _require_origin(request: Request, link: OpenLink) -> None:
    """See to it that no page of another site asks, but those that the link names.

    Raises:
        Forbidden: one does.
    """
    origin = request.headers.get("origin")
    if origin is None or origin in link.options.sites:
        return
    settings: Settings = request.app.state.settings
    host, public = request.headers.get("host", ""), urlsplit(settings.public_url or "")
    if origin not in (f"http://{host}", f"https://{host}", f"{public.scheme}://{public.netloc}"):
        raise Forbidden("This link is not for pages of that site.", code="origin_not_allowed")


@router.get("", response_model=GuestProfile, openapi_extra=_OPEN)
async def get_guest_profile(token: str, link: TheLink, guests: TheGuests) -> Response:
    """Retrieve what guests see of a GPT."""
    return ok(guests.profile(link, token))


@router.get("/picture", openapi_extra=_OPEN)
async def get_guest_picture(link: TheLink, guests: TheGuests) -> Response:
    """The GPT's picture."""
    content, kind = await guests.picture(link)
    return Response(content, media_type=kind, headers=PICTURE_HEADERS)


@router.post("/conversations", response_model=GuestConversation, openapi_extra=_OPEN)
async def create_guest_conversation(request: Request, link: TheLink, guests: TheGuests) -> Response:
    """Begin a conversation. Its secret is told this once."""
    return ok(await guests.begin(link, address_of(request)))


@router.get("/conversations/{conversation_id}/messages", response_model=GuestMessages, openapi_extra=_OPEN)
async def list_guest_messages(conversation_id: str, link: TheLink, secret: Secret, guests: TheGuests) -> Response:
    """List what was said."""
    return ok(await guests.messages(link, conversation_id, secret))


@router.post("/conversations/{conversation_id}/messages", response_model=GuestMessage, openapi_extra=_OPEN)
async def create_guest_message(
    conversation_id: str, body: GuestMessageCreate, request: Request, link: TheLink, secret: Secret, guests: TheGuests
) -> Response:
    """Say something, and get the GPT's answer, whole or as events."""
    answer = guests.say(link, conversation_id, secret, body.text, address_of(request))
    response: Response | None = None
    with HangUp(request.receive):
        if body.stream:
            response = await AnswerStream.begin(_events(answer), {}, request.app.state.settings.stream_keep_alive)
        else:
            response = ok(await _whole(answer))
    # The other answer goes to nobody: the guest has hung up.
    return response or Response(status_code=499)


async def _whole(answer: AsyncGenerator[GuestText | GuestEnd]) -> GuestMessage:
    said, reason = "", None
    async with aclosing(answer):
        async for told in answer:
            if isinstance(told, GuestText):
                said += told.text
            else:
                reason = told.reason
    return GuestMessage(role="assistant", created_at=int(time.time()), text=said, finish_reason=reason)


async def _events(answer: AsyncGenerator[GuestText | GuestEnd]) -> AsyncGenerator[bytes]:
    """The answer as server-sent events. What goes wrong before the first is raised."""
    begun = False
    async with aclosing(answer):
        try:
            async for told in answer:
                if isinstance(told, GuestEnd):
                    yield _event("done", {"finish_reason": told.reason})
                elif told.text or not begun:
                    yield _event("delta", {"text": told.text})
                begun = True
        except ApiError as error:
            if not begun:
                raise
            yield _event("error", error.body()["error"])


def _event(name: str, data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))
