"""PowerPoint presentations (.pptx): PresentationML and DrawingML, ECMA-376 part 1, clauses 19 and 21."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from . import xml
from .archive import Archive
from .document import Writer
from .flow import Flow
from .opc import main_part, relations

#: Placeholders for what is on every slide.
_EVERYWHERE = frozenset({"sldNum", "ftr", "dt", "hdr", "sldImg"})
_TITLES = frozenset({"title", "ctrTitle"})


def read_slides(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a presentation: each slide is a page under its title, with its notes.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit.
    """
    archive = Archive(file, "PowerPoint presentation", writer)
    main = main_part(archive)
    by_id = {relation.id: relation.part for relation in relations(archive, main) if relation.kind == "slide"}
    order = _Order(by_id)
    archive.parse(main, order)
    for number, part in enumerate(order.slides, 1):
        writer.page(number)
        writer.section(None)
        flow = Flow(writer)
        archive.parse(part, _Slide(flow))
        flow.end()
        for relation in relations(archive, part):
            if relation.kind == "notesSlide":
                archive.parse(relation.part, _Slide(flow))
                flow.end()


class _Order(xml.Handler):
    """The slides in the order that they are shown in."""

    def __init__(self, by_id: Mapping[str, str]) -> None:
        self._by_id = by_id
        self.slides: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "sldId":
            self.slides += [self._by_id[value] for value in dict.fromkeys(attributes.values()) if value in self._by_id]


class _Slide(xml.Handler):
    """The text of a slide, or of its notes."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._placeholder = ""
        self._in_text = False
        self._skipped = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or name == "Fallback":
            self._skipped += 1
            return
        self._in_text = name == "t" and self._placeholder not in _EVERYWHERE
        if name == "sp":
            self._placeholder = ""
        elif name == "ph":
            self._placeholder = attributes.get("type", "body")
        elif name == "br":
            self._flow.text("\n")
        elif name == "tbl":
            self._flow.begin_table()

    def data(self, text: str) -> None:
        if self._in_text and not self._skipped:
            self._flow.text(text)

    def end(self, name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        self._in_text = False
        if name == "p" and self._placeholder in _TITLES:
            self._flow.text(" ")
        elif name in ("p", "sp"):
            self._flow.end_paragraph(self._placeholder in _TITLES)
        elif name == "tc":
            self._flow.end_cell()
        elif name == "tr":
            self._flow.end_row()
        elif name == "tbl":
            self._flow.end_table()
