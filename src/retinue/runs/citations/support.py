"""Which passage a sentence rests on: by the words that both have, of which rare ones, numbers and names weigh more."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from math import log

from ...knowledge.words import words
from .sentences import spans

#: The share of a sentence's weight that must be in a passage that supports it. Measured on tests/data/citations.
_SUPPORTED = 0.58
#: The same for sentences of at most `_FEW` words, which are easily met by chance.
_SUPPORTED_SHORT = 0.99
_FEW = 2
#: How much more than another word a number weighs, or a name.
_NUMBER, _NAME = 3.0, 1.5
#: Sentences of a passage, one behind the other, that may support a sentence together.
_TOGETHER = 3
#: How many passages, those that share most with a sentence, are compared with it sentence by sentence.
_CLOSELY = 6

_NUMBERS = re.compile(r"\d+(?:[.:]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
#: The number of an item of a list.
_ITEM = re.compile(r"^\s*\d{1,3}[.)、]\s*")
_DIGIT = re.compile(r"\d")
#: Words in the midst of a sentence that are written like names.
_NAMES = re.compile(r"(?<=[a-z0-9,;] )[A-Z][\w-]+")


def _terms(text: str) -> frozenset[str]:
    """What of a text is compared: its words, as search knows them, and its numbers, written alike."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if not _DIGIT.search(text):
        return frozenset(words(text))
    text = _THOUSANDS.sub("", text)
    return frozenset(_NUMBERS.findall(text)).union(one for one in words(text) if not _DIGIT.search(one))


class Support:
    """Passages, ready to be compared with sentences."""

    def __init__(self, passages: Iterable[str]) -> None:
        """Read the passages: work for the processor, two to three times as much as cutting them into words."""
        self._passages = [[_terms(passage[begin:end]) for begin, end in spans(passage)] for passage in passages]
        self._whole = [frozenset[str]().union(*sentences) for sentences in self._passages]
        self._known = Counter(term for sentences in self._passages for terms in sentences for term in terms)
        self._sentences = sum(map(len, self._passages))

    def of(self, sentence: str) -> int | None:
        """The number of the passage that a sentence rests on; None if none supports it clearly."""
        score, best = self.best(sentence, range(len(self._passages)))
        few = len(_terms(_ITEM.sub("", sentence))) <= _FEW
        return best if score >= (_SUPPORTED_SHORT if few else _SUPPORTED) else None

    def best(self, sentence: str, among: Collection[int]) -> tuple[float, int]:
        """The one of some passages that has most of a sentence, the first of those that have as much.

        Args:
            sentence: any text.
            among: numbers of passages.

        Returns:
            How much of the sentence it has, 0 to 1, and its number; the first one where none has anything.
        """
        sentence = _ITEM.sub("", sentence)
        terms = _terms(sentence)
        weights = self._weights(sentence, terms)
        numbers = frozenset(filter(_DIGIT.search, terms))
        shares = {number: _weight(terms & self._whole[number], weights) for number in among}
        score, best = 0.0, next(iter(among), 0)
        for number in sorted(sorted(shares, key=lambda number: -shares[number])[:_CLOSELY]):
            there = [terms & sentence for sentence in self._passages[number]]
            if (share := max((_share(one, weights, numbers) for one in _neighbours(there)), default=0.0)) > score:
                score, best = share, number
        return score, best

    def _weights(self, sentence: str, terms: frozenset[str]) -> dict[str, float]:
        """What each term of a sentence weighs, of 1 in all: the more, the fewer sentences of the passages have it."""
        names = _terms(" ".join(_NAMES.findall(sentence)))
        weights = {
            term: log(1 + self._sentences / (self._known[term] or 1))
            * (_NUMBER if _DIGIT.search(term) else _NAME if term in names else 1)
            for term in terms
        }
        total = sum(weights.values()) or 1
        return {term: weight / total for term, weight in weights.items()}


def _weight(terms: frozenset[str], weights: dict[str, float]) -> float:
    return sum(weights[term] for term in terms)


def _share(terms: frozenset[str], weights: dict[str, float], numbers: frozenset[str]) -> float:
    """What terms weigh, of all; half of it where a number is missing: what is said of another number is not said."""
    return _weight(terms, weights) / (1 if numbers <= terms else 2)


def _neighbours(sentences: Sequence[frozenset[str]]) -> set[frozenset[str]]:
    """What sentences that stand one behind the other have together."""
    last = max(1, len(sentences) - _TOGETHER + 1)
    return {frozenset[str]().union(*sentences[at : at + _TOGETHER]) for at in range(last)}


def quote(passage: str, sentence: str) -> str:
    """The sentence of a passage that has most of what another sentence says; the whole passage where none has any."""
    parts = [passage[begin:end] for begin, end in spans(passage)]
    score, best = Support(parts).best(sentence, range(len(parts)))
    return parts[best] if score else passage
