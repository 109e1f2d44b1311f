"""All that one process runs on: put together once, for the server and for the worker."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from .egress import Egress
from .inference.models import Models
from .knowledge.ingest import Ingest
from .runs.engine import Engine
from .settings import Settings
from .store.store import Store
from .tools.all import tools
from .webhooks.deliverer import Deliverer


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that others use."""

    store: Store
    models: Models
    engine: Engine
    egress: Egress


@asynccontextmanager
async def running(settings: Settings, conninfo: str, *, work: bool) -> AsyncGenerator[Service]:
    """Everything, started; stopped in the opposite order when the block ends.

    Args:
        settings: all settings.
        conninfo: a psycopg connection string of a database that has been migrated.
        work: whether to work on the queue too: on runs, files and webhooks.
    """
    async with AsyncExitStack() as stack:
        store, models, egress = Store(conninfo, settings), Models(settings), Egress(settings)
        toolbox = await stack.enter_async_context(tools(store, settings))
        # What listens to notices is made before the store is opened.
        engine, deliverer = Engine(store, models, settings, toolbox), Deliverer(store, egress, settings)
        await store.open()
        stack.push_async_callback(store.close)
        stack.push_async_callback(models.close)
        stack.push_async_callback(egress.close)
        stack.push_async_callback(deliverer.stop)
        stack.push_async_callback(engine.stop)
        await models.start()
        Ingest(store, settings).start()
        await engine.start(work=work)
        if work:
            deliverer.start()
        yield Service(store, models, engine, egress)
