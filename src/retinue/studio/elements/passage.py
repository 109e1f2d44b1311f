"""The passage of a file that an answer cites, opened from its footnote."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from typing import Any

import openai
from nicegui import ui
from openai.types.beta.threads import Message
from openai.types.beta.threads.runs import FileSearchToolCall
from openai.types.beta.threads.runs.file_search_tool_call import FileSearchResult

from ..content import content_url
from ..visitor import Visitor
from .controls import heading
from .dialogs import closing, dialog
from .messages import files_of, shown
from .turn import names_of

#: The number of the call in its run, and of the passage in the call.
_MARK = re.compile(r"【(\d+):(\d+)†")
_WITH_TEXT: Any = ["step_details.tool_calls[*].file_search.results[*].content"]


async def show_passage(visitor: Visitor, thread: str, message: str, number: int) -> None:
    """Open a dialog with what a footnote rests on.

    Args:
        visitor: who reads.
        thread: of the message.
        message: its id.
        number: of the citation, as `messages.shown` counts.

    Raises:
        openai.APIError: the message cannot be read.
    """
    found = await visitor.client.beta.threads.messages.retrieve(message, thread_id=thread)
    names = await names_of(visitor, files_of([found]))
    parts = shown(visitor, found, names)["parts"]
    cited = next((one for part in parts for one in part.get("citations", ()) if one["number"] == number), None)
    if cited is None:
        return
    result = await _found(visitor, found, cited["file"], cited["mark"])
    text = "".join(part.text or "" for part in (result.content or ())) if result else ""
    with dialog(visitor.text("conversation.passage"), wide=True) as made:
        heading(cited["name"], 3)
        if text:
            # The dialog scrolls, so the keyboard has to reach what scrolls.
            ui.label(text).classes("passage-text").props("tabindex=0")
            score = visitor.text("conversation.fits", score=f"{result.score:.2f}") if result else ""
            ui.label(score).classes("quiet")
        else:
            ui.label(visitor.text("conversation.passage_gone")).classes("quiet")
        with closing(visitor, made):
            if cited["file"] in names:
                ui.link(visitor.text("conversation.whole_file"), content_url(cited["file"]), new_tab=True)


async def _found(visitor: Visitor, message: Message, file: str, mark: str) -> FileSearchResult | None:
    """What a mark names among what the message's run has found; None where that is not to be had any more."""
    place = _MARK.match(mark)
    if not message.run_id or not place:
        return None
    steps = visitor.client.beta.threads.runs.steps.list(
        message.run_id, thread_id=message.thread_id, include=_WITH_TEXT, order="asc", limit=100
    )
    try:
        calls = [
            call
            async for step in steps
            if step.step_details.type == "tool_calls"
            for call in step.step_details.tool_calls
        ]
    except openai.APIStatusError:
        return None
    call, index = int(place[1]), int(place[2])
    if call >= len(calls):
        return None
    chosen = calls[call]
    results = (chosen.file_search.results or []) if isinstance(chosen, FileSearchToolCall) else []
    return results[index] if index < len(results) and results[index].file_id == file else None
