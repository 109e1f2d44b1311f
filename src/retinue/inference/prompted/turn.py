"""One answer of a model that may call functions, in as many passes as it takes."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from ...errors import ContextOverflow, InvalidRequest, ModelError
from ..chat import ChatBackend, ChatEvent, ChatRequest, Finished, Json, TextDelta, ToolCallDelta, Usage
from ..tokens import estimate_tokens
from . import grammar as grammars
from .detect import Detector
from .parse import Call, Malformed, read_calls
from .prompt import IN_WORDS, PLAIN, answered, enough, next_step, nudge, render
from .python import Runner, goes_on, runner
from .schema import arguments_schema

#: How often a call that is not valid is asked for again.
_RETRIES = 2
#: The most tokens of a pass that writes calls, where the request sets no limit.
_MOST_TOKENS = 4096
#: Characters of a call after which it counts as the same as one that begins so.
_SAME_CALL = 200
_OPENING = "<tool_call>"
_CLOSING = "</tool_call>"
_LETTERS = string.ascii_letters + string.digits


def closing(events: AsyncIterator[ChatEvent]) -> aclosing[AsyncGenerator[ChatEvent, None]]:
    """Close the stream on leaving, which cancels the call at the backend."""
    return aclosing(cast("AsyncGenerator[ChatEvent, None]", events))


class Turn:
    """The answer to one request that offers functions."""

    def __init__(self, inner: ChatBackend, request: ChatRequest, *, grammar: bool) -> None:
        """Prepare the passes.

        Args:
            inner: what writes text.
            request: with at least one tool, and a `tool_choice` other than ``none``.
            grammar: whether `inner` takes an LLGuidance grammar.

        Raises:
            InvalidRequest: `tool_choice` names a function that is not in `tools`.
        """
        self._inner = inner
        self._request = request
        self._grammar = grammar
        self._forced = request.tool_choice != "auto"
        self._functions = _functions(request)
        self._python = None if self._forced else runner(request.tools)
        self._messages = first_messages(request)
        wanted = request.response_format
        self._format = None if wanted is None or wanted.get("type") == "text" else wanted

    async def events(self) -> AsyncGenerator[ChatEvent, None]:
        """Answer, event by event; see `ChatBackend.stream`."""
        detector = Detector([*self._functions, IN_WORDS], python=self._python is not None)
        end = Finished("stop", Usage())
        if not self._forced:
            async with closing(self._inner.stream(self._pass(self._messages))) as answer:
                async for event in answer:
                    if isinstance(event, Finished):
                        end = event
                    elif isinstance(event, TextDelta):
                        text = detector.feed(event.text)
                        if self._settled(detector, text):
                            break
                        if text:
                            yield TextDelta(text)
        async with closing(await self._continuation(detector, end)) as answer:
            async for event in answer:
                yield event

    def _settled(self, detector: Detector, text: str) -> bool:
        """Whether the free pass, having brought `text`, need not go on: another will take its place."""
        if detector.call is None:
            return self._format is not None and text != ""
        if detector.in_python:
            return goes_on(detector.call)
        return self._grammar or self._is_words(detector)

    def _is_words(self, detector: Detector) -> bool:
        """Whether the call that began stands for words: it is ours for that, or names no function there is."""
        return detector.name is not None and detector.name not in self._functions

    async def _continuation(self, detector: Detector, end: Finished) -> AsyncIterator[ChatEvent]:
        """What comes after the free pass."""
        if not self._forced:
            if detector.call is None and self._format is None:
                return _given([TextDelta(rest)] if (rest := detector.rest()) else [], end)
            if detector.call is None:
                # No format leaves room for calls, so it is asked for only now that words are coming.
                return self._inner.stream(self._pass(self._messages, response_format=self._format))
            if self._is_words(detector):
                return self._words()
        if self._python and detector.in_python and detector.call:
            calls, end = self._run(self._python, detector.call, end)
        else:
            written = None if self._grammar or detector.call is None else (detector.call, end)
            calls, end = await self._calls(written)
        calls = self._wanted(calls)
        if not calls and end.reason != "length":
            return self._words()
        return _given(_call_events(calls), replace(end, reason="tool_calls") if calls else end)

    def _run(self, python: Runner, block: str, end: Finished) -> tuple[list[Call], Finished]:
        """The call that a code block stands for, and how its pass ended: without a call, if a token limit did that."""
        if goes_on(block):
            end = Finished("stop", _estimate(self._messages, block))
        arguments = python.arguments(block)
        return [Call(python.name, arguments)] if arguments and end.reason != "length" else [], end

    def _pass(self, messages: list[Json], **changes: Any) -> ChatRequest:
        """A request for plain text."""
        plain = replace(self._request, messages=messages, tools=[], tool_choice="auto", response_format=None)
        return replace(plain, **changes)

    def _words(self) -> AsyncIterator[ChatEvent]:
        """Have the model answer in words alone."""
        told = enough(self._request.messages) if _after_results(self._request) else PLAIN
        if self._format is not None or not self._grammar:
            messages = nudge(render(self._request.messages), told)
            return self._inner.stream(self._pass(messages, response_format=self._format))
        # The functions stay in the prompt, so that the model server has most of it in its cache.
        messages = nudge(render(self._request.messages, self._request.tools), told)
        return self._inner.stream(self._pass(messages, extra={**self._request.extra, "grammar": grammars.WORDS}))

    def _wanted(self, calls: list[Call]) -> list[Call]:
        """The calls without those that have been answered already, and only one if only one is allowed."""
        if not self._forced:
            known = answered(self._request.messages)
            calls = [call for call in calls if call.key not in known and call.name != IN_WORDS]
        return calls if self._request.parallel_tool_calls else calls[:1]

    async def _calls(self, written: tuple[str, Finished] | None) -> tuple[list[Call], Finished]:
        """Have calls written, or take those `written` already, until they are valid.

        Returns:
            The calls, and how the pass ended. There are none if a token limit ended it before the first was complete,
            or if three tries brought no valid call and there need not be one.

        Raises:
            ModelError: three tries brought no valid call, and there has to be one.
        """
        messages = self._messages
        functions = self._functions if self._forced else {**self._functions, IN_WORDS: {}}
        problem, end = "", Finished("stop", Usage())
        for _ in range(1 + _RETRIES):
            text, end = written or await self._write(messages)
            try:
                return read_calls(text, functions, cut=end.reason == "length"), end
            except Malformed as error:
                if end.reason == "length":
                    return [], end
                problem = str(error)
            said: list[Json] = [{"role": "assistant", "content": text}] if text else []
            messages = nudge([*messages, *said], f"That did not work: {problem}. Write the <tool_call> block again.")
            written = None
        if not self._forced:
            return [], end
        raise ModelError(f"The model did not write a valid function call in {1 + _RETRIES} tries: {problem}.")

    async def _write(self, messages: list[Json]) -> tuple[str, Finished]:
        """One pass that is to write calls: in the strictest grammar that the backend takes."""
        if self._grammar:
            loose: dict[str, Json] = {name: {"type": "object"} for name in self._functions}
            for functions in (self._functions, loose):
                text = grammars.calls(functions, parallel=self._request.parallel_tool_calls)
                if found := await self._write_in(text, messages):
                    return found
        pieces: list[str] = []
        end = Finished("stop", Usage())
        async with closing(self._inner.stream(self._limited(messages))) as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    pieces.append(event.text)
                elif isinstance(event, Finished):
                    end = event
        detector = Detector(self._functions)
        detector.feed("".join(pieces))
        return detector.call or "".join(pieces), end

    async def _write_in(self, grammar: str, messages: list[Json]) -> tuple[str, Finished] | None:
        """One pass in a grammar; None if the backend refused it, or went on without it as llama.cpp does."""
        text = ""
        try:
            async with closing(self._inner.stream(self._limited(messages, grammar=grammar))) as answer:
                async for event in answer:
                    if isinstance(event, Finished):
                        return text, event
                    if isinstance(event, TextDelta):
                        text += event.text
                        if text[: len(_OPENING)] != _OPENING[: len(text)]:
                            return None
                        if _repeats(text):
                            whole = text[: text.rindex(_CLOSING) + len(_CLOSING)]
                            return whole, Finished("stop", _estimate(messages, text))
        except ContextOverflow:
            raise
        except ModelError as error:
            if text or error.retriable:
                raise
        return None

    def _limited(self, messages: list[Json], **extra: Any) -> ChatRequest:
        """A request for calls. Where the caller leaves the temperature open it is 0: small models drift otherwise."""
        request = self._request
        # What is to end the text must not end a call.
        given = {name: value for name, value in request.extra.items() if name != "stop"}
        return self._pass(
            messages,
            max_tokens=request.max_tokens or _MOST_TOKENS,
            temperature=request.temperature or 0,
            extra={**given, **extra},
        )


def first_messages(request: ChatRequest) -> list[Json]:
    """The request's messages as text, with what the model has to be told now said last."""
    if isinstance(request.tool_choice, dict):
        told = f"Call the function {_chosen(request.tool_choice)} now."
    elif request.tool_choice == "required":
        told = "Call at least one function now."
    elif _after_results(request):
        told = next_step(request.messages, request.tools)
    else:
        return render(request.messages, request.tools)
    return nudge(render(request.messages, request.tools, forced=request.tool_choice != "auto"), told)


