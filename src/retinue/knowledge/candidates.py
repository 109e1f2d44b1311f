"""The chunks of one store that compete for the results of a query, with both scores of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..store.search import Hit, StoreScope
from .ranking import bm25, fuse

#: A word, the position of a file, and the postings of the one in the other.
Row = tuple[str, int, bytes]
#: Of a chunk without a vector: less than any background.
_NO_COSINE = -1.0


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks, as columns of the same length."""

    #: Positions of their files, and their numbers in these.
    files: NDArray[np.int64]
    numbers: NDArray[np.int64]
    #: Nearness in meaning to the query; NaN where it is not known.
    cosines: NDArray[np.float32]
    #: Fit by words; 0 where none is shared.
    by_words: NDArray[np.float32]

    def unknown(self) -> tuple[list[int], list[int]]:
        """Files and numbers of those whose cosine is not known."""
        missing = np.isnan(self.cosines)
        return self.files[missing].tolist(), self.numbers[missing].tolist()

    def learn(self, cosines: Sequence[float | None]) -> None:
        """Take the cosines of those that were unknown, in their order; None: the chunk has no vector."""
        self.cosines[np.isnan(self.cosines)] = [_NO_COSINE if one is None else one for one in cosines]

    def best(self, background: float, weights: tuple[float, float], most: int) -> list[Hit]:
        """At most so many of the best, best first, with one score each, 0 to 1; none that does not fit at all.

        See `fuse`.
        """
        fused = fuse(self.cosines, self.by_words, background, weights)
        order = np.argsort(-fused, kind="stable")[:most]
        scored = zip(self.files[order].tolist(), self.numbers[order].tolist(), fused[order].tolist(), strict=True)
        return [Hit(file, number, score) for file, number, score in scored if score > 0]


def candidates(
    nearest: Sequence[Hit] | None, words: Sequence[str], rows: Sequence[Row], scope: StoreScope, most: int
) -> Candidates:
    """The chunks that are nearest to a query, and those that have its words.

    Args:
        nearest: by meaning; None where there are no vectors to compare.
        words: of the query.
        rows: the postings of these words, and perhaps of others.
        scope: where they were found.
        most: how many by words.
    """
    files, numbers, scores = bm25(words, rows, scope.chunks, scope.words)
    having = _keys(files, numbers)
    near = _keys([hit.file for hit in nearest or ()], [hit.number for hit in nearest or ()])
    top = np.argpartition(-scores, most)[:most] if len(scores) > most else np.arange(len(scores))
    keys = np.union1d(near, having[top])
    cosines = np.full(len(keys), _NO_COSINE if nearest is None else np.nan, np.float32)
    cosines[np.searchsorted(keys, near)] = [hit.score for hit in nearest or ()]
    by_words = np.zeros(len(keys), np.float32)
    places = np.minimum(np.searchsorted(having, keys), max(len(having) - 1, 0))  # these keys are in order, too
    there = having[places] == keys if len(having) else np.zeros(len(keys), bool)
    by_words[there] = scores[places[there]]
    return Candidates(keys >> 32, keys & 0xFFFFFFFF, cosines, by_words)


def _keys(files: object, numbers: object) -> NDArray[np.int64]:
    """One number for each chunk."""
    return (np.asarray(files, np.int64) << 32) | np.asarray(numbers, np.int64)
