"""Messages and what they are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .common import Id, Metadata, WireObject, WireRequest, is_none
from .tools import AttachmentTool

Detail = Literal["auto", "low", "high"]


class Citation(WireObject):
    """The file that a citation points to."""

    file_id: str


class FileCitation(WireObject):
    """A mark in the text that cites a file."""

    type: Literal["file_citation"] = "file_citation"
    text: str
    file_citation: Citation
    start_index: int
    end_index: int


class FilePath(WireObject):
    """A path in the text that a file of the sandbox stands behind."""

    type: Literal["file_path"] = "file_path"
    text: str
    file_path: Citation
    start_index: int
    end_index: int


Annotation = Annotated[FileCitation | FilePath, Field(discriminator="type")]


class Text(WireObject):
    """Text with its annotations."""

    value: str
    annotations: list[Annotation] = Field(default_factory=list[Annotation])


class TextContent(WireObject):
    """A text part."""

    type: Literal["text"] = "text"
    text: Text


class ImageUrl(WireRequest):
    """A picture by address."""

    url: Annotated[str, StringConstraints(max_length=20_000_000)]
    detail: Detail = "auto"


class ImageUrlContent(WireRequest):
    """A picture part by address."""

    type: Literal["image_url"]
    image_url: ImageUrl


class ImageFile(WireRequest):
    """A picture by file."""

    file_id: Id
    detail: Detail = "auto"


class ImageFileContent(WireRequest):
    """A picture part by file."""

    type: Literal["image_file"]
    image_file: ImageFile


class RefusalContent(WireObject):
    """What the model said in refusing."""

    type: Literal["refusal"] = "refusal"
    refusal: str


MessageContent = Annotated[
    TextContent | ImageUrlContent | ImageFileContent | RefusalContent, Field(discriminator="type")
]


class IncompleteDetails(WireObject):
    """Why a message ended early."""

    reason: Literal["content_filter", "max_tokens", "run_cancelled", "run_expired", "run_failed"]


class Attachment(WireRequest):
    """A file for the tools of this thread."""

    file_id: Id
    tools: list[AttachmentTool]


class Message(WireObject):
    """A message in a thread."""

    id: str
    object: Literal["thread.message"] = "thread.message"
    created_at: int
    thread_id: str
    status: Literal["in_progress", "incomplete", "completed"] = "completed"
    incomplete_details: IncompleteDetails | None = None
    completed_at: int | None = None
    incomplete_at: int | None = None
    role: Literal["user", "assistant"]
    content: list[MessageContent]
    assistant_id: str | None = None
    run_id: str | None = None
    attachments: list[Attachment] | None = Field(default_factory=list[Attachment])
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class TextPart(WireRequest):
    """A text part as clients send it."""

    type: Literal["text"]
    text: Annotated[str, StringConstraints(max_length=256_000)]


MessagePart = Annotated[TextPart | ImageUrlContent | ImageFileContent, Field(discriminator="type")]


class MessageCreate(WireRequest):
    """Body of `POST /threads/{id}/messages`."""

    role: Literal["user", "assistant"]
    content: (
        Annotated[str, StringConstraints(min_length=1, max_length=256_000)]
        | Annotated[list[MessagePart], Field(min_length=1, max_length=256)]
    )
    attachments: Annotated[list[Attachment], Field(max_length=500)] | None = None
    metadata: Metadata | None = None


class MessageModify(WireRequest):
    """Body of `POST /threads/{id}/messages/{id}`."""

    metadata: Metadata | None = None


class FileCitationDelta(FileCitation):
    """A citation, as a delta brings it: whole."""

    #: Position among the text's annotations.
    index: int


class FilePathDelta(FilePath):
    """A path, as a delta brings it: whole."""

    #: Position among the text's annotations.
    index: int


AnnotationDelta = Annotated[FileCitationDelta | FilePathDelta, Field(discriminator="type")]


class TextDelta(WireObject):
    """A piece of text."""

    value: str
    annotations: list[AnnotationDelta] | None = Field(default=None, exclude_if=is_none)


class TextDeltaContent(WireObject):
    """A piece of a text part."""

    index: int
    type: Literal["text"] = "text"
    text: TextDelta


class ImageFileDeltaContent(ImageFileContent):
    """A picture part, as a delta brings it: whole."""

    index: int


class MessageDeltaBody(WireObject):
    """What a delta adds."""

    content: list[TextDeltaContent | ImageFileDeltaContent]


class MessageDelta(WireObject):
    """A piece of a message, streamed."""

    id: str
    object: Literal["thread.message.delta"] = "thread.message.delta"
    delta: MessageDeltaBody
