"""A session in a sandbox on this machine."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from retinue.sandbox.channels import ChannelClosed, Message, SocketChannels
from retinue.sandbox.outputs import Collector
from retinue.sandbox.process import Limits, Sandbox
from retinue.sandbox.session import FileInfo, Output, Result, SandboxUnavailable, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
    from pathlib import Path

#: Seconds until a kernel that was started must be ready.
_START = 60.0
#: Interrupts that code gets, for one may come before it has begun, and seconds that it has after each.
_INTERRUPTS, _GRACE = 3, 1.5
#: Seconds for what the kernel said before its reply to arrive.
_REST = 1.0


class LocalSession:
    """`Session` with a Jupyter kernel in a `Sandbox`; made by `start`."""

    def __init__(self, sandbox: Sandbox, channels: SocketChannels, most_output: int) -> None:
        self.id = secrets.token_hex(8)
        self._sandbox = sandbox
        self._channels = channels
        self._most_output = most_output
        self._one_at_a_time = asyncio.Lock()
        self._interrupted = asyncio.Event()

    @classmethod
    async def start(cls, limits: Limits, private: Sequence[Path], most_output: int) -> LocalSession:
        """Start a sandbox and wait until its kernel takes code.

        `most_output` is the number of characters of text that a run may write. Raises SandboxUnavailable.
        """
        sandbox = await Sandbox.start(limits, private)
        channels = await SocketChannels.over(sandbox.connection)
        session = cls(sandbox, channels, most_output)
        try:
            await asyncio.wait_for(_until_ready(channels), _START)
            # The first cell takes several times as long as the next ones.
            await session.run("pass", lambda _: None, timeout=_START)
        except BaseException as error:
            how = await sandbox.settle() if isinstance(error, ChannelClosed) else ""
            channels.close()
            await sandbox.close()
            if isinstance(error, TimeoutError):
                raise SandboxUnavailable(f"Python in the sandbox was not ready within {_START:.0f} seconds.") from None
            if isinstance(error, ChannelClosed):
                reason = f"Python in the sandbox {how}. {sandbox.last_words}".strip()
                raise SandboxUnavailable(f"Isolation is not possible here: {reason}") from None
            raise
        return session

    @property
    def alive(self) -> bool:
        """See `Session`."""
        return not self._sandbox.ended.done()

    async def run(self, code: str, on_output: Callable[[Output], None], *, timeout: float) -> Result:  # noqa: ASYNC109
        """See `Session`."""
        async with self._one_at_a_time:
            collector = Collector(on_output, self._most_output)
            self._interrupted.clear()
            running = asyncio.create_task(self._execute(code, collector))
            try:
                status = await self._status(running, collector, timeout)
            except asyncio.CancelledError:
                # The session is useful only if the code really ends.
                await asyncio.shield(asyncio.create_task(self._end(running)))
                raise
            note = await self._note(status, timeout)
            return Result(status, tuple(collector.outputs), note)

    def interrupt(self) -> None:
        """See `Session`."""
        self._interrupted.set()

    async def put(self, name: str, content: bytes | AsyncIterable[bytes]) -> None:
        """See `Session`."""
        await self._sandbox.folder.put(name, content)

    async def list(self) -> list[FileInfo]:
        """See `Session`."""
        return self._sandbox.folder.list()

    def read(self, name: str, *, most: int) -> AsyncIterator[bytes]:
        """See `Session`."""
        return self._sandbox.folder.read(name, most=most)

    async def close(self) -> None:
        """See `Session`."""
        self._channels.close()
        await self._sandbox.close()

    async def _execute(self, code: str, collector: Collector) -> None:
        """Have the kernel run code; returns when it has ended and all that it said has come. Raises ChannelClosed."""
        request = {"code": code, "silent": False, "store_history": False, "allow_stdin": False, "stop_on_error": False}
        identifier = await self._channels.send("shell", "execute_request", {**request, "user_expressions": {}})
        replied = idle = False
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as rest:
                while not (replied and idle):
                    message = await self._channels.receive()
                    collector.count(message)
                    if collector.flooded:
                        self._interrupted.set()
                    if message.parent != identifier:
                        continue
                    if message.type == "execute_reply":
                        replied = True
                        # Where much was said, the kernel may have dropped the message that it is idle.
                        rest.reschedule(asyncio.get_running_loop().time() + _REST)
                    elif message.channel == "iopub":
                        idle = idle or _is_idle(message)
                        collector.take(message)

    async def _status(self, running: asyncio.Task[None], collector: Collector, timeout: float) -> Status:  # noqa: ASYNC109
        """Wait for the end of the code, and see to it."""
        interrupted = asyncio.create_task(self._interrupted.wait())
        try:
            await asyncio.wait({running, interrupted}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            interrupted.cancel()
        if running.done():
            return "died" if running.exception() else "error" if collector.failed else "ok"
        await self._end(running)
        return "flooded" if collector.flooded else "interrupted" if self._interrupted.is_set() else "timeout"

    async def _end(self, running: asyncio.Task[None]) -> None:
        """Interrupt the code that runs; end the session where that does not help."""
        for _ in range(_INTERRUPTS):
            with suppress(ChannelClosed):
                await self._channels.send("control", "interrupt_request", {})
            if (await asyncio.wait([running], timeout=_GRACE))[0]:
                return
        self._sandbox.kill()
        running.cancel()
        await asyncio.wait([running, self._sandbox.ended])

    async def _note(self, status: Status, timeout: float) -> str:  # noqa: ASYNC109
        how = ""
        if status == "died":
            how = await self._sandbox.settle()
        elif not self.alive:
            how = "did not react and was ended"
        notes = {
            "timeout": f"The code was stopped after {timeout:g} seconds.",
            "interrupted": "The code was interrupted.",
            "flooded": "The code was stopped because it wrote without end.",
        }
        lost = f"The Python process {how}: its variables are lost." if how else ""
        return f"{notes.get(status, '')} {lost}".strip()


async def _until_ready(channels: SocketChannels) -> None:
    while (await channels.receive()).type != "ready":
        pass


def _is_idle(message: Message) -> bool:
    return message.type == "status" and message.content.get("execution_state") == "idle"
