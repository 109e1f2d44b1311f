"""The pages in the application: NiceGUI behind the API's routes, with what keeps it to this machine."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui
from starlette.routing import Match, Mount
from starlette.types import Message, Receive, Scope, Send

from .agent_files import serve_agent_files
from .content import serve_content
from .frame import register
from .gpt_pictures import serve_pictures
from .pages import PAGES
from .shared import serve_shared
from .visitor import ChatTitles, Visitors

STATIC = Path(__file__).parent / "static"
#: Paths of the API, which answers for those that it does not know, too.
_OF_THE_API = ("/v1/", "/healthz", "/metrics", "/openapi.json")
#: Pages load nothing from elsewhere, whatever a model writes into them. Vue compiles its templates in the browser.
_POLICY = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
#: Seconds for which a page that has lost its connection is kept.
_KEPT = 60.0


def mount(app: FastAPI, base_url: str, public_url: str | None = None, chat_titles: ChatTitles = "off") -> None:
    """Let an application show the pages, at all paths that are not the API's.

    Once in a process: NiceGUI has one application.

    Args:
        app: the application, with all its routes.
        base_url: where it listens, without a path, as this process reaches it.
        public_url: where people's browsers find it, if that is elsewhere.
        chat_titles: which models name chats.
    """
    visitors = Visitors(f"{base_url}/v1", chat_titles)
    pages.add_static_files("/static", STATIC, max_cache_age=3600)
    missing = register(visitors, PAGES)
    serve_content(visitors)
    serve_shared(visitors)
    serve_pictures(visitors)
    serve_agent_files(visitors)
    ui.run_with(
        app,
        root=missing,
        title="Retinue",
        favicon=STATIC / "favicon.svg",
        binding_refresh_interval=None,
        reconnect_timeout=_KEPT,
        tailwind=False,
        show_welcome_message=False,
    )
    app.router.routes[-1] = _BesideTheApi(public_url)
    pages.on_shutdown(visitors.close)


class _BesideTheApi(Mount):
    """Everything but the API, with headers for all pages, and no sockets for pages of others."""

    def __init__(self, public_url: str | None) -> None:
        super().__init__("/", app=pages)
        self._public = urlsplit(public_url or "").netloc

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["path"].startswith(_OF_THE_API):
            return Match.NONE, {}
        return super().matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                present = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(one for one in _HEADERS if one[0] not in present)]
            await send(message)

        if scope["type"] == "websocket" and not self._is_own(dict(scope["headers"])):
            await send({"type": "websocket.close", "code": 1008})
            return
        await super().handle(scope, receive, sent if scope["type"] == "http" else send)

    def _is_own(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a browser opens a socket for a page of this server."""
        origin = urlsplit(headers.get(b"origin", b"").decode("latin-1")).netloc
        return origin != "" and origin in (headers.get(b"host", b"").decode("latin-1"), self._public)
