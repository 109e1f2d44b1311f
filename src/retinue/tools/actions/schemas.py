"""Schemas of an OpenAPI document as a model is shown them: self-contained, and not too long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

import orjson

from ...inference.chat import Json
from .loading import Unusable

#: Most characters of a schema that a model is shown.
LONGEST = 8_000
#: How deep it may go; where the deepest is too long, the next.
_DEPTHS = (6, 4, 3, 2, 1)
#: Most schemas in one, and most that are looked at for a document.
_MOST_SCHEMAS, _MOST_WORK = 1_000, 300_000
#: References that lead to references.
_MOST_HOPS = 16
#: Characters of a description that are shown.
_DESCRIPTION = 500

_COPIED = (
    *("type", "enum", "const", "default", "format", "pattern", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minLength", "maxLength", "minItems", "maxItems", "uniqueItems"),
)
_SEVERAL = ("anyOf", "oneOf")


class _TooLong(Exception):
    """The schema has more parts than are shown."""


class Schemas:
    """Looks things up in one document."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._work = 0
        self._left = 0

    def resolved(self, value: Any) -> Json:
        """An object of the document, itself or where its `$ref` leads; {} where there is none.

        Raises:
            Unusable: the reference leads outside the document or nowhere.
        """
        for _ in range(_MOST_HOPS):
            if not isinstance(value, dict):
                return {}
            found = cast(Json, value)
            if not isinstance(found.get("$ref"), str):
                return found
            value = self._at(found["$ref"])
        raise Unusable("a reference leads to references without end.")

    def members(self, schema: Any, depth: int = 4) -> tuple[dict[str, Any], list[str]] | None:
        """The properties of an object's schema, those of its `allOf` too, and which are required; None of others.

        Properties that only answers have are left out.
        """
        found = self.resolved(schema)
        if depth == 0 or any(found.get(name) for name in (*_SEVERAL, "not")) or _open(found):
            return None
        properties: dict[str, Any] = {}
        required: list[str] = []
        for part in _listed(found.get("allOf")):
            inner = self.members(part, depth - 1)
            if inner is None:
                return None
            properties |= inner[0]
            required += inner[1]
        own = found.get("properties")
        if isinstance(own, dict):
            kept = {str(name): value for name, value in own.items() if self.resolved(value).get("readOnly") is not True}
            properties |= kept
        required += [name for name in _listed(found.get("required")) if isinstance(name, str)]
        return (properties, [name for name in required if name in properties]) if properties else None

    def shown(self, schema: Any, longest: int = LONGEST) -> Json:
        """A schema without references, at most so many characters of JSON long.

        Raises:
            Unusable: see `resolved`; or the document has too many schemas.
        """
        for depth in _DEPTHS:
            self._left = _MOST_SCHEMAS
            try:
                shown = self._shown(schema, depth, ())
            except _TooLong:
                continue
            if len(orjson.dumps(shown)) <= longest:
                return shown
        return _of_kind(self.resolved(schema))

    def _shown(self, schema: Any, depth: int, chain: tuple[str, ...]) -> Json:
        self._count()
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        found = self.resolved(schema)
        if reference is not None and reference in chain:
            return _of_kind(found)
        if depth == 0:
            return _of_kind(found)
        chain = (*chain, reference) if reference else chain
        shown: Json = {name: found[name] for name in _COPIED if name in found}
        if isinstance(found.get("description"), str):
            shown["description"] = found["description"][:_DESCRIPTION]
        if found.get("nullable") is True and isinstance(found.get("type"), str):
            shown["type"] = [found["type"], "null"]
        for name in (*_SEVERAL, "allOf"):
            if parts := _listed(found.get(name)):
                shown[name] = [self._shown(part, depth, chain) for part in parts]
        if isinstance(found.get("items"), dict):
            shown["items"] = self._shown(found["items"], depth - 1, chain)
        self._show_properties(found, shown, depth, chain)
        return shown

    def _show_properties(self, found: Json, shown: Json, depth: int, chain: tuple[str, ...]) -> None:
        if isinstance(properties := found.get("properties"), dict):
            shown["properties"] = {
                name: self._shown(value, depth - 1, chain)
                for name, value in properties.items()
                if self.resolved(value).get("readOnly") is not True
            }
            shown.setdefault("type", "object")
            if required := [name for name in properties if name in _listed(found.get("required"))]:
                shown["required"] = required
        more = found.get("additionalProperties")
        if isinstance(more, dict):
            shown["additionalProperties"] = self._shown(more, depth - 1, chain)
        elif isinstance(more, bool):
            shown["additionalProperties"] = more

    def _count(self) -> None:
        self._work += 1
        self._left -= 1
        if self._work > _MOST_WORK:
            raise Unusable("its schemas are too large together.")
        if self._left < 0:
            raise _TooLong

    def _at(self, reference: str) -> Any:
        """What a JSON pointer (RFC 6901) in a fragment leads to."""
        if reference != "#" and not reference.startswith("#/"):
            raise Unusable(f"'{reference[:200]}' is outside of the document: only references within it are followed.")
        value: Any = self._document
        for part in reference.split("/")[1:]:
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and name in value:
                value = cast(Mapping[str, Any], value)[name]
            elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
                value = cast(Sequence[Any], value)[int(name)]
            else:
                raise Unusable(f"the reference '{reference[:200]}' leads nowhere.")
        return value


def _of_kind(found: Json) -> Json:
    """A schema of which only the kind is told."""
    return {name: found[name] for name in ("type", "format") if name in found}


def _open(found: Json) -> bool:
    """Whether an object takes properties that its schema does not name."""
    return isinstance(found.get("additionalProperties"), dict) or found.get("additionalProperties") is True


def _listed(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []
