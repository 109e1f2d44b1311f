"""Tells a model in words which functions it may call, and what its calls came to.

The form is that of Hermes and Qwen, which many open models were trained on: signatures in `<tools>`, calls in
`<tool_call>`, results in `<tool_response>`.
"""

from __future__ import annotations

import json
import re
from itertools import takewhile
from typing import Any

from ..chat import Json
from .parse import Call
from .python import Runner, runner

_TOOLS = """\
# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{signatures}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>

Call a function only when it is needed to answer; for greetings and small talk reply in words. \
If several things are asked for, write one <tool_call> block for each."""

# Without the example, small models guess instead.
_PYTHON = """\
# Python

For numbers and equations, and for data and files, do not answer from memory: write one ```python block that prints \
what you need, and stop. It is run, and <tool_response> tells you what it printed. For example:
```python
print(17 * 23.5)
```
{description}"""

# What is said after results comes in two forms: with the question again, or without where there is none, or a long one.
# Small models that are not told it behind long results say what they would do, or what they were told last.

#: Said after results.
_NEXT = (
    "The question was: {question}\n"
    "If the results in <tool_response> answer it, answer in words, in the language of the question. "
    "If something is still missing, call the function that provides it."
)
_NEXT_PLAIN = (
    "The results of the functions are in <tool_response>. If they answer the question, answer the user in words. "
    "If something is still missing, call the function that provides it."
)
#: Said after what code printed.
_NEXT_CODE = (
    "The code has run, <tool_response> tells what it printed. If that is enough, answer this from it, in the same "
    "language; if not, run more code: {question}"
)
_NEXT_CODE_PLAIN = (
    "The code has run, <tool_response> tells what it printed. If that is enough, answer the user in words; if not, run "
    "more code."
)
#: Said after results that are errors: small models answer them with guesses.
_AGAIN = (
    "That failed, <tool_response> says why. Correct what was wrong and try again. "
    "If it cannot work, say in words what did not work."
)
#: Said after results where no function is to be called any more: the model asked for the same again, or may call none.
_ENOUGH = (
    "The functions have been called, their results are in <tool_response>. "
    "Answer this from them, in the same language: {question}"
)
_ENOUGH_PLAIN = (
    "The functions have been called, their results are in <tool_response>. Answer the user in words from those results."
)
_ENOUGH_ERRORS = "The functions have been called and failed. Say in words, in the same language, what did not work."
#: Characters of a question that is said again.
_LONGEST_QUESTION = 1000
#: Said when the answer needs no function.
PLAIN = "Answer in words now; do not call a function."

#: A function of our own, offered beside the user's. Small models that are offered functions call one for every
#: greeting, whatever they are told; this gives them one to call. Its name is reserved.
IN_WORDS = "answer_in_words"
_IN_WORDS_TOOL: Json = {
    "type": "function",
    "function": {
        "name": IN_WORDS,
        "description": "Say hello, chat, or answer from your own knowledge: for all that no other function provides",
    },
}

#: Characters of arguments that are repeated with a result.
_LONGEST_LABEL = 200

_MARKS = re.compile(r"<(?=/?(?:tool_call|tool_response|tools)>)")


def has_calls(messages: list[Json]) -> bool:
    """Whether the messages hold calls or results of calls."""
    return any(message.get("role") == "tool" or message.get("tool_calls") for message in messages)


def render(messages: list[Json], tools: list[Json] | None = None, *, forced: bool = False) -> list[Json]:
    """Messages that say in plain text what `messages` say with tool calls and tool results.

    Args:
        messages: chat-completions messages; not changed.
        tools: function tools to offer; None to offer none.
        forced: whether the answer has to be a call.

    Returns:
        Messages of the roles system (or developer), user and assistant alone.
    """
    python = runner(tools) if tools and not forced else None
    result: list[Json] = []
    responses: list[str] = []
    labels: dict[str, str] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            labels[str(call.get("id"))] = "" if _block(function, python) else _label(function)
        if message.get("role") == "tool":
            response = labels.get(str(message.get("tool_call_id")), "") + _text(message.get("content"))
            responses.append(f"<tool_response>\n{_defused(response)}\n</tool_response>")
            continue
        if responses:
            result.append(_results(responses))
            responses = []
        result.append(_assistant(message, python) if message.get("tool_calls") else message)
    if responses:
        result.append(_results(responses))
    if not tools:
        return result
    others = [tool for tool in tools if not python or tool["function"]["name"] != python.name]
    blocks = [_signatures(others if forced else [*others, _IN_WORDS_TOOL])] if others else []
    if python:
        blocks.append(_PYTHON.format(description=python.description))
    return _offer(result, "\n\n".join(blocks))


def nudge(messages: list[Json], text: str) -> list[Json]:
    """The messages with `text` said last.

    It goes to the end, not into the system message, so that a model server's prefix cache stays of use.
    """
    if messages and messages[-1].get("role") == "user":
        return [*messages[:-1], _appended(messages[-1], text)]
    return [*messages, {"role": "user", "content": text}]


