"""What is done for every request: an id, the key, the size of the body, headers, and an answer to every failure."""

from __future__ import annotations

import time
from collections.abc import Mapping

import orjson
import psycopg
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..accounts.keys import Keys
from ..errors import ApiError, AuthenticationFailed, InvalidRequest, NotFound, ServerFault, TooLarge, Unavailable
from ..store.ids import new_id

log = structlog.get_logger(__name__)


class Gate:
    """The outermost layer, in plain ASGI: nothing here holds a stream back.

    A request that passes carries its project in ``scope["project"]`` and its id in ``scope["request_id"]``.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, larger: Mapping[str, int]) -> None:
        """Wrap an application.

        Args:
            app: the application.
            max_body_bytes: the largest body of a request.
            larger: the same for paths whose bodies are not held in memory.
        """
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = scope["request_id"] = new_id("req_")
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                milliseconds = round((time.perf_counter() - began) * 1000)
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                    (b"openai-processing-ms", str(milliseconds).encode()),
                    (b"openai-version", b"2020-10-01"),
                ]
            await send(message)

        try:
            most = self._larger.get(scope["path"], self._max_body_bytes)
            await self._admit(scope, most)
            await self._app(scope, _bounded(receive, most), send_with_headers)
        except ApiError as error:
            if not started:
                await answer(error, send_with_headers)
        except psycopg.DataError as error:
            log.info("the database refused a value", error=str(error))
            if not started:
                await answer(InvalidRequest("The request holds a value that cannot be stored."), send_with_headers)
        except psycopg.Error as error:
            log.warning("the database failed", error=str(error), request=request_id)
            if not started:
                await answer(
                    Unavailable("The database cannot answer at the moment. Please try again."), send_with_headers
                )
        except Exception:
            log.exception("request failed on a defect", request=request_id, path=scope["path"])
            if not started:
                await answer(
                    ServerFault(f"Something went wrong on the server (request {request_id})."), send_with_headers
                )

    async def _admit(self, scope: Scope, most: int) -> None:
        path: str = scope["path"]
        if "\x00" in path:
            raise NotFound("Invalid URL: it holds a NUL character.")
        headers = {name: value for name, value in scope["headers"] if name in _HEADERS}
        if path.startswith("/v1/"):
            scope["project"] = await self._project(scope, headers.get(b"authorization", b"").decode("latin-1"))
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise _too_large(most)

    async def _project(self, scope: Scope, authorization: str) -> str:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise AuthenticationFailed(
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
        keys: Keys = scope["app"].state.keys
        return await keys.project_of(key.strip())


def _bounded(receive: Receive, most: int) -> Receive:
    """Counts the body as it comes in: a client may send more than it said, or not say."""
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


_HEADERS = frozenset({b"authorization", b"content-length"})


async def answer(error: ApiError, send: Send) -> None:
    """Send an error in the official shape."""
    headers = [(b"content-type", b"application/json")]
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, round(error.retry_after))).encode()))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(error.body())})
