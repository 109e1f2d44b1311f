"""The operations of an official document: what each takes, and the ways to get it wrong that the document rules out."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from .spec import DOCUMENTS, Json, Version, corrected, load_document

#: The way from a body to a value in it.
Path = tuple[str | int, ...]

#: A longer array is not sent to show that it is too long.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter."""

    name: str
    schema: Json


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document."""

    version: Version
    method: str
    #: With parameters in braces, relative to ``/v1``.
    path: str
    query: tuple[Parameter, ...]
    #: The schema of the JSON body, or of the form where only that is taken; empty where none is.
    body: Json
    #: Whether the body is a form.
    form: bool = False

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"{self.method} {self.path}"

    @property
    def path_parameters(self) -> list[str]:
        """The names in the path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def streams(self) -> bool:
        """Whether it can be answered with events."""
        return any("stream" in branch.get("properties", {}) for branch in _branches(self.version, self.body))

    def allows(self, body: Any) -> bool:
        """Whether the document allows this body."""
        return _allows(self.version, self.body, body)

    def properties(self) -> set[str]:
        """Every property of the body, as a path: ``messages[].content[].text``."""
        return set(_properties(self.version, self.body, "", ()))

    def wrong(self, body: Any, unjudged: re.Pattern[str]) -> Iterator[tuple[str, Any]]:
        """Copies of a good body, each with one value that the document rules out, and what that is.

        The document is slow to ask: it is not about what `unjudged` matches, which comes whether ruled out or not.
        """
        seen: set[tuple[Path, str]] = set()
        for path, value, why in _wrong(self.version, self.body, body, ()):
            if (path, repr(value)) in seen:
                continue
            seen.add((path, repr(value)))
            broken = _replaced(body, path, value)
            if self.form and why not in _WRONG_IN_FORMS:
                continue
            what = f"{render(path)}: {why}"
            if unjudged.fullmatch(what) or not self.allows(broken):
                yield what, broken


@cache
def document(version: Version) -> Json:
    """The corrected document, with what is wrong about requests mended too."""
    document = corrected(load_document(DOCUMENTS[version]), version)
    for name in ("CreateRunRequest", "CreateThreadAndRunRequest"):
        schema = document["components"]["schemas"][name]
        # Assistants may have 128 tools, of which runs may name 20.
        schema["properties"]["tools"]["anyOf"][0]["maxItems"] = 128
        # Version 1 requires `thread_id` in bodies that have no such field.
        schema["required"] = [field for field in schema["required"] if field in schema["properties"]]
    return document


@cache
def operations(version: Version) -> dict[str, Operation]:
    """All operations of a document by name, in its order."""
    found: dict[str, Operation] = {}
    for path, methods in document(version)["paths"].items():
        for method, entry in methods.items():
            if not isinstance(entry, dict):
                continue
            query = tuple(
                Parameter(one["name"], one["schema"]) for one in entry.get("parameters", ()) if one.get("in") == "query"
            )
            content = entry.get("requestBody", {}).get("content", {})
            form = "application/json" not in content and "multipart/form-data" in content
            schema = content.get("multipart/form-data" if form else "application/json", {}).get("schema", {})
            operation = Operation(version, method.upper(), path, query, schema, form)
            found[operation.name] = operation
    return found


