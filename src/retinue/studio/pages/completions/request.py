"""A chat request: messages and parameters as a person has set them, and the body that they make."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from ...elements.attaching import PICTURES

#: How a parameter is set.
Kind = Literal["number", "integer", "choice", "flag", "text", "lines", "json"]
ROLES = ("system", "developer", "user", "assistant", "tool")
#: What stands before the name of a function among the values of `tool_choice`.
FUNCTION = "function: "


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a chat request."""

    #: The API's name.
    name: str
    #: Where it stands in the panel.
    group: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    step: float = 0.05
    #: What a slider shows while the parameter is not set; None: no slider.
    usual: float | None = None
    options: tuple[str, ...] = ()
    #: An example that can be put into the field, as JSON.
    example: str = ""


_SCHEMA = """{
  "name": "person",
  "strict": true,
  "schema": {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": false
  }
}"""
_TOOLS = """[
  {
    "type": "function",
    "function": {
      "name": "get_weather",
      "description": "The weather in a city now",
      "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false
      }
    }
  }
]"""
_FLAG = ("true", "false")
#: Characters that `cut_short` leaves of data.
_DATA_SHOWN = 48

#: Everything that the official clients take, apart from what the page itself is about (model, messages, stream).
PARAMETERS: Sequence[Parameter] = (
    Parameter("temperature", "sampling", "number", 0, 2, 0.05, usual=1),
    Parameter("top_p", "sampling", "number", 0, 1, 0.05, usual=1),
    Parameter("presence_penalty", "sampling", "number", -2, 2, 0.1, usual=0),
    Parameter("frequency_penalty", "sampling", "number", -2, 2, 0.1, usual=0),
    # Fields hold floats: whole numbers up to here are exact.
    Parameter("seed", "sampling", "integer", -(2**53) + 1, 2**53 - 1, 1),
    Parameter("logit_bias", "sampling", "json", example='{"1734": -100}'),
    Parameter("max_completion_tokens", "output", "integer", 1, None, 1),
    Parameter("n", "output", "integer", 1, 128, 1),
    Parameter("stop", "output", "lines"),
    Parameter("response_format", "output", "choice", options=("text", "json_object", "json_schema")),
    Parameter("json_schema", "output", "json", example=_SCHEMA),
    Parameter("verbosity", "output", "choice", options=("low", "medium", "high")),
    Parameter("tools", "tools", "json", example=_TOOLS),
    Parameter("tool_choice", "tools", "choice", options=("auto", "none", "required")),
    Parameter("parallel_tool_calls", "tools", "flag", options=_FLAG),
    Parameter("logprobs", "probabilities", "flag", options=_FLAG),
    Parameter("top_logprobs", "probabilities", "integer", 0, 20, 1),
    Parameter("reasoning_effort", "effort", "choice", options=("none", "minimal", "low", "medium", "high", "xhigh")),
    Parameter("service_tier", "effort", "choice", options=("auto", "default", "flex", "scale", "priority")),
    Parameter("prediction", "effort", "text"),
    Parameter("prompt_cache_key", "effort", "text"),
    Parameter("prompt_cache_retention", "effort", "choice", options=("in_memory", "24h")),
    Parameter("store", "kept", "flag", options=_FLAG),
    Parameter("metadata", "kept", "json", example='{"topic": "weather"}'),
    Parameter("user", "kept", "text"),
    Parameter("safety_identifier", "kept", "text"),
    Parameter("max_tokens", "rare", "integer", 1, None, 1),
    Parameter("modalities", "rare", "json", example='["text"]'),
    Parameter("audio", "rare", "json", example='{"voice": "alloy", "format": "wav"}'),
    Parameter("web_search_options", "rare", "json", example="{}"),
    Parameter("functions", "rare", "json", example='[{"name": "today", "parameters": {"type": "object"}}]'),
    Parameter("function_call", "rare", "json", example='"auto"'),
    Parameter("moderation", "rare", "json"),
    Parameter("prompt_cache_options", "rare", "json"),
    Parameter("more", "rare", "json", example='{"top_k": 40}'),
)
GROUPS = tuple(dict.fromkeys(one.group for one in PARAMETERS))
#: What is not sent under its own name.
_OURS = frozenset({"json_schema", "more"})
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\r": "\r", "\\\\": "\\"}


class Unclear(Exception):
    """A request cannot be made of what was set."""

    def __init__(self, key: str, **values: str) -> None:
        """`key`: of the words that say why; `values`: what stands in them."""
        super().__init__(key)
        self.key, self.values = key, values


