"""How well chunks fit a query by meaning, and by words and meaning together.

All scores lie between 0 and 1 and depend on the query, the chunk and its store alone, not on what else was found: so a
threshold means the same for every query, and results of several stores can be put in one order. Decision 16 tells how
the constants were chosen.

Source: S. Bruch, S. Gai, A. Ingber, An Analysis of Fusion Functions for Hybrid Retrieval, 2022: adding scores, each
normalised by bounds that do not depend on what was found, rather than ranks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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
        by_words: of `Bm25`, 0 for a chunk with none of the words.
        background: of `background`.
        weights: a and b, not negative, not both 0; the larger one stands for 1.

    Returns:
        The scores of the chunks, 0 to 1.
    """
    a, b = np.array(weights) / max(weights)
    return (1 - (1 - a * meaning(cosines, background)) * (1 - b * by_words)).astype(np.float32)


def meaning(cosines: NDArray[np.float32], background: float) -> NDArray[np.float32]:
    """What `fuse` makes of cosines: 0 to 1, 0 for a chunk without a vector."""
    above = np.clip((cosines - background) / max(1 - background, 1e-6), 0, 1)
    near = (1 - _ANYWAY) * above + _ANYWAY * np.clip((1 + cosines) / 2, 0, 1)
    return near.astype(np.float32, copy=False)
