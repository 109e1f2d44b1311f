"""Brings the JSON schemas that users write down to what every part can follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from ..chat import Json
from . import python

#: Nodes of one schema, and their depth; what lies beyond allows any value.
_MOST_NODES = 1000
_DEEPEST = 24
#: The longest list or string that a grammar counts out.
_MOST_ITEMS = 64
_MOST_CHARACTERS = 4096

_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
}
_FORMATS = {"date-time", "date", "time", "email", "uuid"}


def object_of(properties: Mapping[str, Any], required: Iterable[str] | None = None) -> Json:
    """The schema of an object that has no other properties.

    Args:
        properties: their schemas, by name.
        required: names of those that are always there; None: all.
    """
    always = list(properties) if required is None else list(required)
    return {"type": "object", "properties": dict(properties), "required": always, "additionalProperties": False}


def arguments_schema(parameters: Any) -> Json:
    """The schema of a function's arguments, in a subset of JSON schema.

    The subset holds type, enum, anyOf, allOf, properties, required, additionalProperties, items, bounds on numbers
    and lengths, common formats, and `contentMediaType` of Python. References within the schema are followed;
    recursion, and what else is beyond the subset (such as `pattern`, which could also hang a checker), allows any
    value. The result is never stricter than what was asked for, but for one thing: properties that are not named are
    refused unless `additionalProperties` says otherwise.

    Args:
        parameters: what the user gave, which may be anything; None or ``{}`` means no parameters.
    """
    if not parameters:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    schema = _Simplifier(parameters).simplify(parameters, 0, ())
    if "enum" in schema:
        return {"type": "object"}
    schema["type"] = "object"
    if "properties" in schema and not schema.keys() & {"anyOf", "allOf", "additionalProperties"}:
        schema["additionalProperties"] = False
    return schema


class _Simplifier:
    def __init__(self, root: Any) -> None:
        self._root = root
        self._nodes = 0

    def simplify(self, schema: Any, depth: int, within: tuple[str, ...]) -> Json:
        """The schema in the subset; `within` are the references that led here."""
        self._nodes += 1
        if not isinstance(schema, dict) or depth > _DEEPEST or self._nodes > _MOST_NODES:
            return {}
        schema = cast(Json, schema)
        if "$ref" in schema:
            reference = str(schema["$ref"])
            return {} if reference in within else self.simplify(self._find(reference), depth + 1, (*within, reference))
        if values := _values(schema):
            return {"enum": values}
        result: Json = {}
        if types := _types(schema):
            result["type"] = types[0] if len(types) == 1 else types
        result |= _bounds(schema) | self._object(schema, depth, within)
        if isinstance(schema.get("items"), dict):
            result["items"] = self.simplify(schema["items"], depth + 1, within)
        if result.get("type") == "string" and schema.get("format") in _FORMATS:
            result["format"] = schema["format"]
        if result.get("type") == "string" and schema.get("contentMediaType") == python.MEDIA_TYPE:
            result["contentMediaType"] = python.MEDIA_TYPE
        for key, name in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
            if isinstance(schema.get(key), list) and schema[key]:
                result[name] = [self.simplify(part, depth + 1, within) for part in schema[key]]
        return result

    def _object(self, schema: Json, depth: int, within: tuple[str, ...]) -> Json:
        result: Json = {}
        properties = schema.get("properties")
        if isinstance(properties, dict):
            named = cast(Json, properties)
            result["properties"] = {str(k): self.simplify(v, depth + 1, within) for k, v in named.items()}
        required = schema.get("required")
        if isinstance(required, list):
            known = result.get("properties", {})
            result["required"] = [name for name in dict.fromkeys(map(str, required)) if name in known]
        additional = schema.get("additionalProperties")
        if isinstance(additional, dict):
            result["additionalProperties"] = self.simplify(additional, depth + 1, within)
        elif isinstance(additional, bool):
            result["additionalProperties"] = additional
        return result

    def _find(self, reference: str) -> Any:
        """What a reference within the document points to; None if there is no such place."""
        if not reference.startswith("#"):
            return None
        place = self._root
        for step in reference[1:].split("/")[1:]:
            if not isinstance(place, dict):
                return None
            place = cast(Json, place).get(step.replace("~1", "/").replace("~0", "~"))
        return place


def _types(schema: Json) -> list[str]:
    given = schema.get("type")
    types = [t for t in (given if isinstance(given, list) else [given]) if isinstance(t, str) and t in _TYPES]
    if types and schema.get("nullable") is True and "null" not in types:
        types.append("null")
    return types


def _values(schema: Json) -> list[Any]:
    """The values that `enum` or `const` allow; those that contradict `type` only if there are no others."""
    if "const" in schema:
        return [schema["const"]]
    given = schema.get("enum")
    values: list[Any] = given if isinstance(given, list) else []
    types = _types(schema)
    fitting = [value for value in values if any(_TYPES[t](value) for t in types)]
    return fitting or values


def _bounds(schema: Json) -> Json:
    """Bounds that do not contradict each other, and are small enough to be counted out."""
    result: Json = {}
    for low, high, most in (
        ("minimum", "maximum", math.inf),
        ("exclusiveMinimum", "exclusiveMaximum", math.inf),
        ("minLength", "maxLength", _MOST_CHARACTERS),
        ("minItems", "maxItems", _MOST_ITEMS),
    ):
        pair = {k: schema[k] for k in (low, high) if _TYPES["number"](schema.get(k)) and abs(schema[k]) <= most}
        if most < math.inf:
            pair = {k: v for k, v in pair.items() if v >= 0 and v == int(v)}
        if len(pair) < 2 or pair[low] < pair[high] or (low != "exclusiveMinimum" and pair[low] == pair[high]):
            result |= pair
    return result
