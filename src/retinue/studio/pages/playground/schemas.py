"""Functions and answer formats as people write them: JSON, checked before it is saved, with examples to begin from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from ...visitor import Visitor

#: Characters of a definition.
LONGEST = 64_000
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

Check = Callable[[str], tuple[dict[str, Any] | None, str]]


def _example(name: str, description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"name": name, "description": description, "parameters": schema}


FUNCTIONS: Mapping[str, dict[str, Any]] = {
    "playground.example_weather": _example(
        "get_weather",
        "The weather in a city, today or on one of the next days.",
        ["city"],
        city={"type": "string", "description": "The city, such as Oslo"},
        days={"type": "integer", "minimum": 0, "maximum": 10, "description": "Days from today", "default": 0},
        unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
    ),
    "playground.example_order": _example(
        "find_order",
        "Looks up an order of the customer.",
        ["order_number"],
        order_number={"type": "string", "pattern": "^[0-9]{6}$"},
    ),
    "playground.example_mail": _example(
        "send_mail",
        "Sends an e-mail. Ask the user before you call it.",
        ["to", "subject", "text"],
        to={"type": "array", "items": {"type": "string", "format": "email"}, "minItems": 1},
        subject={"type": "string"},
        text={"type": "string"},
    ),
}
FORMATS: Mapping[str, dict[str, Any]] = {
    "playground.example_steps": {
        "name": "solution",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"steps": {"type": "array", "items": {"type": "string"}}, "answer": {"type": "string"}},
            "required": ["steps", "answer"],
            "additionalProperties": False,
        },
    },
    "playground.example_extract": {
        "name": "contact",
        "schema": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "email": {"type": ["string", "null"]}},
            "required": ["name", "email"],
            "additionalProperties": False,
        },
    },
}


def written(value: Mapping[str, Any]) -> str:
    """A definition as people edit it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def line_of(text: str) -> int | None:
    """The line in which a text ceases to be JSON, counted from 1; None where it is JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.lineno
    except (RecursionError, ValueError):
        return None
    return None


def check_function(visitor: Visitor, taken: set[str]) -> Check:
    """Checks definitions of functions.

    Args:
        visitor: who is told what is wrong.
        taken: names of the assistant's other functions.

    Returns:
        what takes a text and answers with the definition, or with what is wrong with it.
    """

    def check(text: str) -> tuple[dict[str, Any] | None, str]:
        value, wrong = _object(visitor, text, {"name", "description", "parameters", "strict"})
        if value is None:
            return None, wrong
        if value["name"] in taken:
            return None, visitor.text("playground.name_taken", name=value["name"])
        schema = value.get("parameters")
        if schema is not None and (not isinstance(schema, dict) or cast(Any, schema).get("type") != "object"):
            return None, visitor.text("playground.not_object", field="parameters")
        wrong = _schema(visitor, schema, "parameters") if schema else ""
        return (None, wrong) if wrong else (value, "")

    return check


def check_format(visitor: Visitor) -> Check:
    """The same for the format of answers: ``name``, ``schema`` and, if wanted, ``description`` and ``strict``."""

    def check(text: str) -> tuple[dict[str, Any] | None, str]:
        value, wrong = _object(visitor, text, {"name", "description", "schema", "strict"})
        if value is None:
            return None, wrong
        if not isinstance(value.get("schema"), dict):
            return None, visitor.text("playground.not_object", field="schema")
        wrong = _schema(visitor, value["schema"], "schema")
        return (None, wrong) if wrong else (value, "")

    return check


def _object(visitor: Visitor, text: str, fields: set[str]) -> tuple[dict[str, Any] | None, str]:
    """A JSON object with a name and some of these fields, or what is wrong."""
    if len(text) > LONGEST:
        return None, visitor.text("playground.too_long", most=LONGEST)
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return None, visitor.text("playground.not_json", line=error.lineno, column=error.colno, message=error.msg)
    except (RecursionError, ValueError):
        return None, visitor.text("playground.too_deep")
    if not isinstance(value, dict):
        return None, visitor.text("playground.not_object", field="JSON")
    found = cast(dict[str, Any], value)
    if unknown := sorted(found.keys() - fields):
        return None, visitor.text("playground.unknown_field", field=unknown[0], fields=", ".join(sorted(fields)))
    name, said, strict = found.get("name"), found.get("description"), found.get("strict")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None, visitor.text("playground.bad_name")
    if said is not None and not isinstance(said, str):
        return None, visitor.text("playground.not_text", field="description")
    if strict is not None and not isinstance(strict, bool):
        return None, visitor.text("playground.not_boolean", field="strict")
    return found, ""


def _schema(visitor: Visitor, schema: Any, field: str) -> str:
    """What is wrong with a JSON schema; "" if nothing."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join([field, *(str(one) for one in error.absolute_path)])
        return visitor.text("playground.not_schema", place=place, message=error.message[:300])
    except RecursionError:
        return visitor.text("playground.too_deep")
    return ""
