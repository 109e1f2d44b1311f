"""Word documents (.docx): WordprocessingML, ECMA-376 part 1, clause 17."""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO, ClassVar

from . import xml
from .archive import Archive
from .document import Writer
from .flow import Flow
from .opc import main_part, relations

#: Styles that make a paragraph a heading, by name; headings that documents define themselves have an outline level.
_HEADINGS = ("heading", "title")
#: The outline level of text.
_BODY = 9


def read_word(file: BinaryIO, writer: Writer) -> None:
    """Add the text of a Word document: paragraphs, tables, text boxes and notes, without headers and footers.

    Raises:
        Unreadable: it is damaged, encrypted or passes a limit.
    """
    archive = Archive(file, "Word document", writer)
    main = main_part(archive)
    styles = _Styles()
    notes: dict[str, str] = {}
    for relation in relations(archive, main):
        if relation.kind == "styles":
            archive.parse(relation.part, styles)
        elif relation.kind in ("footnotes", "endnotes"):
            archive.parse(relation.part, _Notes(relation.kind, notes))
    flow = Flow(writer)
    archive.parse(main, _Body(flow, styles.headings(), notes))
    flow.end()


class _Styles(xml.Handler):
    """Which styles make a heading."""

    def __init__(self) -> None:
        self._style = ""
        self._own: dict[str, bool] = {}
        self._based_on: dict[str, str] = {}

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        value = attributes.get("val", "")
        if name == "style":
            self._style = attributes.get("styleId", "") if attributes.get("type") == "paragraph" else ""
        elif not self._style:
            return
        elif name == "name" and value.lower().startswith(_HEADINGS):
            self._own[self._style] = True
        elif name == "outlineLvl":
            self._own[self._style] = _level(value) < _BODY
        elif name == "basedOn":
            self._based_on[self._style] = value

    def headings(self) -> set[str]:
        """The ids of these styles: by what they say themselves, or the style that they are based on."""
        return {style for style in {*self._own, *self._based_on} if self._is_heading(style)}

    def _is_heading(self, style: str) -> bool:
        seen: set[str] = set()
        while style not in self._own and style in self._based_on and style not in seen:
            seen.add(style)
            style = self._based_on[style]
        return self._own.get(style, False)


class _Notes(xml.Handler):
    """Footnotes or endnotes, by the id that text refers to."""

    def __init__(self, kind: str, notes: dict[str, str]) -> None:
        self._element = kind.removesuffix("s")
        self._notes = notes
        self._note = ""
        self._pieces: list[str] = []
        self._in_text = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == self._element:
            self._note = self._element + attributes.get("id", "")
            self._pieces.clear()
        self._in_text = name == "t"

    def data(self, text: str) -> None:
        if self._in_text:
            self._pieces.append(text)

    def end(self, name: str) -> None:
        self._in_text = False
        if name == "p":
            self._pieces.append(" ")
        elif name == self._element:
            self._notes[self._note] = "".join(self._pieces).strip()


class _Body(xml.Handler):
    """The text itself. Deleted text has elements of its own (delText), so that it is left out."""

    #: What comes before it again, for programs that do not understand that; how paragraphs were; text that has moved.
    _SKIPPED = frozenset({"Fallback", "pPrChange", "moveFrom"})
    _BREAKS: ClassVar[dict[str, str]] = {"br": "\n", "cr": "\n", "tab": "\t", "noBreakHyphen": "-"}

    def __init__(self, flow: Flow, headings: set[str], notes: dict[str, str]) -> None:
        self._flow = flow
        self._headings = headings
        self._notes = notes
        self._heading = self._item = self._in_text = False
        self._skipped = 0

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._skipped or name in self._SKIPPED:
            self._skipped += 1
            return
        self._in_text = name == "t"
        if name == "p":
            self._end_paragraph()
        elif name == "pStyle":
            self._heading = attributes.get("val", "") in self._headings
        elif name == "outlineLvl":
            self._heading = _level(attributes.get("val", "")) < _BODY
        elif name == "numPr":
            self._item = True
        elif name in self._BREAKS and not (name == "tab" and "val" in attributes):
            self._flow.text(self._BREAKS[name])
        elif name in ("footnoteReference", "endnoteReference"):
            self._flow.begin_note()
            self._flow.text(self._notes.get(name.removesuffix("Reference") + attributes.get("id", ""), ""))
            self._flow.end_note()
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
        if name == "p":
            self._end_paragraph()
        elif name == "tc":
            self._flow.end_cell()
        elif name == "tr":
            self._flow.end_row()
        elif name == "tbl":
            self._flow.end_table()

    def _end_paragraph(self) -> None:
        self._flow.end_paragraph(self._heading, "- " if self._item and not self._heading else "")
        self._heading = self._item = False


def _level(value: str) -> int:
    return int(value) if value.isdecimal() else _BODY
