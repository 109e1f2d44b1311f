"""Stored objects as version 1 shows them. What version 1 has no place for is shown in the nearest way it allows.

Pure functions. The shapes are those of the official document of 2024-04-15 (`wire.v1`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ...wire import v1
from ...wire.assistants import Assistant
from ...wire.common import JsonSchemaResponseFormat, ObjectList, ResponseFormat, WireObject
from ...wire.events import EventName
from ...wire.messages import (
    FileCitation,
    FilePath,
    ImageFileContent,
    Message,
    MessageContent,
    MessageDelta,
    TextContent,
)
from ...wire.runs import Run
from ...wire.steps import RunStep, RunStepDelta
from ...wire.threads import Thread
from ...wire.tools import FileSearchTool, FunctionTool, NamedToolChoice, Tool, ToolChoice
from .quotes import NO_QUOTES, Quotes

Json = dict[str, Any]
Stored = TypeVar("Stored")
Shown = TypeVar("Shown", bound=WireObject)


def unique(values: Iterable[str]) -> list[str]:
    """The values in their order, each once."""
    return list(dict.fromkeys(values))


def listed(page: ObjectList[Stored], view: Callable[[Stored], Shown]) -> ObjectList[Shown]:
    """A page of stored objects as a page of what `view` makes of them."""
    return ObjectList[Any](
        data=[view(one) for one in page.data], first_id=page.first_id, last_id=page.last_id, has_more=page.has_more
    )


def assistant(stored: Assistant, file_ids: Sequence[str]) -> v1.Assistant:
    """An assistant; `file_ids` are the files that its tools work with, of which version 1 shows twenty."""
    return v1.Assistant.model_validate(
        {
            **stored.model_dump(),
            "tools": [tool(one) for one in stored.tools],
            "file_ids": unique(file_ids)[: v1.ASSISTANT_FILES],
        }
    )


def tool(stored: Tool) -> v1.Tool:
    """A tool, without the options of file search and without `strict`."""
    if isinstance(stored, FileSearchTool):
        return v1.RetrievalTool(type="retrieval")
    if isinstance(stored, FunctionTool):
        function = v1.FunctionDefinition.model_validate(stored.function.model_dump(exclude={"strict"}))
        return v1.FunctionTool(type="function", function=function)
    return stored


def tool_choice(stored: ToolChoice) -> v1.ToolChoice:
    """A choice of tools; `required` shows as `auto`."""
    if not isinstance(stored, NamedToolChoice):
        return "auto" if stored == "required" else stored
    return v1.NamedToolChoice(
        type="retrieval" if stored.type == "file_search" else stored.type, function=stored.function
    )


def response_format(stored: ResponseFormat) -> v1.ResponseFormat:
    """A format of answers; a JSON schema shows as any JSON object."""
    if stored == "auto":
        return "auto"
    if isinstance(stored, JsonSchemaResponseFormat):
        return v1.ResponseFormatObject(type="json_object")
    return v1.ResponseFormatObject(type=stored.type)


def thread(stored: Thread) -> v1.Thread:
    """A thread, without its `tool_resources`."""
    return v1.Thread.model_validate(stored.model_dump())


def message(stored: Message, quotes: Quotes = NO_QUOTES) -> v1.Message:
    """A message. Its files are its attachments, then those that its text and pictures name; version 1 shows ten.

    Args:
        stored: the message.
        quotes: what its run has found, for its citations.
    """
    return v1.Message.model_validate(
        {
            **stored.model_dump(),
            "content": [_content(part.model_dump(), quotes, _value(part)) for part in stored.content],
            "file_ids": message_files(stored),
        }
    )


def message_files(stored: Message) -> list[str]:
    """The ids of a message's files, at most ten."""
    named = [attachment.file_id for attachment in stored.attachments or ()]
    for part in stored.content:
        if isinstance(part, TextContent):
            named += [mark.file_path.file_id for mark in part.text.annotations if isinstance(mark, FilePath)]
        elif isinstance(part, ImageFileContent):
            named.append(part.image_file.file_id)
    return unique(named)[: v1.MESSAGE_FILES]


