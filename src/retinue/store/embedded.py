"""The embedded PostgreSQL: started with Retinue, kept alive while it runs, gone when it ends.

Of the processes that share a data folder the first is the server's owner; the others join it, and when the owner
ends one of them becomes the next.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

import psycopg
import structlog
from psycopg import sql

from retinue.store.embedded_cluster import (
    NAME,
    Cluster,
    EmbeddedPostgresError,
    environment,
    launched,
    no_namespace,
)
from retinue.store.embedded_launch import NO_NAMESPACE

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from pathlib import Path

__all__ = ["EmbeddedPostgres", "EmbeddedPostgresError"]

#: Seconds until a server must take connections; recovery after a crash may take most of them.
START_PATIENCE = 120.0
#: Signals that end a server, and the seconds that each is given: fast shutdown, immediate shutdown, the kernel's way.
ENDING = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
#: Seconds between two looks at something that changes soon.
POLL = 0.02
#: Seconds between two looks, of a process that joined, at whether the owner is gone.
OWNER_POLL = 0.25
#: Seconds before the second of two starts in a row, doubled for each further one up to the most.
FIRST_DELAY, LONGEST_DELAY = 0.1, 30.0
#: Seconds after which a server counts as running steadily, so that its end is not one of a row.
STEADY = 60.0
#: Seconds between two looks at the size of the log.
LOG_INTERVAL = 60.0

_log = structlog.get_logger(__name__)


class EmbeddedPostgres:
    """A PostgreSQL server on a Unix socket, with its files in the folder `postgres` of the data folder `data`.

    One process owns the server: it starts it, starts it again when it dies, and stops it. Any other process that
    starts one on the same folder joins the first, and takes the ownership over when that one ends; connections break
    then, as they do when the server dies, and can be made again with the same connection string.

    When the owner is killed, the kernel shuts the server down. It does so at the end of the *thread* that started
    the server, which is the one that runs the event loop: it must live as long as the server is to.
    """

    def __init__(self, data: Path) -> None:
        self._cluster = Cluster(data)
        self._lock: int | None = None
        self._process: Process | None = None
        self._socket_folder: Path | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.stop()

    @property
    def conninfo(self) -> str:
        """The libpq connection string of the database. It holds no password, but the path of a file that does."""
        if self._socket_folder is None:
            raise RuntimeError("not started")
        return self._cluster.conninfo(self._socket_folder)

    async def start(self) -> str:
        """Start or join the server; returns its `conninfo` when the database takes connections.

        Makes the database on first use. Raises EmbeddedPostgresError when it cannot be run.
        """
        if self._keeper is not None:
            raise RuntimeError("already started")
        try:
            self._cluster.prepare()
            if not await self._join():
                await self._launch()
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep(), name="embedded PostgreSQL")
        return self.conninfo

    async def stop(self) -> None:
        """Shut the server down if this process owns it, else only leave it. May be called at any time."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        try:
            await self._end_server()
        finally:
            if self._lock is not None:
                self._cluster.unlock(self._lock)
            self._lock = self._socket_folder = None

    async def _join(self) -> bool:
        """True: another process owns a server, and it takes connections. False: this process is the owner now."""
        deadline = time.monotonic() + START_PATIENCE
        while not self._take_lock():
            server = self._cluster.postmaster()
            if server and server.ready and server.socket_folder:
                with suppress(psycopg.OperationalError):
                    await (await psycopg.AsyncConnection.connect(self._cluster.conninfo(server.socket_folder))).close()
                    self._socket_folder = server.socket_folder
                    return True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"Another Retinue uses {self._cluster.folder}, but its database did not take connections within "
                    f"{START_PATIENCE:.0f} seconds. See {self._cluster.log}, or stop the other one."
                )
            await asyncio.sleep(POLL)
        return False

    def _take_lock(self) -> bool:
        try:
            self._lock = self._cluster.try_lock()
        except OSError as error:
            raise self._cluster.failure(f"The folder {self._cluster.folder} cannot be used", str(error)) from error
        return self._lock is not None

    async def _keep(self) -> None:
        """Become the owner when the owner ends; start the server again when the server does."""
        delay = 0.0
        while True:
            since = time.monotonic()
            await self._until_wanted()
            delay = 0.0 if time.monotonic() - since > STEADY else min(max(2 * delay, FIRST_DELAY), LONGEST_DELAY)
            await asyncio.sleep(delay)
            try:
                await self._launch()
            except EmbeddedPostgresError as error:
                _log.error("The embedded PostgreSQL does not start", reason=str(error))
            else:
                _log.info("The embedded PostgreSQL runs again")

    async def _until_wanted(self) -> None:
        """Return when it is for this process to start a server: it owns the folder and no server of its runs."""
        while self._lock is None:
            await asyncio.sleep(OWNER_POLL)
            with suppress(EmbeddedPostgresError):
                self._take_lock()
        while self._process is not None:
            self._cluster.trim_log()
            with suppress(TimeoutError):
                # This also reaps the dead process, which would otherwise still count as running.
                status = await asyncio.wait_for(self._process.wait(), LOG_INTERVAL)
                _log.warning("The embedded PostgreSQL ended unasked", status=status)
                self._process = None

    async def _launch(self) -> None:
        """Start the server; returns when the database takes connections. Only for the owner."""
        try:
            await self._end_leftovers()
            if not self._cluster.directory.exists():
                await self._create_cluster()
            self._cluster.check_version()
            # A process that joined keeps the place that its connection string names.
            self._socket_folder = self._socket_folder or self._cluster.socket_folder()
            self._cluster.open_socket_folder(self._socket_folder)
            self._cluster.drop_stale_locks(self._socket_folder)
            await self._start_server(self._socket_folder)
            await self._create_database(self._socket_folder)
        except (OSError, psycopg.Error) as error:
            await self._end_server()
            raise self._cluster.failure("The embedded PostgreSQL does not start", str(error)) from error
        except EmbeddedPostgresError:
            await self._end_server()
            raise

    async def _start_server(self, socket_folder: Path) -> None:
        self._cluster.trim_log()
        with self._cluster.log.open("ab") as log:
            beginning = log.tell()
            self._process = await _run(self._cluster, self._cluster.server_command(socket_folder), log)
        deadline = time.monotonic() + START_PATIENCE
        while True:
            server = self._cluster.postmaster()
            if server and server.pid == self._process.pid and server.ready:
                return
            ended = self._process.returncode
            if ended is not None or time.monotonic() > deadline:
                output = self._cluster.log.read_bytes()[beginning:].decode(errors="replace")
                if ended == NO_NAMESPACE:
                    raise no_namespace(output)
                raise self._cluster.failure(f"The embedded PostgreSQL does not start (see {self._cluster.log})", output)
            await asyncio.sleep(POLL)

    async def _create_cluster(self) -> None:
        with self._cluster.creation() as command:
            initdb = await _run(self._cluster, command, asyncio.subprocess.PIPE)
            try:
                output = (await initdb.communicate())[0].decode(errors="replace")
            finally:
                await _end(initdb)
            if initdb.returncode == NO_NAMESPACE:
                raise no_namespace(output)
            if initdb.returncode != 0:
                raise self._cluster.failure(f"The database in {self._cluster.folder} could not be made", output)

    async def _create_database(self, socket_folder: Path) -> None:
        conninfo = self._cluster.conninfo(socket_folder, database="postgres")
        async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
            known = await connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME])
            if await known.fetchone() is None:
                await connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(NAME)))

    async def _end_server(self) -> None:
        if self._process is not None:
            await _end(self._process)
            self._process = None

    async def _end_leftovers(self) -> None:
        """End whatever an earlier owner, or an earlier server of ours, left running on the cluster."""
        for number, patience in ENDING:
            servers = self._cluster.servers()
            if number == signal.SIGINT:
                # Only a postmaster takes it for a shutdown. Without one there is nothing left to end in order.
                postmaster = self._cluster.postmaster()
                servers &= {postmaster.pid} if postmaster else set()
            for pid in servers:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            deadline = time.monotonic() + patience
            while servers and time.monotonic() < deadline:
                await asyncio.sleep(POLL)
                servers = self._cluster.servers()
        if servers := self._cluster.servers():
            raise EmbeddedPostgresError(
                f"A server that an earlier Retinue left on {self._cluster.directory} does not end: "
                f"process {', '.join(map(str, sorted(servers)))}. End it, then start again."
            )


async def _run(cluster: Cluster, command: list[str], output: Any) -> Process:
    """Start one of PostgreSQL's programs; `output` takes all that it says."""
    return await asyncio.create_subprocess_exec(
        *launched(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        cwd=cluster.folder,
        env=environment(),
        # A Ctrl-C at the terminal is for the owner alone: the server is needed until the last run is put away.
        start_new_session=True,
    )


async def _end(process: Process) -> None:
    """End a program that is perhaps still running, ever less gently; returns when it is gone."""
    for number, patience in ENDING:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)
            return
