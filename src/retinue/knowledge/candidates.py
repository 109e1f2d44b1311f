"""The chunks of one store that compete for the results of a query: the nearest in meaning, and the best by words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..store.search import Hit
from .bm25 import Bm25
from .ranking import fuse

#: Of a chunk without a vector: less than any background.
_NO_COSINE = -1.0
#: Of scores, after the point: as many as every float32 keeps, so that a score is a threshold that its chunk reaches.
_DIGITS = 6


def best(
    by_words: Bm25,
    cosines: Sequence[tuple[int, int, float | None]],
    background: float,
    weights: tuple[float, float],
    most: int,
) -> list[Hit]:
    """At most so many of the candidates, best first, with one score each, 0 to 1; none that does not fit at all.

    Args:
        by_words: the scores by words of the chunks of the store.
        cosines: the candidates: position of the file, number of the chunk, nearness in meaning to the query; None where
            there is no vector. A chunk may come twice.
        background: see `fuse`.
        weights: see `fuse`.
        most: how many.
    """
    files, numbers, near = _columns(cosines)
    _, once = np.unique((files << 32) | numbers, return_index=True)
    files, numbers, near = files[once], numbers[once], np.nan_to_num(near[once], nan=_NO_COSINE)
    fused = fuse(near, by_words.scores(files, numbers), background, weights).astype(np.float64).round(_DIGITS)
    order: NDArray[np.intp] = np.argsort(-fused, kind="stable")[:most]
    scored = zip(files[order].tolist(), numbers[order].tolist(), fused[order].tolist(), strict=True)
    return [Hit(file, number, score) for file, number, score in scored if score > 0]


def _columns(
    cosines: Sequence[tuple[int, int, float | None]],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Files, numbers and cosines; these NaN instead of None."""
    files, numbers, near = zip(*cosines, strict=True) if cosines else ((), (), ())
    return np.array(files, np.int64), np.array(numbers, np.int64), np.array(near, np.float32)
