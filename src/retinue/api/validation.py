"""What is wrong with a request, in the official words: validation errors as the API's error objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..errors import InvalidRequest

#: What pydantic calls a wrong type, and how the API says what it wanted.
_WANTED = {
    "string_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "a boolean",
    "bool_parsing": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def translate(errors: Sequence[Mapping[str, Any]], body: object) -> InvalidRequest:
    """The error for a request that does not validate.

    Args:
        errors: pydantic's errors; each `loc` begins with ``body``, ``query`` or ``path``.
        body: the request's body as it was sent.

    Returns:
        One error, for the problem that lies deepest: where several shapes are allowed, that is the one of the shape
        which was meant.
    """
    if any(error["type"] == "json_invalid" for error in errors):
        return InvalidRequest(
            "We could not parse the JSON body of your request. "
            "The body must be a JSON object, encoded in UTF-8, with the right commas and quotes."
        )
    located = [(_path(error["loc"], body, missing=error["type"] == "missing"), error) for error in errors]
    path, error = max(located, key=lambda pair: (len(pair[0]), _weight(pair[1])))
    same = [other for where, other in located if where == path]
    return _describe(_render(path), error, same)


def _weight(error: Mapping[str, Any]) -> int:
    """How much an error says, beside others about the same value."""
    if error["type"] == "literal_error" and isinstance(error.get("input"), str):
        return 2
    return 0 if error["type"] in ("string_type", "literal_error") else 1


def _path(location: Sequence[str | int], body: object, *, missing: bool) -> list[str | int]:
    """The parts of a location that are names and indices in the request: pydantic puts names of types between them."""
    if location[0] != "body":
        return list(location[1:])
    here: Any = body
    path: list[str | int] = []
    for number, part in enumerate(location[1:], start=2):
        in_object = isinstance(here, dict) and part in here
        in_array = isinstance(here, list) and isinstance(part, int) and part < len(here)
        if in_object or in_array:
            here = cast(Any, here)[part]
            path.append(part)
        elif missing and number == len(location):
            path.append(part)
    return path


def _render(path: Sequence[str | int]) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _describe(param: str, error: Mapping[str, Any], same: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    kind: str = error["type"]
    context: Mapping[str, Any] = error.get("ctx") or {}
    given = error.get("input")
    if kind == "missing":
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if kind == "extra_forbidden":
        return InvalidRequest(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if kind in _WANTED:
        wanted = " or ".join(dict.fromkeys(_WANTED[one["type"]] for one in same if one["type"] in _WANTED))
        message = f"Invalid type for '{param}': expected {wanted}, but got {_name(given)} instead."
        return InvalidRequest(message, param=param or None, code="invalid_type")
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        # What tells the shapes apart: `type` or `role`.
        field = str(context.get("discriminator", "type")).strip("'")
        param = f"{param}.{field}" if param else field
    if kind in ("literal_error", "union_tag_invalid"):
        allowed = context.get("expected") or context.get("expected_tags", "")
        shown = context.get("tag", given)
        return InvalidRequest(
            f"Invalid value: {_quote(shown)}. Supported values are: {allowed}.", param=param, code="invalid_value"
        )
    if kind == "union_tag_not_found":
        return InvalidRequest(f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter")
    if limit := _limit(kind, context, given):
        code = _LIMIT_CODES.get(kind, "invalid_value")
        if isinstance(context.get("ge", context.get("le")), float):
            code = code.replace("integer", "decimal")
        return InvalidRequest(f"Invalid '{param}': {limit}", param=param, code=code)
    return InvalidRequest(f"Invalid '{param}': {error['msg']}.", param=param or None, code="invalid_value")


_LIMIT_CODES = {
    "string_too_long": "string_above_max_length",
    "string_too_short": "string_below_min_length",
    "too_long": "array_above_max_length",
    "too_short": "array_below_min_length",
    "greater_than_equal": "integer_below_min_value",
    "less_than_equal": "integer_above_max_value",
    "string_pattern_mismatch": "invalid_value",
}


def _limit(kind: str, context: Mapping[str, Any], given: Any) -> str | None:
    match kind:
        case "string_too_long":
            return (
                f"string too long. Expected a string with maximum length {context['max_length']}, "
                f"but got a string with length {len(given)} instead."
            )
        case "string_too_short":
            return f"empty string. Expected a string with minimum length {context['min_length']}."
        case "too_long":
            return f"array too long. Expected an array with maximum length {context['max_length']}."
        case "too_short":
            return f"array too short. Expected an array with minimum length {context['min_length']}."
        case "greater_than_equal":
            return f"value below minimum. Expected a value >= {context['ge']}, but got {_quote(given)} instead."
        case "less_than_equal":
            return f"value above maximum. Expected a value <= {context['le']}, but got {_quote(given)} instead."
        case "string_pattern_mismatch":
            return f"string does not match pattern. Expected a string that matches '{context['pattern']}'."
        case "value_error":
            return f"{context['error']}."
        case _:
            return None


def _name(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int():
            return "an integer"
        case float():
            return "a decimal number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return "something else"


def _quote(value: object) -> str:
    text = f"'{value}'" if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:80] + "…"
