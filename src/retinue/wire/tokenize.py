"""Texts and chat requests as tokens: requests and answers of `POST /tokenize`, an extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .chat import ChatCompletionCreate
from .common import ModelName, WireObject, WireRequest, is_none
from .encodings import EncodingName

#: What an answer tells of each text: how many tokens, which ones too, or also what each stands for.
Shown = Literal["counts", "tokens", "pieces"]


class TokenizeTexts(WireRequest):
    """Texts to be tokenized: by a model's tokenizer, or in an encoding."""

    model: ModelName | None = None
    encoding: EncodingName | None = None
    input: str | Annotated[list[str], Field(min_length=1, max_length=2048)]
    #: `return` is a word of Python's.
    shown: Shown = Field(default="tokens", alias="return")


class TokenizeChat(ChatCompletionCreate):
    """A chat request whose prompt is to be counted: the body of `POST /chat/completions`, and how to count."""

    encoding: EncodingName | None = None
    shown: Shown = Field(default="counts", alias="return")


class TokenPiece(WireObject):
    """What one token stands for, as in the `logprobs` of chat completions."""

    #: The text; bytes that are no UTF-8 by themselves as ``\\xe4``.
    token: str
    #: The same, exactly.
    bytes: list[int]


class TokenizedText(WireObject):
    """One text as tokens."""

    #: Which one it is, from 0.
    index: int
    count: int
    tokens: list[int] | None = Field(default=None, exclude_if=is_none)
    pieces: list[TokenPiece] | None = Field(default=None, exclude_if=is_none)


class Tokenization(WireObject):
    """Texts, or the prompt of a chat request, as tokens."""

    object: Literal["tokenization"] = "tokenization"
    #: The model whose tokenizer it is, None where an encoding was named.
    model: str | None
    #: One of OpenAI's encodings, or `model`: the model's own tokenizer.
    encoding: EncodingName | Literal["model"]
    #: Whether the model may count otherwise.
    estimate: bool
    total_tokens: int
    data: list[TokenizedText]
