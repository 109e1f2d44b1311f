"""Long runs of confidential text in an answer, withheld while the answer comes in.

An answer is read in several ways at once (`readings`): as words, as mere letters, backwards, out of base64. Each way
follows how far what was said last goes along with the confidential text. What goes along is held back; what turns out
to be something else is let go, what becomes too long is replaced by a notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

from .readings import HAN, WORD, Backwards, Base64, Grams, Letters, Reading, Words, fold, is_unspaced, words_of

#: What may not pass: 12 words in a row, or 20 Chinese characters.
LIMIT = 60
#: The same, once something was withheld or a good part of the text is out: 5 words in a row.
STRICT = 25
#: The same, of what is in files: 50 words. Shorter quotes pass.
QUOTE = 250
#: Texts that are shorter than 8 words are no secret.
_LEAST = 40
#: The share of a text's 5-grams that may be in an answer before it is read strictly, and the fewest that count.
_SHARE, _FEWEST_GRAMS = 0.25, 20
#: Letters of a text that are also looked for spelled out, backwards and in base64: its first ones.
_MOST_LETTERS = 50_000
#: Characters of an answer that are looked at before something is let go: a long piece costs no more than short ones.
_AT_ONCE = 1024

NOTICE = "(This part is confidential and was left out.)"
CHINESE_NOTICE = "（此部分内容保密，已略去。）"
#: After so many passages that were withheld, an answer in words ends: it goes on telling what it may not.
MOST_WITHHELD = 3


class Secret:
    """A text that is not to be told, ready to be looked for.

    Building one takes about a second for a million characters: see `secret`.
    """

    def __init__(self, texts: Sequence[str], *, quotable: bool = False) -> None:
        """Get ready.

        Args:
            texts: the text, or several.
            quotable: whether it may be quoted: up to `QUOTE`, in its words only.
        """
        cut = [words_of(text) for text in texts]
        weight = sum(HAN if is_unspaced(word) else WORD for words in cut for word in words)
        self.limit = QUOTE if quotable else min(LIMIT, max(_LEAST, weight))
        self.strict = QUOTE if quotable else STRICT
        different = dict.fromkeys(chain(*cut))
        self._words = {word: chr(number) for number, word in enumerate(different, start=1)}
        symbols = ["".join(map(self._words.__getitem__, words)) for words in cut]
        self._runs = Grams(symbols, -(-self.limit // HAN))
        five = {run[at : at + 5] for run in symbols for at in range(len(run) - 4)}
        #: So many different 5-grams are a good part of it.
        self.many = len(five) * _SHARE if len(five) >= _FEWEST_GRAMS and not quotable else float("inf")
        letters = "".join("".join(words) for words in cut)[:_MOST_LETTERS]
        self._letters = None if quotable else (Grams([letters], LIMIT), Grams([letters[::-1]], LIMIT))

    def readings(self) -> list[Reading]:
        """The ways in which an answer is to be read for it."""
        found: list[Reading] = [Words(self._runs, self._words)]
        if self._letters:
            forward, backward = self._letters
            found += [Letters(forward), Backwards(backward), Base64(forward)]
        return found


@lru_cache(8)
def secret(text: str) -> Secret:
    """Instructions that are not to be told; those used last are kept."""
    return Secret([text])


class LeakFilter:
    """One answer on its way: takes it piece by piece, and lets go what may be told.

    What comes of an answer does not depend on how it was cut into pieces. Of a secret, no run of `LIMIT` ever passes.
    Text that has no run of a secret passes unchanged; the last word is held back until it has ended, and what goes
    along with a secret until that is clear. Time is linear in the answer; what is kept in memory is what is held back,
    and as much again as the secrets.
    """

    def __init__(self, secrets: Sequence[Secret], *, most: int | None = None) -> None:
        """Begin an answer.

        Args:
            secrets: what is not to be told.
            most: passages that are withheld before the answer ends: nothing of it is let go any more then; None: it
                goes on.
        """
        self._readings = [(reading, one) for one in secrets for reading in one.readings()]
        self._most = most
        #: Passages that were withheld.
        self._count = 0
        #: Whether the answer has ended because too many were.
        self.over = False
        self._strict = False
        #: What has come and is not let go, and the place of its first character in the answer.
        self._text = ""
        self._begin = 0
        self._end = 0
        #: Up to here all may be let go, or was withheld.
        self._free = 0
        #: Where what was withheld last ends; -1: nothing was.
        self._withheld = -1
        self._out: list[str] = []
        #: The letters of the answer so far, in Chinese and other.
        self._unspaced = self._spaced = 0

    def add(self, piece: str) -> str:
        """Take a piece of the answer; returns the text that can be let go."""
        return "".join(map(self._add, (piece[at : at + _AT_ONCE] for at in range(0, len(piece), _AT_ONCE))))

    def finish(self) -> str:
        """The answer is whole: returns the rest of its text."""
        for reading, one in self._readings:
            reading.finish()
            self._look(reading, one)
        self._free = self._end
        return self._taken()

    def _add(self, piece: str) -> str:
        self._text += piece
        for character in piece:
            if not self.over:
                self._take(character)
        return self._taken()

    def _take(self, character: str) -> None:
        folded, at = fold(character), self._end
        self._end += 1
        if folded and folded != " ":
            if is_unspaced(folded):
                self._unspaced += 1
            else:
                self._spaced += 1
        held = self._end
        for reading, one in self._readings:
            reading.add(character, folded, at)
            self._look(reading, one)
            held = min(held, reading.held)
        self._free = max(self._free, held)

    def _look(self, reading: Reading, one: Secret) -> None:
        """Withhold what goes along with a secret for too long."""
        self._strict = self._strict or reading.seen > one.many
        if self.over:
            return
        if reading.weight >= (one.strict if self._strict else one.limit) and reading.end > self._withheld:
            self._withhold(max(reading.begin, self._free), reading.end)

    def _withhold(self, begin: int, end: int) -> None:
        self._let_go(begin)
        if begin > self._withheld:
            # Of Chinese, a character says about as much as two letters.
            self._out.append(CHINESE_NOTICE if 2 * self._unspaced > self._spaced else NOTICE)
            self._count += 1
            self.over = self._count == self._most
        self._drop(end)
        self._withheld = self._free = max(end, self._free)
        self._strict = True

    def _let_go(self, end: int) -> None:
        if end > self._begin:
            self._out.append(self._text[: end - self._begin])
            self._drop(end)

    def _drop(self, end: int) -> None:
        self._text = self._text[max(0, end - self._begin) :]
        self._begin = max(end, self._begin)

    def _taken(self) -> str:
        if self.over:
            self._text = ""
        self._let_go(self._free)
        text = "".join(self._out)
        self._out.clear()
        return text
