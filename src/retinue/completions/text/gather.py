"""Chunks of streamed completions, put together to the whole answer."""

from __future__ import annotations

from ...inference.chat import Json
from ..gather import merge_lists


class Gathered:
    """Completions as far as their chunks have come."""

    def __init__(self) -> None:
        self._choices: dict[int, Json] = {}
        #: What the chunks say beside their choices, such as the model's name.
        self._about: Json = {}

    def add(self, chunk: Json) -> None:
        """Add an official chunk, which may be changed later."""
        self._about |= {name: value for name, value in chunk.items() if name not in ("choices", "usage")}
        for piece in chunk["choices"]:
            known = self._choices.setdefault(piece["index"], piece)
            if known is not piece:
                known["text"] += piece["text"]
                known["finish_reason"] = piece["finish_reason"] or known["finish_reason"]
                if piece["logprobs"]:
                    known["logprobs"] = known["logprobs"] or {}
                    merge_lists(known["logprobs"], piece["logprobs"])

    def whole(self) -> Json:
        """The answer, with its choices in order."""
        return {**self._about, "choices": [self._choices[index] for index in sorted(self._choices)]}
