"""What is stored of a chat completion that is to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..inference.chat import Json
from ..wire.chat import ChatCompletionCreate, ChatMessage
from ..wire.stored_completions import StoredCompletion, StoredMessage


def stored_completion(request: ChatCompletionCreate, answer: Json) -> StoredCompletion:
    """The answer as it is stored: what clients were answered, with the request's metadata."""
    return StoredCompletion.model_validate({**answer, "metadata": request.metadata or {}})


def stored_messages(completion_id: str, asked: Sequence[ChatMessage]) -> list[StoredMessage]:
    """The request's messages as they are stored, in their order."""
    return [_message(f"{completion_id}-{number}", message) for number, message in enumerate(asked)]


def _message(identifier: str, message: ChatMessage) -> StoredMessage:
    said: dict[str, Any] = message.model_dump(exclude_none=True, exclude_unset=True)
    content = said.get("content")
    parts: list[Json] = content if isinstance(content, list) else []
    refusal = said.get("refusal") or "".join(part["refusal"] for part in parts if part["type"] == "refusal")
    calls = said.get("tool_calls")
    return StoredMessage(
        id=identifier,
        role=said["role"],
        name=said.get("name"),
        content=content if isinstance(content, str) else None,
        content_parts=[_named(part) for part in parts if part["type"] != "refusal"] or None,
        refusal=refusal or None,
        tool_calls=[{"id": call["id"], **_named(call)} for call in calls] if calls else None,
        function_call=said.get("function_call"),
        tool_call_id=said.get("tool_call_id"),
    )


def _named(part: Json) -> Json:
    """A part, or a call, without what clients may have added: its type, and the field of that name."""
    kind = part["type"]
    return {"type": kind, kind: part[kind]}
