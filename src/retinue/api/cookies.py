"""The cookies of the pages."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starlette.requests import Request, cookie_parser
from starlette.responses import Response

from ..settings import Settings

#: Holds the token of a session.
SESSION = "retinue_session"
#: Holds a token of a browser in which nobody is signed in, for its forms.
BROWSER = "retinue_browser"
#: Holds what a sign-in at a provider was begun with.
SIGN_IN = "retinue_sign_in"
#: Holds the language that somebody has chosen.
LANGUAGE = "retinue_language"

_LOOPBACK = re.compile(r"(localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(:\d+)?")


def session_token(headers: Mapping[bytes, bytes]) -> str:
    """The token of the session that a request comes with; "" if none."""
    cookies = headers.get(b"cookie")
    return cookie_parser(cookies.decode("latin-1")).get(SESSION, "") if cookies else ""


def is_encrypted(request: Request) -> bool:
    """Whether the browser reaches this server by HTTPS, as far as is known here."""
    settings: Settings = request.app.state.settings
    return request.scope["scheme"] == "https" or (settings.public_url or "").startswith("https://")


def is_on_loopback(request: Request) -> bool:
    """Whether the browser reaches this server on its own machine."""
    return _LOOPBACK.fullmatch(request.headers.get("host", "")) is not None


def set_cookie(request: Request, response: Response, name: str, value: str, seconds: float | None = None) -> None:
    """Have the browser keep a cookie that no script and no other site gets to see.

    Args:
        request: the browser's.
        response: the answer to it.
        name: the cookie's name.
        value: its value.
        seconds: how long it is kept; None: until the browser is closed.
    """
    secure = is_encrypted(request) or not is_on_loopback(request)
    age = int(seconds) if seconds is not None else None
    response.set_cookie(name, value, max_age=age, path="/", secure=secure, httponly=True, samesite="lax")
