"""Where sentences end."""

from __future__ import annotations

import re
from collections.abc import Iterator

_WIDE_ENDS = "。！？"
#: Characters that a sentence may end with.
ENDS = ".!?" + _WIDE_ENDS
#: What may stand behind these, and belongs to the same sentence.
CLOSERS = "\"'”’」』》)）*_"
_ABBREVIATED = re.compile(
    r"(?:^|[\s(])(?:[A-Z]|e\.g|i\.e|cf|ca|approx|vs|etc|Nos?|nos?|Mrs?|Ms|Dr|Prof|St|Fig|Sec|Ch|Vol|pp?|al|Inc|Ltd)\.$"
)
#: The number of an item of a list.
_NUMERAL = re.compile(r"\s*(?:[-*+]\s+)?\d{1,3}\.")

#: A sentence in a passage is cut at a line's end beyond this many characters.
_LONG = 400
#: Lines at least this wide are taken to go on in the next line, unless a sentence ends; a Chinese character counts 2.
_WRAPPED = 40
#: Where a sentence may end in a passage: at blanks behind its end, at a line's end, and behind a Chinese full stop.
_MARKS_OF_END = re.escape(ENDS + CLOSERS)
_BREAK = re.compile(
    rf"(?<=[{_MARKS_OF_END}])\s+|(?<![^\S\n])[^\S\n]*\n\s*"
    rf"|(?<=[{re.escape(_WIDE_ENDS + CLOSERS)}])(?=[^\s{_MARKS_OF_END}])"
)


def ends(text: str, following: str) -> bool:
    """Whether a sentence ends with the text.

    Args:
        text: the sentence so far.
        following: the character behind it.
    """
    if following in ENDS or following in CLOSERS:
        return False
    bare = text.rstrip(CLOSERS)
    if bare.endswith(tuple(_WIDE_ENDS)):
        return True
    if not bare.endswith(tuple(ENDS)):
        return False
    if not following.isspace() and following not in "【[":
        return bare[-1] != "." and following > "\u2e80"
    return not (_ABBREVIATED.search(bare[-12:]) or _NUMERAL.fullmatch(bare))


def spans(text: str) -> Iterator[tuple[int, int]]:
    """The sentences of a passage, from where to where, without blanks around them. Lines of a table or a list are
    sentences, too; lines that a paragraph was broken into are not."""
    begin = line = 0
    for match in _BREAK.finditer(text):
        at, blanks = match.start(), match[0]
        if "\n" in blanks:
            broken = blanks.count("\n") == 1 and _width(text[line:at]) >= _WRAPPED and at - begin < _LONG
            line = match.end()
            if broken and not ends(text[begin:at], " "):
                continue
        elif not ends(text[begin:at], text[at : at + 1] or " "):
            continue
        if at > begin:
            yield begin, at
        begin = match.end()
    if (end := len(text.rstrip())) and begin < end:
        yield begin, end


def _width(line: str) -> int:
    return len(line) + sum(character > "\u2e80" for character in line)


def last_sentence(text: str) -> str:
    """The last sentence of a text, whether it has ended or not; `""` where there is none."""
    found = list(spans(text))
    return text[slice(*found[-1])] if found else ""
