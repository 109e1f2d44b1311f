"""Which text each token stands for, asked of the API piece by piece: it shows only short texts in pieces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...visitor import Visitor

#: Tokens on a page.
PAGE = 1500
#: Characters that are asked for in pieces at once: at most 60,000 bytes of JSON.
_CHUNK = 10_000
#: Tokens that may make up one character, at most; more are no text.
_LONGEST = 16


@dataclass(frozen=True, slots=True)
class Token:
    """A token in its place."""

    #: From 0.
    place: int
    id: int
    #: None where nobody could tell.
    data: bytes | None
    #: Its text; None where it is none by itself.
    text: str | None
    #: The text that it makes up together with its neighbours.
    whole: str = ""
    #: Which of these it is, from 0, and how many there are.
    part: int = 0
    parts: int = 1


class Reader:
    """A text as tokens of one tokenizer; what tokens stand for is learnt where it is looked at."""

    def __init__(self, visitor: Visitor, text: str, tokenizer: Mapping[str, str]) -> None:
        """`tokenizer`: ``encoding`` or ``model``, as `/v1/tokenize` has them."""
        self._visitor, self._text, self._tokenizer = visitor, text, tokenizer
        #: The ids of all tokens, once they are counted.
        self.ids: list[int] = []
        self._known: dict[int, bytes] = {}
        # A cut may make other tokens of what stands around it, so that a second row of pieces is cut elsewhere.
        self._begins = [*range(0, len(text), _CHUNK), *range(_CHUNK // 2, len(text), _CHUNK)]

    async def count(self) -> None:
        """Find the tokens. Raises `openai.APIError`."""
        if self._text:
            self.ids = (await self._ask(self._text, "tokens"))["tokens"]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-len(self.ids) // PAGE))

    async def page(self, number: int) -> list[Token]:
        """The tokens of a page, counted from 0. A character is never parted by a page's end."""
        begin, end = number * PAGE, min((number + 1) * PAGE, len(self.ids))
        beyond = min(end + _LONGEST, len(self.ids))
        await self._learn(begin, beyond)
        while begin < end and self._goes_on(begin) and begin > 0:
            begin += 1
        while end < beyond and self._goes_on(end):
            end += 1
        return read([(place, self.ids[place], self._known.get(self.ids[place])) for place in range(begin, end)])

    def _goes_on(self, place: int) -> bool:
        """Whether a token begins within a character."""
        data = self._known.get(self.ids[place], b"")
        return bool(data) and data[0] & 0xC0 == 0x80

    async def _learn(self, begin: int, end: int) -> None:
        """Ask for pieces, nearest ones first, until all tokens of a stretch are known or all has been asked."""
        near = begin / max(1, len(self.ids)) * len(self._text)
        while self._begins and not all(one in self._known for one in self.ids[begin:end]):
            at = min(self._begins, key=lambda place: abs(place + _CHUNK / 2 - near))
            self._begins.remove(at)
            found = await self._ask(self._text[at : at + _CHUNK], "pieces")
            for token, piece in zip(found["tokens"], found["pieces"], strict=True):
                self._known[token] = bytes(piece["bytes"])

    async def _ask(self, text: str, shown: str) -> Any:
        answer = await self._visitor.post("/tokenize", {**self._tokenizer, "input": text, "return": shown})
        return answer["data"][0]


def read(tokens: Sequence[tuple[int, int, bytes | None]]) -> list[Token]:
    """Tokens with their texts; those that only together are a text are told so.

    Args:
        tokens: place, id and bytes of each, one behind the other.
    """
    result: list[Token] = []
    at = 0
    while at < len(tokens):
        whole, count = _whole(tokens[at : at + _LONGEST])
        for part, (place, token, data) in enumerate(tokens[at : at + count]):
            if count == 1:
                result.append(Token(place, token, data, whole))
            else:
                result.append(Token(place, token, data, None, whole or "", part, count))
        at += count
    return result


def _whole(tokens: Sequence[tuple[int, int, bytes | None]]) -> tuple[str | None, int]:
    """The shortest text that begins with the first token, and how many tokens it takes; (None, 1) if there is none."""
    joined = b""
    for count, (_, _, data) in enumerate(tokens, start=1):
        if data is None:
            break
        joined += data
        try:
            return joined.decode("utf-8"), count
        except UnicodeDecodeError as error:
            if error.end < len(joined) or error.reason != "unexpected end of data":
                break
    return None, 1
