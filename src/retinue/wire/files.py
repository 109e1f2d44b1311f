"""Files: bytes with a name, kept for assistants, threads and vector stores."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field

from .common import WireObject, WireRequest, is_none

#: What a client may upload a file for.
UploadPurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data"]
#: What a file may be for; the further ones are made by the server.
FilePurpose = UploadPurpose | Literal["assistants_output", "batch_output", "fine-tune-results"]


class FileObject(WireObject):
    """A file. What is in it lies in the blob store."""

    internal: ClassVar[frozenset[str]] = frozenset({"sha256"})

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = Field(default=None, exclude_if=is_none)
    filename: str
    purpose: FilePurpose
    status: Literal["uploaded", "processed", "error"] = "processed"
    #: Of the content, in hexadecimal digits.
    sha256: str


class FileExpiration(WireRequest):
    """When a file expires. Fields of a form are text, so numbers are read from text here."""

    model_config = ConfigDict(extra="forbid", strict=False)

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class FileCreate(WireRequest):
    """The fields beside `file` of the form of `POST /files`."""

    purpose: UploadPurpose
    expires_after: FileExpiration | None = None
