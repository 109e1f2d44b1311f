"""How well chunks fit a query by meaning, and by words and meaning together."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.knowledge.ranking import UNRELATED, background, default_weights, fuse
from tests.unit.test_bm25 import ranked


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
