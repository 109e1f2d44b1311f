"""The text of bytes in whatever encoding."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable
from functools import partial

from .document import Unreadable
from .frequent import JAPANESE, KOREAN, SIMPLIFIED, TRADITIONAL

#: UTF-32 first, since its mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
#: Encodings in seven bits, by how they leave ASCII.
_ESCAPES = ((b"\x1b$)C", "iso2022_kr"), (b"\x1b$@", "iso2022_jp"), (b"\x1b$B", "iso2022_jp"))
#: How HTML and XML say their encoding.
_DECLARED = re.compile(rb"""(?:<meta\s[^>]*charset|<\?xml[^>]*encoding)\s*=\s*["']?\s*([\w:.-]+)""", re.I)
_DECLARED_WITHIN = 4_096
#: What decoders that web pages name mean in practice: the encoding that was added to later.
_LATER = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "shift_jis": "cp932", "euc_kr": "cp949"}
#: The guess looks at so many bytes of lines that are not ASCII.
_SAMPLE = 1 << 15
_NOT_ASCII_LINE = re.compile(rb"[^\n]*[\x80-\xff][^\n]*\n?")
#: Controls that text does not have.
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
#: In text that is nearly UTF-8, at most one of so many characters that are not ASCII is broken.
_BROKEN_PART = 20