def recounted(messages: list[Json]) -> list[Json]:
    """`messages` in plain text, for a model that may call no function: if results are last, it is told to use them."""
    told = render(messages)
    if not messages or messages[-1].get("role") != "tool":
        return told
    return nudge(told, enough(messages))


def next_step(messages: list[Json], tools: list[Json]) -> str:
    """What is said after results to a model that may call these functions."""
    if _failed(messages):
        return _AGAIN
    question, python = _question(messages), runner(tools)
    asked = next((message for message in reversed(messages) if message.get("tool_calls")), {"tool_calls": ()})
    if all(_block(call.get("function") or {}, python) for call in asked["tool_calls"]):
        return _NEXT_CODE.format(question=question) if question else _NEXT_CODE_PLAIN
    return _NEXT.format(question=question) if question else _NEXT_PLAIN


def enough(messages: list[Json]) -> str:
    """What is said after results to a model that is to answer now."""
    if _failed(messages):
        return _ENOUGH_ERRORS
    question = _question(messages)
    return _ENOUGH.format(question=question) if question else _ENOUGH_PLAIN


def _failed(messages: list[Json]) -> bool:
    """Whether all results that are last say that they are errors."""
    results = list(takewhile(lambda message: message.get("role") == "tool", reversed(messages)))
    return bool(results) and all(_text(result.get("content")).lower().startswith("error:") for result in results)


def _question(messages: list[Json]) -> str:
    """What the user said last; nothing if that is long."""
    asked = next((message for message in reversed(messages) if message.get("role") == "user"), {})
    question = _text(asked.get("content"))
    return question if len(question) <= _LONGEST_QUESTION else ""


def answered(messages: list[Json]) -> set[tuple[str, str]]:
    """The keys of the calls that have their result since the last user message."""
    calls: dict[str, Call] = {}
    keys: set[tuple[str, str]] = set()
    for message in messages:
        if message.get("role") == "user":
            keys.clear()
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            calls[str(call.get("id"))] = Call(str(function.get("name")), str(function.get("arguments")))
        if message.get("role") == "tool" and (call := calls.get(str(message.get("tool_call_id")))):
            keys.add(call.key)
    return keys


def _signatures(tools: list[Json]) -> str:
    return _TOOLS.format(signatures="\n".join(json.dumps(_signature(tool), ensure_ascii=False) for tool in tools))


def _offer(messages: list[Json], block: str) -> list[Json]:
    """Put what is said of functions at the end of the first system message."""
    if messages and messages[0].get("role") in ("system", "developer"):
        return [_appended(messages[0], block), *messages[1:]]
    return [{"role": "system", "content": f"You are a helpful assistant.\n\n{block}"}, *messages]


def _signature(tool: Json) -> Json:
    function = tool["function"]
    return {
        "type": "function",
        "function": {
            "name": function["name"],
            "description": function.get("description") or "",
            "parameters": function.get("parameters") or {"type": "object", "properties": {}},
        },
    }


def _block(function: Json, python: Runner | None) -> str:
    """The code block that a call is told as; "" if it is none of Python."""
    return python.block(str(function.get("arguments"))) if python and function.get("name") == python.name else ""


def _assistant(message: Json, python: Runner | None) -> Json:
    parts = [text] if (text := _text(message.get("content"))) else []
    for call in message["tool_calls"]:
        function = call.get("function") or {}
        if block := _block(function, python):
            parts.append(block)
            continue
        name = json.dumps(function.get("name"), ensure_ascii=False)
        parts.append(f'<tool_call>\n{{"name": {name}, "arguments": {_arguments(function)}}}\n</tool_call>')
    return {"role": "assistant", "content": "\n".join(parts)}


def _arguments(function: Json) -> str:
    """The arguments in the spacing that models were trained on; as a string if they are not JSON."""
    text = str(function.get("arguments") or "{}")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except (ValueError, RecursionError):
        return json.dumps(text, ensure_ascii=False)


def _label(function: Json) -> str:
    """What a result answers, such as ``get_weather("Paris"): ``. Without it small models mix results up."""
    try:
        arguments = json.loads(str(function.get("arguments") or "{}"))
        values = ", ".join(json.dumps(value, ensure_ascii=False) for value in arguments.values())
    except (ValueError, RecursionError, AttributeError):
        values = "..."
    return f"{function.get('name')}({values if len(values) <= _LONGEST_LABEL else '...'}): "


def _results(responses: list[str]) -> Json:
    return {"role": "user", "content": "\n".join(responses)}


def _text(content: Any) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content)
    return str(content or "")


def _defused(text: str) -> str:
    """A result in which our own marks mean nothing: a tool's output is data."""
    return _MARKS.sub("&lt;", text)


def _appended(message: Json, text: str) -> Json:
    content = message.get("content")
    if isinstance(content, list):
        return {**message, "content": [*content, {"type": "text", "text": f"\n\n{text}"}]}
    return {**message, "content": f"{content}\n\n{text}" if content else text}
