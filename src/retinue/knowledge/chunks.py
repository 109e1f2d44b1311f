"""Cutting text into chunks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from ..inference.tokens import estimate_tokens
from ..store.vector_stores import Chunk

#: Where a cut hurts least, best first: behind a paragraph, a line, a sentence, a word.
_BREAKS = (("\n\n",), ("\n",), ("。", "！", "？", ". ", "! ", "? "), (" ",))
#: Characters of a token at most, by the estimate.
_CHARACTERS = 3


def cut(text: str, size: int, overlap: int) -> list[Chunk]:
    """Cut a text into chunks that cover it and overlap.

    Args:
        text: the text.
        size: most tokens of a chunk, by estimate; at least 100.
        overlap: most tokens that a chunk shares with the one before; at most half of `size`.

    Returns:
        The chunks in order. Each ends, if it can in its last quarter, where a paragraph, line, sentence or word does.
    """
    chunks: list[Chunk] = []
    start = covered = 0
    while covered < len(text):
        end = _end(text, start, covered, size)
        chunks.append(Chunk(start, estimate_tokens(text[start:end]), text[start:end]))
        start, covered = _next_start(text, start, end, overlap), end
    return chunks


def _end(text: str, start: int, covered: int, size: int) -> int:
    """Where a chunk ends that starts at `start`, when the text is covered up to `covered`."""
    longest = range(start, min(len(text), start + _CHARACTERS * size) + 1)
    end = start + bisect_right(longest, size, key=lambda end: estimate_tokens(text[start:end])) - 1
    if end == len(text):
        return end
    earliest = max(covered, end - (end - start) // 4)
    return _break(text, earliest, end) or end


def _break(text: str, earliest: int, end: int) -> int | None:
    for marks in _BREAKS:
        found = [at + len(mark) for mark in marks if (at := text.rfind(mark, earliest, end)) >= 0]
        if found:
            return max(found)
    return None


def _next_start(text: str, start: int, end: int, overlap: int) -> int:
    """Where the chunk after the one from `start` to `end` starts: at a word, if there is one soon."""
    candidates = range(start + 1, end)
    begin = start + 1 + bisect_left(candidates, -overlap, key=lambda begin: -estimate_tokens(text[begin:end]))
    space = text.find(" ", begin, begin + (end - begin) // 4)
    return space + 1 if space >= 0 else begin