def decode(data: bytes, charset: str | None = None) -> str:
    """The text of bytes: in the encoding that they declare, else UTF-8, else the one in which they make most sense.

    Args:
        data: the bytes.
        charset: the encoding that whoever sent them named beside them; it counts before what they declare.

    Raises:
        Unreadable: they are not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _text(data[len(mark) :].decode(encoding, "replace"))
    if charset and (text := _named(data, charset)) is not None:
        return _text(text)
    for decoder in (_declared, _utf8, _seven_bits, _wide, _guessed):
        text = decoder(data)
        if text is not None:
            return _text(text)
    raise not_text()


def not_text() -> Unreadable:
    """The failure of a file of an unknown kind."""
    return Unreadable(
        "unsupported_file",
        "This file is neither text nor of a kind that can be read. Upload text, HTML, JSON, CSV, PDF, Office or "
        "OpenDocument files, RTF, EPUB, or a ZIP archive of these.",
    )


def _text(text: str) -> str:
    if len(_CONTROLS.findall(text[:100_000])) * 100 > len(text[:100_000]):
        raise not_text()
    return text


def _declared(data: bytes) -> str | None:
    said = _DECLARED.search(data[:_DECLARED_WITHIN])
    if not said or data.isascii():
        return None
    return _named(data, said[1].decode("ascii", "replace"))


def _named(data: bytes, charset: str) -> str | None:
    try:
        name = codecs.lookup(charset).name.replace("-", "_")
        return data.decode(_LATER.get(name, name))
    except (LookupError, ValueError):
        # Also a codec that makes no text, such as `hex`.
        return None


def _utf8(data: bytes) -> str | None:
    """The text if it is UTF-8, but for single errors, as in logs of several programs."""
    if b"\x00" in data[:_SAMPLE]:
        return None
    if any(escape in data for escape, _ in _ESCAPES) and data.isascii():
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        sample = _sample(data).decode(errors="replace")
        beyond = sum(1 for c in sample if c > "\x7f")
        return data.decode(errors="replace") if sample.count("�") * _BROKEN_PART < beyond else None


def _seven_bits(data: bytes) -> str | None:
    for escape, encoding in _ESCAPES:
        if escape in data and data.isascii():
            return _strictly(data, encoding)
    return None


def _wide(data: bytes) -> str | None:
    """The text if it is UTF-16 or UTF-32 without a mark; its spaces and line ends have zero bytes, at least."""
    sample = data[:_SAMPLE]
    if b"\x00" not in sample:
        return None
    for encoding in ("utf-32-le", "utf-32-be"):
        if len(data) % 4 == 0 and (text := _strictly(data, encoding)) is not None:
            return text
    if len(data) % 2:
        return None
    scored = [(_wide_score(sample.decode(encoding, "replace")), encoding) for encoding in ("utf-16-le", "utf-16-be")]
    score, encoding = max(scored)
    return data.decode(encoding, "replace") if score > _SENSE else None


def _wide_score(text: str) -> float:
    ascii_or_frequent = sum(1 for c in text if " " <= c <= "~" or c in "\n\r\t" or c in _FREQUENT or _is_letter(c))
    return ascii_or_frequent / len(text) - text.count("\x00") - text.count("�")


def _is_letter(c: str) -> bool:
    return "\xa0" <= c <= "\u06ff" or "\u3000" <= c <= "\u30ff" or "\uff01" <= c <= "\uff5e"


_FREQUENT = SIMPLIFIED | TRADITIONAL | JAPANESE | KOREAN
#: A guess must make at least so much sense, of 1.
_SENSE = 0.15


def _guessed(data: bytes) -> str | None:
    """The text in that encoding in which most of its characters are ones that such texts have."""
    if b"\x00" in data[:_SAMPLE]:
        return None
    sample = _sample(data)
    best, choice = 0.0, None
    for encoding, score in _GUESSES:
        try:
            text = codecs.getincrementaldecoder(encoding)("strict").decode(sample)
        except UnicodeDecodeError:
            continue
        if _CONTROLS.search(text):
            continue
        value = score(text)
        if value > best:
            best, choice = value, encoding
    return data.decode(choice, "replace") if choice else None


def _sample(data: bytes) -> bytes:
    """Lines that are not ASCII. No encoding that is guessed has a line feed within a character."""
    lines: list[bytes] = []
    size = 0
    for line in _NOT_ASCII_LINE.finditer(data):
        lines.append(line[0][:_SAMPLE])
        size += len(lines[-1])
        if size >= _SAMPLE:
            break
    return b"".join(lines)


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _mean(values: Iterable[float]) -> float:
    total, number = 0.0, 0
    for value in values:
        total += value
        number += 1
    return total / number if number else 0.0


def _chinese(frequent: frozenset[str], plain: str, text: str) -> float:
    """How much a text looks Chinese, at most 1.

    Args:
        frequent: what such texts have most.
        plain: an encoding; what it has is not rare.
        text: the text.
    """

    def value(c: str) -> float:
        if c in frequent or c in "，。、；：？！“”‘’（）《》「」『』…—·　":
            return 1
        if not "一" <= c <= "鿿":
            return 0 if "\u3000" <= c <= "\u30ff" or "\uff01" <= c <= "\uff5e" else -1
        return 0.35 if _level_one(c, plain) else -0.7

    return _mean(value(c) for c in text if c > "\x7f")


def _level_one(c: str, encoding: str) -> bool:
    """Whether a standard has the character among those that are in use, which it sorts before the rare ones."""
    try:
        code = c.encode(encoding)
    except UnicodeEncodeError:
        return False
    return code < _RARE[encoding]


#: Where the rare characters of a standard begin.
_RARE = {"gb2312": b"\xd8\xa1", "big5": b"\xc9\x40", "euc_jp": b"\xd0\xa1"}


def _japanese(text: str) -> float:
    def value(c: str) -> float:
        if "ぁ" <= c <= "ん" or c in JAPANESE or c in "、。「」ー・（）　":
            return 1
        if "ァ" <= c <= "ヶ":
            return 0.9
        if not "一" <= c <= "鿿":
            return 0 if "\u3000" <= c <= "\u303f" or "\uff01" <= c <= "\uff5e" else -1
        return 0.35 if _level_one(c, "euc_jp") else -0.7

    return _mean(value(c) for c in text if c > "\x7f")


def _korean(text: str) -> float:
    def value(c: str) -> float:
        if c in KOREAN:
            return 1
        return 0.25 if "가" <= c <= "힣" and _in(c, "euc_kr") else -0.5

    return _mean(value(c) for c in text if c > "\x7f")


def _in(c: str, encoding: str) -> bool:
    try:
        c.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _alphabet(frequent: str, others: str, text: str) -> float:
    """How much a text looks like one in an alphabet of its own, such as Cyrillic: its letters stand together."""
    known = frozenset(frequent + others + frequent.upper() + others.upper())

    def value(before: str, c: str, after: str) -> float:
        if c not in known:
            return 0.3 if c in _TYPOGRAPHY else -1
        if _is_ascii_letter(before) or _is_ascii_letter(after):
            return -1
        if before not in known and after not in known:
            return 0.2
        # Letters in the wrong case are how one Cyrillic encoding looks in another.
        if c.isupper() and before in known:
            return -0.5 if before.islower() else 0.7
        return 1 if c.lower() in frequent else 0.8

    return _mean(value(before, c, after) for before, c, after in _beyond_ascii(text))


def _latin(frequent: str, others: str, text: str) -> float:
    """How much a text looks like one in Latin letters with accents: these stand between letters without."""

    def value(before: str, c: str, after: str) -> float:
        if c in _TYPOGRAPHY:
            return -0.5 if before.isalpha() and after.isalpha() and c not in "’\xa0–—…" else 0.4
        if c.lower() not in frequent and c.lower() not in others:
            return -1
        if c.isupper() and before.islower():
            return -0.5
        accents = sum(1 for near in (before, after) if near > "\x7f" and near.isalpha())
        return (0.8 if c.lower() in frequent else 0.6) - 0.5 * accents

    return _mean(value(before, c, after) for before, c, after in _beyond_ascii(text))


_TYPOGRAPHY = frozenset("«»„“”‘’‚‹›–—…•·°§©®™€£×±²³µ¿¡\xa0№")


def _beyond_ascii(text: str) -> Iterable[tuple[str, str, str]]:
    padded = f" {text} "
    return ((padded[at - 1], padded[at], padded[at + 1]) for at in range(1, len(padded) - 1) if padded[at] > "\x7f")


def _is_ascii_letter(c: str) -> bool:
    return c < "\x80" and c.isalpha()


#: Encodings that are guessed, with how much sense a text makes in each; the first wins among equals.
_GUESSES: tuple[tuple[str, Callable[[str], float]], ...] = (
    ("gb18030", partial(_chinese, SIMPLIFIED, "gb2312")),
    ("big5hkscs", partial(_chinese, TRADITIONAL, "big5")),
    ("cp932", _japanese),
    ("euc_jp", _japanese),
    ("cp949", _korean),
    ("cp1252", partial(_latin, "éäöüßàèêçñáíóúåø", "âãæëìîïòôõùûœÿ")),
    ("cp1250", partial(_latin, "ąęłśżćóěščřžýáíéůőűäöü", "ńźďňťúâîăşţßçëô")),
    ("cp1251", partial(_alphabet, "оеаинтсрвл", "бгдежзйкмпуфхцчшщъыьэюяёєіїґ")),
    ("koi8_r", partial(_alphabet, "оеаинтсрвл", "бгдежзйкмпуфхцчшщъыьэюяё")),
    ("cp1253", partial(_alphabet, "αοιετσνηρς", "βγδζθκλμξπυφχψωάέήίόύώϊϋ")),
    ("cp1255", partial(_alphabet, "יוהלאתרמ", "בגדזחטכךםנןסעפףצץקש")),
    ("cp1256", partial(_alphabet, "اليمنرتوب", "ثجحخدذزسشصضطظعغفقكهءأإآةىئؤ،؟")),
    ("cp874", partial(_alphabet, "านรอกเงม่", "ขคฆจฉชซญฎฐณดตถทธบปผฝพฟภยลวศษสหฬฮะัำิีึืุูแโใไ็้๊์ๆ")),
    ("cp1254", partial(_latin, "ğışçöü", "âîû")),
)
