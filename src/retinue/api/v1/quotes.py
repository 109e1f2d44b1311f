"""What the citations of version 1 quote: the passages that the run's file searches found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...store.objects import PageQuery
from ...store.store import Store
from ...tools.file_search import MARK
from ...wire.messages import FileCitation, Message, TextContent
from ...wire.steps import FileSearchToolCall, RunStep, ToolCallsDetails

#: More steps than a run has.
_ALL_STEPS = PageQuery(limit=1000, order="asc")


class Quotes:
    """The passages that one run has found, by the marks that cite them."""

    def __init__(self, steps: Iterable[RunStep] = ()) -> None:
        """`steps`: of the run so far, oldest first."""
        self._steps: dict[str, RunStep] = {}
        for step in steps:
            self.note(step)

    def note(self, step: RunStep) -> None:
        """Take a further step, or one that has changed."""
        if isinstance(step.step_details, ToolCallsDetails):
            self._steps[step.id] = step

    def of(self, mark: str) -> str:
        """The passage behind a citation's mark; `""` where it is not known."""
        match = MARK.fullmatch(mark)
        if match is None:
            return ""
        call, result = int(match[1]), int(match[2])
        found = self._found()
        return found[call][result] if call < len(found) and result < len(found[call]) else ""

    def _found(self) -> list[list[str]]:
        """The text of each result of each call, as marks count them."""
        details = [step.step_details for step in self._steps.values()]
        calls = [call for one in details if isinstance(one, ToolCallsDetails) for call in one.tool_calls]
        return [_passages(call) if isinstance(call, FileSearchToolCall) else [] for call in calls]


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


def _passages(call: FileSearchToolCall) -> list[str]:
    return ["".join(part.text for part in result.content or ()) for result in call.file_search.results or ()]
