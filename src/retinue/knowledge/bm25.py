"""How well chunks fit a query by its words: BM25, over the postings of one store.

A score is the sum over the query's words of idf * times / (times + k1 * (1 - b + b * length / mean length)), divided by
the sum of their idf = ln(1 + (N - n + 0.5) / (n + 0.5)), n being in how many of N chunks the word is: a share of the
most that any chunk could have.

Source: S. Robertson, H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

from ..store.search import Postings
from .words import POSTING

#: How soon more of a word counts no more, and how far long chunks must have more of it: the usual values.
_K1, _B = 1.2, 0.75


class WordScores:
    """What one word adds to the scores of the chunks that have it, but for its idf."""

    def __init__(self, postings: Postings, chunks: int, total_length: int) -> None:
        """Work it out.

        Args:
            postings: of the word.
            chunks: of the whole store.
            total_length: words of all these together.
        """
        entries = np.frombuffer(postings.entries, POSTING)
        times, length = entries["times"].astype(np.float32), entries["length"].astype(np.float32)
        mean = np.float32(max(total_length, 1) / max(chunks, 1))
        #: Positions of the files that have it.
        self.files = np.frombuffer(postings.files, ">i8").astype(np.int64)
        #: In how many chunks of each.
        self.counts = np.frombuffer(postings.sizes, ">i4").astype(np.intp) // entries.itemsize
        #: Numbers of these chunks, file after file, and in each in order.
        self.chunks = entries["chunk"].astype(np.int32)
        #: What it adds to each.
        self.shares = times / (times + np.float32(_K1) * (np.float32(1 - _B) + np.float32(_B) * length / mean))
        if postings.hidden:
            self._keep(np.isin(self.files, postings.hidden, invert=True))

    def among(self, files: Sequence[int]) -> WordScores:
        """The same of these files only."""
        some = copy(self)
        some._keep(np.isin(self.files, files))
        return some

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        """Forget the other files."""
        if not kept.all():
            chunks = np.repeat(kept, self.counts)
            self.files, self.counts = self.files[kept], self.counts[kept]
            self.chunks, self.shares = self.chunks[chunks], self.shares[chunks]

    @property
    def bytes(self) -> int:
        """How much memory this takes."""
        return sum(array.nbytes for array in (self.files, self.counts, self.chunks, self.shares))

    def lengths(self) -> NDArray[np.int32]:
        """So many chunks each file has at least: its last one with this word is the last of them."""
        return self.chunks[np.cumsum(self.counts) - 1] + 1


class Bm25:
    """The scores of a store's chunks for one query.

    A word that is not found counts in the divisor as the commonest one that is: it is in no chunk, or, the store
    reading rare words first, in still more.
    """

    def __init__(self, query_words: Sequence[str], found: Mapping[str, WordScores], chunks: int) -> None:
        """Score.

        Args:
            query_words: different words, as of `words.query_words`.
            found: these, as far as the store has them, and perhaps others.
            chunks: of the whole store.
        """
        words = [found[word] for word in query_words if word in found]
        self._files = np.unique(np.concatenate([np.empty(0, np.int64), *(word.files for word in words)]))
        files_of = [np.searchsorted(self._files, word.files) for word in words]
        # Each chunk gets a place in one row of numbers, file after file: adding up needs no sorting then.
        lengths = np.zeros(len(self._files), np.intp)
        for word, files in zip(words, files_of, strict=True):
            lengths[files] = np.maximum(lengths[files], word.lengths())
        self._ends = np.cumsum(lengths)
        self._starts = self._ends - lengths
        self._scores = np.zeros(int(lengths.sum()), np.float32)
        weights = _weights([len(word.chunks) for word in words], len(query_words), chunks)
        for word, files, weight in zip(words, files_of, weights, strict=True):
            # No place comes twice: a word has one posting for a chunk.
            self._scores[np.repeat(self._starts[files], word.counts) + word.chunks] += weight * word.shares

    def best(self, most: int) -> list[tuple[int, int]]:
        """The chunks with the highest scores, of those that have any, in no order: positions of files, and numbers."""
        places = np.flatnonzero(self._scores > 0)
        if len(places) > most:
            places = places[np.argpartition(self._scores[places], -most)[-most:]]
        files = np.searchsorted(self._ends, places, side="right")
        return list(zip(self._files[files].tolist(), (places - self._starts[files]).tolist(), strict=True))

    def scores(self, files: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """The scores of these chunks, 0 to 1; 0 for one that has none of the words."""
        if not len(self._files):
            return np.zeros(len(files), np.float32)
        index = np.minimum(np.searchsorted(self._files, files), len(self._files) - 1)
        places = self._starts[index] + numbers
        there = (self._files[index] == files) & (places < self._ends[index])
        return np.where(there, self._scores[np.where(there, places, 0)], np.float32(0))


def _weights(counts: Sequence[int], words: int, chunks: int) -> NDArray[np.float32]:
    """The share in the score of each word that is in so many chunks; the query has so many words in all."""
    if not counts:
        return np.empty(0, np.float32)
    found = np.array(counts)
    rarity = np.log1p((np.maximum(chunks - found, 0) + 0.5) / (found + 0.5))
    return (rarity / (rarity.sum() + (words - len(counts)) * rarity.min())).astype(np.float32)
