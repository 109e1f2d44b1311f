"""An answer as it comes in: its marks become citations, and sentences that rest on a file get the marks they lack."""

from __future__ import annotations

import re

from ...wire.messages import Annotation, Citation, FileCitation, FilePath
from . import links, marks
from .markdown import Line
from .sentences import CLOSERS, ENDS, ends
from .sources import Source, Sources

#: The most characters that are held back.
_LONGEST = marks.LONGEST
#: Characters of a sentence that are compared with what was found: of a longer one, the last.
_SENTENCE = 2000

_BLANKS = re.compile(r"[^\S\n]+|\n")
#: Text up to where something else may begin: blanks, what ends a sentence, a cell or code, a mark; or a link.
_STOPS = re.escape(ENDS + CLOSERS + "|`" + marks.OPENINGS)
_TEXT = re.compile(rf"[^\s{_STOPS}]+|.")
_TEXT_OR_LINK = re.compile(rf"[^\s{_STOPS}s]+|.")
#: What has no blank before it.
_POINTS = ".,;:!?)]，。；：！？）、」』”"


class Answer:
    """The text of one answer, which only ever grows, and its annotations.

    What comes of a text does not depend on how it was cut into pieces. What may be the beginning of a mark, and blanks
    that a mark may follow, are held back until that is clear: at most 500 characters of each. So is what may be a link
    to a file, as long as it is the beginning of the file's name.

    Attributes:
        annotations: those of the text that has been let go, in its order.
    """

    def __init__(self, sources: Sources, *, verbatim: bool = False) -> None:
        """Begin.

        Args:
            sources: what the answer may cite. Without any, text passes unchanged and at once.
            verbatim: whether nothing is put into the text that the model has not written: it is JSON, say.
        """
        self.annotations: list[Annotation] = []
        self._sources = sources
        self._verbatim = verbatim
        self._text = _TEXT_OR_LINK if sources.links else _TEXT
        #: What has come and is not understood yet.
        self._coming = ""
        #: Blanks that wait for what follows, and whether a mark was taken out behind them.
        self._blanks = ""
        self._gap = False
        self._line = Line()
        self._sentence = ""
        #: Whether the model has marked the sentence.
        self._marked = False
        #: Whether the sentence has ended, and whether a mark may stand at its end.
        self._ended = self._place = False
        #: What the sentence before cites.
        self._before: Source | None = None
        #: What the current piece lets go, and how many characters have been let go in all.
        self._out: list[str] = []
        self._length = 0

    def add(self, piece: str) -> str:
        """Take a piece of the answer; returns the text that can be let go."""
        if not self._sources:
            return piece
        self._coming += piece
        return self._read(last=False)

    def finish(self) -> str:
        """The answer is whole: returns the rest of its text."""
        rest = self._read(last=True)
        if self._gap:
            self._blanks = self._blanks.rstrip(" \t")
        self._end_sentence()
        self._settle()
        self._release()
        return rest + self._taken()

    def _read(self, *, last: bool) -> str:
        at = 0
        while at < len(self._coming) and (step := self._step(at, last=last)):
            at += step
        self._coming = self._coming[at:]
        return self._taken()

    def _step(self, at: int, *, last: bool) -> int:
        """Understand what comes at a place; returns how many characters that was, 0 if it is not clear yet."""
        text = self._coming
        if blanks := _BLANKS.match(text, at):
            return self._add_blanks(blanks[0])
        if text[at] == "|" and self._line.is_row:
            return self._add_blanks("|")
        if text[at] in marks.OPENINGS:
            if mark := marks.read(text, at):
                cited = self._sources.cited(mark, self._sentence)
                if cited is not None:
                    self._add_mark(cited, text[at : at + mark.length])
                    return mark.length
            elif not last and len(text) - at < _LONGEST and marks.may_begin(text, at):
                return 0
        elif text[at] == links.HEAD[0] and self._sources.links:
            return self._step_link(at, last=last)
        match = self._text.match(text, at)
        assert match  # noqa: S101 (it matches any character but a line's end, which is a blank)
        self._add_text(match[0])
        return len(match[0])

    def _step_link(self, at: int, *, last: bool) -> int:
        """Understand what comes at an "s", with which a link may begin."""
        text = self._coming
        if not last and links.may_change(text, at, self._sources.links):
            return 0
        link = links.read(text, at, self._sources.links)
        written = text[at : at + link.length] if link else text[at]
        self._add_text(written)
        if link:
            begin, end = self._length - len(written), self._length
            cited = Citation(file_id=link.file)
            self.annotations.append(FilePath(text=written, file_path=cited, start_index=begin, end_index=end))
        return len(written)

    def _add_blanks(self, blanks: str) -> int:
        """Blanks wait for what follows, as many as may be held. Returns how many were taken."""
        if blanks == "\n" or (self._line.may_end_sentence and ends(self._sentence, " ")):
            self._end_sentence()
        if self._gap and self._blanks:
            if blanks != "\n":
                return len(blanks)
            self._blanks = self._blanks.rstrip(" \t")
        self._gap = False
        blanks = blanks[: _LONGEST - len(self._blanks)]
        self._blanks += blanks
        if blanks == "\n":
            self._line.end()
            self._marked = self._marked and self._ended
        else:
            self._line.add(blanks)
        if len(self._blanks) == _LONGEST:
            self._settle()
            self._release()
        return len(blanks)

    def _add_text(self, text: str) -> None:
        """Text is let go, behind the mark of the sentence before it and the blanks between them."""
        if self._gap and text[0] in _POINTS:
            self._blanks = self._blanks.rstrip(" \t")
        self._gap = False
        self._end_sentence_before(text[0])
        self._settle()
        self._release()
        self._sentence = (self._sentence + text)[-_SENTENCE:]
        self._line.add(text)
        self._emit(text)

    def _add_mark(self, cited: list[Source], written: str) -> None:
        """A mark of the model's own belongs to the sentence that it stands in or behind; one of nothing is left out."""
        if not cited:
            self._gap = True
            return
        self._gap = False
        self._end_sentence_before("【")
        if self._ended:
            self._begin_sentence()
        self._marked = bool(self._sentence) or self._line.is_blank
        self._release()
        self._before = cited[-1]
        if self._verbatim:
            self._cite(written, cited)
        else:
            for source in cited:
                self._cite(source.mark, [source])

    def _end_sentence_before(self, following: str) -> None:
        if not self._blanks and self._line.may_end_sentence and ends(self._sentence, following):
            self._end_sentence()

    def _end_sentence(self) -> None:
        """The sentence ends here. Its mark is not placed before it is clear that the model's own does not follow."""
        if self._sentence and not self._ended:
            self._ended = True
            self._place = self._line.takes_marks and not self._verbatim

    def _begin_sentence(self) -> None:
        self._sentence = ""
        self._ended = self._marked = False

    def _settle(self) -> None:
        """Place the mark of a sentence that has ended without one, if a passage supports it."""
        if not self._ended:
            return
        if not self._marked:
            source = self._sources.supporting(self._sentence) if self._place else None
            if source and source != self._before:
                self._cite(source.mark, [source])
            self._before = source
        self._begin_sentence()

    def _release(self) -> None:
        """Let the blanks go."""
        if self._sentence:
            self._sentence += self._blanks
        self._emit(self._blanks)
        self._blanks = ""

    def _cite(self, text: str, sources: list[Source]) -> None:
        begin = self._length
        self._emit(text)
        for source in sources:
            cited = Citation(file_id=source.file)
            citation = FileCitation(text=text, file_citation=cited, start_index=begin, end_index=self._length)
            self.annotations.append(citation)

    def _emit(self, text: str) -> None:
        self._out.append(text)
        self._length += len(text)

    def _taken(self) -> str:
        text = "".join(self._out)
        self._out.clear()
        return text
