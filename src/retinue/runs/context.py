"""What the model is shown: instructions, the newest messages that fit, and what this run has done so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

from pydantic_core import to_json

from ..errors import InvalidRequest
from ..inference.chat import ChatRequest, Json
from ..inference.models import ServedModel
from ..inference.tokens import MESSAGE_OVERHEAD, beginning, estimate_tokens
from ..store.store import Store
from ..tools import functions
from ..tools.tool import Offered
from ..wire.messages import FileCitation, ImageFileContent, ImageUrlContent, Message, Text, TextContent
from ..wire.runs import Run
from ..wire.steps import FunctionToolCall, MessageCreationDetails, RunStep, ToolCallsDetails
from . import images
from .guard import guarded

#: However small the window, the model sees this many tokens of the thread.
_LEAST_BUDGET = 256

#: What the model is told where it may call no more tools.
_CLOSING = "\n[No more tools can be called now. Answer the user with what there is, and say plainly what did not work.]"

_CUT = "\n[… this message is longer than the model's context; the rest is left out …]"


def message_tokens(message: Message) -> int:
    """The size that a message is stored with: at least 1."""
    images = [part.image_url if isinstance(part, ImageUrlContent) else part.image_file for part in images_of(message)]
    return MESSAGE_OVERHEAD + estimate_tokens(text_of(message)) + sum(_IMAGE_TOKENS[image.detail] for image in images)


#: What a picture counts for the window: about what OpenAI counts for one of 1,024 x 1,024 pixels, in detail or not.
_IMAGE_TOKENS = {"auto": 765, "high": 765, "low": 85}


#: What a model is told of a picture in an assistant's message.
_PICTURE = "[A picture that the user sees.]"


def images_of(message: Message) -> list[ImageUrlContent | ImageFileContent]:
    """The pictures of a message that a model is shown: those of users. Models take none from an assistant."""
    if message.role == "assistant":
        return []
    return [part for part in message.content if isinstance(part, ImageUrlContent | ImageFileContent)]


def text_of(message: Message) -> str:
    """All text of a message; an assistant's pictures are told in words."""
    told: list[str] = []
    for part in message.content:
        if isinstance(part, TextContent):
            told.append(part.text.value)
        elif message.role == "assistant" and isinstance(part, ImageUrlContent | ImageFileContent):
            told.append(_PICTURE)
    return "\n".join(told)


