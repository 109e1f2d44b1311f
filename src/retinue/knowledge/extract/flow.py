"""Paragraphs, headings and tables as most formats have them, in the order of the file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from .document import Writer

#: Between the cells of a row.
SEPARATOR = " | "
#: A header is repeated after this many rows, or this many characters of rows.
_HEADER_ROWS = 40
_HEADER_CHARACTERS = 1_500
#: The header is looked for in so many rows.
_HEADER_WITHIN = 10
#: A cell longer than this makes no header.
_HEADER_CELL = 100
#: No spreadsheet has more; a file may claim that a cell is repeated without end.
_MOST_COLUMNS = 16_384


class Table:
    """Rows into lines, with the table's header repeated so that it is never far above a row."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._rows = 0
        self._header: str | None = None
        self._looking = True
        self._since_rows = 0
        self._since_characters = 0
        writer.end_rows()

    def row(self, cells: Sequence[str]) -> None:
        """Add a row: the texts of its cells. Empty cells at its end are left out, and so are empty rows.

        Raises:
            Unreadable: a limit is passed.
        """
        last = next((number for number in range(len(cells), 0, -1) if cells[number - 1]), 0)
        if not last:
            return
        self._writer.count_cells(last)
        line = SEPARATOR.join(islice(cells, last))
        if self._looking:
            self._look(cells[:last], line)
        elif self._header and self._due():
            self._writer.row(self._header)
            self._since_rows = self._since_characters = 0
        self._writer.row(line)
        self._since_rows += 1
        self._since_characters += len(line)

    def _look(self, cells: Sequence[str], line: str) -> None:
        """Keep the first row of several cells as header if each is a name, not a number."""
        self._rows += 1
        several = sum(1 for cell in cells if cell) > 1
        self._looking = not several and self._rows < _HEADER_WITHIN
        if several and not any(_is_number(cell) or len(cell) > _HEADER_CELL for cell in cells):
            self._header = line

    def _due(self) -> bool:
        long_ago = self._since_rows >= _HEADER_ROWS or self._since_characters >= _HEADER_CHARACTERS
        return long_ago and self._since_characters >= 2 * len(self._header or "")


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or (cell[:1] in "+-.$€£¥" and cell[1:2].isdigit())


class Flow:
    """Takes what a document has as it comes: text, ends of paragraphs, tables in tables.

    A table with headings or tables in it is layout: what is in its cells becomes paragraphs.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._pieces: list[str] = []
        self._tables: list[_Grid] = []
        self._notes: list[str] = []
        self._held: list[str] | None = None

    def text(self, text: str) -> None:
        """Add text to the paragraph that is open."""
        self._pieces.append(text)

    def end_paragraph(self, heading: bool = False, mark: str = "") -> None:
        """End the paragraph that is open, if there is anything in it.

        Args:
            heading: what follows stands under it.
            mark: what comes before it, such as the dash of an item in a list.
        """
        text = "".join(self._pieces).strip()
        self._pieces.clear()
        if self._held is not None:
            self._notes.append(text)
            return
        if text and heading:
            self._lay_out()
        if text:
            self._put(mark + text, heading)
        notes, self._notes = self._notes, []
        for note in notes:
            self._put(note)

    def _put(self, text: str, heading: bool = False) -> None:
        grid = self._tables[-1] if self._tables else None
        if grid and not grid.layout:
            grid.cell.append(text)
        elif heading:
            self._writer.heading(text)
        else:
            self._writer.paragraph(text)

    def begin_note(self) -> None:
        """A note to the paragraph that is open begins: its text comes after that paragraph."""
        if self._held is None:
            self._held, self._pieces = self._pieces, []

    def end_note(self) -> None:
        """The note ends, and the paragraph goes on."""
        if self._held is not None:
            self.end_paragraph()
            self._pieces, self._held = self._held, None

    def begin_table(self) -> None:
        """A table begins: the paragraph that is open ends."""
        self.end_paragraph()
        self._lay_out()
        self._tables.append(_Grid(self._writer))

    def begin_cell(self) -> None:
        """A cell begins, and ends the one before if that has no end of its own."""
        self.end_paragraph()
        if self._tables:
            if self._tables[-1].open:
                self._tables[-1].end_cell()
            self._tables[-1].open = True

    def end_cell(self, repeated: int = 1) -> None:
        """A cell ends: what came since the one before is in it; `repeated`: so many cells in a row have it."""
        self.end_paragraph()
        if self._tables:
            self._tables[-1].end_cell(repeated)

    def end_row(self, repeated: int = 1) -> None:
        """A row ends; `repeated`: so many rows are like this."""
        self.end_cell()
        if self._tables:
            self._tables[-1].end_row(repeated)

    def end_table(self) -> None:
        """The innermost table ends."""
        if self._tables:
            self.end_row()
            self._tables.pop()
            self._writer.end_rows()

    def end(self) -> None:
        """The document ends, whatever is open."""
        self.end_note()
        while self._tables:
            self.end_table()
        self.end_paragraph()

    def _lay_out(self) -> None:
        """The innermost table is layout; those around it are already."""
        if self._tables:
            self._tables[-1].lay_out()


class _Grid:
    """A table that is being read."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._table = Table(writer)
        self._row: list[str] = []
        self.cell: list[str] = []
        self.layout = False
        #: A cell has begun and not ended, where that is said.
        self.open = False

    def end_cell(self, repeated: int = 1) -> None:
        self.open = False
        text = " ".join(self.cell)
        self.cell.clear()
        if not self.layout:
            self._row += [text] * min(repeated, _MOST_COLUMNS - len(self._row))

    def end_row(self, repeated: int) -> None:
        if not self.layout and any(self._row):
            for _ in range(repeated):
                self._table.row(self._row)
        self._row.clear()

    def lay_out(self) -> None:
        if not self.layout:
            self.layout = True
            for text in (*self._row, *self.cell):
                self._writer.paragraph(text)
            self._row.clear()
            self.cell.clear()
