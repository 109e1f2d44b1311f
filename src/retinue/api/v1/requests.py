"""What version 1 sends, as version 2 would send it. Pure functions, the inverse of `views`."""

from __future__ import annotations

from typing import Any

from ...wire import v1
from ...wire.assistants import AssistantCreate, AssistantModify
from ...wire.common import JsonObjectFormat, ResponseFormat, TextFormat, WireRequest
from ...wire.messages import Attachment, MessageCreate
from ...wire.runs import RunCreate, ThreadAndRunCreate
from ...wire.threads import ThreadCreate, ThreadModify
from ...wire.tools import (
    CodeInterpreterResources,
    CodeInterpreterTool,
    FileSearchResources,
    FileSearchTool,
    FileSearchToolName,
    FunctionDefinition,
    FunctionTool,
    NamedToolChoice,
    Tool,
    ToolChoice,
    ToolResources,
)
from ...wire.vector_stores import VectorStoreHelper
from .views import unique


def tool(sent: v1.Tool) -> Tool:
    """A tool; retrieval is file search."""
    if isinstance(sent, v1.RetrievalTool):
        return FileSearchTool(type="file_search")
    if isinstance(sent, v1.FunctionTool):
        return FunctionTool(type="function", function=FunctionDefinition(**sent.function.model_dump()))
    return sent


def tool_choice(sent: v1.ToolChoice) -> ToolChoice:
    """A choice of tools."""
    if not isinstance(sent, v1.NamedToolChoice):
        return sent
    return NamedToolChoice(type="file_search" if sent.type == "retrieval" else sent.type, function=sent.function)


def response_format(sent: v1.ResponseFormat) -> ResponseFormat:
    """A format of answers; `none` says as little as `auto`."""
    if isinstance(sent, str):
        return "auto"
    return JsonObjectFormat(type="json_object") if sent.type == "json_object" else TextFormat(type="text")


def assistant_create(sent: v1.AssistantCreate) -> AssistantCreate:
    """A new assistant. Its files go to the tools that it has, or wait with the code interpreter."""
    file_ids = unique(sent.file_ids or ())
    kinds = {one.type for one in sent.tools or ()}
    code = (
        CodeInterpreterResources(file_ids=file_ids) if "code_interpreter" in kinds or "retrieval" not in kinds else None
    )
    search = FileSearchResources(vector_stores=[VectorStoreHelper(file_ids=file_ids)]) if "retrieval" in kinds else None
    resources = ToolResources(code_interpreter=code, file_search=search) if file_ids else None
    return AssistantCreate(**_fields(sent, "file_ids"), tool_resources=resources)


def assistant_modify(sent: v1.AssistantModify) -> AssistantModify:
    """A modification, without its files: what becomes of them depends on those that there are (`assistant_files`)."""
    return AssistantModify(**_fields(sent, "file_ids"))


def thread_create(sent: v1.ThreadCreate) -> ThreadCreate:
    """A new thread with its first messages."""
    return ThreadCreate(messages=[message_create(one) for one in sent.messages], metadata=sent.metadata)


def thread_modify(sent: v1.ThreadModify) -> ThreadModify:
    """A modification of a thread."""
    return ThreadModify(**_fields(sent))


def message_create(sent: v1.MessageCreate) -> MessageCreate:
    """A new message; its files are for both tools."""
    attachments = [
        Attachment(
            file_id=file_id,
            tools=[CodeInterpreterTool(type="code_interpreter"), FileSearchToolName(type="file_search")],
        )
        for file_id in unique(sent.file_ids or ())
    ]
    return MessageCreate(role=sent.role, content=sent.content, attachments=attachments or None, metadata=sent.metadata)


def run_create(sent: v1.RunCreate) -> RunCreate:
    """A new run."""
    added = None
    if sent.additional_messages is not None:
        added = [message_create(one) for one in sent.additional_messages]
    return RunCreate(**_fields(sent, "additional_messages"), additional_messages=added)


def thread_and_run_create(sent: v1.ThreadAndRunCreate) -> ThreadAndRunCreate:
    """A new thread with a run on it."""
    thread = None if sent.thread is None else thread_create(sent.thread)
    return ThreadAndRunCreate(**_fields(sent, "thread"), thread=thread)


def _fields(sent: WireRequest, *left_out: str) -> dict[str, Any]:
    """The fields that were sent, each as version 2 has it: those left out stay unset."""
    values = {name: getattr(sent, name) for name in sent.model_fields_set if name not in left_out}
    if values.get("tools") is not None:
        values["tools"] = [tool(one) for one in values["tools"]]
    if values.get("tool_choice") is not None:
        values["tool_choice"] = tool_choice(values["tool_choice"])
    if values.get("response_format") is not None:
        values["response_format"] = response_format(values["response_format"])
    return values
