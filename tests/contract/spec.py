"""The official OpenAPI documents as judges of JSON bodies and streamed events.

`validate` holds one body against a schema of a document, `validate_event` one event of an Assistants stream.
Both raise `ContractBreach`, which says where in the body the fault lies. There is a document for version 2 of the
Assistants API (and all else), and one for version 1.

Each document is kept as published (`data/README.md` says where it comes from); `CORRECTIONS` lists where it is
wrong. The strict mode adds what the documents never say but clients rely on: an official object carries no field
of ours.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012
from ruamel.yaml import YAML

Json = dict[str, Any]

#: A version of the Assistants API.
Version = Literal["v1", "v2"]

DATA = Path(__file__).parent / "data"
DOCUMENTS: dict[Version, Path] = {"v1": DATA / "openapi-v1.yaml", "v2": DATA / "openapi-v2.yaml"}
CACHE = Path(__file__).parents[2] / ".cache" / "contract"

#: Keywords whose members judge the same value as the schema that holds them.
IN_PLACE = ("allOf", "anyOf", "oneOf")
#: The unions that together name every event of an Assistants stream.
EVENT_UNIONS = ("ThreadStreamEvent", "RunStreamEvent", "RunStepStreamEvent", "MessageStreamEvent")


class ContractBreach(AssertionError):
    """A body or an event that an official document does not allow."""


# --- loading and mending the document


def load_document(path: Path = DOCUMENTS["v2"], cache_folder: Path = CACHE) -> Json:
    """The parsed document, uncorrected. Parsing takes seconds, so the result is kept as JSON beside the file's hash."""
    source = path.read_bytes()
    kept = cache_folder / f"{path.stem}-{hashlib.sha256(source).hexdigest()[:16]}.json"
    if kept.exists():
        return json.loads(kept.read_bytes())
    document = YAML(typ="safe", pure=True).load(source)
    cache_folder.mkdir(parents=True, exist_ok=True)
    # Renamed into place, so that a test process beside this one never reads half a file.
    part = kept.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(document))
    part.replace(kept)
    return document


def _walk(node: Any) -> Iterator[Json]:
    """Every JSON object under `node`, parents first."""
    if isinstance(node, dict):
        yield node
        for value in list(node.values()):
            yield from _walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from _walk(value)


def _honour_nullable(schemas: Json) -> None:
    for schema in list(_walk(schemas)):
        # `allOf: [X, {nullable: true}]` is how the document says "X or null".
        parts = (schema, *schema.get("allOf", ()))
        if [part for part in parts if part.pop("nullable", None) is True]:
            inner = dict(schema)
            schema.clear()
            schema["anyOf"] = [inner, {"type": "null"}]


def _require_upload_object(schemas: Json) -> None:
    schemas["Upload"]["required"].append("object")


def _allow_128_run_tools(schemas: Json) -> None:
    schemas["RunObject"]["properties"]["tools"]["maxItems"] = 128


def _open_stored_messages(schemas: Json) -> None:
    items = schemas["ChatCompletionMessageList"]["properties"]["data"]["items"]
    answered = schemas["ChatCompletionResponseMessage"]
    text: Json = {"type": "string"}
    said = {"role": text, "name": text, "tool_call_id": text}
    items["allOf"][0] = {**answered, "properties": {**answered["properties"], **said}}
    parts = items["allOf"][1]["properties"]["content_parts"]["anyOf"][0]["items"]["oneOf"]
    for kind in ("Audio", "File"):
        parts.append({"$ref": f"#/components/schemas/ChatCompletionRequestMessageContentPart{kind}"})


def _describe_completion_chunks(schemas: Json) -> None:
    chunk = schemas["CreateCompletionStreamResponse"] = copy.deepcopy(schemas["CreateCompletionResponse"])
    chunk["properties"]["choices"]["items"]["properties"]["finish_reason"]["enum"].append(None)
    chunk["properties"]["choices"]["items"]["properties"]["finish_reason"].pop("type")
    chunk["properties"]["usage"] = {"anyOf": [chunk["properties"]["usage"], {"type": "null"}]}


def _resolve_recursive_ref(schemas: Json) -> None:
    for schema in _walk(schemas["CompoundFilter"]):
        if schema.pop("$recursiveRef", None):
            schema["$ref"] = "#/components/schemas/CompoundFilter"


