"""HTML, and the XHTML in EPUB files."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from .document import Writer
from .flow import Flow

_SPACE = re.compile(r"[ \t\n\r\f]+")
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
#: Elements that begin and end a paragraph.
_BLOCKS = frozenset(
    ("address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog", "div", "dl",
     "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "legend", "li", "main", "nav", "ol",
     "option", "p", "pre", "section", "summary", "ul")
)  # fmt: skip
#: Elements that hold no text for readers.
_SKIPPED = frozenset(
    {"script", "style", "template", "svg", "object", "iframe", "canvas", "select", "datalist", "noscript"}
)


def read_html(text: str, writer: Writer) -> None:
    """Add the text of an HTML page: its title, headings, paragraphs and tables.

    Raises:
        Unreadable: a limit is passed.
    """
    flow = Flow(writer)
    reader = _Reader(flow)
    reader.feed(text)
    reader.close()
    flow.end()


class _Reader(HTMLParser):
    """Ends of elements may be missing, so only those of elements that are skipped are counted."""

    def __init__(self, flow: Flow) -> None:
        super().__init__(convert_charrefs=True)
        self._flow = flow
        self._heading = self._item = self._spaced = False
        self._skipped: list[str] = []
        self._pre = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped or tag in _SKIPPED:
            if tag in _SKIPPED:
                self._skipped.append(tag)
            return
        if tag in _HEADINGS or tag in _BLOCKS or tag == "title":
            self._end_paragraph()
            self._heading = tag in _HEADINGS or tag == "title"
            self._item = tag == "li" or (self._item and tag == "p")
            self._pre += tag == "pre"
        elif tag == "br":
            self._flow.text("\n")
            self._spaced = True
        elif tag == "table":
            self._end_paragraph()
            self._flow.begin_table()
        elif tag == "tr":
            self._end_paragraph()
            self._flow.end_row()
        elif tag in ("td", "th"):
            self._end_paragraph()
            self._flow.begin_cell()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Only XHTML has elements that end at once; HTML has some that have no end, and those are no trouble.
        self.handle_starttag(tag, attrs)
        if tag in _SKIPPED or tag in ("title", *_HEADINGS):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped:
            if tag == self._skipped[-1]:
                self._skipped.pop()
            return
        if tag in _HEADINGS or tag in _BLOCKS or tag == "title":
            self._end_paragraph()
            self._pre = max(0, self._pre - (tag == "pre"))
        elif tag in ("td", "th"):
            self._end_paragraph()
            self._flow.end_cell()
        elif tag == "tr":
            self._end_paragraph()
            self._flow.end_row()
        elif tag == "table":
            self._end_paragraph()
            self._flow.end_table()

    def handle_data(self, data: str) -> None:
        if self._skipped:
            return
        if self._pre:
            self._flow.text(data)
            return
        text = _SPACE.sub(" ", data)
        self._flow.text(text[1:] if self._spaced and text[0] == " " else text)
        self._spaced = text[-1] == " "

    def _end_paragraph(self) -> None:
        self._flow.end_paragraph(self._heading, "- " if self._item and not self._heading else "")
        self._heading = self._item = False
        self._spaced = True
