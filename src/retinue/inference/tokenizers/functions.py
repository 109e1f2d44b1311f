"""Function tools as OpenAI's models are believed to be told of them: a TypeScript namespace.

OpenAI has not published this. The form was found out by asking models for their prompt, and its cost by comparing with
`usage`; see https://github.com/hmarr/openai-chat-tokens and
https://community.openai.com/t/how-to-calculate-the-tokens-when-using-function-call/266573
"""

from __future__ import annotations

import json
from typing import Any, cast

from ..chat import Json


def namespace(functions: list[Json]) -> str:
    """The functions as TypeScript.

    Args:
        functions: each ``{"name", "description", "parameters"}``.
    """
    lines = ["namespace functions {", ""]
    for function in functions:
        lines += _comment(function.get("description"))
        name = function.get("name")
        properties = _object(function.get("parameters")).get("properties")
        if properties:
            members = _members(_object(function["parameters"]), 0)
            lines += [f"type {name} = (_: {{", *members, "}) => any;"]
        else:
            lines.append(f"type {name} = () => any;")
        lines.append("")
    return "\n".join([*lines, "} // namespace functions"])


def _members(schema: Json, indent: int) -> list[str]:
    """The properties of an object, one a line; those of the outermost behind their descriptions."""
    lines: list[str] = []
    required = schema.get("required")
    for name, value in _object(schema.get("properties")).items():
        inner = _object(value)
        lines += _comment(inner.get("description") if indent == 0 else None)
        mark = "" if isinstance(required, list) and name in required else "?"
        lines.append(f"{' ' * indent}{name}{mark}: {_type(inner, indent)},")
    return lines


def _type(schema: Json, indent: int) -> str:
    if isinstance(choices := schema.get("enum"), list):
        return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in cast("list[Any]", choices))
    if isinstance(choices := schema.get("anyOf"), list):
        return " | ".join(_type(_object(choice), indent) for choice in cast("list[Any]", choices))
    kind = schema.get("type")
    if isinstance(kind, list):
        # Each once: a type that is said twice, in every layer, would double the text with each layer.
        kinds = dict.fromkeys(str(one) for one in cast("list[Any]", kind))
        return " | ".join(_type({**schema, "type": one}, indent) for one in kinds)
    match kind:
        case "string" | "number" | "boolean" | "null":
            return str(kind)
        case "integer":
            return "number"
        case "array":
            return f"{_type(_object(schema.get('items')), indent)}[]" if schema.get("items") else "any[]"
        case "object" if schema.get("properties"):
            return "\n".join(["{", *_members(schema, indent + 2), f"{' ' * indent}}}"])
        case "object":
            return "object"
        case _:
            return "any"


def _comment(text: object) -> list[str]:
    return [f"// {text}"] if text else []


def _object(value: object) -> Json:
    """A schema; whatever is none counts as an empty one."""
    return cast(Json, value) if isinstance(value, dict) else {}
