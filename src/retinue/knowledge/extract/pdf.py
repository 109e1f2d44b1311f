"""PDF files, by PDFium."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from math import sqrt
from typing import Any, BinaryIO

import pypdfium2 as pdfium
import pypdfium2.raw as raw

from .document import Unreadable, Writer, broken, clean, encrypted
from .lines import Line, write
from .recognition import PIXELS, recognize

_WHAT = "PDF file"
_MOST_OUTLINE = 10_000
#: Dots to the inch at which pages are read as pictures, at most.
_MOST_DPI = 300
_POINTS_PER_INCH = 72


def read_pdf(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a PDF file, page by page; sections are those of its outline and lines in large letters.

    With text recognition, pages without text are read as pictures.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit, or has pictures of text only.
    """
    try:
        document = pdfium.PdfDocument(file)
    except pdfium.PdfiumError as error:
        raise encrypted(_WHAT) if error.err_code == raw.FPDF_ERR_PASSWORD else broken(_WHAT) from error
    with document:
        pages = len(document)
        writer.page(max(1, pages))
        outline = _outline(document)
        found = False
        for number in range(pages):
            try:
                page = document[number]
                columns = [list(_lines(page))]
                if writer.ocr and not columns[0]:
                    columns = _recognized(page, writer)
            except pdfium.PdfiumError as error:
                raise broken(_WHAT) from error
            found = found or any(columns)
            writer.page(number + 1)
            write(columns, outline.get(number, []), writer)
            page.close()
    if not (found or writer.ocr):
        raise Unreadable(
            "invalid_file",
            "There is no text in this PDF file: it seems to be scanned. Upload a copy with text, as programs for text "
            "recognition (OCR) make, or switch that on by the server's setting `ocr`.",
        )


def _outline(document: Any) -> dict[int, list[str]]:
    """The titles of the outline by the index of their page, in order."""
    titles: dict[int, list[str]] = {}
    try:
        for count, bookmark in enumerate(document.get_toc()):
            target = bookmark.get_dest()
            page = target.get_index() if target else None
            if page is not None and page >= 0:
                titles.setdefault(page, []).append(clean(bookmark.get_title()))
            if count >= _MOST_OUTLINE:
                break
    except (pdfium.PdfiumError, ValueError):
        return titles
    return titles


def _lines(page: Any) -> Iterator[Line]:
    textpage = page.get_textpage()
    start = 0
    for text in textpage.get_text_range(errors="replace").split("\n"):
        end = start + len(text.rstrip("\r "))
        line = text.strip()
        if line:
            left, bottom, _, height = _box(textpage, start + len(text) - len(text.lstrip()))
            _, _, right, _ = _box(textpage, max(start, end - 1))
            yield Line(line, left, right, bottom, height)
        start += len(text) + 1
    textpage.close()


def _box(textpage: Any, index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right, and the size of the letters, of the character at an index of the text."""
    character = raw.FPDFText_GetCharIndexFromTextIndex(textpage, index)
    box = [ctypes.c_double() for _ in range(4)]
    if character < 0 or not raw.FPDFText_GetCharBox(textpage, character, *box):
        return 0.0, 0.0, 0.0, 0.0
    left, right, bottom, _ = (value.value for value in box)
    rectangle = raw.FS_RECTF()
    if raw.FPDFText_GetLooseCharBox(textpage, character, rectangle):
        return left, rectangle.bottom, right, rectangle.top - rectangle.bottom
    return left, bottom, right, 0.0


def _recognized(page: Any, writer: Writer) -> list[list[Line]]:
    """The lines of a page without text, as columns; nothing where it is blank."""
    if not raw.FPDFPage_CountObjects(page):
        return []
    writer.count_recognized()
    width, height = page.get_size()
    scale = min(_MOST_DPI / _POINTS_PER_INCH, sqrt(PIXELS / (width * height)))
    return recognize(page.render(scale=scale).to_pil())
