"""OpenAPI documents as operations: what is read, what is shown of it, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from retinue.tools.actions import schemas
from retinue.tools.actions.document import Document, Operation, read
from retinue.tools.actions.loading import Unusable, load
from retinue.tools.actions.schemas import LONGEST, Schemas

Json = dict[str, Any]


def reading(paths: Json, **fields: Any) -> Document:
    return read({"openapi": "3.1.0", "info": {"title": "T"}, "paths": paths, **fields})


def only(operation: Json, path: str = "/x", method: str = "post", **fields: Any) -> Operation:
    (found,) = reading({path: {method: operation}}, **fields).operations
    return found


def body(schema: Any, media: str = "application/json", *, required: bool = True) -> Json:
    return {"requestBody": {"required": required, "content": {media: {"schema": schema}}}}


# --- loading


def test_yaml_becomes_json() -> None:
    text = 'a: 2020-01-01\n2: yes\nyes: .inf\nbig: 99999999999999999999\nn: null\nb: !!binary aGk=\ns: "a\\0"'
    assert load(text) == {
        "a": "2020-01-01",
        "2": True,
        "true": None,
        "big": 1e20,
        "n": None,
        "b": "aGk=",
        "s": "a\ufffd",
    }


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a [*a]",
        "a: &a {b: *a}",
        "[" * 100_000,
        "{" * 500 + "}" * 500,
        '{"a":' * 70 + "1" + "}" * 70,
        "a: !!python/object/apply:os.system [id]",
        "? [a, b]\n: c",
        "a: b: c",
        "",
        "- 1",
        "a: *b",
        "x" * 1_048_577,
    ],
)
def test_what_is_not_loaded(text: str) -> None:
    with pytest.raises(Unusable):
        load(text)


def test_aliases_that_are_few_are_followed() -> None:
    assert load("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}") == {"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1, "y": 2}}


# --- operations


def test_names_fit_and_are_unique() -> None:
    paths = {
        "/a": {"get": {"operationId": "list things!"}, "post": {"operationId": "list_things"}},
        "/b/{id}": {"get": {}, "delete": {"operationId": "é" * 3}},
        "/c": {"get": {"operationId": "x" * 100}, "put": {"operationId": "x" * 100}},
    }
    names = [one.name for one in reading(paths).operations]
    assert names == ["list_things", "list_things_2", "get_b_id", "delete", "x" * 64, "x" * 59 + "_2"]


def test_parameters_of_paths_are_overridden() -> None:
    shared = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}, "description": "old"}]
    own = [{"$ref": "#/components/parameters/Id"}, {"name": "id", "in": "query", "schema": {"type": "boolean"}}]
    components = {"parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}}}
    paths = {"/x/{id}": {"parameters": shared, "get": {"parameters": own}}}
    (found,) = reading(paths, components=components).operations
    assert found.schema == {
        "type": "object",
        "properties": {"id": {"type": "integer"}, "query_id": {"type": "boolean"}},
        "required": ["id"],
    }


def test_a_path_parameter_that_nobody_declares() -> None:
    found = only({}, "/x/{a}/{b}", "get")
    assert found.schema["required"] == ["a", "b"]


def test_headers_of_http_are_not_arguments() -> None:
    names = ["Accept", "Authorization", "content-type", "Host", "X-Mine"]
    found = only({"parameters": [{"name": name, "in": "header"} for name in names]}, method="get")
    assert list(found.schema["properties"]) == ["X-Mine"]


def test_a_body_is_flattened() -> None:
    pet = {
        "allOf": [{"$ref": "#/components/schemas/Base"}, {"type": "object", "properties": {"age": {"type": "integer"}}}]
    }
    base = {
        "type": "object",
        "required": ["name", "id"],
        "properties": {"name": {"type": "string"}, "id": {"type": "string", "readOnly": True}},
    }
    found = only(body(pet), components={"schemas": {"Base": base}})
    assert found.schema["properties"] == {"name": {"type": "string"}, "age": {"type": "integer"}}
    assert found.schema["required"] == ["name"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer"}},
        {"type": "object", "properties": {"id": {}}},
        {"type": "object", "properties": {"a": {}}, "additionalProperties": True},
        {"oneOf": [{"type": "object", "properties": {"a": {}}}, {"type": "string"}]},
        {"type": "object"},
    ],
)
def test_a_body_that_is_one_argument(schema: Json) -> None:
    found = only(body(schema), "/x/{id}")
    assert list(found.schema["properties"]) == ["id", "body"]
    assert found.schema["required"] == ["id", "body"]


def test_what_is_sent_is_json_if_it_may_be() -> None:
    content = {"application/xml": {}, "multipart/form-data": {}, "application/vnd.api+json": {}}
    found = only({"requestBody": {"content": content}})
    assert found.body
    assert found.body.media == "application/vnd.api+json"


def test_servers() -> None:
    servers = [{"url": "https://{region}.example.com/v1/", "variables": {"region": {"default": "eu"}}}]
    own = {"servers": [{"url": "https://other.example.com"}]}
    document = reading({"/a": {"get": {}}, "/b": {"get": own}}, servers=servers)
    assert document.server == "https://eu.example.com/v1"
    assert [one.server for one in document.operations] == [None, "https://other.example.com"]
    relative = {"openapi": "3.0.0", "servers": [{"url": "/api"}], "paths": {"/a": {"get": {}}}}
    assert read(relative, "https://example.com/x/spec.json").server == "https://example.com/api"
    assert read(relative).server is None


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("#/nowhere", "leads nowhere"),
        ("https://example.com/schema.json", "outside of the document"),
        ("other.yaml#/a", "outside of the document"),
        ("#/components/schemas/Loop", "without end"),
    ],
)
def test_references_that_cannot_be_followed(reference: str, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        only(body({"$ref": reference}), components={"schemas": {"Loop": {"$ref": "#/components/schemas/Loop"}}})


def test_limits_of_a_document() -> None:
    with pytest.raises(Unusable, match="more than 1000 operations"):
        reading({f"/{number}": {"get": {}} for number in range(1001)})
    with pytest.raises(Unusable, match="more than 200 parameters"):
        only({"parameters": [{"name": f"p{number}", "in": "query"} for number in range(201)]})


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {"get": 1}, {"get": {"parameters": 1, "requestBody": []}}])
def test_nonsense_is_passed_over(value: Any) -> None:
    paths = {"/ok": {"get": {"parameters": [1, {"name": 1, "in": "query"}, {"name": "a", "in": "moon"}]}}, "/x": value}
    assert reading(paths).operations[0].schema == {"type": "object", "properties": {}}


# --- schemas


def test_cycles_are_cut() -> None:
    tree = {"type": "object", "properties": {"value": {"type": "string"}, "next": {"$ref": "#/tree"}}}
    assert Schemas({"tree": tree}).shown({"$ref": "#/tree"}) == {
        "type": "object",
        "properties": {"value": {"type": "string"}, "next": {"type": "object"}},
    }


def test_pointers_are_unescaped() -> None:
    document: Json = {"a/b": {"c~d": [{"type": "null"}]}}
    assert Schemas(document).resolved({"$ref": "#/a~1b/c~0d/0"}) == {"type": "null"}
    assert Schemas(document).resolved({"$ref": "#/a%7E1b/c~0d/0"}) == {"type": "null"}


def test_nullable_of_3_0() -> None:
    assert Schemas({}).shown({"type": "string", "nullable": True}) == {"type": ["string", "null"]}


def test_large_schemas_get_shallower() -> None:
    def wide(depth: int) -> Json:
        inner = {"type": "string"} if depth == 0 else wide(depth - 1)
        return {"type": "object", "properties": {f"property_{number}": inner for number in range(8)}}

    shown = Schemas({}).shown(wide(6))
    assert len(json.dumps(shown)) <= LONGEST
    assert list(shown["properties"]) == [f"property_{number}" for number in range(8)]
    assert Schemas({}).shown({"type": "string", "enum": ["x" * 100] * 1000}) == {"type": "string"}


def test_schemas_that_together_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "_MOST_WORK", 1000)
    schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(100)}}
    paths = {f"/{number}": {"post": body({"$ref": "#/s"})} for number in range(20)}
    assert len(reading(dict(list(paths.items())[:9]), s=schema).operations) == 9
    with pytest.raises(Unusable, match="too large together"):
        reading(paths, s=schema)
