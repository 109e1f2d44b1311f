"""What the model is shown: instructions, the newest messages that fit, and what this run has done so far."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_core import to_json

from ..inference.chat import ChatRequest, Json
from ..inference.tokens import MESSAGE_OVERHEAD, estimate_tokens
from ..store.store import Store
from ..tools import functions
from ..wire.messages import ImageFileContent, ImageUrlContent, Message, TextContent
from ..wire.runs import Run
from ..wire.steps import MessageCreationDetails, RunStep

#: However small the window, the model sees this many tokens of the thread.
_LEAST_BUDGET = 256

_CUT = "\n[… this message is longer than the model's context; the rest is left out …]"


def message_tokens(contents: str) -> int:
    """The size that a message with this text is stored with: at least 1."""
    return MESSAGE_OVERHEAD + estimate_tokens(contents)


def text_of(message: Message) -> str:
    """All text of a message."""
    return "\n".join(part.text.value for part in message.content if isinstance(part, TextContent))


async def build(store: Store, project: str, run: Run, steps: Sequence[RunStep], window: int) -> ChatRequest:
    """The next request to the model.

    Args:
        store: where the thread is.
        project: the run's project.
        run: the run.
        steps: its steps so far, oldest first.
        window: tokens that the prompt may have.

    Returns:
        A request whose messages are, by estimate, within the window; the run's own steps are never left out.
    """
    tools = functions.definitions(run.tools)
    own_ids = {
        step.step_details.message_creation.message_id
        for step in steps
        if isinstance(step.step_details, MessageCreationDetails)
    }
    fixed = estimate_tokens(run.instructions) + sum(estimate_tokens(to_json(tool).decode()) for tool in tools)
    fixed += sum(estimate_tokens(step.model_dump_json()) for step in steps if step.type == "tool_calls")
    budget = max(_LEAST_BUDGET, window - fixed)
    last = run.truncation_strategy.last_messages if run.truncation_strategy.type == "last_messages" else None
    messages = await store.messages.window(
        project, run.thread_id, budget=budget, limit=(last + len(own_ids)) if last else 10_000
    )
    chat: list[Json] = [{"role": "system", "content": run.instructions}] if run.instructions else []
    chat += [_as_chat(message, budget) for message in messages if message.id not in own_ids]
    own = {message.id: message for message in messages if message.id in own_ids}
    for step in steps:
        chat += _step_as_chat(step, own, budget)
    response_format = None if run.response_format == "auto" else run.response_format.model_dump()
    return ChatRequest(
        messages=chat,
        tools=tools,
        tool_choice=functions.choice(run.tool_choice),
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=response_format,
        # 1 is what the API shows where nobody chose: then the model's server uses what suits the model.
        temperature=None if run.temperature == 1 else run.temperature,
        top_p=None if run.top_p == 1 else run.top_p,
        reasoning_effort=run.reasoning_effort,
    )


def _as_chat(message: Message, budget: int) -> Json:
    images: list[Json] = []
    for part in message.content:
        if isinstance(part, ImageUrlContent):
            images.append({"type": "image_url", "image_url": part.image_url.model_dump()})
        elif isinstance(part, ImageFileContent):
            images.append({"type": "text", "text": f"[image file {part.image_file.file_id}]"})
    text = _fit(text_of(message), budget)
    if not images:
        return {"role": message.role, "content": text}
    return {"role": message.role, "content": [*([{"type": "text", "text": text}] if text else []), *images]}


def _fit(text: str, budget: int) -> str:
    """The text, or as much of its beginning as fits, and a word to the model that there was more."""
    if estimate_tokens(text) <= budget:
        return text
    room = budget - estimate_tokens(_CUT)
    # More than once, for the beginning may hold more tokens a character than the whole.
    while (tokens := estimate_tokens(text)) > room:
        text = text[: len(text) * room // tokens]
    return text + _CUT


def _step_as_chat(step: RunStep, own: dict[str, Message], budget: int) -> list[Json]:
    details = step.step_details
    if isinstance(details, MessageCreationDetails):
        message = own.get(details.message_creation.message_id)
        return [_as_chat(message, budget)] if message else []
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in details.tool_calls
    ]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": call.function.output or ""} for call in details.tool_calls
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]
