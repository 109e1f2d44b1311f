"""How well chunks fit a query: by words, by meaning, and by both."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.knowledge.ranking import UNRELATED, background, bm25, default_weights, fuse
from retinue.knowledge.words import postings, query_words, words

#: Files by position, each a list of chunks.
Files = Mapping[int, Sequence[str]]


def ranked(query: str, files: Files) -> dict[tuple[int, int], float]:
    """The score of each chunk that has one of the query's words."""
    rows: list[tuple[str, int, bytes]] = []
    total = 0
    for position, chunks in files.items():
        found, length = postings(chunks)
        rows += [(word, position, entries) for word, entries in found.items()]
        total += length
    count = sum(map(len, files.values()))
    columns = bm25(query_words(query), rows, count, total)
    return {(file, number): score for file, number, score in zip(*(column.tolist() for column in columns), strict=True)}


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


def test_bm25_passes_over_rows_of_other_words():
    found, total = postings(["red fox", "blue fox"])
    rows = [(word, 1, entries) for word, entries in found.items()]
    assert [column.tolist() for column in bm25(["red"], rows, 2, total)[:2]] == [[1], [0]]


@pytest.mark.parametrize("query", ["", "elephant", "what is it"])
def test_bm25_of_words_that_are_nowhere_is_empty(query: str):
    assert ranked(query, {1: ["red fox"]}) == {}


def test_bm25_bears_counts_that_lag_behind():
    found, _ = postings(["red fox", "red dog"])
    scores = bm25(["red"], [("red", 1, found["red"])], 0, 0)[2]
    assert np.all((scores > 0) & (scores <= 1))


def test_rare_words_weigh_more_than_common_ones():
    files = {1: ["warranty of printers", "warranty of scanners", "warranty of phones", "printers XJ-4410"]}
    scores = ranked("XJ-4410 warranty", files)
    assert max(scores, key=scores.__getitem__) == (1, 3)


def test_words_that_the_store_lacks_lower_the_score():
    files = {1: ["red fox", "blue dog"]}
    assert ranked("fox elephant", files)[1, 0] < ranked("fox", files)[1, 0]


def unit(*numbers: float) -> np.ndarray:
    vector = np.array(numbers, np.float32)
    return vector / np.linalg.norm(vector)


def test_background_is_that_of_the_nearest_third():
    # Half of the texts are in the query's language, as it were.
    rows = [unit(1, 1, 0)] * (len(UNRELATED) // 2) + [unit(0, 0, 1)] * (len(UNRELATED) // 2)
    assert background(unit(1, 0, 0), np.stack(rows)) == pytest.approx(math.sqrt(0.5))


SCORES = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3).map(lambda each: np.array(each, np.float32))
COSINES = st.lists(st.floats(-1, 1, width=32), min_size=3, max_size=3).map(lambda each: np.array(each, np.float32))


@given(COSINES, SCORES, st.floats(-1, 1), st.floats(0, 5), st.floats(0.01, 5))
def test_fused_scores_lie_between_0_and_1(cosines: np.ndarray, by_words: np.ndarray, floor: float, a: float, b: float):
    scores = fuse(cosines, by_words, floor, (a, b))
    assert scores.dtype == np.float32
    assert np.all((scores >= 0) & (scores <= 1))


def test_one_weight_alone_ranks_by_that_alone():
    cosines, by_words = np.array([0.9, 0.3, -1], np.float32), np.array([0.1, 0.5, 0.4], np.float32)
    assert fuse(cosines, by_words, 0.2, (0, 3)) == pytest.approx(by_words)
    assert fuse(cosines, by_words, 0.2, (3, 0)) == pytest.approx([0.875, 0.125, 0], abs=0.01)


def test_either_evidence_raises_a_score():
    [words_only, meaning_only, both] = fuse(
        np.array([-1, 0.8, 0.8], np.float32), np.array([0.5, 0, 0.5], np.float32), 0.2, (0.5, 1)
    )
    assert 0 < meaning_only < words_only < both < 1


@pytest.mark.parametrize("model", ["universal-sentence-encoder-multilingual", "text-embedding-3-small"])
def test_a_rare_identifier_wins_over_the_nearest_chunk_without_it(model: str):
    """A chunk of usual length that has the only word of the query once, against cosines as good ones are."""
    by_words = ranked("XJ-4410", {1: ["printers of the type XJ-4410", "scanners of any other type"]})[1, 0]
    with_word, without = fuse(
        np.array([0.1, 0.6], np.float32), np.array([by_words, 0], np.float32), 0.1, default_weights(model)
    )
    assert with_word > without


@pytest.mark.parametrize("model", ["universal-sentence-encoder-multilingual", "text-embedding-3-small"])
def test_without_words_in_common_meaning_ranks(model: str):
    scores = fuse(np.array([0.3, 0.6, 0, -0.1], np.float32), np.zeros(4, np.float32), 0.1, default_weights(model))
    assert np.argsort(-scores).tolist() == [1, 0, 2, 3]