def check_images(messages: Sequence[Message], model: ServedModel) -> None:
    """See that the model can be shown these messages.

    Raises:
        InvalidRequest: one of them has a picture, and the model does not see.
    """
    if not model.vision and any(map(images_of, messages)):
        raise InvalidRequest(
            f"The model '{model.name}' does not see images, and there is one in the messages. Leave it out, or run a "
            "model that sees. Whether a model sees is its setting `vision`."
        )


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to the model, and what of the thread is in it."""

    request: ChatRequest
    #: Messages of the thread, oldest first.
    messages: Sequence[Message]
    #: Tokens that these could have.
    budget: int


async def build(
    store: Store,
    project: str,
    run: Run,
    steps: Sequence[RunStep],
    model: ServedModel,
    offered: Offered,
    tools: Sequence[Json],
    window: int,
    *,
    closing: bool = False,
) -> Prompt:
    """The next request to the model.

    Args:
        store: where the thread is.
        project: the run's project.
        run: the run.
        steps: its steps so far, oldest first.
        model: the model that will be asked.
        offered: the functions that Retinue runs itself.
        tools: all of its tools, as the model is told of them.
        window: tokens that the prompt may have.
        closing: whether the model is to answer now, without calling further tools.

    Returns:
        A request whose messages are, by estimate, within the window; the run's own steps are never left out.

    Raises:
        InvalidRequest: see `check_images`.
    """
    budget = max(_LEAST_BUDGET, room(run, steps, tools, window))
    last = run.truncation_strategy.last_messages if run.truncation_strategy.type == "last_messages" else None
    limit = (last + len(_said(steps))) if last else 10_000
    messages = await store.messages.window(project, run.thread_id, budget=budget, limit=limit)
    check_images(messages, model)
    called = any(isinstance(step.step_details, ToolCallsDetails) for step in steps)
    choice = "none" if closing else functions.choice(run, offered, called=called)
    return Prompt(await made(store, project, run, steps, messages, budget, tools, choice, closing), messages, budget)


async def made(
    store: Store,
    project: str,
    run: Run,
    steps: Sequence[RunStep],
    messages: Sequence[Message],
    budget: int,
    tools: Sequence[Json],
    choice: str | Json,
    closing: bool,
) -> ChatRequest:
    """The request that shows the model these messages of the thread. As `build` otherwise."""
    conversation = await _conversation(store, project, steps, messages, budget)
    if closing and conversation and conversation[-1]["role"] == "tool":
        conversation[-1]["content"] += _CLOSING
    instructions = guarded(run)
    system: list[Json] = [{"role": "system", "content": instructions}] if instructions else []
    return ChatRequest(
        messages=[*system, *conversation],
        tools=list(tools),
        tool_choice=choice,
        parallel_tool_calls=run.parallel_tool_calls,
        response_format=None if run.response_format == "auto" else run.response_format.model_dump(),
        # 1 is what the API shows where nobody chose: then the model's server uses what suits the model.
        temperature=None if run.temperature == 1 else run.temperature,
        top_p=None if run.top_p == 1 else run.top_p,
        reasoning_effort=run.reasoning_effort,
        caller=project,
    )


def room(run: Run, steps: Sequence[RunStep], tools: Sequence[Json], window: int) -> int:
    """How many tokens of a window are left beside instructions, tools and what the run's tools have said so far.

    Args:
        run: the run.
        steps: its steps so far.
        tools: all of its tools, as the model is told of them.
        window: tokens that the prompt may have.
    """
    parts = [*tools, *chain(*_calls(steps).values())]
    return window - estimate_tokens(guarded(run)) - sum(estimate_tokens(to_json(part).decode()) for part in parts)


def _said(steps: Sequence[RunStep]) -> set[str]:
    """The ids of the messages that a run has written."""
    details = [step.step_details for step in steps]
    return {one.message_creation.message_id for one in details if isinstance(one, MessageCreationDetails)}


async def _conversation(
    store: Store, project: str, steps: Sequence[RunStep], messages: Sequence[Message], budget: int
) -> list[Json]:
    """The messages of the thread, then what this run has said and called, in its order."""
    own_ids, calls = _said(steps), _calls(steps)
    files = [part.image_file for part in chain(*map(images_of, messages)) if isinstance(part, ImageFileContent)]
    urls = await images.load(store, project, files) if files else {}
    chat = [_as_chat(_unmarked(message), budget, urls) for message in messages if message.id not in own_ids]
    own = {message.id: _as_chat(message, budget, urls) for message in messages if message.id in own_ids}
    for step in steps:
        if isinstance(step.step_details, MessageCreationDetails):
            said = own.get(step.step_details.message_creation.message_id)
            chat += [said] if said else []
        else:
            chat += calls.get(step.id, [])
    return chat


def _unmarked(message: Message) -> Message:
    """A message without its citations: the marks of an earlier run would name something else in this one."""
    parts = [part.model_copy() for part in message.content]
    for part in parts:
        if isinstance(part, TextContent):
            value, marks = part.text.value, part.text.annotations
            places = {(mark.start_index, mark.end_index) for mark in marks if isinstance(mark, FileCitation)}
            for start, end in sorted(places, reverse=True):
                value = value[:start].rstrip(" ") + value[end:]
            part.text = Text(value=value)
    return message.model_copy(update={"content": parts})


def _as_chat(message: Message, budget: int, urls: dict[str, str]) -> Json:
    text = _fit(text_of(message), budget)
    pictures = [
        {"type": "image_url", "image_url": part.image_url.model_dump()}
        if isinstance(part, ImageUrlContent)
        else images.as_part(part.image_file, urls)
        for part in images_of(message)
    ]
    if not pictures:
        return {"role": message.role, "content": text}
    return {"role": message.role, "content": [*([{"type": "text", "text": text}] if text else []), *pictures]}


def _fit(text: str, budget: int) -> str:
    """The text, or as much of its beginning as fits, and a word to the model that there was more."""
    if estimate_tokens(text) <= budget:
        return text
    return beginning(text, budget - estimate_tokens(_CUT)) + _CUT


def _calls(steps: Sequence[RunStep]) -> dict[str, list[Json]]:
    """The calls of tools among the steps, with what came of them, by the step's id."""
    return {
        step.id: _calls_as_chat(step, step.step_details)
        for step in steps
        if isinstance(step.step_details, ToolCallsDetails)
    }


def _calls_as_chat(step: RunStep, details: ToolCallsDetails) -> list[Json]:
    calls: list[Json] = []
    results: list[Json] = []
    for call in details.tool_calls:
        known = step.served.get(call.id) or (call.function if isinstance(call, FunctionToolCall) else None)
        if known:
            function = {"name": known.name, "arguments": known.arguments}
            calls.append({"id": call.id, "type": "function", "function": function})
            results.append({"role": "tool", "tool_call_id": call.id, "content": known.output or ""})
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *results]
