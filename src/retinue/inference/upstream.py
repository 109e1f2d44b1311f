"""The client of any OpenAI-compatible server: chat completions, streamed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Any, cast, get_args

import aiohttp
import orjson
import structlog
from pydantic_core import to_json

from ..errors import ModelError
from . import sse, upstream_errors
from .chat import ChatEvent, ChatRequest, Finished, FinishReason, Json, TextDelta, ToolCallDelta, Usage
from .tokens import estimate_tokens

log = structlog.get_logger(__name__)

#: Seconds before the first, second, … further try; a server's own `retry-after` comes before these.
_PAUSES = (0.5, 1.0, 2.0, 4.0)
#: A server that asks to wait longer than this many seconds is not waited for.
_LONGEST_PAUSE = 20.0


class Upstream:
    """One model on an OpenAI-compatible server. A `ChatBackend`."""

    def __init__(
        self,
        model: str,
        base_url: str,
        *,
        api_key: str | None = None,
        connector: Callable[[], aiohttp.BaseConnector] | None = None,
        connect_timeout: float = 10,
        read_timeout: float = 300,
        retries: int = 2,
        concurrency: int = 256,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Describe the server; nothing is connected yet.

        Args:
            model: the name to send.
            base_url: where the API is, ending in ``/v1``.
            api_key: sent as a bearer token.
            connector: makes the connections; by default TCP.
            connect_timeout: seconds to wait for a connection.
            read_timeout: seconds without a byte after which a call counts as broken.
            retries: how often a call that has not answered anything is tried again.
            concurrency: the most calls at once; others wait their turn, first come first served.
            extra: fields that every request carries.
        """
        self._model = model
        self._extra = dict(extra or {})
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._connector = connector or (lambda: aiohttp.TCPConnector(limit=0))
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout, sock_read=read_timeout)
        self._retries = retries
        self._slots = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()
            self._session = None

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatBackend.stream`."""
        # orjson refuses integers beyond 64 bits, which a tool's schema may hold.
        body = to_json(self._body(request))
        async with self._slots:
            for attempt in range(self._retries + 1):
                begun = False
                try:
                    async with aclosing(self._call(body, request)) as answer:
                        async for event in answer:
                            begun = True
                            yield event
                    return
                except ModelError as error:
                    # What was answered once must not be answered twice.
                    pause = error.retry_after if error.retry_after is not None else _PAUSES[min(attempt, 3)]
                    if begun or not error.retriable or attempt == self._retries or pause > _LONGEST_PAUSE:
                        raise
                    log.info("model call tried again", model=self._model, attempt=attempt + 1, error=error.message)
                    await asyncio.sleep(pause * (1 + random.random() / 4))  # noqa: S311 (spread, not a secret)

    def _body(self, request: ChatRequest) -> Json:
        body: Json = {
            "model": self._model,
            "messages": request.messages,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.tools:
            body["tools"] = request.tools
            body["tool_choice"] = request.tool_choice
            body["parallel_tool_calls"] = request.parallel_tool_calls
        for name in ("response_format", "temperature", "top_p", "max_tokens", "reasoning_effort"):
            value = getattr(request, name)
            if value is not None:
                body[name] = value
        return body | self._extra | request.extra

    async def _call(self, body: bytes, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=self._connector(), timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()
            )
        try:
            async with self._session.post(self._url, data=body, headers=self._headers) as response:
                if response.status != 200:
                    raise upstream_errors.from_response(
                        response.status, response.headers, await response.content.read(65_536)
                    )
                answer = _Answer(request)
                if response.content_type == "application/json":
                    whole = orjson.loads(await response.read())
                    for event in answer.whole(whole):
                        yield event
                else:
                    async for data in sse.events(response.content.iter_any()):
                        if data == b"[DONE]":
                            break
                        for event in answer.chunk(orjson.loads(data)):
                            yield event
                yield answer.finished()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise upstream_errors.from_connection(error) from error
        except (orjson.JSONDecodeError, AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
            raise ModelError("The model's server sent an answer that is not a chat completion.") from error


class _Answer:
    """Reads one answer, chunk by chunk."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._reason: str | None = None
        self._usage: Usage | None = None
        #: For servers that report no usage.
        self._text: list[str] = []
        self._calls = 0

    def chunk(self, chunk: Json) -> list[ChatEvent]:
        if "error" in chunk:
            raise upstream_errors.from_body(chunk)
        self._read_usage(chunk.get("usage"))
        events: list[ChatEvent] = []
        for choice in chunk.get("choices") or ():
            events += self._delta(choice.get("delta") or {})
            self._reason = choice.get("finish_reason") or self._reason
        return events

    def whole(self, body: Json) -> list[ChatEvent]:
        if "error" in body:
            raise upstream_errors.from_body(body)
        self._read_usage(body.get("usage"))
        choice = body["choices"][0]
        self._reason = choice.get("finish_reason") or "stop"
        return self._delta(choice["message"])

    def finished(self) -> Finished:
        if self._reason is None:
            raise ModelError("The model's server broke off in the middle of its answer.", retriable=True)
        reason = "tool_calls" if self._calls else self._reason
        if reason not in get_args(FinishReason):
            reason = "stop"
        return Finished(cast(FinishReason, reason), self._usage or self._estimated_usage())

    def _delta(self, delta: Json) -> list[ChatEvent]:
        events: list[ChatEvent] = []
        if text := delta.get("content"):
            self._text.append(text)
            events.append(TextDelta(text))
        for position, call in enumerate(delta.get("tool_calls") or ()):
            function = call.get("function") or {}
            self._calls += 1
            events.append(
                ToolCallDelta(
                    index=int(call.get("index", position)),
                    id=call.get("id"),
                    name=function.get("name"),
                    arguments=function.get("arguments") or "",
                )
            )
        return events

    def _read_usage(self, usage: dict[str, Any] | None) -> None:
        if usage:
            self._usage = Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))

    def _estimated_usage(self) -> Usage:
        prompt = estimate_tokens(orjson.dumps(self._request.messages).decode())
        return Usage(prompt, estimate_tokens("".join(self._text)))
