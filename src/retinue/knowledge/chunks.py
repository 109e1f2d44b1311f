"""Cutting documents into chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

from ..inference.tokenizers import token_ends
from ..store.chunk import Chunk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .extract import Document, Place

T = TypeVar("T", bound=Hashable)

#: Whose tokens the sizes of chunks are: those of OpenAI's embedding models.
ENCODING = "cl100k_base"
#: Where a cut hurts least, best first: behind a paragraph, a line, a sentence, a clause, a word.
_BREAKS = (("\n\n",), ("\n",), ("。", "！", "？", ". ", "! ", "? "), ("；", "，", "、"), (" ",))
#: By itself a text may have some more tokens than it has as part of another, for it may begin and end within words.
_DOUBT = 8


def cut(document: Document, ends: NDArray[np.int64], size: int, overlap: int) -> list[Chunk]:
    """Cut a document into chunks that cover it, but for long stretches of blanks, and overlap. Blocks.

    Args:
        document: its text, and the places in it.
        ends: where the tokens of the text end: `token_ends`, of `ENCODING`.
        size: most tokens of a chunk; at least 100.
        overlap: most tokens that a chunk shares with the one before; at most half of `size`.

    Returns:
        The chunks in order. Each ends, if it can in its last quarter, where a page, section, paragraph, line, sentence
        or word does, and begins in the same way. Its page and section are those of the most part of it. Its tokens are
        counted as those of the whole text that end in it.
    """
    cutter = _Cutter(document, ends, size, overlap)
    chunks: list[Chunk] = []
    start = covered = 0
    while covered < len(document.text):
        end = cutter.end(start, covered)
        text = document.text[start:end]
        if not text.isspace():
            page = _most(cutter.stretches(start, end), lambda place: place.page)
            section = _most(cutter.stretches(start, end), lambda place: place.section)
            chunks.append(Chunk(start, cutter.tokens(start, end), text, page, section))
        start, covered = cutter.next_start(start, end), end
    return chunks


class _Cutter:
    """Where the chunks of one document begin and end."""

    def __init__(self, document: Document, ends: NDArray[np.int64], size: int, overlap: int) -> None:
        self._text = document.text
        self._places = document.places
        self._starts = [place.start for place in document.places]
        self._size = size
        self._overlap = overlap
        self._ends = ends

    def tokens(self, start: int, end: int) -> int:
        """How many tokens end in a stretch of the text."""
        return self._up_to(end) - self._up_to(start)

    def end(self, start: int, covered: int) -> int:
        """Where a chunk ends that starts at `start`, when the text is covered up to `covered`."""
        size = self._size
        while True:
            limit = self._limit(self._up_to(start) + size)
            end = limit
            if limit < len(self._text):
                earliest = max(covered, limit - (limit - start) // 4)
                end = self._last_place(earliest, limit) or _last_break(self._text, earliest, limit) or limit
            if self.tokens(start, end) <= self._size - _DOUBT:
                return end
            alone = len(token_ends(ENCODING, self._text[start:end]))
            if alone <= self._size:
                return end
            size -= alone - self._size

    def next_start(self, start: int, end: int) -> int:
        """Where the chunk after the one from `start` to `end` starts."""
        before = self._up_to(end) - self._overlap
        if not self._overlap or before <= 0:
            return end
        begin = max(start + 1, int(self._ends[before - 1]))
        return _first_break(self._text, begin, begin + (end - begin) // 4) or begin

    def stretches(self, start: int, end: int) -> list[tuple[Place, int]]:
        """The places that a stretch of the text lies in, and how much of it lies in each."""
        first = max(0, bisect_right(self._starts, start) - 1)
        places = self._places[first : bisect_left(self._starts, end)]
        bounds = [*(max(start, place.start) for place in places), end]
        return [(place, behind - at) for place, (at, behind) in zip(places, pairwise(bounds), strict=True)]

    def _up_to(self, index: int) -> int:
        """How many tokens end before or at an index of the text."""
        return int(self._ends.searchsorted(index, "right"))

    def _limit(self, tokens: int) -> int:
        """The furthest index up to which the text has no more than so many tokens."""
        if tokens >= len(self._ends):
            return len(self._text)
        behind = int(self._ends[tokens])
        before = int(self._ends.searchsorted(behind)) - 1
        return int(self._ends[before]) if before >= 0 else 0

    def _last_place(self, earliest: int, end: int) -> int | None:
        """The last start of a place behind `earliest`, up to `end`."""
        index = bisect_right(self._starts, end) - 1
        return self._starts[index] if index >= 0 and self._starts[index] > earliest else None


def _last_break(text: str, earliest: int, end: int) -> int | None:
    for marks in _BREAKS:
        found = [at + len(mark) for mark in marks if (at := text.rfind(mark, earliest, end)) >= 0]
        if found:
            return max(found)
    return None


def _first_break(text: str, start: int, latest: int) -> int | None:
    for marks in _BREAKS:
        found = [at + len(mark) for mark in marks if (at := text.find(mark, start, latest)) >= 0]
        if found:
            return min(found)
    return None


def _most(stretches: Sequence[tuple[Place, int]], kind: Callable[[Place], T]) -> T | None:
    """What kind most of the stretches is of; the first of those that are as long."""
    lengths: dict[T, int] = {}
    for place, length in stretches:
        lengths[kind(place)] = lengths.get(kind(place), 0) + length
    return max(lengths, key=lambda one: lengths[one], default=None)
