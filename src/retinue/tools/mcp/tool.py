"""`mcp`: the tools of a connection to an MCP server, each a function."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import structlog

from ...egress import Egress
from ...errors import ApiError, InvalidRequest, NotFound
from ...inference.chat import Json
from ...settings import Settings
from ...store.connections import Opened
from ...store.store import Store
from ...wire.connections import ConnectionTool
from ...wire.runs import Run
from ...wire.steps import FunctionToolCall
from ...wire.tools import McpTool
from ..connections.access import Access
from ..connections.credentials import Authentication
from ..connections.oauth import SignInNeeded
from ..connections.people import named, person_of
from ..tool import Report, Scope, Served, ServerFunction, Told, Trial
from .listing import Listed, listed, read
from .target import McpRefused, Target, target_of

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Seconds that a run waits for a server whose tools are known from before, and for which one that did not answer is not
#: asked again for its tools by runs.
_PATIENCE, _LEFT_ALONE = 5.0, 60.0
#: Servers of which it is remembered that they did not answer.
_MOST_AWAY = 1_000


class Mcp:
    """The tool."""

    type = "mcp"

    def __init__(self, store: Store, access: Access, egress: Egress, settings: Settings) -> None:
        self._store = store
        self._access = access
        self._egress = egress
        self._settings = settings
        #: When servers may be asked for their tools again, in monotonic seconds, by the id of the connection.
        self._away: dict[str, float] = {}

    async def functions(self, project: str, run: Run, wanted: McpTool) -> Sequence[ServerFunction]:
        """See `ServerTool`."""
        opened = await self._store.connections.open(project, wanted.mcp.connection_id)
        if opened.connection.type != self.type:
            raise InvalidRequest(f"The connection '{opened.connection.id}' is no MCP server.")
        person = person_of(run)
        tools = await self._known(project, opened, person)
        if (allowed := wanted.mcp.allowed_tools) is not None:
            tools = [one for one in tools if one.tool in allowed]
        consents = await self._access.consents(project, opened, person, [one.tool for one in tools])
        return [
            ServerFunction(
                self.type,
                one.name,
                {"description": one.description, "parameters": one.parameters},
                partial(self._serve, opened, one.tool),
                consent=consents.of(one.tool, one.title, changes=one.changes),
                optional=True,
            )
            for one in tools
        ]

    async def tools(self, project: str, opened: Opened) -> list[ConnectionTool]:
        """The tools of a connection, as clients see them: asked for anew.

        Raises:
            ApiError: the server cannot be reached, or does not answer as it should.
        """
        tools = await self._asked(project, opened, named(""), self._settings.mcp_timeout)
        consents = await self._access.consents(project, opened, None, [one.tool for one in tools])
        return [
            ConnectionTool(
                name=one.tool,
                description=one.description,
                needs_consent=consents.of(one.tool, one.title, changes=one.changes) is not None,
                parameters=one.parameters,
            )
            for one in tools
        ]

    async def _known(self, project: str, opened: Opened, person: str) -> list[Listed]:
        """The tools of a server, which is asked for them now and then; where it is away, those from before."""
        kept = None if opened.tools is None else read(opened.tools)
        if kept is not None and opened.tools_age < self._settings.mcp_tools_cache:
            return kept
        identifier = opened.connection.id
        left_alone = time.monotonic() < self._away.get(identifier, 0)
        if kept is not None and left_alone:
            return kept
        try:
            if left_alone:
                raise InvalidRequest(f"'{opened.connection.name}' did not answer a moment ago.")
            limit = self._settings.mcp_timeout
            return await self._asked(project, opened, person, min(limit, _PATIENCE) if kept is not None else limit)
        except SignInNeeded:
            if kept is None:
                raise
            return kept
        except ApiError as error:
            log.warning("an MCP server did not tell its tools", connection=identifier, error=error.message)
            if not left_alone:
                while len(self._away) >= _MOST_AWAY:
                    del self._away[next(iter(self._away))]
                self._away[identifier] = time.monotonic() + _LEFT_ALONE
            if kept is None:
                raise
            return kept

    async def _asked(self, project: str, opened: Opened, person: str, limit: float) -> list[Listed]:
        """The tools that the server tells now; they are kept."""
        await _load()
        from .session import list_tools

        tools, _ = await self._with_credentials(project, opened, person, limit, partial(list_tools, self._egress))
        found = listed(tools)
        await self._store.connections.keep_tools(opened.connection.id, [one.kept for one in found])
        self._away.pop(opened.connection.id, None)
        return found

    async def _serve(
        self, opened: Opened, tool: str, scope: Scope, call: FunctionToolCall, arguments: Json, report: Report
    ) -> Served:
        return await self._ask(opened, tool, scope, person_of(scope.run), call, arguments)

    async def try_out(
        self, opened: Opened, name: str, call: FunctionToolCall, arguments: Json, trial: Trial, person: str
    ) -> Served:
        """See `connections.registry.TryOut`."""
        if all(one.tool != name for one in await self._known(trial.project, opened, person)):
            raise NotFound(f"The connection '{opened.connection.id}' has no tool '{name}'.")
        return await self._ask(opened, name, trial, person, call, arguments)

    async def _ask(
        self, opened: Opened, tool: str, scope: Told, person: str, call: FunctionToolCall, arguments: Json
    ) -> Served:
        await _load()
        from .results import told
        from .session import call_tool

        ask, limit = partial(call_tool, self._egress, tool, arguments), self._settings.mcp_timeout
        result, authentication = await self._with_credentials(scope.project, opened, person, limit, ask)
        return await told(self._store, scope, call, result, authentication.hide)

    async def _with_credentials(
        self,
        project: str,
        opened: Opened,
        person: str,
        limit: float,
        ask: Callable[[Target], Awaitable[T]],
    ) -> tuple[T, Authentication]:
        """What `ask` finds out, and with what; where a token was refused, with a new one."""
        authentication = await self._access.credentials.of(project, opened, person)
        try:
            try:
                return await ask(target_of(opened.connection, authentication, self._settings, limit)), authentication
            except McpRefused:
                if not authentication.token:
                    raise
            authentication = await self._access.credentials.of(project, opened, person, authentication)
            return await ask(target_of(opened.connection, authentication, self._settings, limit)), authentication
        except SignInNeeded:
            raise
        except InvalidRequest as error:
            # What goes wrong there may name the URL, and a key in it.
            raise InvalidRequest(authentication.hide(error.message), code=error.code) from error


async def _load() -> None:
    """Load what speaks the protocol, when it is first needed; in a thread, for it takes a second."""
    await asyncio.to_thread(importlib.import_module, f"{__package__}.session")
