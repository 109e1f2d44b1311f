"""A local model's own tokenizer and chat template, as llama.cpp serves them beside OpenAI's API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ...errors import ModelError
from ..chat import ChatRequest
from ..native import chat_body
from ..prompted import first_pass
from ..route import Route
from .tokenizer import Prompt, Tokens


class LocalTokenizer:
    """Asks the model's process. A `Tokenizer`."""

    encoding: Literal["model"] = "model"
    estimate = False

    def __init__(self, llama: Route, *, prompted: bool) -> None:
        """Describe the model.

        Args:
            llama: to the addresses of llama.cpp.
            prompted: whether the model is told of tools in words.
        """
        self._llama = llama
        self._prompted = prompted

    async def texts(self, texts: Sequence[str], caller: str, *, pieces: bool = False) -> list[Tokens]:
        """See `Tokenizer.texts`."""
        return [await self._tokens(text, caller, marks=False, pieces=pieces) for text in texts]

    async def prompt(self, request: ChatRequest, *, pieces: bool = False) -> Prompt:
        """See `Tokenizer.prompt`. Where tools are prompted it is the prompt of the first pass."""
        request = first_pass(request) if self._prompted else request
        answer = await self._llama.post("/apply-template", chat_body(request), request.caller)
        if not isinstance(answer.get("prompt"), str):
            raise ModelError("The local model's server answered something that is not a prompt.")
        tokens = await self._tokens(answer["prompt"], request.caller, marks=True, pieces=pieces)
        return Prompt(len(tokens.ids), False, tokens)

    async def _tokens(self, text: str, caller: str, *, marks: bool, pieces: bool) -> Tokens:
        """`marks`: whether what looks like a special token is one, as in a prompt that a template has made."""
        body = {"content": text, "add_special": marks, "parse_special": marks, "with_pieces": pieces}
        answer = await self._llama.post("/tokenize", body, caller)
        try:
            found = answer["tokens"]
            if pieces:
                return Tokens([token["id"] for token in found], [_bytes(token["piece"]) for token in found])
            return Tokens(list(found))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError("The local model's server answered something that is no list of tokens.") from error


def _bytes(piece: Any) -> bytes:
    """llama.cpp writes pieces that are no UTF-8 as lists of numbers."""
    return piece.encode() if isinstance(piece, str) else bytes(piece)