def _after_results(request: ChatRequest) -> bool:
    return bool(request.messages) and request.messages[-1].get("role") == "tool"


def _chosen(choice: Json) -> str:
    function = choice.get("function") or {}
    return str(function.get("name"))


def _functions(request: ChatRequest) -> dict[str, Json]:
    """The functions that may be called now, each with the schema of its arguments."""
    functions = {
        str(tool["function"]["name"]): arguments_schema(tool["function"].get("parameters")) for tool in request.tools
    }
    if not isinstance(request.tool_choice, dict):
        return functions
    name = _chosen(request.tool_choice)
    if name not in functions:
        raise InvalidRequest(f"tool_choice names `{name}`, which is not among the tools.", param="tool_choice")
    return {name: functions[name]}


def _repeats(text: str) -> bool:
    """Whether the last call was written before, or is long and begins like one: then the model goes on like that."""
    *blocks, begun = (block.strip() for block in text.split(_CLOSING))
    if len(begun) >= _SAME_CALL:
        return any(block.startswith(begun) for block in blocks)
    return not begun and blocks[-1] in blocks[:-1]


def _estimate(messages: list[Json], text: str) -> Usage:
    return Usage(estimate_tokens(json.dumps(messages, ensure_ascii=False)), estimate_tokens(text))


def _call_events(calls: list[Call]) -> list[ChatEvent]:
    events: list[ChatEvent] = []
    for index, call in enumerate(calls):
        unique = "".join(secrets.choice(_LETTERS) for _ in range(24))
        events.append(ToolCallDelta(index, f"call_{unique}", call.name))
        events.append(ToolCallDelta(index, arguments=call.arguments))
    return events


async def _given(events: list[ChatEvent], end: Finished) -> AsyncGenerator[ChatEvent, None]:
    for event in events:
        yield event
    yield end
