"""What the citations of version 1 quote: the sentences, among what the run's file searches found, that answers rest on.

They are chosen when a citation is shown: version 2, whose objects are stored, has no place for them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ...runs.citations import Sources, marks
from ...runs.citations.sentences import last_sentence
from ...runs.citations.support import quote
from ...store.objects import PageQuery
from ...store.store import Store
from ...wire.messages import FileCitation, Message, MessageDelta, TextContent, TextDeltaContent
from ...wire.steps import RunStep, ToolCallsDetails

#: More steps than a run has.
_ALL_STEPS = PageQuery(limit=1000, order="asc")
#: Characters before a mark in which its sentence is looked for.
_BEFORE = 2000
_MARKS = re.compile(r"【[^【】\n]*】")

_quote = lru_cache(64)(quote)


class Quotes:
    """The passages that one run has found, by the marks that cite them."""

    def __init__(self, steps: Iterable[RunStep] = ()) -> None:
        """`steps`: of the run so far, oldest first."""
        self._steps: dict[str, RunStep] = {}
        self._sources: Sources | None = None
        self._heard: dict[str, list[str]] = defaultdict(list)
        for step in steps:
            self.note(step)

    def note(self, step: RunStep) -> None:
        """Take a further step, or one that has changed."""
        if isinstance(step.step_details, ToolCallsDetails):
            self._steps[step.id] = step
            self._sources = None

    def hear(self, delta: MessageDelta) -> str:
        """Take a further piece of an answer; returns the answer's text so far if the piece brings annotations."""
        texts = [part.text for part in delta.delta.content if isinstance(part, TextDeltaContent)]
        self._heard[delta.id] += [text.value for text in texts]
        return "".join(self._heard[delta.id]) if any(text.annotations for text in texts) else ""

    def of(self, citation: FileCitation, text: str) -> str:
        """The words of a passage that a citation rests on; `""` where the passage is not known.

        Args:
            citation: the citation.
            text: the text that it stands in, at least up to there.
        """
        self._sources = self._sources or Sources(list(self._steps.values()))
        mark = marks.read(citation.text, 0)
        sentence = last_sentence(_MARKS.sub("", text[: citation.start_index][-_BEFORE:]))
        for source in (mark and self._sources.cited(mark, sentence)) or ():
            if source.file == citation.file_citation.file_id:
                return _quote(source.text, sentence)
        return ""


#: Of a run of which nothing is known.
NO_QUOTES = Quotes()


async def of_run(store: Store, project: str, run_id: str) -> Quotes:
    """What a run has found so far."""
    return Quotes((await store.steps.page(project, _ALL_STEPS, run_id)).data)


async def of_messages(store: Store, project: str, messages: Sequence[Message]) -> dict[str, Quotes]:
    """What the runs behind messages that cite something have found, by the ids of the runs."""
    runs = {message.run_id for message in messages if message.run_id and _cites(message)}
    return {run_id: await of_run(store, project, run_id) for run_id in runs}


def _cites(message: Message) -> bool:
    texts = [part.text for part in message.content if isinstance(part, TextContent)]
    return any(isinstance(mark, FileCitation) for text in texts for mark in text.annotations)
