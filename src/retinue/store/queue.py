"""The job queue: Procrastinate on the same database. Every job is put on it here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.types import JSONDict

from ..errors import Unavailable
from .database import Connection

log = structlog.get_logger(__name__)

_DRIVE = "drive_run"
_SWEEP = "sweep_runs"
#: Seconds without a sign of life after which a worker counts as dead and its jobs are given to others.
_STALLED_AFTER = 30
#: Seconds between the end of one worker and the start of the next.
_PAUSE = 1.0
#: Seconds that jobs under way have to end when a worker stops.
_GRACE = 5.0
#: The queue of everything that has no queue of its own.
_DEFAULT = "default"
#: Finished jobs are kept this many hours, for people who look into what happened.
_KEEP_HOURS = 24


class Queue:
    """Jobs for any worker on any machine. A job is written in the transaction that needs it."""

    def __init__(self, conninfo: str) -> None:
        """`conninfo`: a psycopg connection string."""
        connector = PsycopgConnector(
            conninfo=conninfo, min_size=1, max_size=8, timeout=5, reconnect_timeout=2, kwargs={"connect_timeout": 5}
        )
        self._app = App(connector=connector)
        self._workers: list[asyncio.Task[None]] = []
        self._sweeps: list[Callable[[], Awaitable[None]]] = []
        #: Kinds of jobs that have a queue of their own, and how many of each this process does at once.
        self._apart: dict[str, int] = {}

    async def open(self) -> None:
        """Open the connections."""
        await self._app.open_async()

    def rest(self) -> None:
        """Take no more jobs; those under way may end."""
        for worker in self._workers:
            if not worker.cancelling():  # a second time, it would leave its jobs before their ends are written down
                worker.cancel()

    async def close(self) -> None:
        """Stop the workers, if they were started, and close the connections."""
        self.rest()
        left = set(self._workers)
        # Waiting for a connection may lose a cancellation: who has not ended by then has not heard of it.
        while left and (left := (await asyncio.wait(left, timeout=_GRACE * 2))[1]):
            for worker in left:
                worker.cancel()
        await self._app.close_async()

    async def defer_run(self, run: str, connection: Connection | None = None) -> None:
        """Put a run on the queue; once, however often it is asked for while the job waits.

        Args:
            run: the run's id.
            connection: a connection in a transaction that the job is to be part of.

        Raises:
            Unavailable: the database is away.
        """
        deferrer = self._app.configure_task(
            _DRIVE, queueing_lock=f"run:{run}", connection=connection, allow_unknown=True
        )
        try:
            await deferrer.defer_async(run=run)
        except AlreadyEnqueued:
            log.debug("run already queued", run=run)
        except ConnectorException as error:
            raise Unavailable("The database cannot be reached at the moment. Please try again.") from error

    async def defer_all(self, kind: str, ids: Sequence[str], connection: Connection | None = None) -> None:
        """Put jobs on the queue of their kind, one for each id.

        Args:
            kind: see `take`.
            ids: what the jobs are given.
            connection: a connection in a transaction that the jobs are to be part of.

        Raises:
            Unavailable: the database is away.
        """
        deferrer = self._app.configure_task(kind, queue=kind, connection=connection, allow_unknown=True)
        jobs: list[JSONDict] = [{"identifier": one} for one in ids]
        try:
            await deferrer.batch_defer_async(*jobs)
        except ConnectorException as error:
            raise Unavailable("The database cannot be reached at the moment. Please try again.") from error

    def take(self, kind: str, do: Callable[[str], Awaitable[None]], jobs: int) -> None:
        """Do jobs of this kind too, beside all others, once `work` is called.

        Args:
            kind: its name, and that of its queue.
            do: does the job of this id.
            jobs: the most of them at once.
        """

        async def job(identifier: str) -> None:
            await do(identifier)

        self._app.task(name=kind, queue=kind)(job)
        self._apart[kind] = jobs

    def sweep_too(self, sweep: Callable[[], Awaitable[None]]) -> None:
        """Have this called with every sweep, once `work` is called."""
        self._sweeps.append(sweep)

    def work(self, drive: Callable[[str], Awaitable[None]], sweep: Callable[[], Awaitable[None]], jobs: int) -> None:
        """Start to work on the queue, in this process, until `close`.

        Args:
            drive: drives the run of this id to its end or to where it must wait.
            sweep: looks for runs that nobody drives.
            jobs: the most jobs at once.
        """

        async def drive_run(run: str) -> None:
            await drive(run)

        async def sweep_runs(timestamp: int) -> None:
            await self._retry_stalled()
            await sweep()
            for further in self._sweeps:
                await further()

        self._app.task(name=_DRIVE)(drive_run)
        # The sixth field is seconds. However many runs wait, the sweep comes first.
        self._app.periodic(cron="* * * * * */5", priority=1)(
            self._app.task(name=_SWEEP, queueing_lock=_SWEEP)(sweep_runs)
        )
        for queue, most in {_DEFAULT: jobs, **self._apart}.items():
            self._workers.append(asyncio.create_task(self._keep_working(queue, most)))

    async def _keep_working(self, queue: str, jobs: int) -> None:
        """Run a worker, and another one whenever it ends: without the database it stops, with an error or without."""
        while True:
            try:
                await self._app.run_worker_async(
                    queues=[queue],
                    concurrency=jobs,
                    install_signal_handlers=False,
                    delete_jobs="successful",
                    shutdown_graceful_timeout=_GRACE,
                )
                log.warning("queue worker stopped; starting another", queue=queue)
            except Exception as error:
                log.warning("queue worker failed; starting another", queue=queue, error=str(error))
            await asyncio.sleep(_PAUSE)

    async def _retry_stalled(self) -> None:
        """Give the jobs of dead workers to living ones: Procrastinate finds them, and leaves the rest to us."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_AFTER):
            # It may be waiting again already, for the sweep does not wait for this.
            with contextlib.suppress(UniqueViolation):
                await manager.retry_job(job)
        await manager.delete_old_jobs(nb_hours=_KEEP_HOURS, include_failed=True)
