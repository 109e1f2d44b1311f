"""Where in Markdown a mark may stand without breaking anything."""

from __future__ import annotations

import re

_FENCE = re.compile(r"\s*(?:[-*+>]\s+|\d+\.\s+)?(```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}(?:\s|$)")
_ROW = re.compile(r"\s*\|")
_DELIMITERS = re.compile(r"\s*\|(?:\s*:?-+:?\s*\|)*(?:\s*:?-+:?)?\s*")
#: Characters by which it is told what kind of line a line is.
_BEGINNING = 1000


class Line:
    """The current line of a text that comes in, and what the lines before it say about it."""

    def __init__(self) -> None:
        self._beginning = ""
        self._backticks = 0
        self._pipes = False
        #: What the code block that the line stands in began with.
        self._fence: str | None = None
        #: Whether the line before was the delimiter row of a table, or a row behind it.
        self._table = False

    def add(self, text: str) -> None:
        """The line goes on."""
        self._beginning = (self._beginning + text)[:_BEGINNING]
        self._backticks += text.count("`")
        self._pipes = self._pipes or "|" in text

    def end(self) -> None:
        """The line ends, and another begins."""
        line = self._beginning
        if fence := _FENCE.match(line):
            self._fence = None if self._fence == fence[1] else self._fence or fence[1]
        self._table = bool(_DELIMITERS.fullmatch(line)) or (self._table and bool(_ROW.match(line)))
        self._beginning, self._backticks, self._pipes = "", 0, False

    @property
    def is_blank(self) -> bool:
        """Whether nothing but blanks has come."""
        return not self._beginning.strip()

    @property
    def is_row(self) -> bool:
        """Whether this is a row of a table's body, or may become one: marks stand within its cells."""
        return self._table and (self.is_blank or bool(_ROW.match(self._beginning)))

    @property
    def takes_marks(self) -> bool:
        """Whether a mark may stand at the end of the line."""
        if self._fence or _FENCE.match(self._beginning) or _HEADING.match(self._beginning):
            return False
        return self.is_row or not self._pipes

    @property
    def may_end_sentence(self) -> bool:
        """Whether a sentence may end within the line, where it has come to."""
        return not (self._fence or self._backticks % 2 or self.is_row)
