"""Lines of a page, as they stand there, into paragraphs and headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from .document import Writer

#: A hyphen at the end of a line that a word does not have elsewhere, as PDFium writes it; sometimes it writes U+FFFE.
HYPHEN = "\x02"
_HYPHENS = f"{HYPHEN}\ufffe"
_WRITTEN_HYPHENS = {ord(hyphen): "-" for hyphen in _HYPHENS}
#: Titles of an outline that programs give to pages that have none.
_NUMBERED = re.compile(r"\D{0,12}[0-9]+")
#: A line reaches the end of its column from this part of the widest line on: its sentence goes on in the next.
_FULL = 0.85
#: A line whose letters are this much larger than the usual ones, and that is no longer than so, is a heading.
_HEADING_SIZE = 1.15
_HEADING_LENGTH = 120
#: Lines further apart than so many heights of a letter are of different paragraphs.
_GAP = 1.9
#: Between these no space is written when lines are joined.
_UNSPACED = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uff60]")
#: Lines of which this part reaches over what may be the gap between two columns are titles and the like.
_CROSSING = 0.2
#: A column has at least so many lines, half of them at least this part of the page wide; columns of tables have not.
_COLUMN_LINES, _COLUMN_WIDTH = 3, 0.25


@dataclass(slots=True)
class Line:
    """A line of a page. Lengths are in one unit, whichever; `bottom` grows upwards."""

    text: str
    left: float
    right: float
    bottom: float
    height: float


def write(columns: list[list[Line]], titles: list[str], writer: Writer) -> None:
    """Put the lines of a page together into paragraphs.

    Args:
        columns: the lines in reading order; a sentence goes on from line to line of a column.
        titles: what the outline says of this page.
        writer: takes the paragraphs.
    """
    lines = [line for column in columns for line in column]
    if not lines:
        return
    usual = median(line.height for line in lines for _ in range(min(len(line.text), 200)))
    to_come = list(titles)
    if not any(_same(title, line.text) for title in titles for line in lines):
        for title in titles:
            if not _NUMBERED.fullmatch(title):
                writer.section(title)
    for column in columns:
        _write_column(column, usual, to_come, writer)


def in_columns(lines: list[Line]) -> list[list[Line]]:
    """Pieces of lines in whatever order, as lines in reading order.

    Returns:
        Where the page has columns, these one after the other, between what reaches over them; else all lines as one.
    """
    rows = _rows(lines)
    gap = _gap(lines)
    if gap is None:
        return [[_as_one(row) for row in rows]]
    columns: list[list[Line]] = []
    pieces = [piece for row in rows for piece in row]
    for crossing, group in groupby(pieces, key=lambda piece: piece.left < gap < piece.right):
        part = list(group)
        if crossing:
            columns.append([_as_one(row) for row in _rows(part)])
        else:
            columns += in_columns([piece for piece in part if piece.right <= gap])
            columns += in_columns([piece for piece in part if piece.right > gap])
    return columns


def _write_column(lines: list[Line], usual: float, to_come: list[str], writer: Writer) -> None:
    widest = max((line.right for line in lines), default=0)
    paragraph = ""
    before: Line | None = None
    for line in lines:
        heading = _titled(line, to_come) or _looks_like_heading(line, usual)
        if heading or (before and not _near(before, line, usual)):
            writer.paragraph(_tidy(paragraph))
            paragraph = ""
        if heading:
            writer.heading(_tidy(line.text))
            before = None
        else:
            goes_on = before is not None and _goes_on(before, line, usual, widest)
            paragraph = _joined(paragraph, line.text) if goes_on else f"{paragraph}\n{line.text}"
            before = line
    writer.paragraph(_tidy(paragraph))


def _titled(line: Line, to_come: list[str]) -> bool:
    for number, title in enumerate(to_come):
        if _same(title, line.text):
            del to_come[: number + 1]
            return True
    return False


def _same(title: str, text: str) -> bool:
    """Whether a line is a title, with or without its number."""
    title, text = ("".join(c for c in word.lower() if c.isalnum()) for word in (title, text))
    return bool(title) and (text.endswith(title) or title.endswith(text)) and abs(len(text) - len(title)) < 8


def _looks_like_heading(line: Line, usual: float) -> bool:
    large = line.height > _HEADING_SIZE * usual > 0
    return large and len(line.text) <= _HEADING_LENGTH and any(c.isalpha() for c in line.text)


def _near(before: Line, line: Line, usual: float) -> bool:
    """Whether a line follows the one before without a gap."""
    return -0.5 * usual < before.bottom - line.bottom < _GAP * usual


def _goes_on(before: Line, line: Line, usual: float, widest: float) -> bool:
    """Whether the sentence of the line before goes on in one that is near it."""
    same_line = abs(before.bottom - line.bottom) < 0.5 * usual
    return same_line or before.right >= _FULL * widest or before.text[-1] in _HYPHENS


def _joined(paragraph: str, line: str) -> str:
    if not paragraph:
        return line
    if paragraph[-1] in _HYPHENS:
        return paragraph[:-1] + line
    unspaced = _UNSPACED.match(paragraph[-1]) and _UNSPACED.match(line)
    return paragraph + ("" if unspaced or line[0] in ",.;:)!?" else " ") + line


def _tidy(text: str) -> str:
    return text.translate(_WRITTEN_HYPHENS)


def _gap(lines: list[Line]) -> float | None:
    """Where the gap lies between two columns, if there are."""
    width = max((line.right for line in lines), default=0) - min((line.left for line in lines), default=0)
    found: tuple[int, float] | None = None
    for gap in {line.right for line in lines}:
        before = [line.right - line.left for line in lines if line.right <= gap]
        after = [line.right - line.left for line in lines if line.left >= gap]
        crossing = len(lines) - len(before) - len(after)
        if (
            min(len(before), len(after)) >= _COLUMN_LINES
            and crossing <= _CROSSING * len(lines)
            and min(median(before), median(after)) >= _COLUMN_WIDTH * width
            and (found is None or (crossing, -gap) < found)
        ):
            found = crossing, -gap
    return -found[1] if found else None


def _rows(lines: list[Line]) -> list[list[Line]]:
    """Pieces of lines from top to bottom, those beside each other from left to right."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.bottom):
        if rows and rows[-1][0].bottom - line.bottom < rows[-1][0].height / 2:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [sorted(row, key=lambda line: line.left) for row in rows]


def _as_one(row: list[Line]) -> Line:
    """A line from its pieces. It is as high as the lowest: the height of single words says little."""
    text = " ".join(piece.text for piece in row)
    height = min(piece.height for piece in row)
    return Line(text, row[0].left, max(piece.right for piece in row), row[0].bottom, height)
