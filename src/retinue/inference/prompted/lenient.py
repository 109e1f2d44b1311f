"""Reads JSON as small models write it: nearly right."""

from __future__ import annotations

import re
from typing import Any

_DEEPEST = 64
_LONGEST_NUMBER = 400
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}
_WORD = re.compile("|".join(_WORDS))
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = re.compile(r"[0-9a-fA-F]{4}")


class NotJson(ValueError):
    """The text is not JSON, not even nearly."""


def read(text: str, start: int = 0, *, cut: bool = False) -> tuple[Any, int]:
    """Read the value that begins at `start`.

    Beside JSON this takes single quotes, trailing commas, line breaks in strings, Python's `True`, `False` and
    `None`, and, if not `cut`, brackets that are left open at the end of the text.

    Args:
        text: what holds the value; other text may follow it.
        start: where the value begins.
        cut: whether the text was cut off by a token limit: then what is open is lost, not forgotten.

    Returns:
        The value and the position after it. Strings hold no lone surrogates.

    Raises:
        NotJson: there is no such value, or it is nested deeper than 64.
    """
    reader = _Reader(text, start, cut)
    return reader.value(0), reader.position


def object_in(text: str) -> dict[str, Any]:
    """The object that begins with the first brace in a text, as `read` takes it; empty where there is none."""
    try:
        return read(text, text.index("{"))[0]
    except ValueError:
        return {}


class _Reader:
    def __init__(self, text: str, position: int, cut: bool) -> None:
        self._text = text
        self.position = position
        self._cut = cut

    def value(self, depth: int) -> Any:
        if depth > _DEEPEST:
            raise NotJson("nested too deeply")
        match self._peek():
            case "{":
                return self._object(depth)
            case "[":
                return self._array(depth)
            case '"' | "'":
                return self._string()
            case _:
                return self._plain()

    def _peek(self) -> str:
        """The next character that is not a blank; empty at the end."""
        if found := _SPACE.match(self._text, self.position):
            self.position = found.end()
        return self._text[self.position : self.position + 1]

    def _ends(self, bracket: str) -> bool:
        """Step over a comma, or over the end of the object or array."""
        if self._peek() == ",":
            self.position += 1
        match self._peek():
            case "":
                if self._cut:
                    raise NotJson("the text ends too early")
                return True
            case found if found == bracket:
                self.position += 1
                return True
            case _:
                return False

    def _object(self, depth: int) -> dict[str, Any]:
        self.position += 1
        result: dict[str, Any] = {}
        while not self._ends("}"):
            if self._peek() not in ('"', "'"):
                raise NotJson(f"no key at character {self.position}")
            key = self._string()
            if self._peek() != ":":
                raise NotJson(f"no colon at character {self.position}")
            self.position += 1
            result[key] = self.value(depth + 1)
        return result

    def _array(self, depth: int) -> list[Any]:
        self.position += 1
        result: list[Any] = []
        while not self._ends("]"):
            result.append(self.value(depth + 1))
        return result

    def _string(self) -> str:
        quote = self._text[self.position]
        pieces: list[str] = []
        inside = re.compile(rf"[^\\{quote}]*")
        self.position += 1
        while True:
            if found := inside.match(self._text, self.position):
                pieces.append(found.group())
                self.position = found.end()
            match self._text[self.position : self.position + 1]:
                case "\\":
                    pieces.append(self._escape())
                case "":
                    raise NotJson("a string does not end")
                case _:
                    self.position += 1
                    joined = "".join(pieces)
                    # Puts escaped surrogate pairs together, and replaces single ones.
                    return joined.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _escape(self) -> str:
        letter = self._text[self.position + 1 : self.position + 2]
        self.position += 2
        if letter == "u" and (code := _HEX.match(self._text, self.position)):
            self.position = code.end()
            return chr(int(code.group(), 16))
        return _ESCAPES.get(letter, letter)

    def _plain(self) -> Any:
        if number := _NUMBER.match(self._text, self.position):
            self.position = number.end()
            digits = number.group()
            if len(digits) > _LONGEST_NUMBER:
                raise NotJson("a number is too long")
            return int(digits) if digits.lstrip("-").isdigit() else float(digits)
        if word := _WORD.match(self._text, self.position):
            self.position = word.end()
            return _WORDS[word.group()]
        raise NotJson(f"no value at character {self.position}")
