"""The words that a text is found by: the same for chunks and for queries.

Latin words are stemmed as English ones (Snowball): on English this found more, and what it does to other languages it
does to chunks and queries alike. Chinese is cut by jieba's dictionary alone: its model for unknown words cuts the same
name now this way, now that. What jieba leaves as single characters in a row, names and traditional characters mostly,
counts in pairs too. Figures: bench/RETRIEVAL.md and decision 16.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import regex
from py_rust_stemmers import SnowballStemmer  # pyright: ignore[reportAttributeAccessIssue] (it says nothing of types)

#: Where a word is, as numpy describes it: chunk of its file, how often it is there, words of that chunk. `_pack` writes
#: it.
POSTING = [("chunk", "<i4"), ("times", "<u2"), ("length", "<u2")]
#: Different words of a query that are looked for.
MOST_QUERY_WORDS = 128

_pack = struct.Struct("<iHH").pack
_MOST = 2**16 - 1
#: Characters; what is longer becomes several words. An index of words has an upper limit, too.
_LONGEST = 64

#: Other scripts without spaces between words (in Korean, with endings), as a set of `regex` has them.
_UNSPACED = r"\p{Hiragana}\p{Katakana}ー\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}"
#: All of these and Chinese.
UNSPACED = rf"\p{{Han}}々〇{_UNSPACED}"
#: Splits a text into what is between, Chinese, and such other writing.
_SCRIPTS = regex.compile(rf"([\p{{Han}}々〇]+)|([{_UNSPACED}]+)")
#: No part of a word, as in "it's".
_ENDING = r"(?:'(?:s|t|d|m|ll|re|ve)\b)?"
#: Letters with their accents, and digits. An underscore parts words.
_WORD = regex.compile(rf"([\p{{L}}\p{{M}}\p{{N}}]{{1,{_LONGEST}}}){_ENDING}")
#: The same, in half the time.
_ASCII_WORD = re.compile(rf"([a-z0-9]{{1,{_LONGEST}}}){_ENDING}")

_ENGLISH_STOP_WORDS = """
    a about all am an and any are as at be because been being but by can did do does each for from had has have he her
    here him his how i if in into is it its just me my now of off on once or our out she should than that the their
    them then there these they this those through to too until very was we were what when where which while who whom
    why will with you your
"""
_CHINESE_STOP_WORDS = """
    的 了 和 是 在 就 都 而 及 与 與 着 或 我 你 他 她 它 我们 你们 他们 这 這 那 之 也 吗 嗎 呢 吧 啊 被 把 从 從 对 對
    于 於 以 为 為 有 等 其 上 下 中 到 将 將 由 并 不 一个 没有
    什么 什麼 谁 誰 哪 哪个 哪些 哪里 多少 怎么 怎样 如何 为什么 几 幾 何 是否
"""
#: Words that nearly every text has, and that questions are asked with.
_STOP_WORDS = frozenset((_ENGLISH_STOP_WORDS + _CHINESE_STOP_WORDS).split())

_stems = SnowballStemmer("english").stem_words


def words(text: str) -> list[str]:
    """The words of a text as the index has them, with repetition, about in order.

    Args:
        text: any.

    Returns:
        Words of 1 to 64 characters, in lower case, stemmed; none for a text of stop words and punctuation.
    """
    text = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    if text.isascii():
        return _spaced(text)
    found: list[str] = []
    pieces = _SCRIPTS.split(text)
    found += _spaced(pieces[0])
    for chinese, unspaced, rest in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        found += _chinese(chinese) if chinese else _pairs(unspaced)
        if rest:
            found += _spaced(rest)
    return found


def query_words(text: str) -> list[str]:
    """The different words of a query, in order: what to look up, and what `bm25` ranks by.

    Args:
        text: the query.

    Returns:
        At most MOST_QUERY_WORDS words, the first ones.
    """
    return list(dict.fromkeys(words(text)))[:MOST_QUERY_WORDS]


def postings(chunk_texts: Sequence[str], first: int = 0) -> tuple[dict[str, bytes], int]:
    """Where the words of a file are.

    Args:
        chunk_texts: consecutive chunks.
        first: number of the first of them.

    Returns:
        For each word the bytes of an array of POSTING, ordered by chunk; and how many words the chunks have together.
    """
    found: dict[str, bytearray] = {}
    total = 0
    for number, text in enumerate(chunk_texts, first):
        there = words(text)
        total += len(there)
        length = min(len(there), _MOST)
        once = _pack(number, 1, length)
        for word, times in Counter(there).items():
            entry = once if times == 1 else _pack(number, min(times, _MOST), length)
            if (entries := found.get(word)) is None:
                found[word] = bytearray(entry)
            else:
                entries += entry
    return {word: bytes(entries) for word, entries in found.items()}, total


def _spaced(text: str) -> list[str]:
    """The words of a text whose words are parted by spaces."""
    word = _ASCII_WORD if text.isascii() else _WORD
    return _stems([found for found in word.findall(text) if found not in _STOP_WORDS])


def _pairs(text: str) -> list[str]:
    """Each character with the next one; a single one by itself."""
    return [one + other for one, other in pairwise(text)] or [text]


def _chinese(text: str) -> list[str]:
    """The words of a text in Chinese characters, those within longer words too."""
    import rjieba  # reads its dictionary, which takes 0.2 s

    found: list[str] = []
    row = ""
    for word in rjieba.cut_for_search(text, False):
        if word in _STOP_WORDS:
            row = ""
        else:
            found.append(word)
            if len(word) == 1:
                if row:
                    found.append(row + word)
                row = word
            else:
                row = ""
    return found
