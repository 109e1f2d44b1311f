"""Servers that can be killed: processes on one database, forked from one that has everything imported.

A fork is ready in a few hundredths of a second, so that a test can afford to kill many.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import aiohttp
import psycopg
from psycopg.conninfo import make_conninfo

from retinue.settings import Settings
from tests.harness import Api, serving

#: Seconds between two sweeps: the queue's own period, 5 seconds, would be most of the test's time.
SWEEP = 0.2

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.run_life.servers"])


Line: TypeAlias = "Connection[Any, Any]"


class _Running(NamedTuple):
    process: BaseProcess
    #: Breaks when either side is gone.
    line: Line
    url: str


def _serve(settings: Settings, conninfo: str, log: Path, line: Line) -> None:
    """The child: serve until killed, or until the other end of `line` is gone."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    asyncio.run(_serve_and_sweep(settings, conninfo, line))


async def _serve_and_sweep(settings: Settings, conninfo: str, line: Line) -> None:
    loop = asyncio.get_running_loop()
    loop.add_reader(line.fileno(), os._exit, 1)
    async with serving(settings, conninfo) as server:
        line.send(server.url)
        while True:
            await asyncio.sleep(SWEEP)
            await server.app.state.engine.sweep()


class Servers:
    """Servers by name, each started when it is first asked for and again after it was killed."""

    def __init__(self, conninfo: str, folder: Path, settings: dict[str, Settings]) -> None:
        """`settings`: those of the server of each name."""
        self._conninfo = conninfo
        self._folder = folder
        self._settings = settings
        self._running: dict[str, _Running] = {}
        self._starting = asyncio.Lock()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    @property
    def names(self) -> list[str]:
        return list(self._settings)

    @property
    def logs(self) -> str:
        """The end of what the servers have said, for whoever looks into a failure."""
        texts = {path.name: path.read_text(errors="replace")[-3000:] for path in sorted(self._folder.glob("*.log"))}
        return "\n".join(f"--- {name}\n{text}" for name, text in texts.items())

    async def api(self, name: str) -> Api:
        """A client of the server of this name, which runs then."""
        async with self._starting:
            if name not in self._running:
                self._running[name] = await asyncio.to_thread(self._start, name)
        return Api(self._session, self._running[name].url)

    def _start(self, name: str) -> _Running:
        ours, theirs = _context.Pipe()
        arguments = (self._settings[name], self._named(name), self._folder / f"{name}.log", theirs)
        process = _context.Process(target=_serve, args=arguments, name=name, daemon=True)
        process.start()
        theirs.close()
        try:
            assert ours.poll(60)
            return _Running(process, ours, ours.recv())
        except (AssertionError, EOFError):
            raise AssertionError(f"the server {name} does not start:\n{self.logs}") from None

    async def kill(self, name: str) -> None:
        """`kill -9`; returns when PostgreSQL has done with what the server had asked of it."""
        if name not in self._running:
            return
        process, line, _ = self._running.pop(name)
        process.kill()
        await asyncio.to_thread(process.join)
        line.close()
        asked = "select 1 from pg_stat_activity where application_name = %s"
        async with asyncio.timeout(10), await psycopg.AsyncConnection.connect(self._conninfo) as connection:
            await connection.set_autocommit(True)
            while await (await connection.execute(asked, [name])).fetchone():  # noqa: ASYNC110 (a server's state)
                await asyncio.sleep(0.005)

    def _named(self, name: str) -> str:
        return make_conninfo(self._conninfo, application_name=name)

    async def close(self) -> None:
        """Kill them all."""
        for name in self.names:
            await self.kill(name)
        await self._session.close()


@asynccontextmanager
async def servers(conninfo: str, folder: Path, settings: dict[str, Settings]) -> AsyncGenerator[Servers]:
    """Servers that are gone at the end."""
    made = Servers(conninfo, folder, settings)
    try:
        yield made
    finally:
        await made.close()
