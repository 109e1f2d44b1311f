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
from ..orders import without_orders
from ..outputs import keep_output
from ..shortened import shortened
from ..tool import Scope, Served
from ..user_files import FOLDER

#: Most files that are kept of what one call answers.
_MOST_FILES = 20
_MOST_NAME = 100
#: What no media type, and no name of a file, has.
_NO_KIND = re.compile(r"[^\w./+-]+")
_NO_NAME = re.compile(r"[\x00-\x1f\x7f\"<>|?*:{}\\]+")


async def told(
    store: Store, scope: Scope, call: FunctionToolCall, result: CallToolResult, hide: Callable[[str], str]
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
            name = f"{scope.number}-{len(files)}-{name}"
            file = await keep_output(store, scope.project, name, content)
            files[FOLDER + name] = file.id
            if kind.startswith("image/"):
                pictures.append(file.id)
            seen = " The user sees it." if kind.startswith("image/") else ""
            notes.append(f"A file came, of {file.bytes} bytes and type {kind}: sandbox:{FOLDER}{name}.{seen}")
    if not result.content and result.structured_content is not None:
        texts.append(orjson.dumps(result.structured_content).decode())
    text = "\n".join(filter(None, texts)).replace("\x00", "\ufffd")
    said = [without_orders(shortened(hide(text), scope.room)), *notes]
    output = "\n".join(filter(None, said)) or "The tool answered nothing."
    if result.is_error:
        output = f"Error: {output}"
    return Served(call, output, files, pictures, failed=result.is_error)


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
    kind = _NO_KIND.sub("", kind)[:_MOST_NAME]
    base = _NO_NAME.sub("_", uri.rpartition("/")[2]).strip(". ")[-_MOST_NAME:]
    return base or f"{part.type}{mimetypes.guess_extension(kind) or '.' + kind.rpartition('/')[2]}", kind, content
