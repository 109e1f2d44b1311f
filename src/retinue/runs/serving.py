"""Running the tool calls of an answer that are Retinue's own, side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol, cast

import orjson
import structlog

from ..accounts.keys import Caller
from ..errors import ApiError, InvalidRequest
from ..inference.chat import Json
from ..tools.tool import Scope, Served
from ..wire.runs import Run
from ..wire.steps import RunStep, ToolCall
from .calls import Pending

log = structlog.get_logger(__name__)


class Shown(Protocol):
    """Where calls are shown."""

    def update_call(self, index: int, call: ToolCall) -> None:
        """Show a call as it is now."""
        ...

    def finish_call(self, index: int, done: Served) -> None:
        """Show a call that has been run."""
        ...


#: However full the context is, the model is told this many tokens of what came of a call.
_LEAST_ROOM = 256


async def serve(caller: Caller, run: Run, before: int, pending: Sequence[Pending], shown: Shown, room: int) -> None:
    """Run calls, all at once. Whatever goes wrong with one is told to the model; the run goes on.

    Args:
        caller: for whom: the run's project, and the run as their origin.
        run: the run.
        before: how many calls the run has made before this answer.
        pending: the calls.
        shown: where calls are shown, again and again, and when they are done.
        room: tokens that the model's context has left. The calls share half of it; the rest is the conversation's.
    """
    share = max(_LEAST_ROOM, room // (2 * max(1, len(pending))))
    async with asyncio.TaskGroup() as group:
        for one in pending:
            group.create_task(_serve(one, Scope(caller, run, before + one.index, share), shown))


async def _serve(pending: Pending, scope: Scope, shown: Shown) -> None:
    call = pending.call

    def report(now: ToolCall) -> None:
        nonlocal call
        call = now
        shown.update_call(pending.index, now)

    function = pending.function
    try:
        if function is None:
            raise InvalidRequest("this function is not there any more.")
        done = await function.serve(scope, call, _parsed(pending.arguments), report)
    except ApiError as error:
        done = Served(call, f"Error: {error.message}", failed=True)
    except Exception:
        log.exception("tool failed on a defect", tool=function and function.type, run=scope.run.id)
        done = Served(call, "Error: something went wrong on the server.", failed=True)
    shown.finish_call(pending.index, done)


def failures(steps: Sequence[RunStep]) -> int:
    """How many of a run's answers, counted from the last one back, had calls of Retinue's tools that all failed.

    Args:
        steps: of the run so far, oldest first.
    """
    count = 0
    for step in reversed(steps):
        if step.type == "tool_calls":
            if not step.served or not all(served.failed for served in step.served.values()):
                break
            count += 1
    return count


def _parsed(arguments: str) -> Json:
    try:
        value = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"the arguments are not valid JSON ({error}). Call the tool again.") from None
    if not isinstance(value, dict):
        raise InvalidRequest("the arguments must be a JSON object. Call the tool again.")
    return cast(Json, value)
