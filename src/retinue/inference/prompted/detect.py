"""Notices, in text that arrives in pieces, where a tool call begins."""

from __future__ import annotations

import re
from collections.abc import Collection

_BLANKS = r"\s{0,64}"


def _word(*words: str) -> str:
    """A pattern of one of the words, or of its beginning at the end of the text. `"` stands for either quote."""
    atoms = [["[\"']" if char == '"' else re.escape(char) for char in word] for word in words]
    whole = ["".join(word) for word in atoms]
    begun = ["".join(word[:length]) + r"\Z" for word in atoms for length in range(len(word) - 1, 0, -1)]
    return f"(?:{'|'.join(whole + begun)})"


def _chain(*parts: str) -> str:
    """A pattern of the parts in order, of which those beyond the end of the text may be missing."""
    pattern = parts[-1]
    for part in reversed(parts[:-1]):
        pattern = rf"{part}(?:\Z|{pattern})"
    return f"(?:{pattern})"


_TAG = _chain(_word("<tool_call>", "<tools>"), _BLANKS, r"(?P<tagged>[\[{])")
_FENCE = _chain(_word("```"), f"{_word('json', 'xml', 'tool_call')}?", _BLANKS)
_TYPE = _chain(_word('"type"'), _BLANKS, ":", _BLANKS, _word('"function"'), _BLANKS, ",", _BLANKS)
_INNER = _chain(r"\{", _BLANKS, _word('"name"'), _BLANKS, ":", _BLANKS)
_OBJECT = _chain(
    r"\[?", _BLANKS, r"\{", _BLANKS, f"{_TYPE}?", _word('"name"', '"function"', '"tool"'), _BLANKS, ":", _BLANKS,
    f"{_INNER}?", r"""["'](?P<name>[^"'\\\n]{0,64})""", r"""(?P<end>["'])""",
)  # fmt: skip

#: What a call may begin with at the start of a line, and within one.
_AT_LINE_START = re.compile(_chain(f"{_FENCE}?", f"(?:{_TAG}|{_OBJECT})"))
_WITHIN_LINE = re.compile(_TAG)
#: Blanks need no second look: what follows them was judged with them.
_STEP = re.compile(r"\s*\S?")
_SPACE = re.compile(r"\s*")


class Detector:
    """Lets the text of an answer through until a call begins, and holds back what may become one.

    A call begins with `<tool_call>` (or `<tools>`) and a bracket, or, at the start of a line, with a JSON object (or
    an array of such, perhaps in a fence) that names a known function. Text in a code block of another language is
    code, not a call. White space is held until it is clear what follows. What comes out does not depend on how the
    text was cut into pieces.

    Attributes:
        call: the text from the beginning of a call on; None as long as none began.
    """

    def __init__(self, names: Collection[str]) -> None:
        """Watch for calls of the functions `names`."""
        self.call: str | None = None
        self._names = names
        self._held = ""
        #: The current line so far without blanks before it, as long as it may still become a fence; None after that.
        self._line: str | None = ""
        self._in_code = False

    def feed(self, piece: str) -> str:
        """Take the next piece of the answer; return the text that is certainly no call."""
        if self.call is not None:
            self.call += piece
            return ""
        self._held += piece
        done = 0
        while done < len(self._held):
            verdict = self._judge(done)
            if verdict is None:
                break
            if verdict:
                self.call = self._held[done:].lstrip()
                break
            start, done = done, self._end(_STEP, done)
            for char in self._held[start:done]:
                self._pass(char)
        free, self._held = self._held[:done], "" if self.call is not None else self._held[done:]
        return free

    def rest(self) -> str:
        """What is still held back when the answer has ended without a call."""
        held, self._held = self._held, ""
        return held

    def _judge(self, start: int) -> bool | None:
        """Whether a call begins at `start`; None if more text is needed to tell."""
        first = self._held[start]
        if not (first.isspace() or first == "<" or self._line == ""):
            return False
        position = self._end(_SPACE, start)
        at_line_start = self._line == "" or "\n" in self._held[start:position]
        if position == len(self._held):
            return None
        if self._in_code:
            return False
        found = (_AT_LINE_START if at_line_start else _WITHIN_LINE).match(self._held, position)
        if not found:
            return False
        groups = found.groupdict()
        if groups.get("end"):
            return groups["name"] in self._names
        if (begun := groups.get("name")) is not None:
            return None if any(name.startswith(begun) for name in self._names) else False
        return True if groups["tagged"] else None

    def _end(self, pattern: re.Pattern[str], start: int) -> int:
        """Where a match at `start` ends; the pattern must match anything."""
        found = pattern.match(self._held, start)
        return found.end() if found else start

    def _pass(self, char: str) -> None:
        """Keep track of lines and fences in the text that was let through."""
        if char == "\n":
            self._line = ""
        elif self._line is not None and (self._line or not char.isspace()):
            self._line += char
            if self._line == "```":
                self._in_code = not self._in_code
            if self._line not in ("`", "``"):
                self._line = None