def _require_no_items(schemas: Json) -> None:
    for name in ("ListAssistantFilesResponse", "ListMessageFilesResponse"):
        schemas[name]["required"].remove("items")


Corrections = tuple[tuple[str, Callable[[Json], None]], ...]

#: Where each document is wrong or stale, and what mends it.
CORRECTIONS: dict[Version, Corrections] = {
    "v1": (
        ("`nullable: true` means `or null`, beside `$ref` too, where OpenAPI 3.0 ignores it", _honour_nullable),
        ("`RunObject.tools` is limited to 20, while assistants may have 128", _allow_128_run_tools),
        ("Lists of files require `items`, a field that they do not have", _require_no_items),
    ),
    "v2": (
        ("`nullable: true` means nothing in OpenAPI 3.1, yet the document means `or null` by it", _honour_nullable),
        ("`Upload.object` is not required by the document, but by the SDK", _require_upload_object),
        ("`RunObject.tools` is limited to 20, while assistants may have 128", _allow_128_run_tools),
        ("Messages of stored chat completions have every role, and parts of every kind", _open_stored_messages),
        ("Chunks of completions have no schema, only prose: null where nothing ends yet", _describe_completion_chunks),
        ("`$recursiveRef` is a keyword of a draft that OpenAPI 3.1 does not use", _resolve_recursive_ref),
    ),
}


def corrected(document: Json, version: Version = "v2") -> Json:
    """A copy of `document`, of this version, with every correction applied."""
    document = copy.deepcopy(document)
    for _, apply in CORRECTIONS[version]:
        apply(document["components"]["schemas"])
    return document


# --- the strict form: no field that the document does not name


def _close(schema: Any, *, slot: bool) -> None:
    """Forbid unnamed fields in `schema` and below.

    A slot is where a value stands (a property, an item). The ban stands only there: inside `allOf` each part would
    refuse the fields of the others, and a component may be such a part elsewhere.
    """
    if not isinstance(schema, dict):
        return
    for keyword in IN_PLACE:
        for part in schema.get(keyword, ()):
            _close(part, slot=False)
    for child in schema.get("properties", {}).values():
        _close(child, slot=True)
    for keyword in ("items", "additionalProperties"):
        _close(schema.get(keyword), slot=True)
    names_fields = any(keyword in schema for keyword in ("properties", "$ref", *IN_PLACE))
    if slot and names_fields:
        schema["unevaluatedProperties"] = False
    elif schema.get("type") == "object" and not names_fields:
        schema.setdefault("additionalProperties", True)  # names no field at all: any may stand there


#: Fields that Retinue adds to official objects, by schema and path: docs/extensions.md tells of each.
ADDED: tuple[tuple[str, str, Json], ...] = (
    ("Model", "retinue", {"type": "object"}),
    ("VectorStoreSearchResultItem", "retinue", {"type": "object"}),
    ("RunObject", "cost", {"type": ["object", "null"]}),
    (
        "RunStepDetailsToolCallsFileSearchObject",
        "file_search.queries",
        {"type": "array", "items": {"type": "string"}},
    ),
    *(
        (name, "protected", {"const": True})
        for name in ("AssistantObject", "RunObject", "RunStepObject", "RunStepDeltaObject")
    ),
)


#: Types of tools that Retinue adds: docs/extensions.md tells of each.
EXTENSION_TOOLS = frozenset({"web_browsing", "image_generation", "action", "mcp"})


def _without_extension_tools(body: Any) -> Any:
    """A body whose assistants and runs have, and demand, no tools but official ones."""
    if isinstance(body, list):
        return [_without_extension_tools(one) for one in body]
    if not isinstance(body, dict):
        return body
    kept = {name: _without_extension_tools(value) for name, value in body.items()}
    tools = kept.get("tools")
    if isinstance(tools, list) and body.get("object") in ("assistant", "thread.run"):
        kept["tools"] = [tool for tool in tools if tool.get("type") not in EXTENSION_TOOLS]
        choice = kept.get("tool_choice")
        if isinstance(choice, dict) and choice.get("type") in EXTENSION_TOOLS:
            kept["tool_choice"] = "auto"
    return kept


