"""Where an MCP server is, and how it is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from yarl import URL

from ...errors import InvalidRequest
from ...settings import Settings
from ...wire.connections import Connection
from ..connections.credentials import Authentication

#: A connection whose URL begins so has its server started here.
_STDIO = "stdio:"


class McpFailed(InvalidRequest):
    """400: the server cannot be reached, or did not answer as it should."""


class McpRefused(McpFailed):
    """400: the server asks for other credentials."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server.

    Attributes:
        name: of the connection, for messages.
        url: the endpoint, credentials included; unused where there is a command.
        headers: sent with every request.
        command: starts the server, which is then asked by its standard input; () of one that is asked by HTTP.
        max_bytes: the most that an answer may have.
        timeout: seconds for everything.
    """

    name: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    command: Sequence[str]
    max_bytes: int
    timeout: float


def target_of(connection: Connection, authentication: Authentication, settings: Settings, timeout: float) -> Target:
    """The server of a connection.

    Raises:
        InvalidRequest: it is a command that the settings do not name.
    """
    command: Sequence[str] = ()
    url, headers = connection.url, dict(authentication.headers)
    if url.startswith(_STDIO):
        command = settings.mcp_commands.get(url.removeprefix(_STDIO), ())
        if not command:
            raise InvalidRequest(f"The setting `mcp_commands` names no command for '{url}'.")
    elif authentication.query:
        url = str(URL(url).update_query(authentication.query))
    if authentication.cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in authentication.cookies.items())
    return Target(connection.name, url, headers, command, settings.mcp_max_bytes, timeout)
