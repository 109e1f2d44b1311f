"""The page for guests of a GPT, and the widget that shows it on other sites: for browsers, and no part of the API."""

from __future__ import annotations

import re

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from ..errors import NotFound
from ..gpts.guests import Guests
from ..studio.guest_page import WIDGET, GuestGpt, guest_page, headers, invalid_page
from .pages import language_of

router = APIRouter(include_in_schema=False)

_TOKEN = re.compile(r"\w{1,128}", re.ASCII)


@router.get("/g/{token}")
async def show_guest_page(token: str, request: Request) -> Response:
    """The chat with a GPT, for whoever has a link."""
    guests: Guests = request.app.state.guests
    language, embedded = language_of(request), request.query_params.get("embedded") == "1"
    try:
        if not _TOKEN.fullmatch(token):
            raise NotFound("No token looks like this.")
        link = await guests.open(token)
    except NotFound:
        shown = token if _TOKEN.fullmatch(token) else "_"
        return HTMLResponse(invalid_page(shown, language, embedded=embedded), 404, headers=dict(headers(())))
    profile = guests.profile(link, token)
    gpt = GuestGpt(
        name=profile.name,
        description=profile.description,
        starters=profile.conversation_starters,
        picture=profile.picture_url,
        privacy_policy=profile.privacy_policy_url,
        longest=profile.max_characters,
    )
    page = guest_page(gpt, token, language, embedded=embedded)
    return HTMLResponse(page, headers=dict(headers(link.options.sites)))


@router.get("/widget.js")
async def show_widget(request: Request) -> Response:
    """What other sites load: a button that opens the chat."""
    return Response(
        WIDGET,
        media_type="text/javascript; charset=utf-8",
        headers={
            "cache-control": "public, max-age=300",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        },
    )
