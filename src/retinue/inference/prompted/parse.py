"""Reads the tool calls that a model wrote as text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, cast

from jsonschema import Draft202012Validator

from ..chat import Json
from . import python
from .grammar import MOST_CALLS
from .lenient import NotJson, read

#: What stands around and between calls.
_BETWEEN = re.compile(r"(?:\s|[,;]|```(?:json|xml|tool_call)?|</?(?:tool_call|tools)>)*")


class Malformed(ValueError):
    """The text holds no valid call. The message tells the model what to do better."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a function, without an id."""

    name: str
    #: JSON text of an object.
    arguments: str

    @property
    def key(self) -> tuple[str, str]:
        """Equal for calls that ask for the same, however they are spaced and ordered."""
        try:
            return self.name, json.dumps(json.loads(self.arguments), sort_keys=True)
        except (ValueError, RecursionError):
            return self.name, self.arguments


def read_calls(text: str, functions: dict[str, Json], *, cut: bool = False) -> list[Call]:
    """The calls that `text` begins with, each once and at most 16; text after them is left out.

    Args:
        text: an answer from where its first call begins: `<tool_call>` blocks, fences, objects or arrays of them.
        functions: the names that may be called, each with the schema of its arguments.
        cut: whether a token limit ended the text; a last call that is not complete is then left out.

    Raises:
        Malformed: there is no call, or one that is not valid.
    """
    calls: dict[tuple[str, str], Call] = {}
    position = _skip(text, 0)
    while text[position : position + 1] in ("{", "["):
        try:
            value, position = read(text, position, cut=cut)
        except NotJson as error:
            if cut and calls:
                break
            raise Malformed(f"the call is not valid JSON: {error}") from error
        for found in _flatten(value):
            call = _call(found, functions)
            calls.setdefault(call.key, call)
        position = _skip(text, position)
    if not calls:
        raise Malformed("there is no function call in the answer")
    return list(calls.values())[:MOST_CALLS]


def _skip(text: str, position: int) -> int:
    found = _BETWEEN.match(text, position)
    return found.end() if found else position


def _flatten(value: Any) -> list[Json]:
    """The objects in an array, or in `tool_calls`; otherwise the one object."""
    if isinstance(value, dict):
        value = cast(Json, value)
        inner = value.get("tool_calls")
        return _flatten(inner) if isinstance(inner, list) else [value]
    return [cast(Json, item) for item in value if isinstance(item, dict)]


def _call(value: Json, functions: dict[str, Json]) -> Call:
    """The call that an object describes, in any of the usual ways."""
    function = value.get("function")
    if isinstance(function, dict):
        value = cast(Json, function)
    name = next((value[key] for key in ("name", "function", "tool") if isinstance(value.get(key), str)), None)
    if name not in functions:
        raise Malformed(f"there is no function named {name!r}; the functions are: {', '.join(functions)}")
    arguments = next((value[key] for key in ("arguments", "parameters") if key in value), {})
    if isinstance(arguments, str):
        try:
            arguments = read(arguments)[0]
        except NotJson as error:
            raise Malformed(f"the arguments of {name} are not valid JSON: {error}") from error
    if arguments is None:
        arguments = {}
    for error in Draft202012Validator(functions[name]).iter_errors(arguments):
        raise Malformed(f"the arguments of {name} do not fit: {error.message[:300]}")
    for key, schema in functions[name].get("properties", {}).items():
        if schema.get("contentMediaType") == python.MEDIA_TYPE and isinstance(arguments.get(key), str):
            arguments[key] = python.mended(arguments[key])
    try:
        return Call(name, json.dumps(arguments, ensure_ascii=False, allow_nan=False))
    except ValueError as error:
        raise Malformed(f"a number in the arguments of {name} is too large") from error
