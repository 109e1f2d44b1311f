"""Where the chunks of an answer come from: servers that speak chat completions, or models led by prompts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any

from ..inference.chat import ChatRequest, Chunks, Finished, Json, TextDelta, Usage
from ..inference.models import ServedModel
from ..inference.native import CHAT
from .request import Asked

#: The body of a chat request that `ChatRequest` names; the rest goes along in its `extra`.
_NAMED = ("messages", "tools", "parallel_tool_calls", "response_format", "temperature", "top_p", "max_tokens")
#: Batches of chunks of several answers that wait to be sent.
_WAITING = 16
#: Answers of one request that are asked for at once.
_AT_ONCE = 32

#: What asks a server for a stream that tells its usage.
STREAMED: Json = {"stream": True, "stream_options": {"include_usage": True}}


def chunks(asked: Asked, model: ServedModel, caller: str) -> Chunks:
    """The answer in chunks, those that came together in one list.

    Their choices, deltas and usage are as the backend made them; what else belongs to a chunk is not there, or is the
    backend's own. `usage` comes once, at the end, summed over all choices, where the backend tells it.

    Args:
        asked: the request.
        model: what answers it.
        caller: whose call this is.
    """
    at_once = asked.choices if asked.choices_at_once else 1
    body = asked.body if at_once == 1 else {**asked.body, "n": at_once}
    if asked.choices == at_once:
        return _one(asked, body, model, caller)
    return _several([lambda i=i: _one(asked, varied(body, i), model, caller) for i in range(asked.choices)])


def _one(asked: Asked, body: Json, model: ServedModel, caller: str) -> Chunks:
    if asked.prompted:
        return _prompted(body, model, caller)
    return model.route.chunks(CHAT, {**body, **STREAMED}, caller)


def varied(body: Json, number: int) -> Json:
    """The request for one of several answers: with a seed it would be the same each time."""
    return {**body, "seed": body["seed"] + number} if "seed" in body else body


def chat_request(body: Json, caller: str) -> ChatRequest:
    """The body of a chat completion, without `model` and null values, as a request to a backend."""
    named: dict[str, Any] = {name: body[name] for name in _NAMED if name in body}
    # Naming functions offers them, unless the request says otherwise.
    if body.get("tools") and "tool_choice" in body:
        named["tool_choice"] = body["tool_choice"]
    extra = {name: value for name, value in body.items() if name not in _NAMED and name != "tool_choice"}
    return ChatRequest(**named, extra=extra, caller=caller)


async def _prompted(body: Json, model: ServedModel, caller: str) -> AsyncGenerator[list[Json], None]:
    async with aclosing(model.backend.stream(chat_request(body, caller))) as answer:
        async for event in answer:
            if isinstance(event, Finished):
                yield [_chunk({}, event.reason), {"choices": [], "usage": event.usage.official()}]
            elif isinstance(event, TextDelta):
                yield [_chunk({"content": event.text})]
            else:
                call: Json = {"index": event.index, "function": {"arguments": event.arguments}}
                if event.id is not None:
                    call |= {"id": event.id, "type": "function"}
                    call["function"]["name"] = event.name
                yield [_chunk({"tool_calls": [call]})]


def _chunk(delta: Json, reason: str | None = None) -> Json:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


async def _several(sources: list[Callable[[], Chunks]]) -> AsyncGenerator[list[Json], None]:
    """Several answers as the choices of one."""
    usages: list[Json] = []
    async with aclosing(side_by_side(sources)) as answers:
        async for index, batch in answers:
            for chunk in batch:
                if usage := chunk.pop("usage", None):
                    usages.append(usage)
                for choice in chunk.get("choices") or ():
                    choice["index"] = index
            yield batch
    if len(usages) == len(sources):
        yield [{"choices": [], "usage": _summed(usages)}]


async def side_by_side(sources: Sequence[Callable[[], Chunks]]) -> AsyncGenerator[tuple[int, list[Json]], None]:
    """The batches of several answers as they come, each with the position of its source.

    At most 32 answers are under way at a time. The first that fails ends all.
    """
    # None for an answer that has ended. A reader that is cancelled puts nothing, so that it never waits for room.
    queue: asyncio.Queue[tuple[int, list[Json]] | Exception | None] = asyncio.Queue(_WAITING)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def read(index: int) -> None:
        try:
            async with turns, aclosing(sources[index]()) as answer:
                async for batch in answer:
                    await queue.put((index, batch))
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(None)

    readers = [asyncio.create_task(read(index)) for index in range(len(sources))]
    under_way = len(readers)
    try:
        while under_way:
            item = await queue.get()
            if item is None:
                under_way -= 1
            elif isinstance(item, Exception):
                raise item
            else:
                yield item
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


def _summed(usages: list[Json]) -> Json:
    # The prompt counts once, as at OpenAI, however often it was read.
    first = usages[0]
    completion = sum(int(usage.get("completion_tokens") or 0) for usage in usages)
    cached = int((first.get("prompt_tokens_details") or {}).get("cached_tokens") or 0)
    return Usage(int(first.get("prompt_tokens") or 0), completion, cached).official()
