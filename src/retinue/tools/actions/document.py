"""OpenAPI documents, 3.0 and 3.1, as operations that a model can call.

Source: the OpenAPI Specification (https://spec.openapis.org/oas/v3.1.1.html).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from yarl import URL

from ...inference.chat import Json
from .loading import Unusable
from .schemas import LONGEST, Schemas

#: Most operations of a document.
MOST_OPERATIONS = 1_000
#: Most parameters of an operation, properties of its body counted in.
_MOST_ARGUMENTS = 200
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_PLACES = ("path", "query", "header", "cookie")
#: Parameters that belong to HTTP itself: the specification has them ignored, and we the last ones too.
_HEADERS_OF_HTTP = frozenset(
    {"accept", "content-type", "authorization", "host", "content-length", "transfer-encoding", "connection", "cookie"}
    | {"expect", "te", "trailer", "upgrade"}
)
#: How each place writes its parameters unless they say otherwise, and what else it may.
_STYLES: Mapping[str, tuple[str, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
_MOST_NAME, _MOST_DESCRIPTION = 64, 1_000
_JSON = re.compile(r"application/(?:[\w.+-]+\+)?json(?:;.*)?$", re.IGNORECASE)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an operation.

    Attributes:
        argument: what the model calls it.
        name: its own name.
        place: `path`, `query`, `header` or `cookie`.
        style: see the specification; `json` where its value is JSON text.
        explode: see the specification.
        required: whether it must be there.
    """

    argument: str
    name: str
    place: str
    style: str
    explode: bool
    required: bool


