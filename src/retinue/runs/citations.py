"""From the marks in an answer to citations of files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import unquote

from ..tools.file_search import MARK
from ..wire.messages import (
    Annotation,
    AnnotationDelta,
    Citation,
    FileCitation,
    FileCitationDelta,
    FilePath,
    FilePathDelta,
)
from ..wire.steps import FileSearchToolCall, RunStep, ToolCall, ToolCallsDetails

#: A link to a file that code has written, as answers have it.
_LINK = re.compile(r"sandbox:(/mnt/data/[^\s()<>\[\]\"'`]+)")
#: What may stand behind a link without being part of it.
_STOPS = ".,;:!?。，；：！？、*_"


class Sources:
    """What an answer may cite: what the tools of its run have found and written so far.

    Attributes:
        found: the files that each tool call has found, in order: what the numbers of a mark count.
    """

    def __init__(self, steps: Sequence[RunStep]) -> None:
        self.found: list[list[str]] = []
        self._written: dict[str, str] = {}
        for step in steps:
            if isinstance(step.step_details, ToolCallsDetails):
                self.found += map(_found, step.step_details.tool_calls)
            for served in step.served.values():
                self._written |= served.files

    def __bool__(self) -> bool:
        return bool(self.found)

    def cited(self, text: str, begin: int, *, last: bool) -> list[Annotation]:
        """The citations in a text from `begin` on that name something: marks of file search, links of code.

        Args:
            text: an answer, or its beginning.
            begin: where to start, in characters.
            last: whether the text is whole. Else a link at its end may go on, and is left for later.
        """
        found: list[Annotation] = []
        for match in MARK.finditer(text, begin) if "】" in text else ():
            call, result = int(match[1]), int(match[2])
            if call < len(self.found) and result < len(self.found[call]):
                citation = Citation(file_id=self.found[call][result])
                start, end = match.span()
                found.append(FileCitation(text=match[0], file_citation=citation, start_index=start, end_index=end))
        for match in _LINK.finditer(text, begin) if self._written else ():
            path = match[1] if match[1] in self._written else match[1].rstrip(_STOPS)
            file = self._written.get(path) or self._written.get(unquote(path))
            end = match.start(1) + len(path)
            if file and (last or match.end() < len(text)):
                shown = text[match.start() : end]
                found.append(
                    FilePath(text=shown, file_path=Citation(file_id=file), start_index=match.start(), end_index=end)
                )
        return sorted(found, key=lambda one: one.start_index)


def _found(call: ToolCall) -> list[str]:
    results = call.file_search.results if isinstance(call, FileSearchToolCall) else None
    return [result.file_id for result in results or ()]


def numbered(annotations: Sequence[Annotation], begin: int) -> list[AnnotationDelta]:
    """The annotations of a text from the one at `begin` on, as deltas carry them."""
    deltas: list[AnnotationDelta] = []
    for index, one in enumerate(annotations[begin:], start=begin):
        kind = FileCitationDelta if isinstance(one, FileCitation) else FilePathDelta
        deltas.append(kind.model_validate({**one.model_dump(), "index": index}))
    return deltas
