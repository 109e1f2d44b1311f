"""Files that go with a message: pictures for models that see, everything else for the tools that read files."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...elements.attaching import PICTURES, Chosen
from ...visitor import Visitor

SEARCH, CODE = "file_search", "code_interpreter"
#: Endings of files that are worked with rather than read.
_DATA = ("csv", "tsv", "xlsx", "xls", "ods", "parquet", "sqlite", "db", "zip", "tar", "gz", "npy", "wav", "mp3")


class CannotTake(Exception):
    """A file that whoever answers can do nothing with; nothing was uploaded."""

    def __init__(self, word: str) -> None:
        """`word`: the key of the words that say so; they have a place for a `name`."""
        super().__init__(word)
        self.word = word


@dataclass(slots=True)
class Told:
    """What a message is made of."""

    content: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    attachments: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    #: Types of the tools that read the attachments.
    tools: set[str] = field(default_factory=set[str])


def tool_for(file: Chosen, tools: Collection[str]) -> str:
    """The tool that reads a file: of `tools` if one of them can, else the one that suits it best."""
    pictured = file.kind.startswith(("image/", "audio/", "video/"))
    best = CODE if pictured or file.name.rpartition(".")[2].lower() in _DATA else SEARCH
    other = SEARCH if best == CODE else CODE
    return other if other in tools and best not in tools and not (pictured and other == SEARCH) else best


async def told(
    visitor: Visitor, text: str, files: Sequence[Chosen], *, sees: bool, tools: Collection[str], fixed: bool = False
) -> Told:
    """Upload files, and say what the message is made of.

    Args:
        visitor: who writes.
        text: what they wrote.
        files: what goes with it.
        sees: whether the model is shown pictures.
        tools: types of the tools that the assistant has.
        fixed: whether it can have no others.

    Raises:
        CannotTake: there is a picture and nothing that could be done with it, or a file that no tool reads.
        openai.APIError: the server took a file not.
    """
    if not sees and CODE not in tools and any(file.kind in PICTURES for file in files):
        raise CannotTake("chat.cannot_see")
    read = [file for file in files if not (sees and file.kind in PICTURES)]
    if fixed and any(tool_for(file, tools) not in tools for file in read):
        raise CannotTake("chat.cannot_read")
    made = Told()
    if text.strip():
        made.content.append({"type": "text", "text": text})
    for file in files:
        shown = sees and file.kind in PICTURES
        sent = (file.name, file.data, file.kind or "application/octet-stream")
        stored = await visitor.client.files.create(file=sent, purpose="vision" if shown else "assistants")
        if shown:
            made.content.append({"type": "image_file", "image_file": {"file_id": stored.id}})
            continue
        tool = tool_for(file, tools)
        made.tools.add(tool)
        made.attachments.append({"file_id": stored.id, "tools": [{"type": tool}]})
    if not made.content:
        names = ", ".join(file.name for file in files)
        made.content.append({"type": "text", "text": visitor.text("chat.only_files", names=names)})
    return made
