"""Text as it is, Markdown, JSON, and tables in text."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from .document import Writer
from .flow import Table

#: A heading of Markdown, in either form, and what surrounds code.
_MARKDOWN = re.compile(
    r"^(?P<fence>[ ]{0,3}(?:```|~~~))|^[ ]{0,3}#{1,6}[ \t]+(?P<title>[^\n]*?)[ \t]*#*[ \t]*$"
    r"|^(?P<underlined>[^\s#>|`*+-][^\n]{0,200})\n(?:={2,}|-{2,})[ \t]*$",
    re.M,
)
_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s"{}\[\],:]+|"', re.S)
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
#: Lines of JSON longer than this are broken, so that they can be cut.
_LONG_LINE = 1_000
_MOST_INDENT = 16
_DELIMITERS = ",;\t|"
#: The delimiter is looked for in so many characters.
_SNIFFED = 10_000


def read_text(text: str, writer: Writer) -> None:
    """Add text as it is: also source code.

    Raises:
        Unreadable: a limit is passed.
    """
    writer.paragraph(text)


def read_markdown(text: str, writer: Writer) -> None:
    """Add Markdown as it is; its headings are sections.

    Raises:
        Unreadable: a limit is passed.
    """
    start = 0
    in_code = False
    for found in _MARKDOWN.finditer(text):
        if found["fence"]:
            in_code = not in_code
        elif not in_code:
            writer.paragraph(text[start : found.start()])
            start = found.start()
            writer.section(found["title"] or found["underlined"])
    writer.paragraph(text[start:])


def read_json(text: str, writer: Writer) -> None:
    """Add JSON or JSON lines, with characters for their escapes; long lines are broken as its structure is.

    Raises:
        Unreadable: a limit is passed.
    """
    lines = ("".join(_structured(line)) if len(line) > _LONG_LINE else line for line in text.splitlines())
    writer.paragraph(_ESCAPE.sub(_unescaped, "\n".join(lines)))


def _structured(line: str) -> Iterator[str]:
    depth = 0
    for token in _JSON.finditer(line):
        mark = token[0]
        if mark in "}]":
            depth -= 1
            yield "\n" + " " * max(0, min(depth, _MOST_INDENT))
        yield mark
        if mark in "{[":
            depth += 1
        if mark in "{[,":
            yield "\n" + " " * max(0, min(depth, _MOST_INDENT))
        elif mark == ":":
            yield " "


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character > "\x7f" and not "\ud800" <= character <= "\udfff" else escape[0]


def read_csv(text: str, writer: Writer) -> None:
    """Add a table in text; its header is repeated so that it is near every row.

    Raises:
        Unreadable: a limit is passed.
    """
    delimiter = _delimiter(text)
    if delimiter is None:
        read_text(text, writer)
        return
    table = Table(writer)
    csv.field_size_limit(writer.limits.characters)
    # Without `strict`, whatever stands in the text is read: only a field that is too long could fail.
    for row in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
        table.row([cell.strip() for cell in row])


def _delimiter(text: str) -> str | None:
    """What stands between the cells: what the first line has most of, outside of quotes."""
    first = re.sub(r'"[^"]*"', "", text.lstrip()[:_SNIFFED]).split("\n", 1)[0]
    best = max(_DELIMITERS, key=first.count)
    return best if best in first else None
