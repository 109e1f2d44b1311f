"""How well chunks fit a query by its words."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.knowledge.bm25 import Bm25, WordScores
from retinue.knowledge.words import postings, query_words, words
from retinue.store.search import Postings

#: Files by position, each a list of chunks.
Files = Mapping[int, Sequence[str]]


def ranked(query: str, files: Files) -> dict[tuple[int, int], float]:
    """The score of each chunk that has one of the query's words."""
    scores, _ = scored(query, files)
    chunks = scores.best(1_000)
    positions, numbers = (np.array([chunk[place] for chunk in chunks], np.int64) for place in (0, 1))
    return dict(zip(chunks, scores.scores(positions, numbers).tolist(), strict=True))


def scored(query: str, files: Files, *, lag: bool = False) -> tuple[Bm25, dict[str, WordScores]]:
    """The scores, and those of each word; with `lag` the store does not know yet how much it has."""
    found: dict[str, Postings] = {}
    total = 0
    for position, chunks in files.items():
        entries, length = postings(chunks)
        total += length
        for word, more in entries.items():
            had = found.get(word, Postings(word, b"", b"", b""))
            here = (position.to_bytes(8, "big"), len(more).to_bytes(4, "big"), bytes(more))
            found[word] = Postings(word, *(old + new for old, new in zip(had[1:4], here, strict=True)))
    count = 0 if lag else sum(map(len, files.values()))
    words = {word: WordScores(one, count, 0 if lag else total) for word, one in found.items()}
    return Bm25(query_words(query), words, count), words


def by_the_book(query: str, files: Files) -> dict[tuple[int, int], float]:
    """The same, straight from the formula."""
    bags = {
        (position, number): Counter(words(chunk))
        for position, chunks in files.items()
        for number, chunk in enumerate(chunks)
    }
    mean = sum(bag.total() for bag in bags.values()) / len(bags)
    counts = {word: sum(word in bag for bag in bags.values()) for word in query_words(query)}
    most = max(counts.values(), default=0)
    rarity = {
        word: math.log(1 + (len(bags) - (count or most) + 0.5) / ((count or most) + 0.5))
        for word, count in counts.items()
    }
    scores = {
        chunk: sum(
            rarity[word] * bag[word] / (bag[word] + 1.2 * (0.25 + 0.75 * bag.total() / mean))
            for word in rarity
            if bag[word]
        )
        for chunk, bag in bags.items()
    }
    return {chunk: score / sum(rarity.values()) for chunk, score in scores.items() if score}


chunks = st.lists(st.sampled_from(["fox", "dog", "bird", "whale", "ant"]), max_size=12).map(" ".join)
stores = st.dictionaries(st.integers(0, 2**40), st.lists(chunks, min_size=1, max_size=5), min_size=1, max_size=5)


@given(stores, chunks)
def test_bm25_follows_its_formula(files: Files, query: str):
    assert ranked(query, files) == pytest.approx(by_the_book(query, files), rel=1e-5)


@given(stores, chunks)
def test_bm25_lies_between_0_and_1(files: Files, query: str):
    assert all(0 < score < 1 for score in ranked(query, files).values())


@pytest.mark.parametrize("query", ["", "elephant", "what is it"])
def test_bm25_of_words_that_are_nowhere_is_empty(query: str):
    assert ranked(query, {1: ["red fox"]}) == {}


def test_bm25_bears_counts_that_lag_behind():
    scores, _ = scored("red", {1: ["red fox", "red dog"]}, lag=True)
    assert all(0 < score <= 1 for score in scores.scores(np.array([1, 1]), np.array([0, 1])))


@given(stores, chunks, st.integers(1, 8))
def test_the_best_are_those_with_the_highest_scores(files: Files, query: str, most: int):
    every = ranked(query, files)
    best = scored(query, files)[0].best(most)
    assert len(set(best)) == len(best) == min(most, len(every))
    assert sorted(every[chunk] for chunk in best) == sorted(every.values())[-len(best) or len(every) :]


def test_chunks_without_a_word_of_the_query_have_no_score():
    scores, _ = scored("red", {1: ["red fox", "blue fox", "grey fox"], 7: ["blue dog"]})
    assert np.flatnonzero(scores.scores(np.array([1, 1, 1, 7, 8]), np.array([0, 1, 2, 0, 0]))).tolist() == [0]


def test_rare_words_weigh_more_than_common_ones():
    files = {1: ["warranty of printers", "warranty of scanners", "warranty of phones", "printers XJ-4410"]}
    scores = ranked("XJ-4410 warranty", files)
    assert max(scores, key=scores.__getitem__) == (1, 3)


def test_words_that_the_store_lacks_lower_the_score():
    files = {1: ["red fox", "blue dog"]}
    assert ranked("fox elephant", files)[1, 0] < ranked("fox", files)[1, 0]
