"""The marks by which answers cite what file search found, in all the ways in which models write them.

A model is shown ``【4:0†guide.pdf】``: the numbers of the call in its run and of the result in the call, and the file's
name. It may write ``【4:0】``, ``【4：0†…】``, ``[4:0†guide.pdf]``, ``【4:0, 4:2】``, ``【4:0†L1-L5】`` or
``【guide.pdf】`` as well.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

#: Characters of the longest mark; what goes on for longer is text.
LONGEST = 500

#: Where a mark may begin. Brackets other than 【】 are common in text: there it takes numbers and a dagger.
OPENINGS = "【[［(（"

_LABEL = rf"[^\[\]［］()（）【】\n]{{0,{LONGEST - 20}}}"
_MARK = re.compile(
    rf"【([^【】\n]{{1,{LONGEST - 2}}})】|[\[［(（](\s?\d{{1,6}}\s?[:：]\s?\d{{1,3}}\s?†{_LABEL})[\]］)）]"
)
#: The beginning of a text that may become a mark.
_BEGUN = re.compile(
    rf"【[^【】\n]{{0,{LONGEST - 2}}}$"
    rf"|[\[［(（]\s?(?:\d{{1,6}}(?:\s?(?:[:：]\s?(?:\d{{1,3}}(?:\s?(?:†{_LABEL})?)?)?)?)?)?$"
)
_REFERENCE = re.compile(r"\s*(\d{1,6})\s*:\s*(\d{1,3})\s*(?:[†‡|].*)?")
_SEPARATORS = re.compile(r"[,、;]")
#: What could be a mark without a name, and a time of day as well.
_TIME = re.compile(r"\s*(?:[01]?\d|2[0-4]):[0-5]\d\s*")


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of text in the form of a mark.

    Attributes:
        references: number of the call and of the result, each pair once, in order.
        name: what stands behind the dagger, or all, where there is none.
        sure: whether it can be nothing but a mark. Else it is one only if it names something.
        length: in characters.
    """

    references: tuple[tuple[int, int], ...]
    name: str
    sure: bool
    length: int


def read(text: str, begin: int) -> Mark | None:
    """The mark that begins at `begin`, if a whole one does."""
    match = _MARK.match(text, begin)
    if match is None:
        return None
    label = unicodedata.normalize("NFKC", match[1] or match[2])
    found = [_REFERENCE.fullmatch(part) for part in _SEPARATORS.split(label)]
    references = dict.fromkeys((int(one[1]), int(one[2])) for one in found if one)
    dagger = "†" in label or "‡" in label
    sure = dagger or (bool(references) and all(found) and not _TIME.fullmatch(label))
    return Mark(tuple(references), re.split("[†‡]", label)[-1].strip(), sure, match.end() - begin)


def may_begin(text: str, begin: int) -> bool:
    """Whether the text from `begin` to its end is the beginning of what may become a mark."""
    return _BEGUN.match(text, begin) is not None
