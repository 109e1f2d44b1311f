"""What every tokenizer does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ...wire.encodings import EncodingName
from ..chat import ChatRequest


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as tokens."""

    ids: list[int]
    #: The bytes of each, where they were asked for. A character may be spread over several.
    pieces: list[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of a chat request."""

    count: int
    #: Whether the model may count otherwise.
    estimate: bool
    #: None where only their number is known.
    tokens: Tokens | None = None


class Tokenizer(Protocol):
    """The tokenizer of one model, or one of OpenAI's encodings."""

    @property
    def encoding(self) -> EncodingName | Literal["model"]:
        """The encoding's name, or `model` for a tokenizer of the model's own."""
        ...

    @property
    def estimate(self) -> bool:
        """Whether it is only likely that the model uses this one."""
        ...

    async def texts(self, texts: Sequence[str], caller: str, *, pieces: bool = False) -> list[Tokens]:
        """Tokenize texts. What looks like a special token is plain text.

        Raises:
            InvalidRequest: a text cannot be tokenized.
            ModelError: the model had to be asked, and cannot be.
        """
        ...

    async def prompt(self, request: ChatRequest, *, pieces: bool = False) -> Prompt:
        """Tokenize, or at least count, what a model reads before it answers `request`.

        Raises:
            InvalidRequest: the request holds something that cannot be counted.
            ModelError: the model had to be asked, and cannot be.
        """
        ...
