"""What an import makes of an exported object: checked, given its new names, and no longer under way."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from ..agents.commands.files import clean
from ..errors import InvalidRequest
from ..runs.context import message_tokens
from ..wire.agents import Agent, AgentCreate, AgentCycle, AgentFile
from ..wire.assistants import Assistant, AssistantCreate
from ..wire.common import Metadata, WireObject, WireRequest
from ..wire.files import FileObject
from ..wire.messages import Message
from ..wire.runs import ACTIVE, Run, RunCreate
from ..wire.steps import RunStep
from ..wire.threads import Thread, ThreadCreate
from ..wire.vector_stores import Attributes, VectorStore, VectorStoreCreate, VectorStoreFile
from .lines import Json, Line


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that an export may hold.

    Attributes:
        model: its type.
        prefix: of its ids; `""` if it has no id of its own.
        parent: the field with the id of what it belongs to, if it belongs to something.
        parent_kind: the kind of that.
        request: the type of the request that makes one, whose limits hold here too.
        unchecked: fields that are longer in an object than in a request.
        alone: whether it may belong to nothing.
    """

    model: type[WireObject]
    prefix: str
    parent: str = ""
    parent_kind: str = ""
    request: type[WireRequest] | None = None
    unchecked: frozenset[str] = frozenset()
    alone: bool = False


class ToldAgent(Agent):
    """An agent with what it has not heard yet."""

    unheard: Annotated[list[str], Field(max_length=1000)] = Field(default_factory=list[str])


class ToldCycle(AgentCycle):
    """A cycle with what the agent heard before it."""

    heard: Annotated[list[str], Field(max_length=1000)] = Field(default_factory=list[str])


class WorkspaceFile(AgentFile):
    """A file in an agent's workspace; its content follows it."""

    agent_id: str
    sha256: str


#: Each comes in an export after those that it names.
KINDS: dict[str, Kind] = {
    "file": Kind(FileObject, "file-"),
    "vector_store": Kind(VectorStore, "vs_", request=VectorStoreCreate),
    "vector_store.file": Kind(VectorStoreFile, "", "vector_store_id", "vector_store"),
    "assistant": Kind(Assistant, "asst_", request=AssistantCreate),
    "thread": Kind(Thread, "thread_", request=ThreadCreate),
    # Instructions of a run are those of its assistant and additional ones.
    "thread.run": Kind(Run, "run_", "thread_id", "thread", RunCreate, frozenset({"instructions"})),
    "thread.message": Kind(Message, "msg_", "thread_id", "thread"),
    "thread.run.step": Kind(RunStep, "step_", "run_id", "thread.run"),
    "agent": Kind(ToldAgent, "agent_", "parent_id", "agent", request=AgentCreate, alone=True),
    "agent.cycle": Kind(ToldCycle, "cycle_", "agent_id", "agent"),
}

#: Unix seconds: the end of the year 9999.
_LATEST = 253_402_300_799
_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_METADATA = TypeAdapter(Metadata)
_ATTRIBUTES = TypeAdapter(Attributes)

#: Fields that name one object, and fields that name several.
_NAMES_ONE = frozenset(
    {
        *("thread_id", "run_id", "assistant_id", "message_id", "file_id", "vector_store_id"),
        *("agent_id", "parent_id", "cycle_id"),
    }
)
_NAMES_SEVERAL = frozenset({"file_ids", "vector_store_ids"})
#: Fields that have names as the values of an object.
_NAMES_VALUES = frozenset({"files"})
#: Fields whose content is the client's own.
_FOREIGN = frozenset({"metadata", "attributes", "function", "json_schema", "args"})


def check(line: Line) -> Kind:
    """The kind of object that a line holds, if it is one and keeps the limits that requests have.

    Raises:
        InvalidRequest: it is none.
    """
    kind = KINDS.get(line.kind)
    if kind is None:
        raise line.fault(f"there is no kind of object '{line.kind[:64]}' in an export.")
    value = line.value
    if not isinstance(value.get("id"), str) or not _ID.fullmatch(value["id"]):
        raise line.fault("its 'id' is no id.")
    try:
        _METADATA.validate_python(value.get("metadata") or {}, strict=True)
        _ATTRIBUTES.validate_python(value.get("attributes") or {}, strict=True)
        if request := kind.request:
            given = request.model_fields.keys() & value.keys() - kind.unchecked
            fields = {name: value[name] for name in given if value[name] is not None}
            request.model_validate_json(orjson.dumps(fields))
    except (ValidationError, orjson.JSONEncodeError) as error:
        raise line.fault(_reason(error)) from error
    return kind


def _reason(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "it cannot be read."
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"invalid '{'.'.join(str(part) for part in first['loc'])}': {first['msg']}."


def references(value: Any) -> Iterator[tuple[Any, str | int]]:
    """Every place in an object that names another one: what holds the name, and under which key or index."""
    if isinstance(value, list):
        for inner in value:
            yield from references(inner)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in _NAMES_ONE and isinstance(inner, str):
                yield value, key
            elif key in _NAMES_SEVERAL and isinstance(inner, list):
                yield from ((inner, index) for index, name in enumerate(inner) if isinstance(name, str))
            elif key in _NAMES_VALUES and isinstance(inner, dict):
                yield from ((inner, path) for path, name in inner.items() if isinstance(name, str))
            elif key not in _FOREIGN:
                yield from references(inner)


def settle(kind: str, value: Json) -> None:
    """End what was under way: nobody drives an imported run or agent; a file of a vector store is processed anew."""
    now = int(time.time())
    status = value.get("status")
    if kind == "thread.run":
        value.pop("asked", None)
    if kind == "thread.run" and status in ACTIVE:
        value |= {"status": "cancelled", "cancelled_at": now, "required_action": None}
    elif kind == "thread.run.step" and status == "in_progress":
        value |= {"status": "cancelled", "cancelled_at": now}
    elif kind == "thread.message" and status == "in_progress":
        value |= {"status": "incomplete", "incomplete_at": now, "incomplete_details": {"reason": "run_cancelled"}}
    elif kind == "agent" and status in ("queued", "in_progress"):
        value["status"] = "paused"
    elif kind == "vector_store.file" and status == "completed":
        value |= {"status": "in_progress", "usage_bytes": 0}


def workspace_file(line: Line) -> WorkspaceFile:
    """The file that a line tells of. Raises `InvalidRequest` where it is none, or its path leads elsewhere."""
    try:
        file = WorkspaceFile.model_validate_json(orjson.dumps(line.value))
    except (ValidationError, orjson.JSONEncodeError) as error:
        raise line.fault(_reason(error)) from error
    try:
        proper = clean(file.path) == file.path
    except InvalidRequest:
        proper = False
    if not proper or not 0 <= file.modified_at <= _LATEST:
        raise line.fault("its path or its time is none of a workspace.")
    return file


def stored(kind: Kind, line: Line) -> tuple[str, int]:
    """The object as it is kept, and a message's size in tokens, 0 for other objects.

    Raises:
        InvalidRequest: it does not have the fields that its kind has.
    """
    try:
        made = kind.model.model_validate_json(orjson.dumps(line.value))
    except (ValidationError, orjson.JSONEncodeError) as error:
        raise line.fault(_reason(error)) from error
    return made.model_dump_json(), message_tokens(made) if isinstance(made, Message) else 0
