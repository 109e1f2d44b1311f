"""Rich Text Format, specification 1.9.1."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, replace
from typing import BinaryIO, ClassVar

from .document import Unreadable, Writer, broken
from .flow import Flow

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z])|([{}])|[\r\n]+|([^\\{}\r\n]+)"
)
#: Groups that hold no text of the document.
_SKIPPED = frozenset(
    b"colortbl filetbl info pict object header headerl headerr headerf footer footerl footerr footerf listtable "
    b"listoverridetable revtbl rsidtbl themedata colorschememapping datastore latentstyles xmlnstbl generator fldinst "
    b"bkmkstart bkmkend annotation atnid atnauthor atndate pntext nonshppict".split()
)
#: Groups with this mark are skipped by who does not know their name; these are known.
_STARRED = frozenset({b"footnote", b"shptxt", b"shpinst"})
_TEXTS = {
    b"tab": "\t", b"line": "\n", b"emdash": "—", b"endash": "–", b"lquote": "‘", b"rquote": "’", b"ldblquote": "“",
    b"rdblquote": "”", b"bullet": "•", b"emspace": " ", b"enspace": " ",
}  # fmt: skip
#: Encodings of fonts by their character set.
_CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "big5hkscs", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_CODE_PAGES = {936: "gb18030", 950: "big5hkscs", 10000: "mac_roman", 65001: "utf-8"}
_BODY = 9
_MOST_GROUPS = 10_000


def read_rtf(file: BinaryIO, writer: Writer) -> None:
    """Add the text of an RTF document.

    Raises:
        Unreadable: it is damaged or passes a limit.
    """
    flow = Flow(writer)
    _Reader(flow).read(file.read())
    flow.end()


@dataclass(frozen=True, slots=True)
class _State:
    """What holds until the end of a group."""

    #: What the group is for: text, or a table of fonts or styles, or nothing.
    purpose: str = "text"
    #: Characters that stand for a Unicode one where that is not understood.
    fallback: int = 1
    encoding: str = "cp1252"
    heading: bool = False
    in_table: bool = False
    hidden: bool = False


class _Reader:
    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._state = _State()
        self._groups: list[_State] = []
        self._encoding = "cp1252"
        self._fonts: dict[int, str] = {}
        self._font = 0
        self._style = 0
        self._heading_styles: set[int] = set()
        self._bytes = bytearray()
        #: Characters still to come that stand for a Unicode one.
        self._to_skip = 0
        self._starred = False
        self._table = False
        self._notes: list[int] = []
        self._surrogate = 0

    def read(self, data: bytes) -> None:
        """Read a whole document."""
        at = 0
        while token := _TOKEN.match(data, at):
            at = token.end()
            word, number, code, symbol, brace, text = token.groups()
            if word == b"bin":
                at += max(0, int(number or 0))
            elif code:
                self._add(bytes.fromhex(code.decode()))
            elif text:
                self._add(text)
            elif brace or word or symbol:
                self._decode()
                self._control(word or b"", int(number) if number else None, symbol or b"", brace or b"")
        self._decode()
        if at < len(data) and data[at:].strip(b"\x00\r\n "):
            raise broken("RTF document")

    def _control(self, word: bytes, number: int | None, symbol: bytes, brace: bytes) -> None:
        if brace == b"{":
            self._open()
        elif brace:
            self._close()
        elif symbol == b"*":
            self._starred = True
        elif symbol in b"\r\n" and symbol:
            self._word(b"par", None)
        elif symbol:
            self._text({b"~": " ", b"_": "-", b"-": ""}.get(symbol, symbol.decode("latin-1")))
        else:
            if self._starred and word not in _STARRED and word not in _SKIPPED:
                self._state = replace(self._state, purpose="")
            self._starred = False
            self._word(word, number)

    def _open(self) -> None:
        if len(self._groups) >= _MOST_GROUPS:
            raise Unreadable(
                "invalid_file", f"This RTF document has more than {_MOST_GROUPS} groups within each other."
            )
        self._groups.append(self._state)
        self._to_skip = 0

    def _close(self) -> None:
        if self._notes and self._notes[-1] == len(self._groups):
            self._notes.pop()
            self._flow.end_note()
        if self._groups:
            self._state = self._groups.pop()
        self._starred = False
        self._to_skip = 0

    _PURPOSES: ClassVar[dict[bytes, str]] = {b"fonttbl": "fonts", b"stylesheet": "styles"}

    def _word(self, word: bytes, number: int | None) -> None:
        purpose = self._PURPOSES.get(word) or ("" if word in _SKIPPED else None)
        if purpose is not None:
            self._state = replace(self._state, purpose=purpose)
        elif self._state.purpose == "fonts":
            self._font_word(word, number or 0)
        elif self._state.purpose == "styles":
            self._style_word(word, number or 0)
        elif word == b"ansicpg":
            self._encoding = _known(_CODE_PAGES.get(number or 0, f"cp{number}"))
            self._state = replace(self._state, encoding=self._encoding)
        elif word == b"uc":
            self._state = replace(self._state, fallback=max(0, min(number or 0, 100)))
        elif self._state.purpose == "text" and not self._format(word, number):
            self._layout(word)

    def _font_word(self, word: bytes, number: int) -> None:
        if word == b"f":
            self._font = number
        elif word == b"fcharset" and number in _CHARSETS:
            self._fonts[self._font] = _CHARSETS[number]

    def _style_word(self, word: bytes, number: int) -> None:
        if word == b"s":
            self._style = number
        elif word == b"outlinelevel" and 0 <= number < _BODY:
            self._heading_styles.add(self._style)

    def _format(self, word: bytes, number: int | None) -> bool:
        """Take a word that says how text is; False if it is none."""
        state = self._state
        if word == b"f":
            state = replace(state, encoding=self._fonts.get(number or 0, self._encoding))
        elif word in (b"pard", b"sectd"):
            state = replace(state, heading=False, in_table=False)
        elif word == b"s":
            state = replace(state, heading=(number or 0) in self._heading_styles)
        elif word == b"outlinelevel":
            state = replace(state, heading=0 <= (number or 0) < _BODY)
        elif word == b"intbl":
            state = replace(state, in_table=True)
        elif word in (b"v", b"deleted"):
            state = replace(state, hidden=number != 0)
        elif word == b"plain":
            state = replace(state, hidden=False, encoding=self._encoding)
        elif word == b"u":
            self._unicode(number or 0)
        else:
            return False
        self._state = state
        return True

    def _layout(self, word: bytes) -> None:
        if word in (b"par", b"sect", b"page"):
            self._flow.end_paragraph(self._state.heading)
        elif word in (b"cell", b"nestcell"):
            self._enter()
            self._flow.end_cell()
        elif word in (b"row", b"nestrow"):
            self._flow.end_row()
        elif word == b"footnote":
            self._flow.begin_note()
            self._notes.append(len(self._groups))
        elif word in _TEXTS:
            self._text(_TEXTS[word])

    def _unicode(self, number: int) -> None:
        code = number % 0x10000
        if 0xD800 <= code < 0xDC00:
            self._surrogate = code
        elif 0xDC00 <= code < 0xE000:
            self._text(chr(0x10000 + ((self._surrogate & 0x3FF) << 10) + (code & 0x3FF)) if self._surrogate else "")
            self._surrogate = 0
        else:
            self._text(chr(code))
        self._to_skip = self._state.fallback

    def _add(self, data: bytes) -> None:
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._bytes += data[skipped:]

    def _decode(self) -> None:
        """Take the bytes that have come: characters of several bytes come in several tokens."""
        if self._bytes:
            text = self._bytes.decode(self._state.encoding, "replace")
            self._bytes.clear()
            self._text(text)

    def _text(self, text: str) -> None:
        state = self._state
        if state.purpose == "styles" and text.lower().startswith(("heading", "title")):
            self._heading_styles.add(self._style)
        if state.purpose == "text" and not state.hidden:
            self._enter()
            self._flow.text(text)

    def _enter(self) -> None:
        """Begin or end a table, as the paragraph says that is open. Notes have paragraphs of their own."""
        if self._notes or self._state.in_table == self._table:
            return
        self._table = self._state.in_table
        if self._table:
            self._flow.begin_table()
        else:
            self._flow.end_table()


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        return "cp1252"
