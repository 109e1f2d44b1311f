"""The older completions of plain text: what clients send, and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, StringConstraints, Tag

from .chat import LogitBias, LongText, Penalty, Stop, StreamOptions
from .common import ModelName, Temperature, TopP, WireObject, WireRequest
from .completions import CompletionUsage

#: The id of a token in the vocabulary of the model.
Token = Annotated[int, Field(ge=0, le=2**31 - 1)]
Tokens = Annotated[list[Token], Field(min_length=1, fail_fast=True)]
#: Prompts of one request.
_PROMPTS = Field(min_length=1, max_length=2048, fail_fast=True)


def _kind(prompt: Any) -> str:
    """Which kind of prompt is meant, so that errors are about that one."""
    first = prompt[0] if isinstance(prompt, list) and prompt else None
    if isinstance(first, int):
        return "tokens"
    if isinstance(first, list):
        return "lists of tokens"
    return "texts" if isinstance(prompt, list) else "text"


Prompt = Annotated[
    Annotated[LongText, Tag("text")]
    | Annotated[list[LongText], _PROMPTS, Tag("texts")]
    | Annotated[Tokens, Tag("tokens")]
    | Annotated[list[Tokens], _PROMPTS, Tag("lists of tokens")],
    Discriminator(_kind),
]


class TextCompletionCreate(WireRequest):
    """Body of `POST /completions`. Parameters beyond the official ones go only to models that take them."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: ModelName
    #: None: the beginning of a new document.
    prompt: Prompt | None
    best_of: Annotated[int, Field(ge=1, le=20)] | None = None
    echo: bool | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: LogitBias | None = None
    logprobs: Annotated[int, Field(ge=0, le=5)] | None = None
    max_tokens: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    n: Annotated[int, Field(ge=1, le=128)] | None = None
    presence_penalty: Penalty | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Stop | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    suffix: LongText | None = None
    temperature: Temperature | None = None
    top_p: TopP | None = None
    user: Annotated[str, StringConstraints(max_length=512)] | None = None


class _Answered(WireObject):
    """Something that a model's server says. What is not named here is passed on as it came."""

    model_config = ConfigDict(extra="allow")


class TextLogprobs(_Answered):
    """Probabilities of tokens, in lists that go together."""

    tokens: list[str]
    #: The logarithms of the tokens' probabilities; None where a prompt begins.
    token_logprobs: list[float | None]
    #: The tokens that were most likely at each place.
    top_logprobs: list[dict[str, float] | None] | None
    #: Where each token begins in prompt and completion, in characters.
    text_offset: list[int]


class TextChoice(_Answered):
    """One of the completions, or a piece of it."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    #: None in pieces that are not the last.
    finish_reason: Literal["stop", "length", "content_filter"] | None


class TextCompletion(_Answered):
    """The answer to a prompt, or a piece of it, streamed."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[TextChoice]
    usage: CompletionUsage | None = None
    system_fingerprint: str | None = None
