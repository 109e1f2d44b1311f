"""What is asked of a model and what comes back, for every backend alike.

Messages, tools and formats keep the shapes of OpenAI's chat completions; answers come as a stream of the
small events below, so that the run engine sees no difference between a remote server that calls tools
natively and a small local model that has to be led by the hand.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import orjson
from pydantic_core import to_json

#: Any JSON object whose inside is not ours to interpret.
Json = dict[str, Any]
T = TypeVar("T", covariant=True)


def encoded(value: Json | list[Any]) -> bytes:
    """A value as JSON."""
    try:
        return orjson.dumps(value)
    except TypeError:
        # orjson refuses integers beyond 64 bits, which a tool's schema may hold.
        return to_json(value)


FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One call of a model."""

    #: Chat-completions messages: system, user, assistant (perhaps with `tool_calls`) and tool roles.
    messages: list[Json]
    #: Function tools, as ``{"type": "function", "function": {"name", "description", "parameters", "strict"}}``.
    tools: list[Json] = field(default_factory=list[Json])
    #: ``none``, ``auto``, ``required`` or ``{"type": "function", "function": {"name": ...}}``.
    tool_choice: str | Json = "auto"
    parallel_tool_calls: bool = True
    #: ``{"type": "text" | "json_object" | "json_schema", ...}``; None means text.
    response_format: Json | None = None
    #: 0 to 2; None leaves it to the backend.
    temperature: float | None = None
    #: 0 to 1; None leaves it to the backend.
    top_p: float | None = None
    #: The most tokens to produce; None leaves it to the backend.
    max_tokens: int | None = None
    reasoning_effort: str | None = None
    #: Further fields of the request body: sampling parameters, and what one kind of backend understands (`grammar` for
    #: llama.cpp).
    extra: Json = field(default_factory=dict[str, Any])
    #: Whose call this is, for the fair queue: the project.
    caller: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call, or of several added up."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    #: Those of the prompt that the server had in its cache.
    cached_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
        )

    def official(self) -> Json:
        """The official `usage` object of chat completions."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
        }


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call: the first of each `index` carries `id` and `name`, all may carry arguments."""

    #: Position of the call in this answer, from 0.
    index: int
    id: str | None = None
    name: str | None = None
    #: A piece of the JSON text of the arguments.
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of every answer that did not break."""

    reason: FinishReason
    usage: Usage


ChatEvent = TextDelta | ToolCallDelta | Finished


class Stream(Protocol[T]):
    """Something to be read by `async for`, in `contextlib.aclosing`: an asynchronous generator, or less."""

    def __aiter__(self) -> AsyncIterator[T]:
        """Itself."""
        ...

    def __anext__(self) -> Awaitable[T]:
        """The next piece."""
        ...

    def aclose(self) -> Awaitable[object]:
        """Stop early, and give back what it holds."""
        ...


#: Chunks of an answer, those that came together in one list.
Chunks = Stream[list[Json]]


class ChatBackend(Protocol):
    """Something that answers chat requests."""

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Answer `request`, event by event, ending with `Finished`.

        Closing the iterator early cancels the call at the backend. Nothing is sent before the first `anext`.

        Raises:
            ModelError: the backend refused, timed out, broke off or answered nonsense.
            ContextOverflow: the prompt is longer than the model's context.
        """
        ...