def _value(part: MessageContent) -> str:
    return part.text.value if isinstance(part, TextContent) else ""


def _content(part: Mapping[str, Any], quotes: Quotes, whole: str) -> Json:
    """A content part, or a piece of one: a picture by address and a refusal become text, citations get their quotes.

    Args:
        part: the part, or the piece.
        quotes: what the run has found.
        whole: the text that the part's annotations count in, if it has any.
    """
    kept = {"index": part["index"]} if "index" in part else {}
    match part["type"]:
        case "image_url":
            return {**kept, "type": "text", "text": {"value": _address(part["image_url"]["url"])}}
        case "refusal":
            return {**kept, "type": "text", "text": {"value": part["refusal"]}}
        case "text":
            text: Json = part["text"]
            marks = [_quoted(mark, quotes, whole) for mark in text.get("annotations") or ()]
            return {**part, "text": {**text, "annotations": marks}} if marks else dict(part)
        case _:
            return dict(part)


def _quoted(mark: Json, quotes: Quotes, whole: str) -> Json:
    if mark["type"] != "file_citation":
        return mark
    quote = quotes.of(FileCitation.model_validate(mark), whole)
    return {**mark, "file_citation": {**mark["file_citation"], "quote": quote}}


def _address(url: str) -> str:
    """What stands for a picture by address: a data URL is the picture itself, and no text."""
    return "[image]" if url.startswith("data:") else f"[image {url}]"


def run(stored: Run, file_ids: Sequence[str]) -> v1.Run:
    """A run; `file_ids` are its assistant's.

    One that met a token limit is `completed` and has `incomplete_details`, as the document says of
    `max_completion_tokens`.
    """
    return v1.Run.model_validate(
        {
            **stored.model_dump(),
            "status": "completed" if stored.status == "incomplete" else stored.status,
            "tools": [tool(one) for one in stored.tools],
            "file_ids": unique(file_ids)[: v1.ASSISTANT_FILES],
            "tool_choice": tool_choice(stored.tool_choice),
            "response_format": response_format(stored.response_format),
        }
    )


def run_step(stored: RunStep) -> v1.RunStep:
    """A run step; calls of file search are calls of retrieval."""
    body = stored.model_dump()
    return v1.RunStep.model_validate({**body, "step_details": _step_details(body["step_details"])})


def _step_details(details: Json) -> Json:
    if details["type"] != "tool_calls":
        return details
    return {**details, "tool_calls": [_tool_call(call) for call in details["tool_calls"]]}


def _tool_call(call: Json) -> Json:
    """A call, whole or a piece. What was found stays out: version 1 has an empty object there."""
    if call["type"] != "file_search":
        return call
    return {**call, "type": "retrieval", "retrieval": {}}


def _message_delta(stored: MessageDelta, quotes: Quotes) -> v1.MessageDelta:
    whole = quotes.hear(stored)
    parts = [_content(part.model_dump(), quotes, whole) for part in stored.delta.content]
    return v1.MessageDelta.model_validate({"id": stored.id, "delta": {"content": parts}})


def _run_step_delta(stored: RunStepDelta) -> v1.RunStepDelta:
    details = _step_details(stored.delta.step_details.model_dump())
    delta = {"step_details": details}
    return v1.RunStepDelta.model_validate({"id": stored.id, "delta": delta, "protected": stored.protected})


def event(name: EventName, data: WireObject, file_ids: Sequence[str], quotes: Quotes) -> tuple[EventName, WireObject]:
    """A stream event. Version 1 has all of version 2's but `thread.run.incomplete`.

    Args:
        name: the event's name.
        data: what it carries.
        file_ids: the files of the run's assistant.
        quotes: what the run has found, and its stream has brought.
    """
    match data:
        case Run():
            return ("thread.run.completed" if name == "thread.run.incomplete" else name), run(data, file_ids)
        case Thread():
            return name, thread(data)
        case Message():
            return name, message(data, quotes)
        case MessageDelta():
            return name, _message_delta(data, quotes)
        case RunStep():
            return name, run_step(data)
        case RunStepDelta():
            return name, _run_step_delta(data)
        case _:
            return name, data
