"""A module of ours that works in a process of its own, asked through pipes: started when it is needed."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from typing import Any

import structlog

from .frames import Frame, receive
from .local.process import end, why

log = structlog.get_logger(__name__)

#: Bytes kept of what the process wrote last.
_TAIL = 8192


class Died(Exception):
    """The process ended, or was ended because it took too long; the next question starts another."""


class TookTooLong(Died):
    """The process was ended because it took too long."""


class Worker:
    """One process, asked one thing at a time.

    It runs ``python -m MODULE``, which reads frames from standard input and answers each on its output (`working`):
    first its configuration, with ``parent``, our process id, whose end it does not outlive. It dies with the thread of
    the first question, so that must be one that lives as long as the program: the event loop's.
    """

    def __init__(
        self,
        module: str,
        config: Mapping[str, Any],
        *,
        name: str,
        timeout: float,
        nice: int = 0,
        idle: float | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the process; nothing is started yet.

        Args:
            module: the module to run.
            config: what it is told first.
            name: of the model, or what else it does, for the log.
            timeout: seconds that an answer may take, the start included.
            nice: how far it steps back behind other processes, 0 to 19.
            idle: seconds without a question after which it is ended; None keeps it.
            environment: its environment variables; None gives it ours.
        """
        self._module = module
        self._config = {**config, "nice": nice}
        self._name = name
        self._timeout = timeout
        self._idle = idle
        self._environment = environment
        self._load = 0
        #: Counts the calls of `close`: what was asked before one gets no answer, and starts no process, after it.
        self._closings = 0
        self._rest: asyncio.TimerHandle | None = None
        self._retiring: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._child: Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._tail = b""

    @property
    def pid(self) -> int | None:
        """The process id, while there is one."""
        return self._child.pid if self._child and self._child.returncode is None else None

    @property
    def load(self) -> int:
        """How many questions it works on or has waiting, those that nobody waits for any more included."""
        return self._load

    async def close(self) -> None:
        """End the process, and with it what is under way or waits. A later question starts another one."""
        self._closings += 1
        await self._end()

    async def _end(self) -> None:
        if self._rest:
            self._rest.cancel()
        child, self._child = self._child, None
        if child:
            await end(child)
        if self._listening:
            await self._listening
            self._listening = None

    async def ask(self, frame: Frame) -> Frame:
        """The answer to `frame`. Whoever stops waiting does not disturb the process: it finishes first.

        Raises:
            Died: there is none; `TookTooLong` where that is why.
        """
        self._load += 1
        task = asyncio.create_task(self._ask(frame, self._closings))
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Frame]) -> None:
        self._load -= 1
        if not task.cancelled():
            task.exception()  # nobody may wait for the answer any more: then its failure is no news either
        if self._idle is None or self._load:
            return
        if self._rest:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(self._idle, self._retire)

    def _retire(self) -> None:
        """End the process unless there is a question again."""

        async def end_in_turn() -> None:
            async with self._turn:
                if not self._load:
                    await self._end()

        self._retiring = asyncio.create_task(end_in_turn())

    async def _ask(self, frame: Frame, closings: int) -> Frame:
        async with self._turn:
            try:
                async with asyncio.timeout(self._timeout):
                    if self._child is None or self._child.returncode is not None:
                        await self._start(closings)
                    return await self._exchange(frame)
            except TimeoutError as error:
                await self._end()
                raise TookTooLong(f"it took longer than {self._timeout:g} seconds") from error

    async def _start(self, closings: int) -> None:
        """Start it, unless somebody closes it meanwhile."""
        await self._end()
        if closings != self._closings:
            raise Died("it was closed")
        self._tail = b""
        # In a session of its own, so that Ctrl-C reaches only us; -P keeps the current folder out of its imports.
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", self._module),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            env=self._environment,
        )
        if closings != self._closings:
            await end(child)
            raise Died("it was closed while it started")
        self._child = child
        self._listening = asyncio.create_task(self._listen(child))
        await self._exchange(Frame({**self._config, "parent": os.getpid()}))
        log.info("process ready", process=self._name)

    async def _listen(self, child: Process) -> None:
        """Keep the end of what the process writes beside its answers."""
        assert child.stderr  # noqa: S101 (it is a pipe)
        while piece := await child.stderr.read(_TAIL):
            self._tail = (self._tail + piece)[-_TAIL:]

    async def _exchange(self, frame: Frame) -> Frame:
        child, listening = self._child, self._listening
        assert child is not None  # noqa: S101 (it has been started)
        assert listening is not None  # noqa: S101
        assert child.stdin is not None  # noqa: S101 (both are pipes)
        assert child.stdout is not None  # noqa: S101
        try:
            child.stdin.write(frame.encoded())
            await child.stdin.drain()
            return await receive(child.stdout)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            await listening
            reason = why(await child.wait(), self._tail.decode(errors="replace"))
            log.warning("process died", process=self._name, reason=reason)
            raise Died(reason) from error
