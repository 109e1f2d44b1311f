"""Why a search found a chunk: what the two ways, by meaning and by words, each made of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np
import regex
from numpy.typing import NDArray

from ..store.search import Around, Found
from .candidates import Candidates
from .words import UNSPACED, words

#: Ranks that are told: so many of the best by meaning are looked at for certain.
MOST_RANKED = 100
#: Characters of the text before and behind a chunk.
MOST_AROUND = 1_000
#: Places of words that are told for a chunk.
MOST_PLACES = 1_000
#: What a text is cut into for finding words in it: Chinese and other scripts without spaces, and words with spaces.
_PIECE = regex.compile(rf"[{UNSPACED}]+|(?:(?![{UNSPACED}])[\p{{L}}\p{{M}}\p{{N}}])+")
_SPACED = regex.compile(rf"[^{UNSPACED}]+")


class Leg(NamedTuple):
    """What one way made of a chunk."""

    #: Among all chunks of the store, from 1; None beyond `MOST_RANKED`.
    rank: int | None
    #: 0 to 1.
    score: float
    #: What it counts for: the larger of the two ways is 1.
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a chunk was found."""

    #: The one of the queries that it fits best.
    query: str
    #: Of both ways, before a reranker.
    score: float
    #: None where there is no vector.
    meaning: Leg | None
    #: Nearness of query and chunk; None where there is no vector.
    cosine: float | None
    #: None if it has none of the words.
    words: Leg | None
    #: The query's words that it has, as the query writes them, and those that it has not.
    there: Sequence[str]
    missing: Sequence[str]
    #: Where they stand in the chunk's text: begin and end, in order.
    places: Sequence[tuple[int, int]]
    #: Chunks of the file.
    chunks: int
    #: The file's text that stands before the chunk, and behind it.
    before: str
    behind: str


def explain(found: Sequence[Found], trace: Sequence[Candidates], around: Sequence[Around]) -> list[Explanation]:
    """Why chunks were found, in their order. Blocks.

    Args:
        found: results of a search.
        trace: all that competed for them.
        around: what stands around each of them.
    """
    places: dict[tuple[int, int], tuple[float, Candidates, int]] = {}
    wanted = {(one.position, one.number) for one in found}
    for competing in trace:
        files, numbers, _ = competing.columns
        for index, chunk in enumerate(zip(files.tolist(), numbers.tolist(), strict=True)):
            score = float(competing.scores[index])
            if chunk in wanted and (chunk not in places or score > places[chunk][0]):
                places[chunk] = (score, competing, index)
    return [
        _explained(one, *places[one.position, one.number], beside) for one, beside in zip(found, around, strict=True)
    ]


def _explained(found: Found, score: float, among: Candidates, index: int, around: Around) -> Explanation:
    meaning, by_words = among.legs
    nearness = among.columns[2]
    near, (a, b) = float(nearness[index]), np.array(among.weights) / max(among.weights)
    surfaces = {word: among.query[begin:end] for begin, end, word in _places(among.query, set(among.words))}
    there = set(words(found.text)) & set(among.words)
    has_vector = near > -1 and float(a) > 0
    return Explanation(
        query=among.query,
        score=score,
        meaning=Leg(_rank(nearness, index), round(float(meaning[index]), 6), round(float(a), 6))
        if has_vector
        else None,
        cosine=round(near, 6) if has_vector else None,
        words=Leg(_rank(by_words, index), round(float(by_words[index]), 6), round(float(b), 6))
        if by_words[index] > 0
        else None,
        there=_distinct(surfaces.get(word, word) for word in among.words if word in there),
        missing=_distinct(surfaces.get(word, word) for word in among.words if word not in there),
        places=merged(found.text, there),
        chunks=around.chunks,
        before=_before(found, around),
        behind=_behind(found, around),
    )


def _rank(scores: NDArray[np.float32], index: int) -> int | None:
    rank = int((scores > scores[index]).sum()) + 1
    return rank if rank <= MOST_RANKED else None


def _distinct(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _before(found: Found, around: Around) -> str:
    """Chunks overlap: what the chunk has itself is not told twice."""
    if around.before is None:
        return ""
    start, text = around.before
    return text[: max(found.start - start, 0)][-MOST_AROUND:]


def _behind(found: Found, around: Around) -> str:
    if around.behind is None:
        return ""
    start, text = around.behind
    return text[max(found.start + len(found.text) - start, 0) :][:MOST_AROUND]


def merged(text: str, wanted: Collection[str]) -> list[tuple[int, int]]:
    """Where words stand in a text, in order; those that touch or overlap as one. At most `MOST_PLACES`.

    Args:
        text: any.
        wanted: words, as of `words.words`.
    """
    found: list[tuple[int, int]] = []
    for begin, end, _ in sorted(islice(_places(text, wanted), MOST_PLACES)):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return found


def _places(text: str, wanted: Collection[str]) -> Iterator[tuple[int, int, str]]:
    """Where words stand: begin, end, word."""
    if not wanted:
        return
    unspaced = [one for one in wanted if not _SPACED.fullmatch(one)]
    inside = re.compile("|".join(f"(?={re.escape(one)})" for one in unspaced)) if unspaced else None
    known: dict[str, list[str]] = {}
    for piece in _PIECE.finditer(text):
        said, at = piece.group(), piece.start()
        if _SPACED.fullmatch(said):
            if said not in known:
                known[said] = [word for word in words(said) if word in wanted]
            yield from ((at, piece.end(), word) for word in known[said])
        elif inside:
            for match in inside.finditer(said):
                here = match.start()
                yield from (
                    (at + here, at + here + len(word), word) for word in unspaced if said.startswith(word, here)
                )
