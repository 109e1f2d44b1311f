"""From a model's arguments to the HTTP request of an operation."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import quote, urlencode

import orjson
from yarl import URL

from ...errors import InvalidRequest
from ...inference.chat import Json
from ..connections.credentials import Authentication
from .document import Body, Operation, Parameter

_DELIMITERS = {"spaceDelimited": " ", "pipeDelimited": "|"}
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """An HTTP request."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None


def build(operation: Operation, base: str, arguments: Json, authentication: Authentication) -> Request:
    """The request for a call.

    Args:
        operation: what is called.
        base: the server's address; the request goes nowhere else.
        arguments: by name, as the model wrote them.
        authentication: what is added; it comes before any argument of the same name.

    Raises:
        InvalidRequest: arguments are missing, unknown or cannot be sent. The message is for the model.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    _check(operation, given)
    placed: dict[str, list[tuple[Parameter, Any]]] = {"path": [], "query": [], "header": [], "cookie": []}
    for parameter in operation.parameters:
        if parameter.argument in given:
            placed[parameter.place].append((parameter, given[parameter.argument]))
    query = [pair for parameter, value in placed["query"] for pair in _pairs(parameter, value)]
    query = [(name, value) for name, value in query if name not in authentication.query]
    headers = {
        parameter.name: _header_value(parameter, ",".join(_flat(value, explode=parameter.explode)))
        for parameter, value in placed["header"]
    }
    cookies = {name: text for parameter, value in placed["cookie"] for name, text in _pairs(parameter, value)}
    cookies |= authentication.cookies
    content, media = _content(operation.body, given) if operation.body else (None, None)
    sent = {"accept": "application/json, */*;q=0.8", **({"content-type": media} if media else {})}
    sent |= {name.lower(): value for name, value in headers.items()}
    sent |= {name.lower(): value for name, value in authentication.headers.items()}
    if cookies:
        # Whatever could begin another cookie is encoded; a key of ours goes as it is.
        sent["cookie"] = "; ".join(
            f"{quote(name, safe='')}={value if name in authentication.cookies else quote(value, safe='')}"
            for name, value in cookies.items()
        )
    path = _path(operation, [(parameter, value) for parameter, value in placed["path"]])
    pairs = [*query, *authentication.query.items()]
    url = base.rstrip("/") + path + ("?" + urlencode(pairs, quote_via=quote) if pairs else "")
    if URL(url).origin() != URL(base).origin():
        raise InvalidRequest("the arguments lead to another server.")
    return Request(operation.method, url, sent, content)


def _check(operation: Operation, given: Json) -> None:
    known: Json = operation.schema["properties"]
    if unknown := [name for name in given if name not in known]:
        raise InvalidRequest(f"there is no argument '{unknown[0]}'. There are: {', '.join(known) or 'none'}.")
    needed = list(operation.schema.get("required", []))
    body = operation.body
    if body and body.properties and any(name in given for name in body.properties):
        needed += body.needed
    if missing := [name for name in dict.fromkeys(needed) if name not in given]:
        raise InvalidRequest(f"the argument '{missing[0]}' is missing. Call again with it.")


# --- parameters


def _path(operation: Operation, given: list[tuple[Parameter, Any]]) -> str:
    """The path with its values, each of which stays within one segment."""
    values = {parameter.name: _path_value(parameter, value) for parameter, value in given}
    path = re.sub(
        r"\{([^{}]+)\}|([^{}%]+)",
        lambda found: values.get(found[1], "") if found[1] else quote(found[2], safe="/:@!$&'()*+,;=~-._"),
        operation.path,
    )
    segments = path.split("/")
    if any(segment.replace("%2E", ".").replace("%2e", ".") in (".", "..") for segment in segments):
        raise InvalidRequest("a part of the path must not be '.' or '..'.")
    return path


def _path_value(parameter: Parameter, value: Any) -> str:
    parts = [quote(part, safe="") for part in _flat(value, explode=False)]
    if parameter.explode and isinstance(value, dict):
        parts = [f"{quote(str(key), safe='')}={quote(_text(inner), safe='')}" for key, inner in value.items()]
    name = quote(parameter.name, safe="")
    if parameter.style == "label":
        text = "." + ("." if parameter.explode else ",").join(parts)
    elif parameter.style == "matrix" and parameter.explode:
        text = "".join(f";{part if isinstance(value, dict) else f'{name}={part}'}" for part in parts)
    elif parameter.style == "matrix":
        text = f";{name}={','.join(parts)}"
    else:
        text = ",".join(parts)
    if not text:
        raise InvalidRequest(f"the argument '{parameter.argument}' must not be empty.")
    return text


def _pairs(parameter: Parameter, value: Any) -> Iterator[tuple[str, str]]:
    """A parameter of the query, or a cookie, as names and values."""
    name = parameter.name
    if parameter.style == "json":
        yield name, json.dumps(value, ensure_ascii=False)
    elif parameter.style == "deepObject" and isinstance(value, dict):
        yield from _deep(name, cast(Json, value))
    elif parameter.explode and isinstance(value, list):
        for inner in cast(list[Any], value):
            yield name, _text(inner)
    elif parameter.explode and isinstance(value, dict):
        for key, inner in cast(Json, value).items():
            yield key, _text(inner)
    else:
        yield name, _DELIMITERS.get(parameter.style, ",").join(_flat(value, explode=False))


def _deep(name: str, value: Json) -> Iterator[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _deep(f"{name}[{key}]", cast(Json, inner))
        elif isinstance(inner, list):
            for one in cast(list[Any], inner):
                yield f"{name}[{key}]", _text(one)
        else:
            yield f"{name}[{key}]", _text(inner)


def _flat(value: Any, *, explode: bool) -> list[str]:
    """A value as the parts of a list: an object's keys and values follow each other, or stand as `key=value`."""
    if isinstance(value, list):
        return [_text(inner) for inner in cast(list[Any], value)]
    if isinstance(value, dict):
        pairs = [(key, _text(inner)) for key, inner in cast(Json, value).items()]
        return [f"{key}={inner}" for key, inner in pairs] if explode else [part for pair in pairs for part in pair]
    return [_text(value)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _header_value(parameter: Parameter, value: str) -> str:
    """A value for a header: such as would end it are refused; what is not Latin is encoded as in URLs."""
    if _CONTROLS.search(value):
        raise InvalidRequest(f"the argument '{parameter.argument}' must not hold line breaks or control characters.")
    return value if value.isascii() else quote(value, safe=" !\"#$&'()*+,/:;<=>?@[]^`{|}~")


# --- bodies


def _content(body: Body, given: Json) -> tuple[bytes | None, str | None]:
    """The body and its media type; nothing where no argument is for it."""
    if body.properties is None:
        if body.whole not in given:
            return None, None
        value = given[body.whole]
    else:
        value = {name: given[argument] for argument, name in body.properties.items() if argument in given}
        if not value and not body.required:
            return None, None
    kind = body.media.partition(";")[0].strip().lower()
    writers: dict[str, Callable[[Body, Any], tuple[bytes, str]]] = {
        "application/x-www-form-urlencoded": _form,
        "multipart/form-data": _multipart,
    }
    if kind in writers and isinstance(value, dict):
        return writers[kind](body, value)
    if "json" in kind:
        return orjson.dumps(value), body.media
    if _CONTROLS.search(body.media) or "*" in body.media:
        return _text(value).encode(), "text/plain; charset=utf-8"
    return _text(value).encode(), body.media


def _form(body: Body, value: Json) -> tuple[bytes, str]:
    pairs: list[tuple[str, str]] = []
    for name, inner in value.items():
        pairs += [(name, _text(one)) for one in (cast(list[Any], inner) if isinstance(inner, list) else [inner])]
    return urlencode(pairs).encode(), "application/x-www-form-urlencoded"


def _multipart(body: Body, value: Json) -> tuple[bytes, str]:
    boundary = f"retinue-{secrets.token_hex(16)}"
    parts: list[bytes] = []
    for name, inner in value.items():
        for one in cast(list[Any], inner) if isinstance(inner, list) else [inner]:
            quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
            head = f'--{boundary}\r\ncontent-disposition: form-data; name="{quoted}"'
            if name in body.binary:
                head += f'; filename="{quoted}.txt"\r\ncontent-type: text/plain; charset=utf-8'
            elif isinstance(one, dict | list):
                head += "\r\ncontent-type: application/json"
            parts.append(f"{head}\r\n\r\n{_text(one)}\r\n".encode())
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"
