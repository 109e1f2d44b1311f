"""Chat completions: what is answered."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from .common import WireObject


class _Answered(WireObject):
    """Something that a model's server says. What is not named here is passed on as it came."""

    model_config = ConfigDict(extra="allow")


class TopLogprob(_Answered):
    """A token that might have been, and the logarithm of its probability."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(TopLogprob):
    """A token that was chosen."""

    top_logprobs: list[TopLogprob]


class Logprobs(_Answered):
    """Probabilities of the tokens of an answer."""

    content: list[TokenLogprob] | None
    refusal: list[TokenLogprob] | None


class AnsweredCall(_Answered):
    """A call of a tool."""

    id: str
    type: Literal["function", "custom"]


class AnsweredMessage(_Answered):
    """What the model says."""

    role: Literal["assistant"]
    content: str | None
    refusal: str | None
    tool_calls: list[AnsweredCall] | None = None


class Choice(_Answered):
    """One of the answers."""

    index: int
    message: AnsweredMessage
    finish_reason: Literal["stop", "length", "tool_calls", "content_filter", "function_call"]
    logprobs: Logprobs | None


class CompletionUsage(_Answered):
    """Tokens of a call."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(_Answered):
    """The answer to a chat request."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: CompletionUsage | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None


class ChunkChoice(_Answered):
    """A piece of one of the answers."""

    index: int
    delta: dict[str, Any]
    finish_reason: str | None
    logprobs: Logprobs | None = None


class ChatCompletionChunk(_Answered):
    """A piece of the answer, streamed."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice] = Field(default_factory=list[ChunkChoice])
    usage: CompletionUsage | None = None
