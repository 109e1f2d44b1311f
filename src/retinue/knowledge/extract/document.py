"""What reading a file gives: its text, and where in the file each part of it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

#: Characters that no text needs and a database may refuse: controls and halves of surrogate pairs.
_NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff\ufeff]")
#: Signs of symbol fonts mean nothing without the font; most are bullets.
_SYMBOLS = re.compile("[\ue000-\uf8ff]")
_SPACE = re.compile(r"\s+")
#: Most characters of a section's name.
_SECTION_LENGTH = 200


class Unreadable(Exception):
    """A file has no text that can be searched.

    Attributes:
        code: as in `last_error`.
        message: why, and what to do, for people.
    """

    def __init__(self, code: Literal["unsupported_file", "invalid_file"], message: str) -> None:
        super().__init__(message)
        self.code: Literal["unsupported_file", "invalid_file"] = code
        self.message = message


class TooLarge(Unreadable):
    """A file has more than the limits allow."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_file", message)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a file is read, at most; a file that has more is refused."""

    #: Characters of its text.
    characters: int = 20_000_000
    #: Pages, slides or sheets.
    pages: int = 20_000
    #: Cells of all sheets of a workbook that have something in them, and of those of one table.
    cells: int = 5_000_000
    #: Files in an archive; office documents and EPUB are archives too.
    members: int = 10_000
    #: Bytes of an archive's files when they are unpacked, together.
    unpacked_bytes: int = 500_000_000
    #: Bytes of an archive's files when they are unpacked, for each byte of the archive.
    ratio: int = 200
    #: Pages and pictures whose text is recognized.
    recognized: int = 500
    #: Pixels of a picture.
    pixels: int = 80_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """From a character of the text on, the text stands here in the file."""

    #: Index in the text, in characters.
    start: int
    #: Page, slide or sheet, from 1; None where the format has none.
    page: int | None
    #: The nearest heading above, at most 200 characters.
    section: str | None


@dataclass(frozen=True, slots=True)
class Document:
    """The text of a file."""

    text: str
    #: Sorted by `start`, each of another page or section than the one before; empty where a file has neither.
    places: list[Place]


def clean(text: str) -> str:
    """The text with line feeds for line ends and bullets for signs of symbol fonts, without controls and the like."""
    lines = text.splitlines()
    return "\n".join(line if line.isprintable() else _SYMBOLS.sub("•", _NOT_TEXT.sub("", line)) for line in lines)


class Writer:
    """Puts the text of a file together, piece by piece; keeps where each stands, and what is used of the limits."""

    def __init__(self, limits: Limits, ocr: bool) -> None:
        """`ocr`: whether the text of pictures is recognized."""
        self.limits = limits
        self.ocr = ocr
        self._member: str | None = None
        self._parts: list[str] = []
        self._length = 0
        self._page: int | None = None
        self._section: str | None = None
        self._places: list[Place] = []
        self._in_rows = False
        self._cells = 0
        self._unpacked = 0
        self._recognized = 0

    def member(self, name: str) -> None:
        """What follows is from this file of an archive."""
        self._member = name
        self._page = None
        self.section(None)

    def page(self, number: int) -> None:
        """What follows stands on this page, slide or sheet.

        Raises:
            TooLarge: there are more pages than the limit.
        """
        if number > self.limits.pages:
            raise _too_large(self.limits.pages, "pages")
        self._page = number

    def section(self, title: str | None) -> None:
        """What follows stands under this heading."""
        named = ": ".join(_SPACE.sub(" ", name).strip() for name in (self._member, title) if name)
        self._section = named[:_SECTION_LENGTH] or None

    def paragraph(self, text: str) -> None:
        """Add a paragraph, or several: a blank line comes before."""
        self._add(clean(text).strip("\n"), "\n\n")
        self._in_rows = False

    def heading(self, text: str) -> None:
        """Add a heading, under which what follows stands."""
        if text.strip():
            self.section(text)
            self.paragraph(text)

    def row(self, text: str) -> None:
        """Add a row of a table. Rows that follow each other are lines without a blank line between."""
        self._add(" ".join(clean(text).split()), "\n" if self._in_rows else "\n\n")
        self._in_rows = True

    def end_rows(self) -> None:
        """The table ends: a row that follows is of another one."""
        self._in_rows = False

    def count_cells(self, number: int) -> None:
        """Count cells of tables that are read.

        Raises:
            TooLarge: there are more than the limit.
        """
        self._cells += number
        if self._cells > self.limits.cells:
            raise _too_large(self.limits.cells, "cells")

    def count_unpacked(self, number: int) -> None:
        """Count bytes of archives' files that are unpacked.

        Raises:
            TooLarge: there are more than the limit.
        """
        self._unpacked += number
        if self._unpacked > self.limits.unpacked_bytes:
            raise _too_large(self.limits.unpacked_bytes, "bytes when it is unpacked")

    def count_recognized(self) -> None:
        """Count a page or picture whose text is recognized.

        Raises:
            TooLarge: there are more than the limit.
        """
        self._recognized += 1
        if self._recognized > self.limits.recognized:
            raise _too_large(self.limits.recognized, "pages without text, which are read as pictures")

    def document(self) -> Document:
        """What has been put together."""
        known = any(place.page is not None or place.section is not None for place in self._places)
        return Document("".join(self._parts), self._places if known else [])

    def _add(self, text: str, before: str) -> None:
        if not text.strip():
            return
        if self._parts:
            self._parts.append(before)
            self._length += len(before)
        last = self._places[-1] if self._places else None
        if last is None or (last.page, last.section) != (self._page, self._section):
            self._places.append(Place(self._length, self._page, self._section))
        self._parts.append(text)
        self._length += len(text)
        if self._length > self.limits.characters:
            raise _too_large(self.limits.characters, "characters of text")


def broken(what: str) -> Unreadable:
    """The failure of a file that is damaged, of a format such as "PDF file"."""
    return Unreadable(
        "invalid_file",
        f"This {what} is damaged or incomplete and cannot be read. Save or export it anew and upload that.",
    )


def encrypted(what: str) -> Unreadable:
    """The failure of a file that asks for a password, of a format such as "PDF file"."""
    return Unreadable(
        "invalid_file", f"This {what} is encrypted and cannot be read. Upload a copy that has no password."
    )


def _too_large(most: int, what: str) -> TooLarge:
    return TooLarge(f"This file has more than {most:,} {what}. Divide it into several files.")
