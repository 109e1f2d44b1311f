"""A GPT as one file, copies of GPTs, and whom they can be shared with. Extensions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from yarl import URL

from .common import WireObject, WireRequest, is_none
from .connections import Auth, ConsentRule, NoAuth, Url
from .gpts import Gpt, GptContent, Slug

_Path = Annotated[str, StringConstraints(min_length=1, max_length=512)]
_FileName = Annotated[str, StringConstraints(min_length=1, max_length=255)]
_Text = Annotated[str, StringConstraints(max_length=2048)]
#: Characters of an OpenAPI document; the connection's own limit is in bytes.
_Document = Annotated[str, StringConstraints(max_length=1024 * 1024)]


def _address(value: str) -> str:
    URL(value)
    return value


def _each_a_path(files: list[ArchivedFile]) -> list[ArchivedFile]:
    if len({file.path for file in files}) < len(files):
        raise ValueError("each file must have a path of its own")
    return files


class ArchivedFile(WireRequest):
    """A file of the knowledge."""

    #: In the archive.
    path: _Path
    filename: _FileName


class ArchivedConnection(WireRequest):
    """An Action or MCP server: how it is reached, and nothing that opens it."""

    type: Literal["action", "mcp"]
    name: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    description: _Text | None = None
    url: Annotated[Url, AfterValidator(_address)]
    document: _Document | None = None
    auth: Auth = Field(default_factory=NoAuth)
    consent: ConsentRule = "auto"
    privacy_policy_url: Url | None = None


class GptArchive(WireRequest):
    """`gpt.json` of an archive."""

    format: Literal["retinue.gpt"] = "retinue.gpt"
    version: Literal[1] = 1
    slug: Slug | None = None
    allow_duplicate: bool = False
    #: Its picture, knowledge and connections stand below, not in here.
    content: GptContent
    #: Path of the picture in the archive.
    picture: _Path | None = None
    knowledge: Annotated[list[ArchivedFile], Field(max_length=100), AfterValidator(_each_a_path)] = Field(
        default_factory=list[ArchivedFile]
    )
    connections: Annotated[list[ArchivedConnection], Field(max_length=10)] = Field(
        default_factory=list[ArchivedConnection]
    )


class GptImportNote(WireObject):
    """Something that is not as it was where the GPT came from."""

    #: `model`: it has the default model now; `connection`: it has none of this name; `secrets`: it has one, which
    #: authenticates with nothing until somebody sets its secrets.
    kind: Literal["model", "connection", "secrets"]
    #: Of the model or connection.
    name: str
    message: str


class GptImport(WireObject):
    """What became of an archive."""

    object: Literal["gpt.import"] = "gpt.import"
    gpt: Gpt
    notes: list[GptImportNote]


class GptDuplicate(WireRequest):
    """Body of `POST /gpts/{gpt_id}/duplicate`."""

    #: Of the copy; null: as the original's.
    name: Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)] | None = None


class GptPerson(WireObject):
    """Somebody whom a GPT can be shared with."""

    id: str
    object: Literal["gpt.person"] = "gpt.person"
    name: str
    #: Whether it is whoever asks.
    you: Literal[True] | None = Field(default=None, exclude_if=is_none)
