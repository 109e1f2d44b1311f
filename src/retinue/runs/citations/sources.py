"""What an answer may cite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...tools.passages import mark
from ...wire.messages import Annotation, AnnotationDelta, FileCitation, FileCitationDelta, FilePathDelta
from ...wire.steps import FileSearchToolCall, RunStep, ToolCall, ToolCallsDetails
from .claims import claims
from .marks import Mark
from .support import Support


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that file search has found.

    Attributes:
        mark: what cites it, brackets included.
        file: its file's id.
        filename: its file's name.
        text: the passage.
    """

    mark: str
    file: str
    filename: str
    text: str


class Sources:
    """What an answer may cite: what the tools of its run have found and written so far.

    Attributes:
        calls: how many tools the run has called.
        links: the ids of the files that it may link to, by their path.
        addresses: of the pages of the web that were read, in their order.
    """

    def __init__(self, steps: Sequence[RunStep], written: Mapping[str, str] | None = None) -> None:
        """Collect it.

        Args:
            steps: of the run, oldest first.
            written: ids of files from earlier runs of the thread, by their path.
        """
        calls = [call for step in steps for call in _calls(step)]
        self.calls = len(calls)
        self._searched = any(isinstance(call, FileSearchToolCall) for call in calls)
        found = [one for number, call in enumerate(calls) for one in _found(number, call)]
        self._numbers = {place: number for number, (place, _) in enumerate(found)}
        self._found = [source for _, source in found]
        self.links = dict(written or {})
        self.addresses: list[str] = []
        for step in steps:
            for served in step.served.values():
                self.links |= served.files
                self.addresses += served.addresses

    @property
    def texts(self) -> list[tuple[str, str]]:
        """What was found: the ids of files, and their passages."""
        return [(source.file, source.text) for source in self._found]

    async def read(self) -> None:
        """Get ready to compare sentences with what was found, which takes a while; done at need where it was not."""
        if self._found:
            await asyncio.to_thread(lambda: self._support)

    @cached_property
    def _support(self) -> Support:
        return Support(source.text for source in self._found)

    def __bool__(self) -> bool:
        return self._searched or bool(self.links)

    def cited(self, mark: Mark, sentence: str) -> list[Source] | None:
        """What a mark cites: nothing, where it names nothing that was found; None, where it is no mark but text.

        Args:
            mark: as the model wrote it.
            sentence: what stands before it. It chooses among passages where a mark names just a file.
        """
        if cited := [self._found[self._numbers[place]] for place in mark.references if place in self._numbers]:
            return cited
        named = [] if mark.references else [n for n, one in enumerate(self._found) if one.filename == mark.name]
        if named:
            return [self._found[self._support.best(sentence, named)[1]]]
        return [] if mark.sure else None

    def supporting(self, sentence: str) -> Source | None:
        """The passage that a sentence clearly rests on, though it has no mark."""
        if not self._found or not claims(sentence):
            return None
        number = self._support.of(sentence)
        return None if number is None else self._found[number]


def _calls(step: RunStep) -> list[ToolCall]:
    return step.step_details.tool_calls if isinstance(step.step_details, ToolCallsDetails) else []


def _found(number: int, call: ToolCall) -> Iterator[tuple[tuple[int, int], Source]]:
    """What a call has found, each with the numbers by which marks cite it."""
    results = call.file_search.results if isinstance(call, FileSearchToolCall) else None
    for index, one in enumerate(results or ()):
        text = "".join(part.text for part in one.content or ())
        yield (number, index), Source(f"【{mark(number, index, one.file_name)}】", one.file_id, one.file_name, text)


def numbered(annotations: Sequence[Annotation], begin: int) -> list[AnnotationDelta]:
    """The annotations of a text from the one at `begin` on, as deltas carry them."""
    deltas: list[AnnotationDelta] = []
    for index, one in enumerate(annotations[begin:], start=begin):
        kind = FileCitationDelta if isinstance(one, FileCitation) else FilePathDelta
        deltas.append(kind.model_validate({**one.model_dump(), "index": index}))
    return deltas
