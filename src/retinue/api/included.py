"""`include[]`: what run steps show only to those who ask for it."""

from __future__ import annotations

from collections.abc import Set
from functools import partial
from typing import Annotated, Literal, TypeVar

from fastapi import Depends, Query

from ..runs.events import View
from ..wire.common import WireObject
from ..wire.events import EventName
from ..wire.steps import (
    FileSearchToolCall,
    FileSearchToolCallDelta,
    RunStep,
    RunStepDelta,
    ToolCall,
    ToolCallDelta,
    ToolCallsDetails,
)

#: The text of the passages that file search found, and, which OpenAI does not have, what it was asked.
_CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
_QUERIES = "step_details.tool_calls[*].file_search.queries"
Included = Literal[
    "step_details.tool_calls[*].file_search.results[*].content", "step_details.tool_calls[*].file_search.queries"
]


async def _view(include: Annotated[list[Included] | None, Query(alias="include[]", max_length=16)] = None) -> View:
    left_out = {_CONTENT, _QUERIES}.difference(include or ())
    return partial(_shown, left_out) if left_out else _as_it_is


def _as_it_is(name: EventName, data: WireObject) -> tuple[EventName, WireObject]:
    return name, data


def _shown(left_out: Set[str], name: EventName, data: WireObject) -> tuple[EventName, WireObject]:
    if isinstance(data, RunStep):
        return name, _step(data, left_out)
    if isinstance(data, RunStepDelta):
        calls = [_bare(call, left_out) for call in data.delta.step_details.tool_calls]
        details = data.delta.step_details.model_copy(update={"tool_calls": calls})
        return name, data.model_copy(update={"delta": data.delta.model_copy(update={"step_details": details})})
    return name, data


def as_shown(step: RunStep, shown: View) -> WireObject:
    """The step as its reader is shown it."""
    return shown("thread.run.step.completed", step)[1]


def _step(step: RunStep, left_out: Set[str]) -> RunStep:
    if not isinstance(step.step_details, ToolCallsDetails):
        return step
    details = ToolCallsDetails(tool_calls=[_bare(call, left_out) for call in step.step_details.tool_calls])
    return step.model_copy(update={"step_details": details})


_Call = TypeVar("_Call", ToolCall, ToolCallDelta)


def _bare(call: _Call, left_out: Set[str]) -> _Call:
    """The call, without what its reader has not asked for."""
    if not isinstance(call, FileSearchToolCall | FileSearchToolCallDelta):
        return call
    search = call.file_search
    if _CONTENT in left_out:
        results = [result.model_copy(update={"content": None}) for result in search.results or ()]
        search = search.model_copy(update={"results": results})
    if _QUERIES in left_out:
        search = search.model_copy(update={"queries": None})
    return call.model_copy(update={"file_search": search})


#: How steps are shown to the caller, in answers and in events.
Shown = Annotated[View, Depends(_view)]
