"""A function for models from the signature of a Python function, which is read and never run."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

#: Characters of source.
LONGEST = 20_000
_SIMPLE: Mapping[str, dict[str, Any]] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "None": {"type": "null"},
    "dict": {"type": "object"},
    "Any": {},
    "object": {},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "time": {"type": "string", "format": "time"},
    "UUID": {"type": "string", "format": "uuid"},
}
_LISTS = frozenset({"list", "List", "Sequence", "Iterable", "tuple", "Tuple", "set", "Set", "frozenset"})
_DICTS = frozenset({"dict", "Dict", "Mapping"})
#: `name: words`, `name (type): words` in the style of Google, and `:param name: words`.
_GOOGLE = re.compile(r"^\s+\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.+)$")
_REST = re.compile(r"^\s*:param\s+(?:[\w.\[\], |]+\s+)?(\w+):\s*(.+)$")
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Params):\s*$")
_OTHER_SECTION = re.compile(r"^\w[\w ]*:\s*$")

_Function = ast.FunctionDef | ast.AsyncFunctionDef


class NotASignatureError(Exception):
    """The text is no function that can be described; `key` is the word that says why, `values` go into it."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


def function_of(source: str) -> dict[str, Any]:
    """What a model is told of the first function in a text.

    Args:
        source: Python; a signature without a body will do.

    Returns:
        ``name``, ``description`` if there is a docstring, and ``parameters``, a JSON schema.

    Raises:
        NotASignatureError: there is none, or it cannot be read.
    """
    tree = _parsed(source)
    found = next((one for one in ast.walk(tree) if isinstance(one, _Function)), None)
    if found is None:
        raise NotASignatureError("playground.no_function")
    if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", found.name):
        raise NotASignatureError("playground.bad_name")
    text = ast.get_docstring(found) or ""
    classes = {one.name: one for one in ast.walk(tree) if isinstance(one, ast.ClassDef)}
    description = _summary(text)
    made: dict[str, Any] = {"name": found.name}
    if description:
        made["description"] = description
    return {**made, "parameters": _parameters(found, _described(text), classes)}


def _parsed(source: str) -> ast.Module:
    if len(source) > LONGEST:
        raise NotASignatureError("playground.too_long", most=LONGEST)
    text = textwrap.dedent(source).strip()
    # A signature alone, as documentation shows it, has a body of nothing.
    for attempt in (text, text.rstrip().rstrip(":") + ":\n    ...", text.rstrip() + "\n    ..."):
        try:
            return ast.parse(attempt)
        except SyntaxError:
            continue
        except (ValueError, RecursionError, MemoryError):
            break
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise NotASignatureError("playground.not_python", line=error.lineno or 1) from None
    except (ValueError, RecursionError, MemoryError):
        pass
    raise NotASignatureError("playground.not_python", line=1)


