"""Every tool that Retinue runs itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..sandbox.manager import Sandboxes
from ..settings import Settings
from ..store.store import Store
from .code_interpreter import CodeInterpreter
from .file_search import FileSearch
from .tool import Toolbox


@asynccontextmanager
async def tools(store: Store, settings: Settings) -> AsyncGenerator[Toolbox]:
    """All of them, for as long as the block runs. Sandboxes start with the first code."""
    sandboxes = Sandboxes(settings)
    try:
        yield Toolbox([FileSearch(store), CodeInterpreter(store, sandboxes, settings)])
    finally:
        await sandboxes.close()
