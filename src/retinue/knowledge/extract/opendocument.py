"""OpenDocument text, presentations and spreadsheets (.odt, .odp, .ods): OASIS OpenDocument 1.3, part 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, ClassVar

from . import xml
from .archive import Archive
from .document import Writer, encrypted
from .flow import Flow

_WHAT = "OpenDocument file"
_MANIFEST = "META-INF/manifest.xml"
#: Spaces that an element may stand for.
_MOST_SPACES = 100


def read_opendocument(file: BinaryIO, writer: Writer) -> None:
    """Add the text of an OpenDocument file; each slide or sheet is a page under its title.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit.
    """
    archive = Archive(file, _WHAT, writer)
    if _MANIFEST in archive.names and b"encryption-data" in archive.read(_MANIFEST):
        raise encrypted(_WHAT)
    flow = Flow(writer)
    archive.parse("content.xml", _Content(flow, writer))
    flow.end()


class _Content(xml.Handler):
    #: Not text of the document: comments, what was deleted, numbers of notes, descriptions of pictures.
    _SKIPPED = frozenset(
        {"annotation", "tracked-changes", "note-citation", "desc", "script", "date-time-decl", "footer-decl"}
    )
    _SPACES: ClassVar[dict[str, str]] = {"tab": "\t", "line-break": "\n"}

    def __init__(self, flow: Flow, writer: Writer) -> None:
        self._flow = flow
        self._writer = writer
        self._skipped = 0
        self._pages = 0
        self._titles = {"Title"}
        self._paragraphs: list[bool] = []
        self._in_list = 0
        self._in_title = False
        self._spreadsheet = False
        self._repeated_cell = self._repeated_row = 1

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or name in self._SKIPPED:
            self._skipped += 1
        elif name in ("p", "h"):
            self._paragraphs.append(name == "h" or self._in_title or attributes.get("style-name") in self._titles)
        elif name == "s":
            self._flow.text(" " * min(_number(attributes, "c"), _MOST_SPACES))
        elif name in self._SPACES:
            self._flow.text(self._SPACES[name])
        elif name in ("table-cell", "covered-table-cell"):
            self._repeated_cell = _number(attributes, "number-columns-repeated")
        elif name == "table-row":
            self._repeated_row = _number(attributes, "number-rows-repeated")
        else:
            self._start_block(name, attributes)

    def _start_block(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "table":
            if self._spreadsheet:
                self._page(attributes.get("name"))
            self._flow.begin_table()
        elif name == "list-item":
            self._in_list += 1
        elif name == "note-body":
            self._flow.begin_note()
        elif name == "frame":
            self._in_title = attributes.get("class") == "title"
        elif name == "page":
            self._page(None)
        elif name == "spreadsheet":
            self._spreadsheet = True
        elif name == "style" and attributes.get("parent-style-name") in self._titles:
            self._titles.add(attributes.get("name", ""))

    def data(self, text: str) -> None:
        if self._paragraphs and not self._skipped:
            self._flow.text(text)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
        elif name in ("p", "h"):
            heading = self._paragraphs.pop()
            self._flow.end_paragraph(heading, "- " if self._in_list and not heading else "")
        elif name in ("table-cell", "covered-table-cell"):
            self._flow.end_cell(self._repeated_cell)
        elif name == "table-row":
            self._flow.end_row(self._repeated_row)
        elif name == "table":
            self._flow.end_table()
        elif name == "list-item":
            self._in_list -= 1
        elif name == "note-body":
            self._flow.end_note()
        elif name == "frame":
            self._in_title = False

    def _page(self, title: str | None) -> None:
        self._pages += 1
        self._writer.page(self._pages)
        self._writer.section(title)


def _number(attributes: Mapping[str, str], name: str) -> int:
    value = attributes.get(name, "1")
    return int(value) if value.isdecimal() and len(value) < 10 else 1
