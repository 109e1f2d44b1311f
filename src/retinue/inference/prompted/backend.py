"""Tool calls from any model that can write text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from ..chat import ChatBackend, ChatEvent, ChatRequest
from .prompt import has_calls, recounted
from .turn import Turn, closing, first_messages


class PromptedTools:
    """Gives a backend that only writes text the tool calls of chat completions. A `ChatBackend`.

    The functions are described in the system message, and calls are read from the answer. Text flows on at once,
    except for what may still become a call.

    With a grammar, an answer that begins a call is broken off and asked for again in a grammar that allows nothing
    but valid calls. Without one, what the model wrote is repaired and checked against the schema, and asked for
    again, at most twice, with the error told.

    The usage reported is that of the last pass at the model; passes that were broken off or rejected are not counted.
    It is an estimate if the last pass was broken off too, which happens where a model begins to repeat its calls.

    The function name `answer_in_words` is reserved.
    """

    def __init__(self, inner: ChatBackend, grammar: bool) -> None:
        """Wrap a backend.

        Args:
            inner: what writes the text.
            grammar: whether it takes an LLGuidance grammar as `grammar` in `ChatRequest.extra`, as llama.cpp does.
        """
        self._inner = inner
        self._grammar = grammar

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatBackend.stream`.

        Raises:
            InvalidRequest: `tool_choice` names a function that is not in `tools`.
            ModelError: also when `tool_choice` demands a call and three tries brought no valid one.
        """
        if _offers(request):
            answer = Turn(self._inner, request, grammar=self._grammar).events()
        else:
            answer = self._inner.stream(first_pass(request))
        async with closing(answer) as events:
            async for event in events:
                yield event


def first_pass(request: ChatRequest) -> ChatRequest:
    """What the model is asked first: `request` in words. Later passes differ in what is said last, if at all."""
    if _offers(request):
        return replace(request, messages=first_messages(request), tools=[], tool_choice="auto", response_format=None)
    if request.tools or has_calls(request.messages):
        return replace(request, messages=recounted(request.messages), tools=[], tool_choice="auto")
    return request


def _offers(request: ChatRequest) -> bool:
    """Whether the model may call a function."""
    return bool(request.tools) and request.tool_choice != "none"
