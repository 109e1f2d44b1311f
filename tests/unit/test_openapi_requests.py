"""From arguments to HTTP requests: styles of parameters, bodies, and what must not get out."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import pytest

from retinue.errors import InvalidRequest
from retinue.tools.actions.document import Operation, read
from retinue.tools.actions.request import Request, build
from retinue.tools.connections.credentials import Authentication

Json = dict[str, Any]
BASE = "https://example.com/v1"


def operation(value: Json, path: str = "/x", method: str = "get") -> Operation:
    (found,) = read({"openapi": "3.1.0", "paths": {path: {method: value}}}).operations
    return found


def sent(value: Json, arguments: Json, path: str = "/x", method: str = "get", **authentication: Any) -> Request:
    return build(operation(value, path, method), BASE, arguments, Authentication(**authentication))


def parameter(place: str, **fields: Any) -> Json:
    return {"parameters": [{"name": "p", "in": place, "required": place == "path", **fields}]}


ARRAY, OBJECT = ["a", "b c"], {"R": 100, "G": "x y"}


# The table of the specification (3.1.1, "Style Examples"), with what has to be encoded.
@pytest.mark.parametrize(
    ("fields", "value", "query"),
    [
        ({}, "a&b=c", "p=a%26b%3Dc"),
        ({}, True, "p=true"),
        ({}, 1.5, "p=1.5"),
        ({}, ARRAY, "p=a&p=b%20c"),
        ({"explode": False}, ARRAY, "p=a%2Cb%20c"),
        ({}, OBJECT, "R=100&G=x%20y"),
        ({"explode": False}, OBJECT, "p=R%2C100%2CG%2Cx%20y"),
        ({"style": "spaceDelimited", "explode": False}, ARRAY, "p=a%20b%20c"),
        ({"style": "pipeDelimited", "explode": False}, ARRAY, "p=a%7Cb%20c"),
        ({"style": "deepObject"}, OBJECT, "p%5BR%5D=100&p%5BG%5D=x%20y"),
        ({"style": "deepObject"}, {"a": {"b": [1, 2]}}, "p%5Ba%5D%5Bb%5D=1&p%5Ba%5D%5Bb%5D=2"),
        ({"content": {"application/json": {}}}, {"a": [1]}, "p=%7B%22a%22%3A%20%5B1%5D%7D"),
    ],
)
def test_query(fields: Json, value: Any, query: str) -> None:
    assert sent(parameter("query", **fields), {"p": value}).url == f"{BASE}/x?{query}"


@pytest.mark.parametrize(
    ("fields", "value", "path"),
    [
        ({}, "a/b?c#d%", "a%2Fb%3Fc%23d%25"),
        ({}, ARRAY, "a,b%20c"),
        ({}, OBJECT, "R,100,G,x%20y"),
        ({"explode": True}, OBJECT, "R=100,G=x%20y"),
        ({"style": "label"}, ARRAY, ".a,b%20c"),
        ({"style": "label", "explode": True}, ARRAY, ".a.b%20c"),
        ({"style": "matrix"}, ARRAY, ";p=a,b%20c"),
        ({"style": "matrix", "explode": True}, ARRAY, ";p=a;p=b%20c"),
        ({"style": "matrix", "explode": True}, OBJECT, ";R=100;G=x%20y"),
    ],
)
def test_path(fields: Json, value: Any, path: str) -> None:
    assert sent(parameter("path", **fields), {"p": value}, "/x/{p}/y").url == f"{BASE}/x/{path}/y"


@pytest.mark.parametrize("value", ["..", ".", "", [], {}])
def test_a_path_is_not_left(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        sent(parameter("path"), {"p": value}, "/x/{p}")


@pytest.mark.parametrize(
    "value", ["@evil.example", "//evil.example", "\\evil.example", ":80", "a\nb", "%2e%2e", "\x00"]
)
def test_a_server_is_not_left(value: str) -> None:
    url = sent(parameter("path"), {"p": value}, "/{p}").url
    assert url.startswith(BASE + "/")
    assert unquote(url.removeprefix(BASE + "/")) == value
    assert "/" not in url.removeprefix(BASE + "/")


@pytest.mark.parametrize(
    ("fields", "value", "header"),
    [
        ({}, ARRAY, "a,b c"),
        ({}, OBJECT, "R,100,G,x y"),
        ({"explode": True}, OBJECT, "R=100,G=x y"),
        ({}, "é", "%C3%A9"),
    ],
)
def test_headers(fields: Json, value: Any, header: str) -> None:
    assert sent(parameter("header", **fields), {"p": value}).headers["p"] == header


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\x00b", ["a", "b\r"]])
def test_headers_stay_one_line(value: Any) -> None:
    with pytest.raises(InvalidRequest, match="line breaks"):
        sent(parameter("header"), {"p": value})


def test_cookies_stay_apart() -> None:
    request = sent(parameter("cookie"), {"p": "a; admin=1\r\n"}, cookies={"sid": "k=="})
    assert request.headers["cookie"] == "p=a%3B%20admin%3D1%0D%0A; sid=k=="


def test_authentication_comes_first() -> None:
    value = {"parameters": [{"name": name, "in": place} for name, place in (("key", "query"), ("X-Key", "header"))]}
    request = sent(value, {"key": "mine", "X-Key": "mine"}, query={"key": "k"}, headers={"x-key": "h"})
    assert request.url == f"{BASE}/x?key=k"
    assert request.headers["x-key"] == "h"


def post(schema: Json, arguments: Json, media: str, *, required: bool = True, **content: Any) -> Request:
    body = {"required": required, "content": {media: {"schema": schema, **content}}}
    return sent({"requestBody": body}, arguments, method="post")


PET = {"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}, "b": {}, "f": {"format": "binary"}}}


def test_json() -> None:
    request = post(PET, {"a": "é", "b": [1]}, "application/json")
    assert (request.body, request.headers["content-type"]) == ('{"a":"é","b":[1]}'.encode(), "application/json")
    assert post({"type": "array"}, {"body": [1, "x"]}, "application/json").body == b'[1,"x"]'


def test_forms() -> None:
    request = post(PET, {"a": "x y&", "b": [1, {"c": 2}]}, "application/x-www-form-urlencoded")
    assert request.body == b"a=x+y%26&b=1&b=%7B%22c%22%3A+2%7D"
    request = post(PET, {"a": 'v"\r\n--', "b": {"c": 1}, "f": "text"}, "multipart/form-data")
    kind, _, boundary = request.headers["content-type"].partition("; boundary=")
    assert (kind, request.body) == (
        "multipart/form-data",
        (
            f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\nv"\r\n--\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="b"\r\ncontent-type: application/json\r\n\r\n'
            '{"c": 1}\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="f"; filename="f.txt"\r\n'
            "content-type: text/plain; charset=utf-8\r\n\r\ntext\r\n"
            f"--{boundary}--\r\n"
        ).encode(),
    )


def test_text() -> None:
    request = post({"type": "string"}, {"body": "hello"}, "text/csv")
    assert (request.body, request.headers["content-type"]) == (b"hello", "text/csv")
    assert post({}, {"body": "x"}, "*/*").headers["content-type"] == "text/plain; charset=utf-8"


def test_a_body_that_need_not_be() -> None:
    assert post(PET, {}, "application/json", required=False).body is None
    with pytest.raises(InvalidRequest, match="'a' is missing"):
        post(PET, {"b": 1}, "application/json", required=False)
