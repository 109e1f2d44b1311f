"""Tool calls from any model that can write text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from ..chat import ChatBackend, ChatEvent, ChatRequest
from .prompt import has_calls, render
from .turn import Turn, closing


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
        offers = request.tools and request.tool_choice != "none"
        if offers:
            answer = Turn(self._inner, request, grammar=self._grammar).events()
        elif request.tools or has_calls(request.messages):
            words = replace(request, messages=render(request.messages), tools=[], tool_choice="auto")
            answer = self._inner.stream(words)
        else:
            answer = self._inner.stream(request)
        async with closing(answer) as events:
            async for event in events:
                yield event
