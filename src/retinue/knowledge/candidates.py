"""The chunks of one store that compete for the results of a query: the nearest in meaning, and the best by words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..store.search import Hit
from .bm25 import Bm25
from .ranking import fuse, meaning

#: Of a chunk without a vector: less than any background.
_NO_COSINE = -1.0
#: Of scores, after the point: as many as every float32 keeps, so that a score is a threshold that its chunk reaches.
_DIGITS = 6


@dataclass(frozen=True)
class Candidates:
    """What competes for the results of one query in one store, and what it is judged by."""

    query: str
    #: Its words, as of `words.query_words`.
    words: Sequence[str]
    #: The scores by words of the chunks of the store.
    by_words: Bm25
    #: Position of the file, number of the chunk, nearness in meaning to the query; None where there is no vector. A
    #: chunk may come twice.
    chunks: Sequence[tuple[int, int, float | None]]
    #: See `fuse`.
    background: float
    #: See `fuse`.
    weights: tuple[float, float]

    @cached_property
    def columns(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
        """Files, numbers and cosines, each chunk once."""
        files, numbers, near = _columns(self.chunks)
        _, once = np.unique((files << 32) | numbers, return_index=True)
        return files[once], numbers[once], np.nan_to_num(near[once], nan=_NO_COSINE)

    @cached_property
    def legs(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Their scores by meaning, and by words, 0 to 1."""
        files, numbers, near = self.columns
        return meaning(near, self.background), self.by_words.scores(files, numbers)

    @cached_property
    def scores(self) -> NDArray[np.float64]:
        """Their scores by both."""
        fused = fuse(self.columns[2], self.legs[1], self.background, self.weights)
        return fused.astype(np.float64).round(_DIGITS)

    def best(self, most: int) -> list[Hit]:
        """At most so many of the candidates, best first, with one score each, 0 to 1; none that does not fit at all."""
        files, numbers, _ = self.columns
        order: NDArray[np.intp] = np.argsort(-self.scores, kind="stable")[:most]
        scored = zip(files[order].tolist(), numbers[order].tolist(), self.scores[order].tolist(), strict=True)
        return [Hit(file, number, score) for file, number, score in scored if score > 0]


def _columns(
    cosines: Sequence[tuple[int, int, float | None]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Files, numbers and cosines; these NaN instead of None."""
    files, numbers, near = zip(*cosines, strict=True) if cosines else ((), (), ())
    return np.array(files, np.int64), np.array(numbers, np.int64), np.array(near, np.float32)
