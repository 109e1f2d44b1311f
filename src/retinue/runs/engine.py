"""The run engine: takes runs on, drives them, keeps their leases, and takes over what others left behind."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import structlog

from ..accounts.keys import Caller
from ..accounts.metering import Metering
from ..accounts.quotas import ProjectQuotas
from ..errors import ApiError, InvalidRequest, Unavailable
from ..inference.models import Models
from ..knowledge import resources
from ..settings import Settings
from ..store.conversations import NewMessage
from ..store.ids import new_id
from ..store.objects import PageQuery
from ..store.runs import WATCHED, Claim, Commit, Orphan
from ..store.store import Store
from ..tools.connections.people import person_of, whose_consent
from ..tools.tool import Toolbox
from ..wire.runs import TERMINAL, Run, RunCreate, ThreadAndRunCreate, ToolOutput
from ..wire.threads import Thread, ThreadCreate
from . import compose
from .consent import take_outputs
from .context import check_images
from .driver import Driver, LeaseLost
from .events import EventStream
from .follow import Watch
from .replay import ended, moment
from .state import change, sources

log = structlog.get_logger(__name__)

#: The channel on which the process that drives a run is told to stop.
_CANCELLING = "run_cancelling"
#: Seconds after which a streamed run that must wait for others of its project tries again.
_TRY_AGAIN = 0.2


@dataclass(slots=True)
class _Drive:
    """A run that this process drives."""

    task: asyncio.Task[None] | None = None
    driver: Driver | None = None
    #: Somebody asked for the run to be cancelled.
    cancelling: bool = False
    #: Writes what there is for somebody who reads along.
    showing: asyncio.Task[None] | None = None


class Engine:
    """All that happens to runs in one process."""

    def __init__(
        self,
        store: Store,
        models: Models,
        settings: Settings,
        toolbox: Toolbox,
        metering: Metering,
        quotas: ProjectQuotas,
    ) -> None:
        self._store = store
        self._models = models
        self._settings = settings
        self._toolbox = toolbox
        self._metering = metering
        self._quotas = quotas
        self._waking: set[asyncio.Task[None]] = set()
        #: Who this process is, on the leases it holds.
        self._owner = new_id("proc_")
        self._drives: dict[str, _Drive] = {}
        self._heartbeat: asyncio.Task[None] | None = None
        self._stopping = False
        self.watch = Watch(store, settings)
        store.notices.on(_CANCELLING, self._note_cancelling)
        store.notices.on(WATCHED, self._note_watched)

    async def start(self, *, work: bool) -> None:
        """Begin to renew leases and, with `work`, to take runs from the queue."""
        self._heartbeat = asyncio.create_task(self._renew_leases())
        if work:
            self._store.queue.work(self._drive_queued, self.sweep, self._settings.run_concurrency)

    async def stop(self) -> None:
        """Stop all drives where they are and let go of their leases, so that others go on at once."""
        self._stopping = True
        self._store.queue.rest()
        if self._heartbeat:
            self._heartbeat.cancel()
        tasks = [drive.task for drive in self._drives.values() if drive.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with contextlib.suppress(Unavailable):
            await self._store.runs.release(self._owner)

    # --- what clients ask for

    async def create(self, caller: Caller, thread_id: str, body: RunCreate, stream: EventStream | None = None) -> Run:
        """Create a run on a thread, and see to it that it is driven.

        Args:
            caller: who asks.
            thread_id: the thread.
            body: what the client asks for.
            stream: where a client reads the events; such a run is driven here.

        Raises:
            NotFound: there is no such assistant, thread or model.
            InvalidRequest: the thread has an active run, or the request contradicts itself.
        """
        project = caller.project
        assistant = await self._store.assistants.get(project, body.assistant_id)
        served = self._models.resolve(body.model or assistant.model)
        run = compose.run(body, thread_id, assistant, served.name, self._settings.run_expiry)
        messages = [compose.message(thread_id, one) for one in body.additional_messages or ()]
        check_images([new.message for new in messages], served)
        await resources.attach(self._store, project, thread_id, body.additional_messages or ())
        await self._take_on(caller, run, messages, None, stream)
        return run

    async def create_with_thread(
        self, caller: Caller, body: ThreadAndRunCreate, stream: EventStream | None = None
    ) -> Run:
        """Create a thread and a run on it, both or neither. As `create` otherwise."""
        project = caller.project
        assistant = await self._store.assistants.get(project, body.assistant_id)
        served = self._models.resolve(body.model or assistant.model)
        wanted = body.thread or ThreadCreate()
        if body.tool_resources is not None and wanted.tool_resources is None:
            wanted = wanted.model_copy(update={"tool_resources": body.tool_resources})
        thread, messages = compose.thread(wanted)
        run = compose.run(body, thread.id, assistant, served.name, self._settings.run_expiry)
        check_images([new.message for new in messages], served)
        thread.tool_resources = await resources.of_new_thread(self._store, project, wanted)
        await self._take_on(caller, run, messages, thread, stream)
        return run

    async def submit(
        self,
        caller: Caller,
        thread_id: str,
        run_id: str,
        outputs: Sequence[ToolOutput],
        stream: EventStream | None = None,
    ) -> Run:
        """Hand in the outputs of all calls that a run waits for; the run goes on.

        Raises:
            NotFound: there is no such run.
            InvalidRequest: the run does not wait for outputs, or for others than these.
            Forbidden: a call waits for the consent of somebody else.
        """
        project = caller.project
        run = await self._store.runs.get(project, run_id, thread_id)
        if run.status != "requires_action" or run.required_action is None:
            raise InvalidRequest(f'Runs in status "{run.status}" do not accept tool outputs.')
        expected = [call.id for call in run.required_action.submit_tool_outputs.tool_calls]
        got = [output.tool_call_id for output in outputs]
        if sorted(expected) != sorted(got):
            raise InvalidRequest(f"Expected tool outputs for call_ids {expected}, got {got}", param="tool_outputs")
        steps = await self._store.steps.page(project, PageQuery(limit=1000), run_id)
        said = {output.tool_call_id: output.output or "" for output in outputs}
        answered = [step for step in steps.data if step.status == "in_progress"]
        may_consent = run.user in ("", caller.user)
        allowed = list(chain(*(take_outputs(step, said, may_consent=may_consent) for step in answered)))
        here = self._is_driven_here(stream)
        commit = Commit(
            run=run_id,
            project=project,
            patch=change("queued"),
            sources=sources("queued"),
            owner=None,
            next_owner=self._owner if here else None,
            steps=answered,
            announce=True,
        )
        changed = await self._store.runs.commit(commit)
        if changed is None:
            now = await self._store.runs.get(project, run_id, thread_id)
            raise InvalidRequest(f'Runs in status "{now.status}" do not accept tool outputs.')
        for key in allowed:
            await self._store.connections.allow(project, key, whose_consent(person_of(run)))
        if stream:
            for step in answered:
                if step.status == "completed":
                    stream.send("thread.run.step.completed", step, "completed")
            stream.send("thread.run.queued", changed, moment("queued", ended(steps.data)))
        if here:
            self._launch(run_id, stream)
        else:
            await self._store.queue.defer_run(run_id)
        return changed

    async def cancel(self, project: str, thread_id: str, run_id: str) -> Run:
        """Cancel a run: at once where nothing is under way, else as soon as its driver has stopped.

        Raises:
            NotFound: there is no such run.
            InvalidRequest: the run has ended already.
        """
        run = await self._store.runs.get(project, run_id, thread_id)
        if run.status not in TERMINAL and run.status != "cancelling":
            commit = Commit(
                run=run_id,
                project=project,
                patch=change("cancelling"),
                sources=sources("cancelling"),
                owner=None,
                leave_lease=True,
                announce=True,
            )
            run = await self._store.runs.commit(commit) or await self._store.runs.get(project, run_id, thread_id)
        if run.status in TERMINAL:
            raise InvalidRequest(f"Cannot cancel run with status '{run.status}'.")
        if drive := self._drives.get(run_id):
            self._stop_drive(drive)
            return run
        # Nobody drives it, or another process does: that one is told, and sees it at the latest with its lease.
        claim = await self._store.runs.claim(run_id, self._owner, {}, [], ("cancelling",))
        if claim is None:
            await self._store.notices.send(_CANCELLING, run_id)
            return run
        driver = self._driver(claim)
        await driver.end("cancelled")
        return driver.run

    def _note_watched(self, run_id: str) -> None:
        drive = self._drives.get(run_id)
        if drive and drive.driver and (drive.showing is None or drive.showing.done()):
            drive.showing = asyncio.create_task(drive.driver.show_to_readers())

    def _note_cancelling(self, run_id: str) -> None:
        if drive := self._drives.get(run_id):
            self._stop_drive(drive)

    # --- driving

    def _is_driven_here(self, stream: EventStream | None) -> bool:
        """Whether this process drives a run: if a client reads it, or if there is room; else the queue has it."""
        if stream and self._stopping:
            raise Unavailable("This server is being stopped. Please try again.")
        if stream:
            return True
        free = not self._stopping and len(self._drives) < self._settings.run_concurrency
        return free and self._settings.serve_worker

    async def _take_on(
        self,
        caller: Caller,
        run: Run,
        messages: Sequence[NewMessage],
        thread: Thread | None,
        stream: EventStream | None,
    ) -> None:
        """Keep a new run, and see to it that it is driven, here or from the queue."""
        here = self._is_driven_here(stream)
        run.key, run.user = caller.key, caller.user
        await self._store.runs.add(caller.project, run, messages, owner=self._owner if here else None, thread=thread)
        if stream:
            if thread:
                stream.send("thread.created", thread, "created")
            stream.send("thread.run.created", run, "created")
            stream.send("thread.run.queued", run, moment("queued", 0))
        if here:
            self._launch(run.id, stream)

    def _launch(self, run_id: str, stream: EventStream | None) -> asyncio.Task[None]:
        drive = _Drive()
        self._drives[run_id] = drive
        drive.task = asyncio.create_task(self._drive(run_id, drive, stream))
        return drive.task

    async def _drive_queued(self, run_id: str) -> None:
        """A job of the queue: drive the run unless it is being driven."""
        if run_id not in self._drives and not self._stopping:
            # The drive outlives its job, which ends when the queue loses the database.
            await asyncio.shield(self._launch(run_id, None))

    async def _drive(self, run_id: str, drive: _Drive, stream: EventStream | None) -> None:
        """Drive a run, whatever happens, to where it has ended, waits, or is someone else's."""
        try:
            claim = await self._claim(run_id, stream)
            if claim:
                try:
                    await self._drive_claimed(claim, drive, stream)
                finally:
                    self._wake_next(claim.project)
        except (asyncio.CancelledError, LeaseLost) as stop:
            if not await self._settle_cancelled(run_id, drive, stream, stop):
                log.info("drive stopped", run=run_id, lease_lost=isinstance(stop, LeaseLost))
                if stream:
                    stream.fail(Unavailable("This server no longer drives the run. It goes on; ask for it again."))
        except ApiError as error:
            log.warning("drive broke off", run=run_id, error=error.message)
            if stream:
                stream.fail(error)
        finally:
            self._drives.pop(run_id, None)
            if stream:
                stream.close()

    async def _claim(self, run_id: str, stream: EventStream | None) -> Claim | None:
        """Begin to drive a run; None if another does, or if it must wait for others of its project.

        Where a client reads along, the run waits here; else whoever ends one of the others puts it on the queue, or the
        sweep does.
        """
        runs = self._store.runs
        while True:
            claim = await runs.claim(run_id, self._owner, change("in_progress"), sources("in_progress"))
            if claim or (await runs.renew(self._owner, [run_id])).get(run_id) != "queued":
                return claim
            if stream is None:
                await runs.let_wait(run_id, self._owner)
                # Whoever ended a run just before this one was seen to wait has not woken it.
                return await runs.claim(run_id, self._owner, change("in_progress"), sources("in_progress"))
            await asyncio.sleep(_TRY_AGAIN)

    def _wake_next(self, project: str) -> None:
        """A run of the project is no longer worked on: another one that had to wait may begin."""
        if not self._stopping:
            task = asyncio.create_task(self._wake(project))
            self._waking.add(task)
            task.add_done_callback(self._waking.discard)

    async def _wake(self, project: str) -> None:
        with contextlib.suppress(ApiError):
            limited = (await self._quotas.of(project)).concurrent_runs is not None
            if limited and (run := await self._store.runs.next_waiting(project)):
                await self._store.queue.defer_run(run)

    async def _drive_claimed(self, claim: Claim, drive: _Drive, stream: EventStream | None) -> None:
        driver = drive.driver = self._driver(claim, stream)
        if claim.run.status == "cancelling":
            drive.cancelling = True
            await driver.end("cancelled")
        else:
            driver.emit("thread.run.in_progress", claim.run, moment("in_progress", ended(claim.steps)))
            await driver.drive()

    async def _settle_cancelled(
        self, run_id: str, drive: _Drive, stream: EventStream | None, stop: BaseException
    ) -> bool:
        """End a stopped drive's run as `cancelled`, if that is why it was stopped."""
        if isinstance(stop, asyncio.CancelledError):
            task = asyncio.current_task()
            if not drive.cancelling or task is None:
                return False
            task.uncancel()
        # From here on the run is being ended: who asks for it to be cancelled now must not stop that.
        drive.cancelling = True
        claim = await self._store.runs.claim(run_id, self._owner, {}, [], ("cancelling",))
        if claim is None:
            return False
        driver = drive.driver or self._driver(claim, stream)
        await driver.end("cancelled")
        return True

    def _driver(self, claim: Claim, stream: EventStream | None = None) -> Driver:
        return Driver(
            claim,
            self._models,
            self._store,
            self._settings,
            self._owner,
            self.watch,
            self._toolbox,
            self._metering,
            stream,
        )

    def _stop_drive(self, drive: _Drive) -> None:
        if drive.task and not drive.cancelling:
            drive.cancelling = True
            drive.task.cancel()

    # --- keeping leases, taking over

    async def _renew_leases(self) -> None:
        """Renew all leases three times in their life; what is no longer ours, or is to be cancelled, is stopped."""
        while True:
            await asyncio.sleep(self._settings.run_lease / 3)
            running = {run: drive for run, drive in self._drives.items() if drive.driver}
            if not running:
                continue
            try:
                statuses = await self._store.runs.renew(self._owner, list(running))
            except Unavailable:
                continue
            for run, drive in running.items():
                if self._drives.get(run) is not drive:
                    continue
                if statuses.get(run) == "cancelling":
                    self._stop_drive(drive)
                elif run not in statuses and drive.task:
                    drive.task.cancel()

    async def sweep(self) -> None:
        """Put runs that nobody drives back on the queue, end those that waited for their client too long, tidy up."""
        for orphan in await self._store.runs.orphans():
            if orphan.run in self._drives:
                continue
            log.info("orphaned run", run=orphan.run, status=orphan.status, overdue=orphan.overdue)
            if orphan.status == "requires_action":
                await self._expire(orphan)
            else:
                await self._store.queue.defer_run(orphan.run)
        await self._store.idempotency.forget_old()
        await self._store.chat_completions.forget_old()

    async def _expire(self, orphan: Orphan) -> None:
        claim = await self._store.runs.claim(orphan.run, self._owner, {}, [], ("requires_action",))
        if claim and (claim.run.expires_at or 0) <= time.time():
            driver = self._driver(claim)
            with contextlib.suppress(LeaseLost):
                await driver.end("expired")
