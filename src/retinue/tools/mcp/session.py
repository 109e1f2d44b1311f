"""A session with an MCP server, for as long as one question takes. Loading this module takes a second."""

from __future__ import annotations

import logging
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import anyio
import httpx2
import structlog
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Implementation, Tool
from pydantic import ValidationError

from ... import __version__
from ...egress import Egress
from ...errors import ApiError
from ...inference.chat import Json
from .target import McpFailed, McpRefused, Target
from .transport import EgressTransport

log = structlog.get_logger(__name__)

# What these log holds keys, in addresses, and what servers answer. What goes wrong is told by errors.
for name in ("mcp", "client", "httpx2"):
    logging.getLogger(name).setLevel(logging.CRITICAL)

T = TypeVar("T")

#: Most tools of a server; what comes behind them is left out.
_MOST_TOOLS = 500
#: Most characters of what a server says of an error.
_MOST_ERROR = 1_000


async def list_tools(egress: Egress, target: Target) -> list[Tool]:
    """The tools of a server, at most 500.

    Raises:
        ApiError: it cannot be reached, or does not answer as it should.
    """

    async def ask(client: Client) -> list[Tool]:
        found: list[Tool] = []
        cursor: str | None = None
        while len(found) < _MOST_TOOLS:
            page = await client.list_tools(cursor=cursor)
            found += page.tools
            cursor = page.next_cursor
            if not cursor or not page.tools:
                break
        return found[:_MOST_TOOLS]

    return await _asked(egress, target, ask)


async def call_tool(egress: Egress, name: str, arguments: Json, target: Target) -> CallToolResult:
    """What a tool answers.

    Raises:
        ApiError: see `list_tools`.
    """

    async def ask(client: Client) -> CallToolResult:
        # The model reads the answer whatever its form, and a schema of others may hold patterns that take for ever.
        client.session.validate_tool_result = _not_validated
        return await client.call_tool(name, arguments)

    return await _asked(egress, target, ask)


async def _asked(egress: Egress, target: Target, ask: Callable[[Client], Awaitable[T]]) -> T:
    """What `ask` finds out in a session that is opened for it."""
    transport = EgressTransport(egress, target.max_bytes, target.timeout)
    try:
        with anyio.fail_after(target.timeout):
            async with AsyncExitStack() as stack:
                return await ask(await _opened(stack, transport, target))
    except TimeoutError as error:
        raise McpFailed(f"'{target.name}' did not answer within {target.timeout:g} seconds.") from error
    except OSError as error:
        raise McpFailed(f"'{target.name}' cannot be started: {error.strerror or error}.") from error
    # The SDK raises whatever its transport has raised, alone or in groups.
    except Exception as error:
        raise _failure(target, transport, error) from error
    raise AssertionError("the session ends with an answer or an error")


async def _opened(stack: AsyncExitStack, transport: EgressTransport, target: Target) -> Client:
    if target.command:
        nowhere = stack.enter_context(open(os.devnull, "w"))  # noqa: SIM115, ASYNC230, PTH123
        command, *arguments = target.command
        server = stdio_client(StdioServerParameters(command=command, args=arguments, cwd="/"), nowhere)
    else:
        # The egress client has the limits of time; a server's answer may come late within them.
        http = httpx2.AsyncClient(transport=transport, headers=dict(target.headers), timeout=None)
        await stack.enter_async_context(http)
        server = streamable_http_client(target.url, http_client=http, max_sse_event_size=target.max_bytes)
    who = Implementation(name="retinue", version=__version__)
    return await stack.enter_async_context(Client(server, client_info=who, cache=None))


async def _not_validated(name: str, result: CallToolResult) -> None:
    """Leave a result as it is."""


def _failure(target: Target, transport: EgressTransport, error: Exception) -> ApiError:
    """The error as callers are told it."""
    if transport.refused:
        return McpRefused(f"'{target.name}' does not accept the credentials of the connection.")
    if transport.failure:
        return transport.failure
    leaf: BaseException = error
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    if isinstance(leaf, MCPError):
        return McpFailed(f"'{target.name}' answers with an error: {leaf.message[:_MOST_ERROR]}")
    if not isinstance(leaf, ValidationError):
        log.warning("a session with an MCP server broke", server=target.name, error=type(leaf).__name__)
    return McpFailed(f"'{target.name}' does not answer as the Model Context Protocol says.")