def render(path: Path) -> str:
    """A path as people write it."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.lstrip(".") or "the body"


# --- reading schemas


@cache
def _registry(version: Version) -> Registry[Any]:
    return Registry().with_resource("urn:openai", Resource(contents=document(version), specification=DRAFT202012))


def _allows(version: Version, schema: Json, value: Any) -> bool:
    return Draft202012Validator(_absolute(schema), registry=_registry(version)).is_valid(value)


def _absolute(node: Any) -> Any:
    """The schema with references that can be followed from anywhere."""
    if isinstance(node, dict):
        return {
            key: "urn:openai" + value if key == "$ref" and value.startswith("#") else _absolute(value)
            for key, value in node.items()
        }
    return [_absolute(one) for one in node] if isinstance(node, list) else node


def _resolved(version: Version, schema: Json) -> Json:
    while "$ref" in schema:
        schema = document(version)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _branches(version: Version, schema: Json) -> list[Json]:
    """The schemas without alternatives that together make up this one."""
    schema = _resolved(version, schema)
    inner = [branch for keyword in ("allOf", "anyOf", "oneOf") for branch in schema.get(keyword, ())]
    own = {key: value for key, value in schema.items() if key not in ("allOf", "anyOf", "oneOf")}
    found = [own] if {"type", "enum", "properties"} & own.keys() else []
    for branch in inner:
        found += _branches(version, branch)
    return found


def _properties(version: Version, schema: Json, prefix: str, above: tuple[str, ...]) -> Iterator[str]:
    for branch in _branches(version, schema):
        for name, inner in branch.get("properties", {}).items():
            if name not in above:  # schemas that hold themselves
                path = f"{prefix}.{name}".lstrip(".")
                yield path
                yield from _properties(version, inner, path, (*above, name) if _refers(inner) else above)
        if "items" in branch:
            yield from _properties(version, branch["items"], prefix + "[]", above)


def _refers(schema: Json) -> bool:
    """Whether a value, or the values of an array, may be what another schema says."""
    parts = [part for keyword in ("allOf", "anyOf", "oneOf") for part in schema.get(keyword, ())]
    return "$ref" in schema or any(map(_refers, [*parts, *([schema["items"]] if "items" in schema else ())]))


def sent_properties(body: Any, prefix: str = "") -> Iterator[str]:
    """Every path in a body, as `Operation.properties` writes them."""
    if isinstance(body, dict):
        for name, value in body.items():
            path = f"{prefix}.{name}".lstrip(".")
            yield path
            yield from sent_properties(value, path)
    elif isinstance(body, list):
        for value in body:
            yield from sent_properties(value, prefix + "[]")


# --- breaking bodies

_DELETE = object()
_WRONG_TYPES: tuple[Any, ...] = (7, "no such value", True, 1.5, [], {})
#: In a form everything is text, so values of other types are not wrong by that.
_WRONG_IN_FORMS = ("str no such value", "missing", "too long", "too small", "too large")


def _replaced(body: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    broken = copy.deepcopy(body)
    here = broken
    for part in path[:-1]:
        here = here[part]
    if value is _DELETE:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return broken


def _wrong(version: Version, schema: Json, value: Any, path: Path) -> Iterator[tuple[Path, Any, str]]:
    """Values that may be wrong in place of a part of a body: the caller asks the document whether they are."""
    for other in _WRONG_TYPES:
        yield path, other, f"{type(other).__name__} {other}"
    for branch in _branches(version, schema):
        yield from _beyond(branch, value, path)
        if isinstance(value, dict) and "properties" in branch:
            yield (*path, "no_such_field"), 1, "no such field"
            for name, inner in branch["properties"].items():
                if name in value:
                    yield (*path, name), _DELETE, "missing"
                    if name in branch.get("required", ()):
                        # Elsewhere null stands for nothing, whether the document says so or not.
                        yield (*path, name), None, "null"
                    yield from _wrong(version, inner, value[name], (*path, name))
        elif isinstance(value, list) and "items" in branch:
            for index, one in enumerate(value[:3]):
                yield from _wrong(version, branch["items"], one, (*path, index))


def _beyond(branch: Json, value: Any, path: Path) -> Iterator[tuple[Path, Any, str]]:
    """Values just beyond a limit."""
    if isinstance(value, str):
        if "maxLength" in branch:
            yield path, "x" * (branch["maxLength"] + 1), "too long"
        yield path, "", "empty"
    elif isinstance(value, list):
        if value and branch.get("maxItems", _LONGEST) < _LONGEST:
            yield path, [value[0]] * (branch["maxItems"] + 1), "too many"
    elif isinstance(value, int | float):
        if "minimum" in branch:
            yield path, branch["minimum"] - 1, "too small"
        if "maximum" in branch:
            yield path, branch["maximum"] + 1, "too large"
