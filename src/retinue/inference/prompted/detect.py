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


_TAG = _chain(_word("<tool_call>", "<tools>"), _BLANKS)
_FENCE = _chain(_word("```"), f"{_word('json', 'xml', 'tool_call')}?", _BLANKS)
_TYPE = _chain(_word('"type"'), _BLANKS, ":", _BLANKS, _word('"function"'), _BLANKS, ",", _BLANKS)
_INNER = _chain(r"\{", _BLANKS, _word('"name"'), _BLANKS, ":", _BLANKS)
_KEY = _word('"name"', '"function"', '"tool"')
_NAME = r"""["'](?P<name>[^"'\\\n]{0,64})"""

#: `<tool_call>` and a bracket.
_TAGGED = re.compile(_chain(f"{_FENCE}?", _TAG, f"{_FENCE}?", r"(?P<bracket>[\[{])"))
#: An object that begins with the name of a function, or an array of such.
_OBJECT = re.compile(
    _chain(
        f"{_FENCE}?", r"\[?", _BLANKS, r"\{", _BLANKS, f"{_TYPE}?", _KEY, _BLANKS, ":", _BLANKS, f"{_INNER}?",
        _NAME, r"""(?P<end>["'])""",
    )
)  # fmt: skip
#: The first line of a block of Python.
_PYTHON = re.compile(_chain(_word("```python", "```py"), r"[ \t]{0,64}", r"(?P<end>\n)"))
#: What follows the name in any call, also in that of a function that does not exist.
_ARGUMENTS = re.compile(_chain(_BLANKS, ",", _BLANKS, _word('"arguments"', '"parameters"'), _BLANKS, "(?P<colon>:)"))
#: Blanks need no second look: what follows them was judged with them.
_STEP = re.compile(r"\s*\S?")
_SPACE = re.compile(r"\s*")


class Detector:
    """Lets the text of an answer through until a call begins, and holds back what may become one.

    A call begins with `<tool_call>` (or `<tools>`) and a bracket, or, at the start of a line, with a JSON object (or
    an array of such, perhaps in a fence) whose first key names a known function, or names anything and is followed by
    arguments, or, if `python`, with a code block of Python. Text in any other code block is code, not a call. White
    space is held until it is clear what follows. What comes out does not depend on how the text was cut into pieces.

    Attributes:
        call: the text from the beginning of a call on; None as long as none began.
        name: the function that the call names; None if the call begins in another way than with a name.
        in_python: whether it is a code block of Python.
    """

    def __init__(self, names: Collection[str], *, python: bool = False) -> None:
        """Watch for calls of the functions `names`, and if `python` for code blocks of Python."""
        self.call: str | None = None
        self.name: str | None = None
        self.in_python = False
        self._python = python
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
        if tag := _TAGGED.match(self._held, position):
            bracket = tag.start("bracket")
            return None if bracket < 0 else self._names_function(bracket, tagged=True)
        if self._python and at_line_start and (block := _PYTHON.match(self._held, position)):
            self.in_python = bool(block["end"])
            return self.in_python or None
        return at_line_start and self._names_function(position, tagged=False)

    def _names_function(self, start: int, *, tagged: bool) -> bool | None:
        """Whether a call begins with the object at `start`, as it does in any case after a tag; None as above."""
        found = _OBJECT.match(self._held, start)
        if not found:
            return tagged
        if not found["end"]:
            return None
        if not tagged and found["name"] not in self._names:
            following = _ARGUMENTS.match(self._held, found.end())
            if not following or not following["colon"]:
                return None if following else False
        self.name = found["name"]
        return True

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
