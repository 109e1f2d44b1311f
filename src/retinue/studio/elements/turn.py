"""An answer on its way: the events of a run, played into a `Conversation`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import openai
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, Run

from ..asking import each
from ..visitor import Visitor
from .conversation import Conversation
from .messages import MARKS, files_of, shown

#: What a person is told while a tool works, by the tool's type.
_TOOLS = {"code_interpreter": "turn.code", "file_search": "turn.files", "function": "turn.function"}

#: How a run ends that did not complete.
_UNDONE = ("failed", "expired", "incomplete", "cancelled")


async def play(
    visitor: Visitor,
    conversation: Conversation,
    events: AsyncIterator[AssistantStreamEvent],
    *,
    assistant: str = "",
    on_event: Callable[[AssistantStreamEvent], Any] | None = None,
) -> Run | None:
    """Show what a run says while it says it.

    Args:
        visitor: who reads.
        conversation: where it appears.
        events: of the run.
        assistant: what the assistant is called.
        on_event: is told every event.

    Returns:
        the run as the last event about it had it: ended, or waiting for outputs; None if there was none.

    Raises:
        openai.APIError: the stream broke off.
    """
    run: Run | None = None
    try:
        async for event in events:
            if on_event:
                on_event(event)
            # The client knows no `error` event, and gives it no name: the run is asked for again.
            if conversation.is_deleted or event.event is None:  # pyright: ignore[reportUnnecessaryComparison]
                break
            if event.event.startswith("thread.run.step"):
                _tell_step(visitor, conversation, event.data)
            elif isinstance(event.data, Run):
                run = event.data
            elif event.event == "thread.message.created":
                conversation.status("")
                conversation.add({**shown(visitor, event.data, {}, assistant), "streaming": True})
            elif event.event == "thread.message.delta":
                for part in event.data.delta.content or []:
                    if part.type == "text" and part.text and part.text.value:
                        conversation.append(event.data.id, MARKS.sub("", part.text.value))
            elif isinstance(event.data, Message) and event.event != "thread.message.in_progress":
                names = await names_of(visitor, files_of([event.data]))
                by = shown(visitor, event.data, names, assistant)
                conversation.replace(event.data.id, by)
    finally:
        conversation.status("")
    if run and run.status in _UNDONE:
        conversation.add(ended(visitor, run, assistant))
    return run


def ended(visitor: Visitor, run: Run, assistant: str = "") -> dict[str, Any]:
    """What a person is told of a run that did not complete, as a message for `Conversation`, with a link to the run.

    Args:
        visitor: who reads.
        run: failed, expired, incomplete or cancelled.
        assistant: what the assistant is called.
    """
    reason = run.last_error.message if run.last_error else ""
    if run.incomplete_details and run.incomplete_details.reason:
        reason = visitor.text(f"turn.{run.incomplete_details.reason}")
    note = visitor.text(f"turn.{run.status}", reason=reason).strip()
    links = [
        {"label": visitor.text("turn.happened"), "icon": "account_tree", "href": f"/runs/{run.thread_id}/{run.id}"}
    ]
    return {
        "id": f"end_{run.id}",
        "role": "note",
        "name": assistant or visitor.text("conversation.assistant"),
        "parts": [],
        "note": note,
        "noteKind": "" if run.status == "cancelled" else "wrong",
        "links": links,
    }


async def names_of(visitor: Visitor, files: set[str], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The names of files by their ids; files that are gone or hidden have none."""

    async def name_of(file: str) -> tuple[str, str]:
        try:
            return file, (await visitor.client.files.retrieve(file)).filename
        except openai.APIStatusError:
            return file, ""

    known = known or {}
    found = await each(name_of, files - known.keys())
    return {**known, **{file: name for file, name in found if name}}


def _tell_step(visitor: Visitor, conversation: Conversation, step: Any) -> None:
    """Say which tool works."""
    details = getattr(step, "step_details", None) or getattr(getattr(step, "delta", None), "step_details", None)
    if getattr(step, "status", "in_progress") != "in_progress":
        conversation.status("")
    elif details is not None and details.type == "tool_calls" and details.tool_calls:
        conversation.status(visitor.text(_TOOLS.get(details.tool_calls[-1].type, "turn.tool")))
