"""Chat over a route to servers that speak chat completions, in events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast, get_args

from ..errors import ModelError
from .chat import ChatEvent, ChatRequest, Finished, FinishReason, Json, TextDelta, ToolCallDelta, Usage
from .route import Route
from .tokens import estimate_usage

#: The addresses of chat completions, and of the older completions of plain text.
CHAT = "/chat/completions"
COMPLETIONS = "/completions"


class NativeChat:
    """Answers chat requests over a route. A `ChatBackend`."""

    def __init__(self, route: Route) -> None:
        self._route = route

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatBackend.stream`."""
        answer = _Answer(request)
        try:
            async with aclosing(self._route.chunks(CHAT, chat_body(request), request.caller)) as chunks:
                async for batch in chunks:
                    for chunk in batch:
                        for event in answer.read(chunk):
                            yield event
        except (AttributeError, TypeError, KeyError, IndexError, ValueError) as error:
            raise ModelError("The model's server sent an answer that is not a chat completion.") from error
        yield answer.finished()


def chat_body(request: ChatRequest) -> Json:
    """The body, without `model`, of a request for a streamed chat completion."""
    body: Json = {"messages": request.messages, "stream": True, "stream_options": {"include_usage": True}}
    if request.tools:
        body["tools"] = request.tools
        body["tool_choice"] = request.tool_choice
        body["parallel_tool_calls"] = request.parallel_tool_calls
    for name in ("response_format", "temperature", "top_p", "max_tokens", "reasoning_effort"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    return body | request.extra


class _Answer:
    """Reads one answer, chunk by chunk."""

    def __init__(self, request: ChatRequest) -> None:
        self._request = request
        self._reason: str | None = None
        self._usage: Usage | None = None
        #: For servers that report no usage.
        self._text: list[str] = []
        self._calls = 0

    def read(self, chunk: Json) -> list[ChatEvent]:
        self._read_usage(chunk.get("usage"))
        events: list[ChatEvent] = []
        for choice in chunk.get("choices") or ():
            # A server that does not stream answers with one whole message.
            whole = choice.get("message")
            events += self._delta(whole or choice.get("delta") or {})
            self._reason = choice.get("finish_reason") or ("stop" if whole else self._reason)
        return events

    def finished(self) -> Finished:
        if self._reason is None:
            raise ModelError("The model's server broke off in the middle of its answer.", retriable=True)
        reason = "tool_calls" if self._calls else self._reason
        if reason not in get_args(FinishReason):
            reason = "stop"
        usage = self._usage or estimate_usage(self._request, "".join(self._text))
        return Finished(cast(FinishReason, reason), usage)

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
            details = usage.get("prompt_tokens_details") or {}
            self._usage = Usage(
                int(usage.get("prompt_tokens") or 0),
                int(usage.get("completion_tokens") or 0),
                int(details.get("cached_tokens") or 0),
            )
