"""The ways in which an answer is read for a text that it may repeat: each follows how far it goes along with the text.

All compare letters and digits only, folded: without case, width, accents, ligatures and characters that have no width.
"""

from __future__ import annotations

import base64
import codecs
import re
import unicodedata
from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache

#: What a word weighs, and a character of Chinese and other writing without spaces; a letter weighs 1 in readings of
#: letters. So 12 words of 5 letters weigh as much as 20 Chinese characters.
WORD, HAN = 5, 3
#: Letters; a longer word is cut.
_LONGEST_WORD = 64
#: Readings of letters hold nothing back before they have gone along for so long: any text goes along for a little.
_PATIENCE = 15

#: Writing without spaces: Thai and Lao, Burmese, Khmer, kana, Chinese.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff])"
)


@lru_cache(8192)
def fold(character: str) -> str:
    """The letters and digits that a character stands for; of others `" "`, or `""` if they do not part words."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    kept = "".join(one for one in plain if one.isalnum())
    if kept:
        return kept
    return "" if all(unicodedata.category(one) in ("Cf", "Mn", "Me") for one in plain) else " "


@lru_cache(8192)
def is_unspaced(letter: str) -> bool:
    """Whether this is a character of writing without spaces: each is a word."""
    return bool(_UNSPACED.match(letter))


def words_of(text: str) -> list[str]:
    """The words of a text as `Words` cuts it."""
    parts = "".join(map(fold, text)).split(" ")
    words = (word for part in parts for word in _UNSPACED.split(part))
    return [word[at : at + _LONGEST_WORD] for word in words for at in range(0, len(word), _LONGEST_WORD)]


class Grams:
    """Which runs of symbols there are in texts."""

    def __init__(self, texts: Iterable[str], longest: int) -> None:
        """Collect them.

        Args:
            texts: the texts; a run lies in one of them.
            longest: symbols of the longest run that is asked for.
        """
        self.longest = longest
        self._windows = sorted({text[at : at + longest] for text in texts for at in range(len(text))})

    def __contains__(self, run: str) -> bool:
        at = bisect_left(self._windows, run)
        return at < len(self._windows) and self._windows[at].startswith(run)


class Reading:
    """One way to read an answer.

    Attributes:
        weight: of the longest run of the text with which the answer ends now, as far as it is looked at.
        begin: where in the answer that run begins.
        end: where the last symbol of a run ended.
        held: what lies from here on must not be let go yet.
        seen: how many different 5-grams of the text have been there.
    """

    def __init__(self, grams: Grams, patience: int = 0) -> None:
        """Begin.

        Args:
            grams: the runs of the text.
            patience: nothing is held back before this weight.
        """
        self._grams = grams
        self._patience = patience
        self._run = ""
        self._places: deque[tuple[int, int]] = deque()
        self.weight = 0
        self.begin = self.end = self.held = 0
        self._fives: set[str] = set()

    @property
    def seen(self) -> int:
        """See the class."""
        return len(self._fives)

    def add(self, character: str, folded: str, at: int) -> None:
        """Take the next character.

        Args:
            character: the character.
            folded: the same, folded.
            at: its place in the answer.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing follows."""

    def _follow(self, symbol: str, weight: int, begin: int, end: int) -> None:
        """Take the next symbol, from these places of the answer; `""` is one that the text does not have."""
        if not symbol:
            self._forget()
            return
        run, places = self._run + symbol, self._places
        places.append((begin, weight))
        self.weight += weight
        while run and (len(run) > self._grams.longest or run not in self._grams):
            run = run[1:]
            self.weight -= places.popleft()[1]
        self._run = run
        if run:
            self.begin, self.end = places[0][0], end

    def _forget(self) -> None:
        self._run, self.weight = "", 0
        self._places.clear()

    def _hold(self, otherwise: int) -> None:
        """Hold back what goes along; else what lies behind `otherwise`."""
        self.held = min(self.begin, otherwise) if self._run and self.weight >= self._patience else otherwise


class Words(Reading):
    """Word by word; what stands between words does not count."""

    def __init__(self, grams: Grams, symbols: Mapping[str, str]) -> None:
        """`symbols`: what stands for each word of the text in `grams`."""
        super().__init__(grams)
        self._symbols = symbols
        self._word = ""
        #: Where the word begins that is being read, and where it ends as far as it has come.
        self._word_begin = self._word_end = 0

    def add(self, character: str, folded: str, at: int) -> None:
        """See `Reading`."""
        for letter in folded:
            if letter == " " or is_unspaced(letter) or len(self._word) == _LONGEST_WORD:
                self._end_word()
            if letter == " ":
                continue
            if not self._word:
                self._word_begin = at
            self._word += letter
            self._word_end = at + 1
            if is_unspaced(letter):
                self._end_word(HAN)
        self._hold(self._word_begin if self._word else at + 1)

    def finish(self) -> None:
        """See `Reading`."""
        self._end_word()

    def _end_word(self, weight: int = WORD) -> None:
        if not self._word:
            return
        self._follow(self._symbols.get(self._word, ""), weight, self._word_begin, self._word_end)
        if len(self._run) >= 5:
            self._fives.add(self._run[-5:])
        self._word = ""


class Letters(Reading):
    """Letter by letter, whatever stands between them: finds what is spelled out, hyphenated or full of marks."""

    def __init__(self, grams: Grams) -> None:
        """`grams`: of the text's letters."""
        super().__init__(grams, _PATIENCE)

    def add(self, character: str, folded: str, at: int) -> None:
        """See `Reading`."""
        if folded != " ":
            for letter in folded:
                self._follow(letter, HAN if is_unspaced(letter) else 1, at, at + 1)
        self._hold(at + 1)


class Backwards(Letters):
    """As `Letters`, of the text from its end to its beginning."""


class Base64(Letters):
    """The letters of what base64 says, in either alphabet, broken into lines or not."""

    def __init__(self, grams: Grams) -> None:
        """`grams`: of the text's letters."""
        super().__init__(grams)
        self._four = ""
        self._begun = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, character: str, folded: str, at: int) -> None:
        """See `Reading`."""
        if character.isascii() and (character.isalnum() or character in "+/-_"):
            if not self._four:
                self._begun = at
            self._four += character
            if len(self._four) == 4:
                self._decode(at + 1)
        elif character == "=" and self._four:
            self._decode(at + 1)
        elif character not in "\r\n":
            self._forget()
            self._four = ""
            self._decoder.reset()
        self._hold(at + 1)

    def _decode(self, end: int) -> None:
        coded = self._four.replace("-", "+").replace("_", "/")
        self._four = ""
        # One character alone stands for nothing.
        data = base64.b64decode(coded + "=" * (-len(coded) % 4)) if len(coded) > 1 else b""
        for character in self._decoder.decode(data):
            folded = fold(character)
            if folded != " ":
                for letter in folded:
                    self._follow(letter, HAN if is_unspaced(letter) else 1, self._begun, end)
