"""Every tool that Retinue runs itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..inference.models import Models
from ..knowledge.search import Search
from ..sandbox.manager import Sandboxes
from ..settings import Settings
from ..store.conversations import DELETED
from ..store.store import Store
from .code_interpreter import CodeInterpreter
from .file_search import FileSearch
from .tool import Toolbox


@asynccontextmanager
async def tools(store: Store, search: Search, models: Models, settings: Settings) -> AsyncGenerator[Toolbox]:
    """All of them, for as long as the block runs. Sandboxes start with the first code."""
    sandboxes = Sandboxes(settings)
    interpreter = CodeInterpreter(store, sandboxes, settings)
    store.notices.on(DELETED, lambda names: interpreter.forget(*names.split(" ")))
    try:
        yield Toolbox([FileSearch(store, search, models, settings), interpreter])
    finally:
        await sandboxes.close()
