"""How well chunks fit a query: by words, by meaning, and by both.

All scores lie between 0 and 1 and depend on the query, the chunk and its store alone, not on what else was found: so a
threshold means the same for every query, and results of several stores can be put in one order. Decision 16 tells how
the constants were chosen.

Sources: S. Robertson, H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009; S. Bruch,
S. Gai, A. Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, 2022: adding scores, each normalised by bounds
that do not depend on what was found, rather than ranks.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .words import POSTING

#: How soon more of a word counts no more, and how far long chunks must have more of it: the usual values of BM25.
_K1, _B = 1.2, 0.75
#: What meaning counts for where words count for 1, by embedding model.
_WEIGHTS = {"universal-sentence-encoder-multilingual": 0.15}
#: The same for any other.
_WEIGHT = 0.5

#: The part of meaning that is the cosine as it is, so that chunks below the background have an order, too.
_ANYWAY = 0.01

#: Texts that have to do with no query, to embed as documents: see `background`.
UNRELATED = (
    "How do I bake bread without yeast?",
    "The committee approved the annual budget on Tuesday.",
    "Photosynthesis turns light into chemical energy.",
    "Reset the router by holding the button for ten seconds.",
    "She won the marathon in a record time.",
    "Interest rates rose for the third time this year.",
    "The novel is set in nineteenth-century Russia.",
    "Patients should take the medicine after meals.",
    "The tenant must give notice two months before leaving.",
    "Mountains in the north are covered with snow all winter.",
    "The function returns a list of integers in ascending order.",
    "Our hotel offers free parking and breakfast.",
    "怎样申请护照？",
    "公司去年的利润增长了两成。",
    "这种植物在春天开花。",
    "请在安装之前关闭电源。",
    "他是一位著名的京剧演员。",
    "地铁二号线明天停运。",
    "数据库备份保存三十天。",
    "唐朝的首都是长安。",
    "孩子发烧时要多喝水。",
    "合同自双方签字之日起生效。",
    "这座桥全长三公里。",
    "足球比赛因大雨推迟。",
)
#: Of these, the ones that count: enough to be of the query's language, too few for both.
_NEAREST_UNRELATED = 8


def bm25(
    query_words: Sequence[str], rows: Sequence[tuple[str, int, bytes]], chunks: int, total_length: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    """How well chunks fit by words: BM25 as a share of the most that any chunk could have.

    The score is the sum over the query's words of idf * times / (times + k1 * (1 - b + b * length / mean length)),
    divided by the sum of their idf = ln(1 + (N - n + 0.5) / (n + 0.5)), n being in how many of N chunks the word is. A
    word without rows counts in the divisor as the commonest one that has rows: it is in no chunk, or, the store reading
    rare words first, in still more.

    Args:
        query_words: different words, as of `words.query_words`.
        rows: word, position of a file, and the bytes of an array of POSTING: where the word is in that file. Rows of
            other words are passed over.
        chunks: of the whole store.
        total_length: words of all these together.

    Returns:
        For each chunk that has one of the words: position of its file, its number there, its score. Ordered by file and
        number.
    """
    wanted = {word: index for index, word in enumerate(query_words)}
    rows = [row for row in rows if row[0] in wanted]
    if not rows:
        return np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.float32)
    of_words, of_files, parts = zip(*rows, strict=True)
    postings = np.frombuffer(b"".join(parts), POSTING)
    counts = np.fromiter(map(len, parts), np.int64, len(parts)) // postings.itemsize
    word = np.repeat(np.fromiter(map(wanted.__getitem__, of_words), np.int64, len(parts)), counts)
    positions, row_file = np.unique(np.array(of_files, np.int64), return_inverse=True)

    found = np.bincount(word, minlength=len(wanted))
    found[found == 0] = found.max()
    rarity = np.log1p((np.maximum(chunks - found, 0) + 0.5) / (found + 0.5))
    rarity /= rarity.sum()
    times, length = postings["times"].astype(np.float32), postings["length"].astype(np.float32)
    share = times / (times + _K1 * (1 - _B + _B * length * (chunks / max(total_length, 1))))

    # Each chunk gets a place in one row of numbers, file after file: adding up needs no sorting then.
    sizes = np.zeros(len(positions), np.int64)
    np.maximum.at(sizes, row_file, postings["chunk"][np.cumsum(counts) - 1] + 1)
    starts = np.cumsum(sizes) - sizes
    sums = np.bincount(np.repeat(starts[row_file], counts) + postings["chunk"], weights=rarity[word] * share)
    places = np.flatnonzero(sums > 0)
    of_file = np.diff(np.searchsorted(places, [*starts, len(sums)]))
    numbers = places - np.repeat(starts, of_file)
    return np.repeat(positions, of_file), numbers.astype(np.int32), sums[places].astype(np.float32)


def background(query: NDArray[np.float32], unrelated: NDArray[np.float32]) -> float:
    """The cosine that a query has with texts it has nothing to do with.

    Models differ in this, from 0.1 to 0.8, and so do languages and queries with one model.

    Args:
        query: a vector of length 1.
        unrelated: the vectors of UNRELATED by the same model, of length 1, one a row.
    """
    cosines = np.sort(unrelated @ query)
    return float(cosines[-_NEAREST_UNRELATED:].mean())


def default_weights(embedding_model: str) -> tuple[float, float]:
    """What meaning and words count for, with vectors of this model: `weights` of `fuse`."""
    return _WEIGHTS.get(embedding_model, _WEIGHT), 1.0


def fuse(
    cosines: NDArray[np.float32], by_words: NDArray[np.float32], background: float, weights: tuple[float, float]
) -> NDArray[np.float32]:
    """How well chunks fit, by meaning and words: 1 - (1 - a * meaning) * (1 - b * words).

    So each raises a score and neither lowers it, as if they were independent odds. Meaning is the cosine, from
    `background` (about 0) to equality (1).

    Args:
        cosines: of chunks and query; -1 for a chunk without a vector.
        by_words: of `bm25`, 0 for a chunk with none of the words.
        background: of `background`.
        weights: a and b, not negative, not both 0; the larger one stands for 1.

    Returns:
        The scores of the chunks, 0 to 1.
    """
    above = np.clip((cosines - background) / max(1 - background, 1e-6), 0, 1)
    meaning = (1 - _ANYWAY) * above + _ANYWAY * np.clip((1 + cosines) / 2, 0, 1)
    a, b = np.array(weights) / max(weights)
    return (1 - (1 - a * meaning) * (1 - b * by_words)).astype(np.float32)
