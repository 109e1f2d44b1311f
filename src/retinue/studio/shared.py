"""The page of a chat that is shared by link: for everybody, without signing in, read-only.

It is plain HTML and a module that asks the API, not a page of NiceGUI: strangers hold no memory and no sockets here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any, cast
from urllib.parse import quote

import openai
from fastapi import Request, Response
from nicegui import app as pages
from starlette.responses import HTMLResponse

from .texts import Language
from .visitor import Visitors, language_of
from .words import word

#: What the page loads: of this server only, and no programs but its own. Formulas need styles in elements.
_HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "cache-control": "no-store",
}
#: Words that the browser needs, by the names that it has for them.
_LABELS = {
    "user": "shared.person",
    "assistant": "conversation.assistant",
    "picture": "conversation.picture",
    "source": "conversation.source",
    "copy": "frame.copy",
    "copied": "frame.copied",
    "more": "shared.more",
    "loading": "shared.loading",
    "failed": "shared.failed",
}


def serve_shared(visitors: Visitors) -> None:
    """Answer at ``/s/{token}``."""

    @pages.get("/s/{token}")
    async def shared(token: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        language = language_of(request)
        try:
            path = f"/shares/{quote(token, safe='')}"
            share: Mapping[str, Any] = await visitors.nobody().get(path, cast_to=cast(Any, object))
        except openai.NotFoundError:
            return _problem(language, "shared.gone_hint", 404)
        except openai.APIError:
            return _problem(language, "shared.away", 503)
        return _page(language, share["title"] or word(language, "shared.page"), _conversation(language, token))


def _problem(language: Language, hint: str, status: int) -> Response:
    said = f'<p role="alert">{_said(language, hint)}</p>'
    return _page(language, word(language, "shared.gone" if status == 404 else "shared.page"), said, status)


def _conversation(language: Language, token: str) -> str:
    labels = {name: word(language, key) for name, key in _LABELS.items()}
    return (
        f'<p class="quiet">{_said(language, "shared.note")}</p>'
        f'<div id="shared" data-token="{escape(token)}" data-labels="{escape(json.dumps(labels))}">'
        f"<noscript><p>{_said(language, 'shared.scripts')}</p></noscript></div>"
        '<script type="module" src="/static/shared.mjs"></script>'
    )


def _said(language: Language, key: str) -> str:
    return escape(word(language, key))


def _page(language: Language, title: str, content: str, status: int = 200) -> Response:
    other = "en" if language == "zh" else "zh"
    html = (
        f'<!doctype html>\n<html lang="{"zh-CN" if language == "zh" else "en"}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex, nofollow">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(title)} · Retinue</title>\n"
        '<link rel="icon" href="/static/favicon.svg">\n<link rel="stylesheet" href="/static/studio.css">\n'
        '<link rel="stylesheet" href="/static/shared.css">\n</head>\n'
        # Before anything is painted: light or dark.
        '<body class="shared">\n<script src="/static/shared-theme.js"></script>\n'
        f'<header class="shared-bar"><span class="brand">Retinue</span>'
        f'<a href="?lang={other}" lang="{other}" hreflang="{other}">{_said(language, "frame.language")}</a></header>\n'
        f"<main>\n<h1>{escape(title)}</h1>\n{content}\n</main>\n</body>\n</html>\n"
    )
    return HTMLResponse(html.encode("utf-8", "replace"), status_code=status, headers=dict(_HEADERS))
