"""Chunks put together to passages: what overlaps, or stands side by side, is one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..inference.tokens import estimate_tokens
from ..store.search import Found


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a file's text: one chunk, or several that overlap or follow each other."""

    file: str
    filename: str
    text: str
    #: Of its first character in the file's text.
    start: int
    #: 0 to 1: of its best chunk.
    score: float
    #: The pages that its chunks begin on, first and last, where there are pages.
    pages: tuple[int, int] | None
    #: The heading that it begins under.
    section: str | None

    @property
    def end(self) -> int:
        """Behind its last character in the file's text."""
        return self.start + len(self.text)


def passages(found: Iterable[Found]) -> list[Passage]:
    """Chunks as passages, best first: no part of a file's text is there twice."""
    files: dict[str, list[Passage]] = defaultdict(list)
    for one in sorted(found, key=lambda one: one.start):
        own, chunk = files[one.file], _alone(one)
        if own and chunk.start <= own[-1].end:
            own[-1] = _joined(own[-1], chunk)
        else:
            own.append(chunk)
    return sorted((one for own in files.values() for one in own), key=lambda one: -one.score)


def tokens(given: Iterable[Passage]) -> int:
    """Tokens of all passages, by estimate."""
    return sum(estimate_tokens(one.text) for one in given)


def _alone(found: Found) -> Passage:
    pages = None if found.page is None else (found.page, found.page)
    return Passage(found.file, found.filename, found.text, found.start, found.score, pages, found.section)


def _joined(first: Passage, second: Passage) -> Passage:
    """One passage of two, of which the second begins within the first, or directly behind it."""
    pages = [page for one in (first, second) for page in one.pages or ()]
    return replace(
        first,
        text=first.text + second.text[first.end - second.start :],
        score=max(first.score, second.score),
        pages=(min(pages), max(pages)) if pages else None,
        section=first.section or second.section,
    )
