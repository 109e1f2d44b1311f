"""Routes on the fast path: documented by FastAPI, and answered without its work on each request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, cast, get_type_hints

import orjson
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ..accounts.request_log import note_model
from . import validation
from .http import JsonRequest

#: Seconds after which it is worth watching whether the client is still there.
_PATIENCE = 0.1


class LeanRoute(APIRoute):
    """The route of ``async def f(request: Request, body: Model) -> Response`` under a fixed address.

    Reading the body, validating it and calling the function is all that happens in the `FastLane`.
    ``await request.json()`` is the body as it was sent.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """As `APIRoute`."""
        super().__init__(path, endpoint, **options)
        self._model: type[BaseModel] = get_type_hints(endpoint)["body"]

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. An `ApiError` is left to whoever called."""
        request, response = JsonRequest(scope, receive, send), None
        try:
            body = await self._body(request)
            with HangUp(receive):
                if model := getattr(body, "model", None):
                    note_model(model)
                response = await self.endpoint(request, body)
        except ClientDisconnect:
            return
        if response:
            await response(scope, receive, send)

    async def _body(self, request: Request) -> BaseModel:
        try:
            raw = await request.json()
        except orjson.JSONDecodeError:
            raise validation.translate([{"type": "json_invalid"}], None) from None
        try:
            return self._model.model_validate(raw)
        except ValidationError as error:
            errors = [{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_url=False)]
            raise validation.translate(errors, raw) from None


class FastLane:
    """Takes requests for lean routes, before any other routing: that would cost more than they do. Plain ASGI."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """`app` answers all other requests; `routes` may hold others than lean ones."""
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, LeanRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and (route := self._routes.get((scope["method"], scope["path"]))):
            scope["route"] = route
            await route.answer(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class HangUp:
    """Cancels the work in its block when the client goes away, and is then left without an error.

    Attributes:
        gone: whether the client has gone away.
    """

    __slots__ = ("_patience", "_receive", "_task", "_timer", "_watch", "gone")

    def __init__(self, receive: Receive, patience: float = _PATIENCE) -> None:
        """Watch once the request's body has been read.

        Args:
            receive: the request's messages.
            patience: seconds that the work may take before the client is watched; most answers need no watch.
        """
        self._receive = receive
        self._patience = patience
        self.gone = False

    def __enter__(self) -> HangUp:
        self._task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._watch: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._begin)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._timer.cancel()
        if self._watch:
            self._watch.cancel()
        if self.gone and kind is asyncio.CancelledError:
            self._task.uncancel()
            return True
        return False

    def _begin(self) -> None:
        self._watch = asyncio.create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        self._task.cancel()
