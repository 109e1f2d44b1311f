"""What a model is told of the answer of an MCP tool."""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Callable

import orjson
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from ...inference.images import media_type
from ...store.store import Store
from ...wire.steps import FunctionToolCall
from ..outputs import file_name, keep_answer
from ..shortened import from_outside
from ..tool import Served, Told

#: Most files that are kept of what one call answers.
_MOST_FILES = 20
#: Characters of a media type.
_MOST_KIND = 100
#: What no media type has.
_NO_KIND = re.compile(r"[^\w./+-]+")


async def told(
    store: Store, scope: Told, call: FunctionToolCall, result: CallToolResult, hide: Callable[[str], str]
) -> Served:
    """The answer as a model reads it: text as far as there is room; pictures and other content become files.

    Args:
        store: where files are kept.
        scope: for what the call was made.
        call: the call.
        result: what the tool answered.
        hide: leaves secrets out of a text.
    """
    texts: list[str] = []
    notes: list[str] = []
    files: dict[str, str] = {}
    pictures: list[str] = []
    for part in result.content:
        blob = _blob(part)
        if blob is None:
            texts.append(_text(part))
        elif len(files) == _MOST_FILES:
            notes.append("A further file came, and was not kept.")
        else:
            name, kind, content = blob
            kept = await keep_answer(store, scope.project, f"{scope.number}-{len(files)}-{name}", content, kind)
            files[kept.path] = kept.file
            pictures += [kept.file] if kept.picture else []
            notes.append(kept.words)
    if not result.content and result.structured_content is not None:
        texts.append(orjson.dumps(result.structured_content).decode())
    said = [from_outside("\n".join(filter(None, texts)), scope.room, hide), *notes]
    output = "\n".join(filter(None, said)) or "The tool answered nothing."
    if result.is_error:
        output = f"Error: {output}"
    return Served(call, output, files=files, pictures=pictures, failed=result.is_error)


def _text(part: ContentBlock) -> str:
    """The words of a part that becomes no file."""
    if isinstance(part, TextContent):
        return part.text
    if isinstance(part, ResourceLink):
        return f"{part.title or part.name}: {part.uri}"
    if isinstance(part, EmbeddedResource) and not isinstance(part.resource, BlobResourceContents):
        return part.resource.text
    return "[Something came that cannot be decoded.]"


def _blob(part: ContentBlock) -> tuple[str, str, bytes] | None:
    """Name, media type and content of a part that becomes a file; None of what is text or cannot be decoded."""
    uri = ""
    if isinstance(part, ImageContent | AudioContent):
        data, kind = part.data, part.mime_type
    elif isinstance(part, EmbeddedResource) and isinstance(part.resource, BlobResourceContents):
        data, kind, uri = part.resource.blob, part.resource.mime_type or "", part.resource.uri
    else:
        return None
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return None
    # A picture is what looks like one, whatever it is said to be.
    seen = media_type(content)
    if seen or not kind or kind.startswith("image/"):
        kind = seen or "application/octet-stream"
    kind = _NO_KIND.sub("", kind)[:_MOST_KIND]
    return (
        file_name(uri) or f"{part.type}{mimetypes.guess_extension(kind) or '.' + kind.rpartition('/')[2]}",
        kind,
        content,
    )
