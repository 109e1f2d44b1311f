"""The subset of JSON schema that grammars and checks follow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from retinue.inference.prompted.schema import arguments_schema


def one(schema: Any, **root: Any) -> Any:
    """What becomes of the schema of one property."""
    return arguments_schema({"type": "object", "properties": {"a": schema}, **root})["properties"]["a"]


@pytest.mark.parametrize("parameters", [None, {}, []])
def test_no_parameters(parameters: Any) -> None:
    assert arguments_schema(parameters) == {"type": "object", "properties": {}, "additionalProperties": False}


def test_unnamed_properties_are_refused_unless_allowed() -> None:
    assert arguments_schema({"properties": {"a": {}}})["additionalProperties"] is False
    assert arguments_schema({"properties": {}, "additionalProperties": True})["additionalProperties"] is True
    assert "additionalProperties" not in arguments_schema({"type": "object"})


@pytest.mark.parametrize(
    ("schema", "simple"),
    [
        ({"type": "string", "pattern": "(a+)+$", "title": "A", "default": 1}, {"type": "string"}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        ({"type": "string", "format": "phone"}, {"type": "string"}),
        ({"type": "objekt"}, {}),
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": ["string", "null"], "enum": ["x", None, 1]}, {"enum": ["x", None]}),
        ({"type": "string", "enum": [1]}, {"enum": [1]}),
        ({"const": 0}, {"enum": [0]}),
        ({"type": "integer", "minimum": 5, "maximum": 1}, {"type": "integer"}),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, {"type": "number", "minimum": 1}),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 10**6, "uniqueItems": True},
         {"type": "array", "items": {"type": "integer"}}),
        ({"oneOf": [{"type": "string"}, {"not": {}}]}, {"anyOf": [{"type": "string"}, {}]}),
        ({"anyOf": []}, {}),
        ({"type": "object", "properties": [], "required": ["x"]}, {"type": "object", "required": []}),
        (True, {}),
        ("nonsense", {}),
    ],
)  # fmt: skip
def test_what_is_kept(schema: Any, simple: Any) -> None:
    assert one(schema) == simple


def test_references() -> None:
    defs = {"City": {"type": "string"}, "Tree": {"type": "object", "properties": {"kids": {"$ref": "#/$defs/Tree"}}}}
    assert one({"$ref": "#/$defs/City"}, **{"$defs": defs}) == {"type": "string"}
    assert one({"$ref": "#/$defs/Tree"}, **{"$defs": defs}) == {"type": "object", "properties": {"kids": {}}}
    assert one({"$ref": "https://example.com/x"}) == {}
    assert one({"$ref": "#/nowhere/at/all"}) == {}


def count(schema: Any) -> int:
    if isinstance(schema, dict):
        return 1 + sum(map(count, schema.values()))
    return sum(map(count, schema)) if isinstance(schema, list) else 0


def test_size_is_bounded() -> None:
    deep: Any = {}
    for _ in range(400):
        deep = {"type": "object", "properties": {"a": deep, "b": {"type": "string"}}}
    wide = {"type": "object", "properties": {f"p{n}": {"$ref": "#/$defs/W"} for n in range(900)}}
    wide["$defs"] = {"W": {"type": "object", "properties": {f"q{n}": {"type": "string"} for n in range(900)}}}
    for schema in (deep, wide):
        assert count(arguments_schema(schema)) < 5000


WORDS = st.sampled_from(
    ["type", "properties", "required", "items", "anyOf", "enum", "$ref", "minimum", "maxLength", "a"]
)
ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats()
    | st.sampled_from(["string", "object", "#", "#/a", "é"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


@given(ANY)
@example({"properties": True, "required": ["a"]})
def test_any_input_gives_a_valid_schema(parameters: Any) -> None:
    schema = arguments_schema(parameters)
    assert schema["type"] == "object"
    Draft202012Validator.check_schema(schema)
