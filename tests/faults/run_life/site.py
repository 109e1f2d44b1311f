"""Everything one test of run life talks to, and the one way to ask it: a request during which the server may die."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import psycopg

from retinue.model_settings import ModelSettings
from retinue.runs.state import TRANSITIONS
from retinue.settings import Settings
from tests.harness import Answer, Api, Json, Refused
from tests.scripted import ScriptedUpstream

from .plans import Plans
from .servers import Servers, servers
from .streams import Reading

T = TypeVar("T")

#: Seconds of the leases, and seconds that a run of the server `short` has.
LEASE = 1
SHORT = 2
#: Seconds within which a run ends that nobody keeps waiting: lease, sweep, and what a busy machine needs.
MARGIN = 20

#: Writes down every change of a run's status, whoever makes it.
_WATCH = """
    create table status_changes (run text not null, was text not null, became text not null);
    create function note_status_change() returns trigger language plpgsql as $$
    begin
        insert into status_changes values (new.id, old.body ->> 'status', new.body ->> 'status');
        return null;
    end $$;
    create trigger note_status_change after update on runs for each row
        when (old.body ->> 'status' is distinct from new.body ->> 'status') execute function note_status_change()
"""


class Site:
    """Two servers and one that gives runs little time, on one database, with one model."""

    def __init__(self, conninfo: str, servers: Servers, plans: Plans) -> None:
        self._conninfo = conninfo
        self.servers = servers
        self.plans = plans

    async def ask(
        self, via: str, method: str, path: str, body: Json | None = None, *, strike: float | None = None
    ) -> Answer | None:
        """One request.

        Args:
            via: the name of the server.
            method: GET, POST or DELETE.
            path: relative to ``/v1``.
            body: JSON.
            strike: seconds after which the server is killed, if it is.

        Returns:
            The answer; None if the server was killed before it gave one.
        """
        api = await self.servers.api(via)
        return await self._struck(via, strike, api.request(method, path, body))

    async def stream(
        self, via: str, path: str, body: Json, reading: Reading, *, strike: float | None = None
    ) -> Answer | None:
        """A streamed request, as `ask`. The answer's body is the first run in the stream, if there is a stream."""
        api = await self.servers.api(via)
        return await self._struck(via, strike, self._open(api, path, body, reading))

    async def _open(self, api: Api, path: str, body: Json, reading: Reading) -> Answer:
        try:
            return Answer(200, {}, await reading.open(api, path, body))
        except Refused as refused:
            return refused.answer

    async def _struck(self, via: str, strike: float | None, request: Coroutine[Any, Any, T]) -> T | None:
        if strike is None:
            return await request
        asked = asyncio.ensure_future(request)
        await asyncio.wait([asked], timeout=strike)
        await self.servers.kill(via)
        try:
            return await asked
        except aiohttp.ClientError:
            return None

    async def get(self, path: str) -> Json:
        """GET through the server that nothing strikes while it is asked."""
        return await (await self.servers.api("first")).get(path)

    async def check_transitions(self) -> None:
        """No status has ever followed another against the table."""
        async with await psycopg.AsyncConnection.connect(self._conninfo) as connection:
            rows = await (await connection.execute("select distinct was, became from status_changes")).fetchall()
        allowed: dict[Any, Any] = dict(TRANSITIONS)
        assert [(was, became) for was, became in rows if became not in allowed[was]] == []


@asynccontextmanager
async def site(conninfo: str, folder: Path) -> AsyncGenerator[Site]:
    """A site on this database, which has been migrated."""
    with psycopg.connect(conninfo) as connection:
        connection.execute(_WATCH)
    plans = Plans()
    async with ScriptedUpstream(plans.reply) as upstream:
        models = {"m": ModelSettings(base_url=upstream.base_url, retries=0)}
        common: dict[str, Any] = {
            "data": folder,
            "models": models,
            "default_model": "m",
            "run_lease": LEASE,
            "database_connections": 6,
        }
        settings = {
            "first": Settings(**common),
            # One that hands most of its runs to the queue.
            "second": Settings(**common, run_concurrency=1),
            "short": Settings(**common, run_expiry=SHORT),
        }
        async with servers(conninfo, folder, settings) as started:
            yield Site(conninfo, started, plans)
