"""The probabilities of chat completions in the shape of the older completions."""

from __future__ import annotations

import math

from ...inference.chat import Json


class LegacyLogprobs:
    """Turns the probabilities of one completion, piece by piece, into lists that go together."""

    def __init__(self, top: int, offset: int) -> None:
        """Begin a completion.

        Args:
            top: how many of the most likely tokens to tell of.
            offset: where the completion begins behind its prompt, in characters.
        """
        self._top = top
        self._offset = offset

    def read(self, logprobs: Json) -> Json:
        """The lists for a piece, from what chat completions say of it; tokens that end a completion have no text."""
        told: Json = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for token in logprobs["content"]:
            text = _text(token)
            if not text:
                continue
            told["tokens"].append(text)
            told["token_logprobs"].append(token["logprob"])
            told["top_logprobs"].append(self._likely(token, text))
            told["text_offset"].append(self._offset)
            self._offset += len(token["token"])
        return told

    def _likely(self, token: Json, text: str) -> dict[str, float]:
        """The most likely tokens and the one that was chosen, which may be none of them."""
        likely: dict[str, float] = {}
        for other in (token.get("top_logprobs") or ())[: self._top]:
            # What was chosen may have been completed by bytes of the tokens before it.
            likely.setdefault(text if _same(other, token) else _text(other), other["logprob"])
        likely.setdefault(text, token["logprob"])
        return likely


def mean(logprobs: Json | None) -> float:
    """The mean logarithm of the probability of a token; -inf where nothing is known."""
    known = [value for value in (logprobs or {}).get("token_logprobs") or () if value is not None]
    return math.fsum(known) / len(known) if known else -math.inf


def _same(other: Json, token: Json) -> bool:
    """Whether these are one token: llama.cpp tells its id."""
    return other["id"] == token["id"] if "id" in token and "id" in other else other["token"] == token["token"]


def _text(token: Json) -> str:
    """The token's text; of bytes that are no UTF-8 by themselves, their numbers as at OpenAI."""
    found: list[int] | None = token.get("bytes")
    if found is None:
        return token["token"]
    try:
        return bytes(found).decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in found)
