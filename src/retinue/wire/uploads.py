"""Uploads: large files on their way, in parts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, field_serializer

from .common import Id, WireObject, WireRequest
from .files import FileExpiration, FileObject, UploadPurpose

#: The most parts of an upload.
MOST_PARTS = 10_000

UploadStatus = Literal["pending", "completed", "cancelled", "expired"]


class Upload(WireObject):
    """A file that comes in parts."""

    internal: ClassVar[frozenset[str]] = frozenset({"expires_after"})

    id: str
    object: Literal["upload"] = "upload"
    #: Of the file that is to be.
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: UploadPurpose
    status: UploadStatus = "pending"
    #: What became of it.
    file: FileObject | None = None
    #: When the file expires.
    expires_after: FileExpiration | None = None

    @field_serializer("file")
    def _as_clients_see_it(self, file: FileObject | None) -> dict[str, Any] | None:
        return file.model_dump(exclude=set(file.internal)) if file else None


class UploadPart(WireObject):
    """A part of an upload."""

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str


class UploadCreate(WireRequest):
    """Body of `POST /uploads`."""

    filename: str
    purpose: UploadPurpose
    bytes: Annotated[int, Field(ge=0)]
    #: Without effect: what is in a file tells its type.
    mime_type: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    expires_after: FileExpiration | None = None


class UploadComplete(WireRequest):
    """Body of `POST /uploads/{id}/complete`."""

    #: In the order in which they make up the file.
    part_ids: Annotated[list[Id], Field(max_length=MOST_PARTS)]
    #: Of the whole file, in hexadecimal digits.
    md5: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
