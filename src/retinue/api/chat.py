"""`/v1/chat/completions`"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import orjson
from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from ..accounts.request_log import note_error
from ..completions.events import encoded
from ..completions.service import ChatCompletions
from ..errors import ApiError
from ..gpts.completions import GPT_NAMES, GptCompletions
from ..wire.chat import ChatCompletionCreate
from ..wire.completions import ChatCompletion
from .http import EVENT_STREAM_HEADERS
from .lean import HangUp, LeanRoute

router = APIRouter(prefix="/v1/chat/completions", tags=["Chat"], route_class=LeanRoute)


@router.post("", response_model=ChatCompletion)
async def create_chat_completion(request: Request, body: ChatCompletionCreate) -> Response:
    """Have a model answer a conversation, whole or as a stream of chunks."""
    if body.model.startswith(GPT_NAMES):
        return await _by_gpt(request, body)
    chat: ChatCompletions = request.app.state.chat_completions
    opened = await chat.open(body, await request.json(), len(await request.body()), request.scope["caller"])
    headers = {"openai-model": opened.model.name}
    if body.stream:
        return await AnswerStream.begin(chat.stream(opened), headers, request.app.state.settings.stream_keep_alive)
    whole = await chat.whole(opened)
    return Response(orjson.dumps(whole), media_type="application/json", headers=headers)


async def _by_gpt(request: Request, body: ChatCompletionCreate) -> Response:
    gpts: GptCompletions = request.app.state.gpt_completions
    opened = await gpts.open(body, request.scope["caller"])
    if body.stream:
        return await AnswerStream.begin(gpts.stream(opened), {}, request.app.state.settings.stream_keep_alive)
    return Response(orjson.dumps(await gpts.whole(opened)), media_type="application/json")


class AnswerStream(Response):
    """The events of one answer, in plain ASGI. A client that goes away ends the model's work."""

    media_type = "text/event-stream"

    def __init__(
        self, first: bytes, events: AsyncGenerator[bytes, None], headers: dict[str, str], keep_alive: float
    ) -> None:
        """Make the response.

        Args:
            first: the first events; there are some, so what cannot be answered has been told by a status.
            events: the others.
            headers: headers of the response.
            keep_alive: seconds of silence after which a comment is sent.
        """
        super().__init__(headers={**EVENT_STREAM_HEADERS, **headers})
        del self.headers["content-length"]
        self._first = first
        self._events = events
        self._keep_alive = keep_alive

    @classmethod
    async def begin(
        cls, events: AsyncGenerator[bytes, None], headers: dict[str, str], keep_alive: float
    ) -> AnswerStream:
        """The response, once there are first events; arguments as above.

        Raises:
            ApiError: nothing has been answered yet.
        """
        try:
            first = await anext(events)
        except BaseException:
            await events.aclose()
            raise
        return cls(first, events, headers, keep_alive)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        async with contextlib.aclosing(self._events):
            with HangUp(receive):
                with _KeepAlive(send, self._keep_alive) as line:
                    await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                    await line.send(self._first)
                    try:
                        async for events in self._events:
                            await line.send(events)
                    except ApiError as error:
                        # The status has been sent: what goes wrong now is told in the stream, and ends it.
                        note_error(error)
                        await line.send(encoded([error.body()]))
                await send({"type": "http.response.body", "body": b""})


class _KeepAlive:
    """Sends comments into silence, so that proxies keep the stream open; none follows its block."""

    def __init__(self, send: Send, interval: float) -> None:
        self._send = send
        self._interval = interval
        self._sent = False
        self._loop = asyncio.get_running_loop()
        self._comment: asyncio.Task[None] | None = None

    async def send(self, events: bytes) -> None:
        """Send events."""
        self._sent = True
        await self._send({"type": "http.response.body", "body": events, "more_body": True})

    def __enter__(self) -> _KeepAlive:
        self._timer = self._loop.call_later(self._interval, self._tick)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._comment:
            self._comment.cancel()

    def _tick(self) -> None:
        # A client that does not read has one comment waiting for it, not many.
        if not self._sent and (self._comment is None or self._comment.done()):
            self._comment = self._loop.create_task(self._break_silence())
        self._sent = False
        self._timer = self._loop.call_later(self._interval, self._tick)

    async def _break_silence(self) -> None:
        # One line, without the empty one that would end an event.
        await self._send({"type": "http.response.body", "body": b": keep-alive\n", "more_body": True})
