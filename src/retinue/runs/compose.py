"""New objects from what clients ask for: assistants, threads, messages, runs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..errors import InvalidRequest
from ..store.conversations import NewMessage
from ..store.ids import new_id
from ..wire.assistants import Assistant, AssistantCreate, AssistantModify
from ..wire.messages import Message, MessageCreate, MessagePart, Text, TextContent, TextPart
from ..wire.runs import Run, RunCreate, ThreadAndRunCreate, TruncationStrategy
from ..wire.threads import Thread, ThreadCreate
from ..wire.tools import FunctionTool, NamedToolChoice, Tool
from .context import message_tokens


def assistant(body: AssistantCreate) -> Assistant:
    """A new assistant."""
    _check_tools(body.tools or [])
    return Assistant(
        id=new_id("asst_"),
        created_at=int(time.time()),
        model=body.model,
        name=body.name,
        description=body.description,
        instructions=body.instructions,
        tools=body.tools or [],
        tool_resources=body.tool_resources,
        metadata=body.metadata or {},
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        response_format=body.response_format or "auto",
        reasoning_effort=body.reasoning_effort,
        protected=body.protected is True,
    )


#: What a null in a modification stands for, where the object cannot hold null.
_EMPTY: dict[str, Any] = {
    "metadata": {},
    "tools": [],
    "temperature": 1.0,
    "top_p": 1.0,
    "response_format": "auto",
    "protected": False,
}


def assistant_patch(body: AssistantModify) -> dict[str, Any]:
    """The fields of an assistant that a modification replaces: those that were sent."""
    _check_tools(body.tools or [])
    patch = body.model_dump(exclude_unset=True)
    if "model" in patch and patch["model"] is None:
        message = "Invalid type for 'model': expected a string, but got null instead."
        raise InvalidRequest(message, param="model", code="invalid_type")
    return {name: _EMPTY.get(name) if value is None else value for name, value in patch.items()}


def thread(body: ThreadCreate) -> tuple[Thread, list[NewMessage]]:
    """A new thread, and its first messages."""
    made = Thread(
        id=new_id("thread_"),
        created_at=int(time.time()),
        tool_resources=body.tool_resources,
        metadata=body.metadata or {},
    )
    return made, [message(made.id, one) for one in body.messages]


def message(thread_id: str, body: MessageCreate) -> NewMessage:
    """A new message, with its size."""
    parts: Sequence[MessagePart] = (
        [TextPart(type="text", text=body.content)] if isinstance(body.content, str) else body.content
    )
    made = Message(
        id=new_id("msg_"),
        created_at=int(time.time()),
        thread_id=thread_id,
        role=body.role,
        content=[TextContent(text=Text(value=part.text)) if isinstance(part, TextPart) else part for part in parts],
        attachments=body.attachments or [],
        metadata=body.metadata or {},
    )
    return NewMessage(made, message_tokens(made))


def run(body: RunCreate | ThreadAndRunCreate, thread_id: str, of: Assistant, served_model: str, expiry: float) -> Run:
    """A new run, `queued`.

    Args:
        body: what the client asks for; what it leaves out comes from the assistant.
        thread_id: the thread to run on.
        of: the assistant.
        served_model: the name of the model that will answer, where the asked-for name is an alias.
        expiry: seconds until the run expires.

    Raises:
        InvalidRequest: `tool_choice` names a function that is not among the tools, or two functions share a name.
    """
    instructions = (of.instructions if body.instructions is None else body.instructions) or ""
    if isinstance(body, RunCreate) and body.additional_instructions:
        instructions = (
            f"{instructions}\n\n{body.additional_instructions}" if instructions else (body.additional_instructions)
        )
    tools = of.tools if body.tools is None else body.tools
    _check_tools(tools)
    _check_choice(body.tool_choice, tools)
    now = int(time.time())
    return Run(
        id=new_id("run_"),
        created_at=now,
        thread_id=thread_id,
        assistant_id=of.id,
        status="queued",
        expires_at=now + int(expiry),
        model=served_model,
        instructions=instructions,
        tools=tools,
        metadata=body.metadata or {},
        temperature=of.temperature if body.temperature is None else body.temperature,
        top_p=of.top_p if body.top_p is None else body.top_p,
        max_prompt_tokens=body.max_prompt_tokens,
        max_completion_tokens=body.max_completion_tokens,
        truncation_strategy=body.truncation_strategy or TruncationStrategy(type="auto"),
        tool_choice=body.tool_choice or "auto",
        parallel_tool_calls=body.parallel_tool_calls is not False,
        response_format=body.response_format or of.response_format or "auto",
        reasoning_effort=body.reasoning_effort or of.reasoning_effort,
        protected=of.protected,
        confidential=len(of.instructions or "") if of.protected and body.instructions is None else 0,
    )


def _check_tools(tools: Sequence[Tool]) -> None:
    names = [tool.function.name for tool in tools if isinstance(tool, FunctionTool)]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(f"Invalid 'tools': the function name '{name}' is there twice.", param="tools")


def _check_choice(choice: object, tools: Sequence[Tool]) -> None:
    if not isinstance(choice, NamedToolChoice):
        if choice == "required" and not tools:
            raise InvalidRequest(
                "Invalid value for 'tool_choice': 'required' needs at least one tool.", param="tool_choice"
            )
        return
    if choice.type == "function":
        wanted = choice.function.name if choice.function else None
        if not any(isinstance(tool, FunctionTool) and tool.function.name == wanted for tool in tools):
            raise InvalidRequest(
                f"Invalid value for 'tool_choice': there is no function '{wanted}' among the tools.",
                param="tool_choice",
            )
    elif not any(tool.type == choice.type for tool in tools):
        raise InvalidRequest(
            f"Invalid value for 'tool_choice': there is no {choice.type} among the tools.", param="tool_choice"
        )