def body(model: str, messages: Sequence[Mapping[str, Any]], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a request, without what makes it a stream.

    Args:
        model: who is asked.
        messages: ``role`` and ``content``; ``tool_calls`` of assistants, ``tool_call_id`` of tools, ``files`` of users
            (``name``, ``kind`` and ``data``, an address that begins with ``data:``). Messages that say nothing are
            left out.
        parameters: by name, as the fields have them; None and "" are not set.

    Raises:
        Unclear: there is nothing to say, or a field holds what cannot be read.
    """
    said = [sent for one in messages if (sent := _sent(one)) is not None]
    if not said:
        raise Unclear("completions.nothing")
    result: dict[str, Any] = {"model": model, "messages": said}
    for parameter in PARAMETERS:
        if parameter.name not in _OURS and (raw := parameters.get(parameter.name)) not in (None, ""):
            result[parameter.name] = read(parameter, raw)
    if result.get("response_format") == "json_schema":
        schema = parsed("json_schema", parameters.get("json_schema") or "{}")
        result["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif "response_format" in result:
        result["response_format"] = {"type": result["response_format"]}
    if more := parameters.get("more"):
        found = parsed("more", more)
        if not isinstance(found, dict):
            raise Unclear("completions.no_object", name="more")
        result.update(cast("dict[str, Any]", found))
    return result


def _sent(message: Mapping[str, Any]) -> dict[str, Any] | None:
    role, content = message["role"], message.get("content") or ""
    if role == "tool":
        return {"role": role, "content": content, "tool_call_id": message.get("tool_call_id") or ""}
    calls = message.get("tool_calls") if role == "assistant" else None
    if calls:
        return {"role": role, "content": content or None, "tool_calls": calls}
    if role == "user" and (files := message.get("files")):
        text = [{"type": "text", "text": content}] if content else []
        return {"role": role, "content": [*text, *(_part(one) for one in files)]}
    return {"role": role, "content": content} if content else None


def _part(file: Mapping[str, str]) -> dict[str, Any]:
    """A file or a picture as a part of a message."""
    if file["kind"] in PICTURES:
        return {"type": "image_url", "image_url": {"url": file["data"]}}
    return {"type": "file", "file": {"filename": file["name"], "file_data": file["data"]}}


def cut_short(value: Any) -> Any:
    """The same with the data of pictures and files cut short, to be read by people."""
    if isinstance(value, str):
        return f"{value[:_DATA_SHOWN]}…" if value.startswith("data:") and len(value) > _DATA_SHOWN else value
    if isinstance(value, list):
        return [cut_short(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: cut_short(one) for name, one in cast("dict[str, Any]", value).items()}
    return value


def read(parameter: Parameter, raw: Any) -> Any:
    """A parameter's value as the API takes it, of what its field holds. Raises `Unclear`."""
    match parameter.kind:
        case "integer":
            return int(raw)
        case "flag":
            return raw == "true"
        case "json":
            return parsed(parameter.name, raw)
        case "lines":
            return [unescaped(line) for line in str(raw).split("\n") if line]
        case _:
            pass
    if parameter.name == "tool_choice" and str(raw).startswith(FUNCTION):
        return {"type": "function", "function": {"name": str(raw).removeprefix(FUNCTION)}}
    if parameter.name == "prediction":
        return {"type": "content", "content": raw}
    return raw


def parsed(name: str, text: str) -> Any:
    """What the JSON in a field says. Raises `Unclear`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else "1:1"
        raise Unclear("completions.no_json", name=name, where=where) from None


def unescaped(line: str) -> str:
    """A line in which ``\\n``, ``\\t``, ``\\r`` and ``\\\\`` stand for characters that lines cannot have."""
    result, at = "", 0
    while at < len(line):
        pair = line[at : at + 2]
        result += _ESCAPES.get(pair, line[at])
        at += 2 if pair in _ESCAPES else 1
    return result


def functions(tools: str | None) -> list[str]:
    """The names of the functions in the text of `tools`; none where it cannot be read."""
    try:
        found = json.loads(tools or "[]")
        return [one["function"]["name"] for one in found if isinstance(one["function"]["name"], str)]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def how_many_set(parameters: Mapping[str, Any], group: str | None = None) -> int:
    """How many parameters are set, of one group or of all."""
    return sum(
        1
        for one in PARAMETERS
        if group in (None, one.group) and one.name != "json_schema" and parameters.get(one.name) not in (None, "")
    )
