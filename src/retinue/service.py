"""All that one process runs on: put together once, for the server and for the worker."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from .accounts.budgets import Budgets
from .accounts.erasing import Erasing
from .accounts.keys import Keys
from .accounts.limits import Limits
from .accounts.metering import Metering
from .accounts.people import People
from .accounts.prices import SetPrices
from .accounts.quotas import ProjectQuotas, Quotas
from .accounts.request_log import RequestLog
from .accounts.usage import UsageMeter
from .agents.driver import Workshop
from .agents.engine import AgentEngine
from .agents.recall import Recall
from .egress import Egress
from .gpts.registry import Gpts
from .inference.embeddings import Embedders
from .inference.images import Images
from .inference.models import Models
from .inference.rerank import Rerankers
from .knowledge.ingest import Ingest
from .knowledge.search import Search
from .runs.engine import Engine
from .settings import Settings
from .store.store import Store
from .tools.all import tools
from .tools.connections.registry import ConnectionRegistry
from .webhooks.deliverer import Deliverer


@dataclass(frozen=True, slots=True)
class Service:
    """The parts that others use."""

    store: Store
    keys: Keys
    people: People
    models: Models
    embedders: Embedders
    rerankers: Rerankers
    search: Search
    images: Images
    engine: Engine
    egress: Egress
    usage: UsageMeter
    requests: RequestLog
    limits: Limits
    metering: Metering
    connections: ConnectionRegistry
    gpts: Gpts
    agents: AgentEngine


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
        embedders, images = Embedders(models, settings), Images(models, settings)
        usage = UsageMeter(
            store.usage, SetPrices(models, settings), Budgets(store.spend_limits), run_days=settings.usage_run_days
        )
        requests = RequestLog(store.request_log, days=settings.request_log_days)
        store.queue.sweep_too(usage.sweep)
        rerankers, ingest = Rerankers(models), Ingest(store, embedders, usage, settings)
        search = Search(store, embedders, rerankers, usage)
        quotas = ProjectQuotas(store.limit_rows, store.notices, Quotas.of_settings(settings))
        limits = Limits(store.rate_buckets, quotas)
        # Calls that wait for room leave places to the runs of others.
        places = max(1, settings.run_concurrency // 4)
        metering = Metering(limits, usage, patience=settings.rate_limit_wait, places=places)
        made = await stack.enter_async_context(tools(store, search, models, images, egress, metering, settings))
        # What listens to notices is made before the store is opened.
        keys, people = Keys(store.accounts, store.notices), People(store, egress, settings)
        stack.callback(people.close)
        engine = Engine(store, models, settings, made.toolbox, metering, quotas)
        recall = Recall(store, embedders, usage)
        workshop = Workshop(store, models, metering, made.toolbox, made.sessions, egress, recall, settings)
        agents = AgentEngine(workshop)
        deliverer = Deliverer(store, egress, settings)
        await store.open()
        ends = (
            *(store.close, usage.stop, requests.stop, limits.stop, models.close, embedders.close, images.close),
            *(ingest.stop, egress.close, deliverer.stop, engine.stop, agents.stop),
        )
        for end in ends:
            stack.push_async_callback(end)
        usage.start()
        requests.start()
        limits.start()
        await models.start()
        store.vector_index.start()
        ingest.start()
        Erasing(store).start()
        for sweep in (store.retention.sweep, store.audit.sweep, store.request_log.sweep, store.passing.sweep):
            store.queue.sweep_too(sweep)
        await engine.start(work=work)
        await agents.start(work=work)
        if work:
            deliverer.start()
        yield Service(
            *(store, keys, people, models, embedders, rerankers, search, images, engine, egress),
            *(usage, requests, limits, metering, made.connections, Gpts(store, models), agents),
        )
