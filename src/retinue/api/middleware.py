"""What is done for every request: an id, the key, the size of the body, headers, and an answer to every failure."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping

import orjson
import psycopg
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..accounts.keys import Caller, Keys
from ..accounts.limits import Limits
from ..accounts.request_log import Noted, RequestLog, note_error
from ..accounts.sessions import Sessions
from ..errors import (
    ApiError,
    AuthenticationFailed,
    InvalidRequest,
    NotFound,
    RateLimited,
    ServerFault,
    TooLarge,
    Unavailable,
)
from ..store.audit import Actor, acting
from .cookies import session_token

log = structlog.get_logger(__name__)

#: What every answer of the API carries for pages of other origins. They may read any answer: a key is sent in a header
#: and never by the browser itself, so that a page can do no more than its key. Where the browser itself has sent the
#: cookie of a session, it shows such an answer to no other page.
_ORIGINS = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"*"))
#: Where pages look at the log of requests.
_LISTS_OF_THE_LOG = ("/v1/request_logs", "/v1/organization/request_logs")
#: Seconds for which a browser may remember that it may ask.
_REMEMBERED = b"86400"


class Gate:
    """The outermost layer, in plain ASGI: nothing here holds a stream back.

    A request under ``/v1`` that passes carries who asks in ``scope["caller"]`` and the project in ``scope["project"]``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        organization: str,
        max_body_bytes: Callable[[str], int],
        limited: Collection[str],
        signed: str,
        keyless: Collection[str] = (),
        by_token: tuple[str, ...] = (),
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            organization: what answers name as their organization.
            max_body_bytes: from a path to the most bytes of a request's body.
            limited: paths that call models; their answers tell of the limits.
            signed: how paths begin that need no key, because their addresses are signed.
            keyless: paths that need none, because people's browsers are sent there.
            by_token: how paths begin that hold the token of a link. They need no key, and no log shows the token.
        """
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._limited = limited
        self._signed = signed
        self._keyless = keyless
        self._by_token = by_token
        self._headers = ((b"openai-version", b"2020-10-01"), (b"openai-organization", organization.encode()))
        self._v1_headers = (*self._headers, *_ORIGINS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if not path.startswith("/v1/"):
            await self._answer(scope, receive, _Answering(send, self._headers), in_api=False)
            return
        answering = _Answering(send, self._v1_headers)
        requests: RequestLog = scope["app"].state.request_log
        requests.begin(answering.noted)
        try:
            await self._answer(scope, receive, answering, in_api=True)
        finally:
            route: str | None = getattr(scope.get("route"), "path", None)
            if not answering.preflight and not _reads_the_log(answering.noted, route):
                requests.end(answering.noted, scope["method"], self._shown(path), route)

    async def _answer(self, scope: Scope, receive: Receive, answering: _Answering, *, in_api: bool) -> None:
        path: str = scope["path"]
        try:
            if "\x00" in path:
                raise NotFound("Invalid URL: it holds a NUL character.")
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if in_api and scope["method"] == "OPTIONS" and b"access-control-request-method" in headers:
                answering.preflight = True
                await _allow(headers, answering.send)
                return
            signed = path.startswith(self._signed) and b"signature=" in scope["query_string"]
            acting(_actor(None, scope, headers))
            open_ = signed or path in self._keyless or path.startswith(self._by_token)
            if in_api and not open_:
                caller = scope["caller"] = await _caller(scope, headers, answering.noted)
                scope["project"] = caller.project
                acting(_actor(caller, scope, headers))
                if path in self._limited:
                    answering.limits, answering.caller = scope["app"].state.limits, caller
            receive = _bounded(headers, receive, self._max_body_bytes(path))
            await self._app(scope, receive, answering.send)
        except Exception as error:
            told = _told(error, answering.request_id, self._shown(path))
            if not answering.begun:
                await answer(told, answering.send)

    def _shown(self, path: str) -> str:
        """A path as logs may have it."""
        begin = next((one for one in self._by_token if path.startswith(one)), None)
        return path if begin is None else begin + "…"


class _Answering:
    """An answer on its way: its head gets the headers that every answer has."""

    __slots__ = ("_headers", "_send", "begun", "caller", "limits", "noted", "preflight", "request_id")

    def __init__(self, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._headers = headers
        self.noted = Noted()
        self.request_id = b"req_" + self.noted.id.encode()
        self.begun = False
        #: Whether it is a browser that asks whether it may ask.
        self.preflight = False
        #: Where the answer tells of limits: these, as they are for this caller.
        self.limits: Limits | None = None
        self.caller = Caller("")

    async def send(self, message: Message) -> None:
        """Pass a message on."""
        noted = self.noted
        if message["type"] == "http.response.body":
            if body := message.get("body"):
                if noted.first_byte is None:
                    noted.first_byte = time.perf_counter()
                noted.bytes += len(body)
        elif message["type"] == "http.response.start":
            self.begun = True
            noted.status = message["status"]
            milliseconds = round((time.perf_counter() - noted.began) * 1000)
            headers = message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id),
                (b"openai-processing-ms", b"%d" % milliseconds),
                *self._headers,
            ]
            if self.limits:
                headers += self.limits.headers(self.caller)
        await self._send(message)


def _reads_the_log(noted: Noted, route: str | None) -> bool:
    """Whether somebody looks at the log in a page: it would never come to rest if that stood in it, too."""
    return noted.by_page and noted.status == 200 and route in _LISTS_OF_THE_LOG


async def _caller(scope: Scope, headers: Mapping[bytes, bytes], noted: Noted) -> Caller:
    """Who asks, and may: by a key, or signed in. Who asks and may not is noted, too."""
    project = headers.get(b"openai-project", b"").decode("latin-1")
    if b"authorization" not in headers and (token := session_token(headers)):
        noted.by_page = True
        sessions: Sessions = scope["app"].state.people.sessions
        csrf = headers.get(b"x-csrf-token", b"").decode("latin-1")
        caller = await sessions.caller_of(token, scope["method"], scope["path"], project=project, csrf=csrf)
        noted.caller = caller
        caller.require(scope["method"], scope["path"])
        return caller
    scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise AuthenticationFailed(
            "You didn't provide an API key. You need to provide your API key in an Authorization header using "
            "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
        )
    keys: Keys = scope["app"].state.keys
    caller = noted.caller = await keys.caller_of(key.strip())
    if project:
        await keys.check_project(caller, project)
    caller.require(scope["method"], scope["path"])
    return caller


def _actor(caller: Caller | None, scope: Scope, headers: Mapping[bytes, bytes]) -> Actor:
    """Whose act it is, should the request be one that stands in the audit log."""
    client = scope.get("client")
    agent = headers.get(b"user-agent", b"").decode("latin-1")
    key, user = (caller.key or None, caller.user or None) if caller else (None, None)
    return Actor(key=key, user=user, address=client[0] if client else None, agent=agent)


async def _allow(headers: Mapping[bytes, bytes], send: Send) -> None:
    """Answer a browser that asks whether a page of another origin may send a request: it may send any."""
    allowed = [
        (b"access-control-allow-methods", b"GET, POST, DELETE"),
        # By name: `*` would leave out `authorization`.
        (b"access-control-allow-headers", headers.get(b"access-control-request-headers", b"authorization")),
        (b"access-control-max-age", _REMEMBERED),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": allowed})
    await send({"type": "http.response.body", "body": b""})


def _bounded(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> Receive:
    """Refuse a body that is too large: by its length, or as soon as it has become so.

    The HTTP server holds a client to the length that it named, so only bodies without one are counted.
    """
    length = headers.get(b"content-length", b"")
    if length.isdigit():
        if int(length) > most:
            raise _too_large(most)
        return receive
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise _too_large(most)
        return message

    return counted


def _too_large(most: int) -> TooLarge:
    return TooLarge(f"The request body is larger than the limit of {most} bytes.")


def _told(error: Exception, request_id: bytes, path: str) -> ApiError:
    """What a client is told of a failure; the log is told the rest."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, psycopg.DataError):
        log.info("the database refused a value", error=str(error))
        return InvalidRequest("The request holds a value that cannot be stored.")
    request = request_id.decode()
    if isinstance(error, psycopg.Error):
        log.warning("the database failed", error=str(error), request=request)
        return Unavailable("The database cannot answer at the moment. Please try again.")
    log.error("request failed on a defect", request=request, path=path, exc_info=error)
    return ServerFault(f"Something went wrong on the server (request {request}).")


async def answer(error: ApiError, send: Send) -> None:
    """Send an error in the official shape."""
    note_error(error)
    headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % math.ceil(error.retry_after)))
        headers.append((b"retry-after-ms", b"%d" % math.ceil(error.retry_after * 1000)))
    elif isinstance(error, RateLimited):
        # It would never fit, and the clients try a 429 again by themselves.
        headers.append((b"x-should-retry", b"false"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(error.body())})
