"""From what a GPT is made of to the assistant that it is when it runs."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Sequence

from ..errors import InvalidRequest
from ..wire.assistants import Assistant
from ..wire.connections import Connection
from ..wire.gpts import GptContent
from ..wire.tools import (
    ActionTool,
    CodeInterpreterResources,
    CodeInterpreterTool,
    ConnectionTools,
    FileSearchResources,
    FileSearchTool,
    ImageGenerationTool,
    McpTool,
    Tool,
    ToolResources,
    WebBrowsingTool,
)

#: Most files of the code interpreter: those of the knowledge that come first.
_MOST_CODE_FILES = 20
_SLUG_LENGTH = 48
#: Slugs that no GPT has, since they are parts of addresses.
RESERVED = frozenset(
    {
        *("builder", "create", "edit", "groups", "import", "mine", "new", "people", "reports", "store", "templates"),
        "view",
    }
)
_CAPABILITIES = {
    "web_browsing": WebBrowsingTool(type="web_browsing"),
    "code_interpreter": CodeInterpreterTool(type="code_interpreter"),
    "image_generation": ImageGenerationTool(type="image_generation"),
}


def assistant(
    identifier: str, content: GptContent, vector_store: str | None, connections: Sequence[Connection]
) -> Assistant:
    """The assistant that a GPT is: protected, since its instructions and knowledge are its maker's.

    Args:
        identifier: the assistant's id.
        content: what the GPT is made of.
        vector_store: the id of the store of its knowledge; None where it has none.
        connections: those that the content names.
    """
    tools: list[Tool] = [_CAPABILITIES[one] for one in content.capabilities]
    if vector_store:
        tools.append(FileSearchTool(type="file_search"))
    tools += [_connection_tool(one) for one in connections]
    code = content.knowledge[:_MOST_CODE_FILES] if "code_interpreter" in content.capabilities else []
    resources = ToolResources(
        code_interpreter=CodeInterpreterResources(file_ids=code) if code else None,
        file_search=FileSearchResources(vector_store_ids=[vector_store]) if vector_store else None,
    )
    return Assistant(
        id=identifier,
        created_at=int(time.time()),
        model=content.model,
        name=content.name,
        description=content.description,
        instructions=content.instructions,
        tools=tools,
        tool_resources=resources,
        temperature=1.0 if content.temperature is None else content.temperature,
        top_p=1.0 if content.top_p is None else content.top_p,
        reasoning_effort=content.reasoning_effort,
        protected=True,
    )


def _connection_tool(connection: Connection) -> Tool:
    named = ConnectionTools(connection_id=connection.id)
    if connection.type == "mcp":
        return McpTool(type="mcp", mcp=named)
    return ActionTool(type="action", action=named)


def can(content: GptContent) -> list[str]:
    """What a GPT of this content can do, in the words of tools."""
    knowing = ["file_search"] if content.knowledge else []
    acting = ["actions"] if content.connections else []
    return [*content.capabilities, *knowing, *acting]


def slug_of(name: str) -> str:
    """A slug for a name: its letters and digits in lower case, with hyphens between; `gpt` where there are none."""
    plain = unicodedata.normalize("NFKC", name).lower()
    words = re.findall(r"[^\W_]+", plain)
    return "-".join(words)[:_SLUG_LENGTH].strip("-") or "gpt"


def require_free(slug: str | None) -> None:
    """See to it that a GPT may have this slug.

    Raises:
        InvalidRequest: it means something else in addresses.
    """
    if slug in RESERVED:
        raise InvalidRequest(f"Invalid 'slug': '{slug}' is reserved.", param="slug", code="slug_taken")
