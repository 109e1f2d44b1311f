"""Every tool that Retinue runs itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ..accounts.metering import Metering
from ..egress import Egress
from ..inference.images import Images
from ..inference.models import Models
from ..knowledge.search import Search
from ..sandbox.manager import Sandboxes
from ..settings import Settings
from ..store.conversations import DELETED
from ..store.store import Store
from .actions.action import Actions
from .browsing.tool import WebBrowsing
from .code_interpreter import CodeInterpreter
from .code_sessions import CodeSessions
from .connections.access import Access
from .connections.registry import ConnectionRegistry, Kind
from .file_search import FileSearch
from .image_generation import ImageGenerator
from .mcp.tool import Mcp
from .tool import Toolbox


@dataclass(frozen=True, slots=True)
class Tools:
    """What the tools are to others."""

    toolbox: Toolbox
    connections: ConnectionRegistry
    sessions: CodeSessions


@asynccontextmanager
async def tools(
    store: Store,
    search: Search,
    models: Models,
    images: Images,
    egress: Egress,
    metering: Metering,
    settings: Settings,
) -> AsyncGenerator[Tools]:
    """All of them, for as long as the block runs. Sandboxes start with the first code."""
    sandboxes = Sandboxes(settings)
    sessions = CodeSessions(store, sandboxes, metering)
    interpreter = CodeInterpreter(store, sessions, settings)
    browsing = WebBrowsing(egress, metering.usage, settings)
    access = Access(store, egress, settings)
    actions, mcp = Actions(store, access, egress, settings), Mcp(store, access, egress, settings)
    store.notices.on(DELETED, lambda names: interpreter.forget(*names.split(" ")))
    try:
        toolbox = Toolbox(
            [
                FileSearch(store, search, models, metering.usage, settings),
                interpreter,
                browsing,
                ImageGenerator(store, images, egress, metering, settings),
                actions,
                mcp,
            ]
        )
        kinds = {one.type: Kind(one.tools, one.try_out) for one in (actions, mcp)}
        registry = ConnectionRegistry(store, egress, access.tokens, actions.inspect, kinds, settings)
        yield Tools(toolbox, registry, sessions)
    finally:
        await sandboxes.close()
        await browsing.close()
