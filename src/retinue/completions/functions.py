"""The older `functions`, seen as tools: models and their servers only know tools by now."""

from __future__ import annotations

from typing import Any

from ..inference.chat import Json


def as_tools(body: Json) -> None:
    """Turn the functions of a request, and the calls in its messages, into tools in place."""
    if (functions := body.pop("functions", None)) is not None:
        body["tools"] = [{"type": "function", "function": function} for function in functions]
        body["parallel_tool_calls"] = False
    choice = body.pop("function_call", None)
    if choice is not None:
        body["tool_choice"] = choice if isinstance(choice, str) else {"type": "function", "function": choice}
    messages: list[Json] = body["messages"]
    if any("function_call" in message or message["role"] == "function" for message in messages):
        body["messages"] = _with_calls(messages)


def _with_calls(messages: list[Json]) -> list[Json]:
    called: list[tuple[str, str]] = []
    told: list[Json] = []
    for number, message in enumerate(messages):
        call = message.get("function_call")
        if message["role"] == "assistant" and call:
            called.append((call["name"], f"call_{number}"))
            tool_call = {"id": f"call_{number}", "type": "function", "function": call}
            rest = {name: value for name, value in message.items() if name != "function_call"}
            told.append({"content": None, **rest, "tool_calls": [*(rest.get("tool_calls") or ()), tool_call]})
        elif message["role"] == "function":
            open_call = next((pair for pair in called if pair[0] == message["name"]), None)
            if open_call is None:
                # Nobody called it: a model is told of it as of any text.
                told.append({"role": "user", "content": f"{message['name']}: {message['content'] or ''}"})
            else:
                called.remove(open_call)
                told.append({"role": "tool", "tool_call_id": open_call[1], "content": message["content"] or ""})
        else:
            told.append(message)
    return told


def as_function_call(part: dict[str, Any]) -> None:
    """Turn the tool calls of a message, or of a streamed piece of one, into the older `function_call` in place."""
    calls: list[Json] | None = part.pop("tool_calls", None)
    if calls and not calls[0].get("index"):
        part["function_call"] = calls[0]["function"]
