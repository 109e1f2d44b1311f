"""`include[]`: what run steps show only to those who ask for it."""

from __future__ import annotations

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

Included = Literal["step_details.tool_calls[*].file_search.results[*].content"]


async def _view(include: Annotated[list[Included] | None, Query(alias="include[]", max_length=16)] = None) -> View:
    return _as_it_is if include else _without_results


def _as_it_is(name: EventName, data: WireObject) -> tuple[EventName, WireObject]:
    return name, data


def _without_results(name: EventName, data: WireObject) -> tuple[EventName, WireObject]:
    if isinstance(data, RunStep):
        return name, _step(data)
    if isinstance(data, RunStepDelta):
        calls = [_bare(call) for call in data.delta.step_details.tool_calls]
        details = data.delta.step_details.model_copy(update={"tool_calls": calls})
        return name, data.model_copy(update={"delta": data.delta.model_copy(update={"step_details": details})})
    return name, data


def as_shown(step: RunStep, shown: View) -> WireObject:
    """The step as its reader is shown it."""
    return shown("thread.run.step.completed", step)[1]


def _step(step: RunStep) -> RunStep:
    if not isinstance(step.step_details, ToolCallsDetails):
        return step
    details = ToolCallsDetails(tool_calls=[_bare(call) for call in step.step_details.tool_calls])
    return step.model_copy(update={"step_details": details})


_Call = TypeVar("_Call", ToolCall, ToolCallDelta)


def _bare(call: _Call) -> _Call:
    """The call, without the text of the passages that it found."""
    if not isinstance(call, FileSearchToolCall | FileSearchToolCallDelta) or not call.file_search.results:
        return call
    results = [result.model_copy(update={"content": None}) for result in call.file_search.results]
    return call.model_copy(update={"file_search": call.file_search.model_copy(update={"results": results})})


#: How steps are shown to the caller, in answers and in events.
Shown = Annotated[View, Depends(_view)]
