"""Links in answers to files of the code interpreter, `sandbox:/mnt/data/NAME`, as models write them.

A name may have blanks, brackets and characters of any script, each as it is or percent-encoded (RFC 3986). So a link
ends where the name of a known file does, and not at a character that no name could have.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

#: What links begin with, and how much of it is no part of the path.
HEAD = "sandbox:/mnt/data/"
_SCHEME = len("sandbox:")

#: Characters of the longest path: Linux allows 4,096 bytes, each of which may be written as three characters.
_LONGEST = 3 * 4096
_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENCODING = re.compile(r"%[0-9A-Fa-f]?")
#: What may end a sentence, or some emphasis, or go on with a name.
_JOINTS = "._-%/~"


@dataclass(frozen=True, slots=True)
class Link:
    """A link in a text.

    Attributes:
        file: the id of the file that it leads to.
        length: in characters.
    """

    file: str
    length: int


def read(text: str, begin: int, files: Mapping[str, str]) -> Link | None:
    """The link to one of `files`, ids by path, that begins at `begin`: that with the longest name, if one does."""
    found: Link | None = None
    if text.startswith(HEAD, begin):
        written = text[begin + _SCHEME : begin + _SCHEME + _LONGEST]
        for path, end in _named(written, files):
            if not _goes_on(path, written[end : end + 2]) and (found is None or _SCHEME + end > found.length):
                found = Link(files[path], _SCHEME + end)
    return found


def may_change(text: str, begin: int, files: Mapping[str, str]) -> bool:
    """Whether what `read` finds at `begin` may be another thing when the text goes on."""
    if not text.startswith(HEAD, begin):
        return HEAD.startswith(text[begin:])
    written = text[begin + _SCHEME : begin + _SCHEME + _LONGEST]
    if any(path.startswith(spelled) for spelled, _ in _spellings(written) for path in files):
        return True
    return any(written[end:] in ("", *_JOINTS) for _, end in _named(written, files))


def _named(written: str, files: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """The paths of `files` with which something written begins, each with the place where it ends there."""
    for spelled, ends in _spellings(written):
        for path in files:
            if spelled.startswith(path):
                yield path, ends[len(path) - 1]


def _spellings(written: str) -> Iterator[tuple[str, Sequence[int]]]:
    """What something written may stand for, and where each character of that ends in it."""
    yield written, range(1, len(written) + 1)
    if "%" in written:
        yield _decoded(written)


def _decoded(written: str) -> tuple[str, Sequence[int]]:
    """As `_spellings`, for percent-encoding. What may be an encoded character begun at the end is left out."""
    text: list[str] = []
    ends: list[int] = []
    at = 0
    while at < len(written) and not _ENCODING.fullmatch(written, at):
        encoded = _ENCODED.match(written, at)
        if encoded is None:
            text.append(written[at])
            at += 1
            ends.append(at)
            continue
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        codes = bytes.fromhex(encoded[0].replace("%", ""))
        may_go_on = encoded.end() == len(written) or _ENCODING.fullmatch(written, encoded.end())
        for number in range(len(codes)):
            final = number == len(codes) - 1 and not may_go_on
            for character in decoder.decode(codes[number : number + 1], final):
                text.append(character)
                ends.append(at + 3 * (number + 1))
        at = encoded.end()
    return "".join(text), ends


def _goes_on(path: str, following: str) -> bool:
    """Whether what is written is a longer name than this path, of a file that is not known."""
    first, second = following[:1], following[1:]
    if first in _JOINTS:
        return second.isalnum()
    # Chinese text may follow a name without a blank.
    return first.isalnum() and (first.isascii() or not path[-1].isascii())