@dataclass(frozen=True, slots=True)
class Body:
    """The body of an operation's request.

    Attributes:
        media: its media type.
        properties: its properties by what the model calls them; None: the model gives it as the argument `whole`.
        whole: see above.
        required: whether it must be there.
        needed: arguments that must be there if there is a body.
        binary: properties that are files.
    """

    media: str
    properties: Mapping[str, str] | None
    whole: str
    required: bool
    needed: tuple[str, ...] = ()
    binary: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """Something that can be asked of a service.

    Attributes:
        name: what the model calls it.
        method: of HTTP, in capitals.
        path: the path's template.
        server: where it is, if not where the others are.
        description: in words.
        schema: of its arguments.
        parameters: what goes elsewhere than into the body.
        body: None: there is none.
        consequential: what `x-openai-isConsequential` says, if anything.
    """

    name: str
    method: str
    path: str
    server: str | None
    description: str
    schema: Json
    parameters: tuple[Parameter, ...]
    body: Body | None
    consequential: bool | None

    @property
    def title(self) -> str:
        """Such as `GET /pets`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Document:
    """What an OpenAPI document offers.

    Attributes:
        title: its name; "" if it has none.
        server: the address of its first server, absolute; None if it names none.
        operations: all of them, in their order, each under a name of its own.
    """

    title: str
    server: str | None
    operations: tuple[Operation, ...]


def read(document: Json, source: str | None = None) -> Document:
    """What a document offers.

    Args:
        document: as `loading.load` gives it. Reading a large one takes a second or two.
        source: where it came from, which servers may be relative to.

    Raises:
        Unusable: it is no OpenAPI document of these versions, has no operations or too many, or a reference in it
            leads nowhere.
    """
    version = document.get("openapi")
    if not isinstance(version, str) or not version.startswith(("3.0", "3.1")):
        raise Unusable("it must be OpenAPI 3.0 or 3.1, and say so in 'openapi'.")
    info, paths = document.get("info"), document.get("paths")
    title = info.get("title") if isinstance(info, dict) else None
    found = _Reader(document, source)
    operations = tuple(found.operations(paths if isinstance(paths, dict) else {}))
    if not operations:
        raise Unusable("it has no operations.")
    return Document(str(title or "").strip()[:256], found.server(document), operations)


@dataclass(slots=True)
class _Arguments:
    """The arguments of an operation while they are collected."""

    schemas: Json = field(default_factory=dict[str, Any])
    required: list[str] = field(default_factory=list[str])

    def name_for(self, name: str, place: str) -> str:
        """A name for an argument that no other has."""
        chosen = name if name not in self.schemas else f"{place}_{name}"
        while chosen in self.schemas:
            chosen += "_"
        return chosen

    def add(self, name: str, schema: Json, *, required: bool) -> None:
        self.schemas[name] = schema
        if required:
            self.required.append(name)
        if len(self.schemas) > _MOST_ARGUMENTS:
            raise Unusable(f"an operation has more than {_MOST_ARGUMENTS} parameters.")


class _Reader:
    def __init__(self, document: Json, source: str | None) -> None:
        self._schemas = Schemas(document)
        self._source = source
        self._names: set[str] = set()

    def operations(self, paths: Json) -> Iterator[Operation]:
        """All operations of these paths."""
        count = 0
        for path, value in paths.items():
            item = self._schemas.resolved(value)
            if not path.startswith("/"):
                continue
            for method in _METHODS:
                if isinstance(item.get(method), dict):
                    count += 1
                    if count > MOST_OPERATIONS:
                        raise Unusable(f"it has more than {MOST_OPERATIONS} operations.")
                    yield self._operation(path, method, item, cast(Json, item[method]))

    def server(self, value: Json) -> str | None:
        """The first server that this part of the document names, as an absolute address."""
        servers = value.get("servers")
        first = self._schemas.resolved(servers[0]) if isinstance(servers, list) and servers else {}
        url = first.get("url")
        if not isinstance(url, str):
            return None
        variables = first.get("variables")
        for name, variable in variables.items() if isinstance(variables, dict) else ():
            if isinstance(variable, dict):
                url = url.replace("{" + name + "}", str(variable.get("default", "")))
        try:
            parsed = URL(url)
            parsed = parsed if parsed.absolute or not self._source else URL(self._source).join(parsed)
            return str(parsed.with_fragment(None).with_query(None)).rstrip("/") if parsed.absolute else None
        except ValueError:
            return None

    def _operation(self, path: str, method: str, item: Json, value: Json) -> Operation:
        arguments = _Arguments()
        parameters = tuple(
            self._parameters(path, [*_listed(item, "parameters"), *_listed(value, "parameters")], arguments)
        )
        body = self._body(value.get("requestBody"), arguments) if method not in ("get", "head", "trace") else None
        schema: Json = {"type": "object", "properties": arguments.schemas}
        if arguments.required:
            schema["required"] = list(dict.fromkeys(arguments.required))
        words = [value.get("summary") or item.get("summary"), value.get("description")]
        said = dict.fromkeys(word.strip() for word in words if isinstance(word, str) and word.strip())
        flag = value.get("x-openai-isConsequential")
        return Operation(
            name=self._name(value.get("operationId"), method, path),
            method=method.upper(),
            path=path,
            server=self.server(value) or self.server(item),
            description="\n".join(said)[:_MOST_DESCRIPTION] or f"{method.upper()} {path}",
            schema=schema,
            parameters=parameters,
            body=body,
            consequential=flag if isinstance(flag, bool) else None,
        )

    def _name(self, identifier: Any, method: str, path: str) -> str:
        wanted = identifier if isinstance(identifier, str) and identifier else f"{method}_{path.strip('/')}"
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", wanted).strip("_")[:_MOST_NAME] or method
        number = 2
        plain = name
        while name in self._names:
            name = f"{plain[: _MOST_NAME - 5]}_{number}"
            number += 1
        self._names.add(name)
        return name

    def _parameters(self, path: str, values: list[Any], arguments: _Arguments) -> Iterator[Parameter]:
        found: dict[tuple[str, str], Json] = {}
        # An operation's own come last, and take the place of its path's.
        for value in map(self._schemas.resolved, values):
            name, place = value.get("name"), value.get("in")
            if isinstance(name, str) and name and place in _PLACES:
                found[name, str(place)] = value
        for name in re.findall(r"\{([^{}]+)\}", path):
            found.setdefault((name, "path"), {"schema": {"type": "string"}})
        for (name, place), value in found.items():
            if place == "header" and name.lower() in _HEADERS_OF_HTTP:
                continue
            required = place == "path" or value.get("required") is True
            argument = arguments.name_for(name, place)
            content, style = value.get("content"), value.get("style")
            if isinstance(content, dict) and content:
                schema, style = self._schemas.resolved(next(iter(content.values()))).get("schema"), "json"
            else:
                schema, style = value.get("schema"), style if style in _STYLES[place] else _STYLES[place][0]
            shown = self._schemas.shown(schema, LONGEST // 4)
            if isinstance(value.get("description"), str):
                shown["description"] = value["description"][:500]
            arguments.add(argument, shown, required=required)
            explode = value.get("explode")
            explode = explode if isinstance(explode, bool) else style in ("form", "deepObject")
            yield Parameter(argument, name, place, style, explode, required)

    def _body(self, value: Any, arguments: _Arguments) -> Body | None:
        wanted = self._schemas.resolved(value)
        content = wanted.get("content")
        if not isinstance(content, dict) or not content:
            return None
        media = _preferred([str(name) for name in content])
        schema = self._schemas.resolved(content[media]).get("schema")
        required = wanted.get("required") is True
        structured = bool(_JSON.match(media)) or media.partition(";")[0].strip().lower() in _FORMS
        members = self._schemas.members(schema) if structured else None
        if members is None or any(name in arguments.schemas for name in members[0]):
            whole = arguments.name_for("body", "request")
            shown = self._schemas.shown(schema) if structured else {"type": "string"}
            arguments.add(whole, shown, required=required)
            return Body(media, None, whole, required)
        properties, needed = members
        for name, inner in properties.items():
            arguments.add(name, self._schemas.shown(inner, LONGEST // 4), required=required and name in needed)
        binary = frozenset(name for name, inner in properties.items() if _is_file(self._schemas.resolved(inner)))
        return Body(media, {name: name for name in properties}, "", required, tuple(needed), binary)


def _preferred(medias: list[str]) -> str:
    """The media type in which a body is sent: JSON if it may, else a form, else what comes first."""
    for media in medias:
        if _JSON.match(media):
            return media
    return next((media for form in _FORMS for media in medias if media.lower().startswith(form)), medias[0])


def _is_file(schema: Json) -> bool:
    return schema.get("format") == "binary" or "contentMediaType" in schema


def _listed(value: Json, name: str) -> list[Any]:
    found = value.get(name)
    return cast(list[Any], found) if isinstance(found, list) else []