def _parameters(function: _Function, described: Mapping[str, str], classes: Mapping[str, ast.ClassDef]) -> Any:
    given = function.args
    positional = [*given.posonlyargs, *given.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if pairs and pairs[0][0].arg in ("self", "cls"):
        pairs = pairs[1:]
    schema: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
    for one, default in pairs:
        schema["properties"][one.arg] = _property(one, default, described.get(one.arg), classes)
        if default is None:
            schema["required"].append(one.arg)
    schema["additionalProperties"] = given.kwarg is not None
    return schema


def _property(
    one: ast.arg, default: ast.expr | None, description: str | None, classes: Mapping[str, ast.ClassDef]
) -> dict[str, Any]:
    made = _type(one.annotation, classes) if one.annotation else {}
    if description:
        made = {**made, "description": description}
    if default is not None:
        try:
            value = ast.literal_eval(default)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            return made
        number = isinstance(value, float) and isfinite(value)
        if number or isinstance(value, str | int | bool) or (isinstance(value, list | dict) and not value):
            made = {**made, "default": value}
    return made


def _type(node: ast.expr, classes: Mapping[str, ast.ClassDef], depth: int = 0) -> dict[str, Any]:
    """A type as JSON schema; what cannot be told allows everything."""
    if depth > 20:
        raise NotASignatureError("playground.too_deep")
    if isinstance(node, ast.Constant):
        return _constant(node, classes, depth)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _either([_type(node.left, classes, depth + 1), _type(node.right, classes, depth + 1)])
    if isinstance(node, ast.Subscript):
        return _generic(node, classes, depth + 1)
    name = _name(node)
    if name in classes:
        return _class(classes[name], {key: one for key, one in classes.items() if key != name}, depth + 1)
    return {"type": "array"} if name in _LISTS else dict(_SIMPLE.get(name, {}))


def _constant(node: ast.Constant, classes: Mapping[str, ast.ClassDef], depth: int) -> dict[str, Any]:
    """None, or a type in quotes."""
    if node.value is None:
        return {"type": "null"}
    if isinstance(node.value, str):
        try:
            return _type(ast.parse(node.value, mode="eval").body, classes, depth + 1)
        except SyntaxError:
            return {}
    return {}


def _generic(node: ast.Subscript, classes: Mapping[str, ast.ClassDef], depth: int) -> dict[str, Any]:
    name = _name(node.value)
    inner = list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        values = _values(inner)
        kinds = {type(value) for value in values}
        return {**({"type": "string"} if kinds == {str} else {}), "enum": values}
    if name == "Annotated":
        made = _type(inner[0], classes, depth)
        said = next(
            (one.value for one in inner[1:] if isinstance(one, ast.Constant) and isinstance(one.value, str)), ""
        )
        return {**made, "description": said} if said else made
    if name == "Optional":
        return _either([_type(inner[0], classes, depth), {"type": "null"}])
    if name == "Union":
        return _either([_type(one, classes, depth) for one in inner])
    if name in _LISTS:
        return {"type": "array", "items": _type(inner[0], classes, depth)}
    if name in _DICTS and len(inner) == 2:
        return {"type": "object", "additionalProperties": _type(inner[1], classes, depth) or True}
    return {}


def _values(nodes: Sequence[ast.expr]) -> list[Any]:
    """The constants among expressions that JSON has, too."""
    constants = [one.value for one in nodes if isinstance(one, ast.Constant)]
    return [value for value in constants if value is None or isinstance(value, str | int | bool)]


def _either(kinds: list[dict[str, Any]]) -> dict[str, Any]:
    """One of several types, in as few words as it takes."""
    if {} in kinds:
        return {}
    simple = [one["type"] for one in kinds if set(one) == {"type"} and isinstance(one["type"], str)]
    if len(simple) == len(kinds):
        return {"type": list(dict.fromkeys(simple))}
    return {"anyOf": [piece for one in kinds for piece in (one["anyOf"] if set(one) == {"anyOf"} else [one])]}


def _class(node: ast.ClassDef, others: Mapping[str, ast.ClassDef], depth: int) -> dict[str, Any]:
    """A class with fields (dataclass, TypedDict, model), or an enumeration."""
    if any(_name(base).endswith("Enum") for base in node.bases):
        return {"enum": _values([one.value for one in node.body if isinstance(one, ast.Assign)])}
    properties: dict[str, Any] = {}
    required: list[str] = []
    for one in node.body:
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            properties[one.target.id] = _type(one.annotation, others, depth)
            if one.value is None:
                required.append(one.target.id)
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _name(node: ast.expr) -> str:
    """The last part of a name with dots."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _summary(text: str) -> str:
    """The docstring up to where it tells of parameters."""
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines():
        if _OTHER_SECTION.match(line) or line.lstrip().startswith(":"):
            break
        if line.strip():
            paragraphs[-1].append(line.strip())
        else:
            paragraphs.append([])
    return "\n\n".join(" ".join(lines) for lines in paragraphs if lines)


def _described(text: str) -> dict[str, str]:
    """What the docstring says of each parameter."""
    said: dict[str, str] = {}
    inside = False
    last = ""
    for line in text.splitlines():
        if found := _REST.match(line):
            said[found[1]] = found[2].strip()
        elif _OTHER_SECTION.match(line):
            inside = bool(_SECTION.match(line))
        elif inside and (found := _GOOGLE.match(line)):
            last = found[1]
            said[last] = found[2].strip()
        elif inside and last and line.strip():
            said[last] += f" {line.strip()}"
    return said