def closed(document: Json) -> Json:
    """A copy of `document` whose objects allow only the fields they name, and those that Retinue adds."""
    document = extended(document)
    for schema in document["components"]["schemas"].values():
        _close(schema, slot=False)
    return document


def extended(document: Json) -> Json:
    """A copy of `document` whose objects name the fields that Retinue adds: a few official ones allow no others."""
    document = copy.deepcopy(document)
    schemas = document["components"]["schemas"]
    for name, path, added in ADDED:
        if name in schemas:
            *above, field = path.split(".")
            holder = schemas[name]
            for part in above:
                holder = holder["properties"][part]
            holder["properties"][field] = copy.deepcopy(added)
    return document


# --- judging


@cache
def _schemas(version: Version) -> Json:
    return corrected(load_document(DOCUMENTS[version]), version)


@cache
def _registry(version: Version, strict: bool) -> Registry[Any]:
    document = closed(_schemas(version)) if strict else extended(_schemas(version))
    return Registry().with_resource("urn:openai", Resource(contents=document, specification=DRAFT202012))


@cache
def _validator(version: Version, pointer: str, strict: bool) -> Draft202012Validator:
    schema: Json = {"$ref": f"urn:openai#{pointer}"}
    if strict:
        schema["unevaluatedProperties"] = False
    return Draft202012Validator(schema, registry=_registry(version, strict))


def _told(error: ValidationError) -> str:
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
    return f"at {where.lstrip('.') or 'the top'}: {error.message[:600]}"


def _unnamed_fields(errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
    for error in errors:
        if error.validator == "unevaluatedProperties":
            yield error
        yield from _unnamed_fields(error.context or ())


def _judge(subject: str, version: Version, pointer: str, body: Any, strict: bool) -> None:
    error = best_match(_validator(version, pointer, False).iter_errors(body))
    if error is None and strict:
        # One unnamed field makes all that hold it fail too: the deepest error is the cause.
        errors = _unnamed_fields(_validator(version, pointer, True).iter_errors(body))
        error = max(errors, key=lambda found: len(found.absolute_path), default=None)
    if error is not None:
        raise ContractBreach(f"{subject}, {_told(error)}")


def validate(name: str, body: Any, *, strict: bool = True, version: Version = "v2") -> None:
    """Hold `body` against `#/components/schemas/<name>` of an official document.

    Args:
        name: a schema's name, such as ``RunObject`` or ``ListMessagesResponse``.
        body: decoded JSON.
        strict: also refuse fields that the schema does not name, at any depth.
        version: whose document.

    Raises:
        ContractBreach: the body does not fit.
        KeyError: the document has no schema of this name.
    """
    if name not in _schemas(version)["components"]["schemas"]:
        raise KeyError(f"the official document has no schema {name!r}")
    _judge(name, version, f"/components/schemas/{name}", _without_extension_tools(body), strict)


@cache
def event_pointers(version: Version = "v2") -> dict[str, str]:
    """Each event name of an Assistants stream, and the JSON pointer of the schema of its data."""
    schemas = _schemas(version)["components"]["schemas"]
    found: dict[str, str] = {}
    for union in EVENT_UNIONS:
        for index, member in enumerate(schemas[union]["oneOf"]):
            name = member["properties"]["event"]["enum"][0]
            found[name] = f"/components/schemas/{union}/oneOf/{index}/properties/data"
    for name in ("ErrorEvent", "DoneEvent"):
        event = schemas[name]["properties"]["event"]["enum"][0]
        found[event] = f"/components/schemas/{name}/properties/data"
    return found


def validate_event(event_name: str, data: Any, *, strict: bool = True, version: Version = "v2") -> None:
    """Hold the data of one streamed event against an official document.

    Args:
        event_name: the `event:` line, such as ``thread.run.created``.
        data: the decoded JSON of the `data:` line; the text ``[DONE]`` for ``done``.
        strict, version: as for `validate`.

    Raises:
        ContractBreach: the document knows no such event, or the data does not fit.
    """
    pointer = event_pointers(version).get(event_name)
    if pointer is None:
        raise ContractBreach(f"the official document has no stream event {event_name!r}")
    _judge(f"event {event_name}", version, pointer, _without_extension_tools(data), strict)
