"""Excel workbooks (.xlsx, .xls), by calamine."""

from __future__ import annotations

import datetime
import re
from typing import Any, BinaryIO

import python_calamine as calamine

from .archive import Archive
from .document import TooLarge, Writer, broken, encrypted
from .flow import Table

_WHAT = "Excel workbook"
_PIECE = 1 << 20
#: calamine keeps every cell between the first and the last of a sheet, empty or not.
_MOST_SPANNED = 20_000_000
_CELL = re.compile(rb'\br="([A-Z]{1,3})([0-9]{1,7})"')
_SHEET = re.compile(r"xl/worksheets/[^/]*\.xml")


def read_xlsx(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a workbook in Office Open XML: each sheet is a page under its name.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit.
    """
    archive = Archive(file, _WHAT, writer)
    for name in archive.names:
        if name.endswith((".xml", ".rels")):
            _measure(archive, name)
    file.seek(0)
    read_xls(file, writer)


def read_xls(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a workbook of any kind: each sheet is a page under its name.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit.
    """
    try:
        workbook = calamine.load_workbook(file)
        for number, name in enumerate(workbook.sheet_names, 1):
            rows = workbook.get_sheet_by_name(name).iter_rows()
            writer.page(number)
            writer.section(name)
            table = Table(writer)
            for row in rows:
                table.row([_text(cell) for cell in row])
    except calamine.PasswordError as error:
        raise encrypted(_WHAT) from error
    except (calamine.CalamineError, ValueError, OSError) as error:
        raise broken(_WHAT) from error


def _measure(archive: Archive, name: str) -> None:
    """Unpack a part of a workbook once, so that what it unpacks to is known, and how far its cells reach.

    Raises:
        Unreadable: it is damaged or passes a limit.
    """
    columns: set[bytes] = set()
    rows: set[bytes] = set()
    kept = b""
    with archive.open(name) as stream:
        while piece := stream.read(_PIECE):
            if _SHEET.fullmatch(name):
                found = _CELL.findall(kept + piece)
                columns.update(column for column, _ in found)
                rows.update(row for _, row in found)
                kept = piece[-20:]
    if columns:
        width = max(map(_column, columns)) - min(map(_column, columns)) + 1
        height = max(map(int, rows)) - min(map(int, rows)) + 1
        if width * height > _MOST_SPANNED:
            raise TooLarge(
                f"A sheet of this workbook reaches over {height:,} rows and {width:,} columns, more than "
                f"{_MOST_SPANNED:,} cells. Delete what stands far away from the table, or save the sheets as CSV files."
            )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number


def _text(cell: Any) -> str:
    """What a cell shows, as far as can be said without its format."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, datetime.datetime):
        return str(cell.date() if cell.time() == datetime.time() else cell)
    return str(cell)
