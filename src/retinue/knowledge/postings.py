"""Where words are in large stores, read from the database and remembered while nothing changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..store.search import ChunkSearch, Postings, StoreScope

if TYPE_CHECKING:
    from .bm25 import WordScores

#: Bytes of postings that are decoded in about a millisecond; more are in a thread.
_QUICK = 256 * 1024
#: Bytes of a word's postings that are worth remembering: reading fewer takes next to nothing.
_WORTH_KEEPING = 4 * 1024
#: Bytes of postings that are remembered: some three million.
_MOST_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True)
class _Kept:
    """A word's postings, and what they were read of."""

    generation: int
    scores: WordScores


class WordIndex:
    """Where the words of queries are. Those that are in many chunks come again and again: they are remembered."""

    def __init__(self, search: ChunkSearch) -> None:
        self._search = search
        #: By position of a store and word, those used last at the end.
        self._kept: OrderedDict[tuple[int, str], _Kept] = OrderedDict()
        #: Bytes of all these.
        self.remembered = 0

    async def find(self, scope: StoreScope, words: Sequence[str]) -> dict[str, WordScores]:
        """Where these words are, as far as they are anywhere; of large stores see `ChunkSearch.postings`.

        Args:
            scope: where to look.
            words: to look for, each once.
        """
        # Of a few files one may read less than of all.
        known = self._known(scope, words) if scope.files is None else {}
        read = await self._search.postings(scope, words, list(known)) if words else []
        fresh = [one for one in read if one.entries]
        decode = partial(_decoded, fresh, scope)
        if sum(len(one.entries) for one in fresh) <= _QUICK:
            found = decode()
        else:
            found = await asyncio.to_thread(decode)
        if scope.files is None:
            self._keep(scope, found)
        return found | {one.word: known[one.word] for one in read if one.word in known}

    def _known(self, scope: StoreScope, words: Sequence[str]) -> dict[str, WordScores]:
        known: dict[str, WordScores] = {}
        for word in words:
            kept = self._kept.get((scope.position, word))
            if kept and kept.generation == scope.generation:
                self._kept.move_to_end((scope.position, word))
                known[word] = kept.scores
        return known

    def _keep(self, scope: StoreScope, found: dict[str, WordScores]) -> None:
        for word, scores in found.items():
            if scores.bytes >= _WORTH_KEEPING:
                old = self._kept.pop((scope.position, word), None)
                self._kept[scope.position, word] = _Kept(scope.generation, scores)
                self.remembered += scores.bytes - (old.scores.bytes if old else 0)
        while self.remembered > _MOST_BYTES:
            self.remembered -= self._kept.popitem(last=False)[1].scores.bytes


def _decoded(postings: Sequence[Postings], scope: StoreScope) -> dict[str, WordScores]:
    # Here, since numpy takes 20 MiB.
    from .bm25 import WordScores

    scores = {one.word: WordScores(one, scope.chunks, scope.words) for one in postings}
    if scope.files is not None:
        scores = {word: one.among(scope.files) for word, one in scores.items()}
    return {word: one for word, one in scores.items() if len(one.files)}
