"""Files and pictures that go with a message."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nicegui import ui

from ...elements.attaching import PICTURES, Chosen
from ...visitor import Visitor
from .draft import Draft

#: Files that code reads better than a search does.
_FOR_CODE = (".csv", ".tsv", ".xlsx", ".xls", ".json", ".parquet", ".zip", ".png", ".jpg", ".py")


@dataclass(slots=True)
class Attached:
    """What became of the files of a message."""

    #: Ids of pictures, which are parts of the message.
    pictures: list[str] = field(default_factory=list[str])
    #: As the API takes them.
    attachments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    #: Names by ids.
    names: dict[str, str] = field(default_factory=dict[str, str])
    #: Whether the assistant got a tool that reads them.
    switched: bool = False


async def attach(visitor: Visitor, draft: Draft, files: Sequence[Chosen]) -> Attached:
    """Upload files for a message.

    Where the assistant has no tool that reads them, file search is switched on, which the person is told.

    Raises:
        openai.APIError: an upload failed.
    """
    attached = Attached()
    for file in files:
        picture = file.kind in PICTURES
        made = await visitor.client.files.create(
            file=(file.name, file.data, file.kind or "application/octet-stream"),
            purpose="vision" if picture else "assistants",
        )
        attached.names[made.id] = file.name
        if picture:
            attached.pictures.append(made.id)
        else:
            tool, switched = await _reader(visitor, draft, file.name)
            attached.switched |= switched
            attached.attachments.append({"file_id": made.id, "tools": [{"type": tool}]})
    return attached


async def _reader(visitor: Visitor, draft: Draft, name: str) -> tuple[str, bool]:
    """The tool that is to read a file, and whether it was switched on for that."""
    tools = {one["type"] for one in draft.state["tools"]}
    wanted = "code_interpreter" if name.lower().endswith(_FOR_CODE) else "file_search"
    readers = [one for one in (wanted, "file_search", "code_interpreter") if one in tools]
    if readers:
        return readers[0], False
    await draft.change(_with_reader(wanted))
    ui.notify(visitor.text("playground.switched_on", tool=visitor.text(f"playground.{wanted}")), multi_line=True)
    return wanted, True


def _with_reader(tool: str) -> Any:
    def change(state: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"tools": [*state["tools"], {"type": tool}]}

    return change
