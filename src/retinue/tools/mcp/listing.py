"""The tools of MCP servers as Retinue keeps and offers them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import orjson

from ...errors import InvalidRequest
from ...inference.chat import Json
from ..actions.schemas import Schemas
from ..orders import without_orders

if TYPE_CHECKING:
    from mcp.types import Tool

_MOST_NAME, _MOST_DESCRIPTION = 64, 1_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One tool.

    Attributes:
        tool: what the server calls it.
        name: what the model calls it.
        title: what people call it.
        description: as the model reads it.
        parameters: the schema of its arguments.
        changes: whether a call may change something: so, unless the server says that it only reads.
    """

    tool: str
    name: str
    title: str
    description: str
    parameters: Json
    changes: bool

    @property
    def kept(self) -> Json:
        """As it is stored."""
        return asdict(self)


def listed(tools: Sequence[Tool]) -> list[Listed]:
    """The tools of a server in a form that models take. Those that no store can hold are left out."""
    found: dict[str, Listed] = {}
    for tool in tools:
        name = re.sub(r"[^a-zA-Z0-9_-]+", "_", tool.name)[:_MOST_NAME] or "tool"
        number = 2
        while name in found:
            name = f"{name[: _MOST_NAME - 5]}_{number}"
            number += 1
        title = tool.title or (tool.annotations and tool.annotations.title) or tool.name
        one = Listed(
            tool=tool.name,
            name=name,
            title=title[:_MOST_DESCRIPTION],
            description=without_orders((tool.description or title)[:_MOST_DESCRIPTION]),
            parameters=_parameters(tool.input_schema),
            changes=not (tool.annotations and tool.annotations.read_only_hint),
        )
        if _storable(one):
            found[name] = one
    return list(found.values())


def read(kept: bytes) -> list[Listed]:
    """The tools that were stored."""
    return [Listed(**one) for one in orjson.loads(kept)]


def _parameters(schema: Json) -> Json:
    try:
        return {"properties": {}, **Schemas(schema).shown(schema), "type": "object"}
    except (InvalidRequest, TypeError):
        return {"type": "object", "properties": {}}


def _storable(one: Listed) -> bool:
    """Whether the database takes it: no NUL, no number beyond 64 bits, not too deep."""
    try:
        return b"\\u0000" not in orjson.dumps(one.kept)
    except TypeError:
        return False
