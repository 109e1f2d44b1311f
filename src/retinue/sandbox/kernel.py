"""Running code in a kernel, wherever it is: one request at a time, interrupted where it must, ended where it hangs."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from retinue.sandbox.channels import ChannelClosed
from retinue.sandbox.outputs import Collector
from retinue.sandbox.session import Output, Result, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from retinue.sandbox.channels import Channels, Message

#: Interrupts that code gets, for one may come before it has begun, and seconds that it has after each.
_INTERRUPTS, _GRACE = 3, 1.5
#: Seconds of silence after a reply, after which nothing of what the kernel said before it is still to arrive.
_REST = 1.0
#: Seconds that a program gets to end after the connection to it has.
_SETTLE = 1.0


class Program(Protocol):
    """What a kernel runs in."""

    @property
    def ended(self) -> asyncio.Task[str]:
        """Done when it has ended; then says how."""
        ...

    def kill(self) -> None:
        """End it at once; `ended` says when it is done."""
        ...


async def settled(program: Program) -> str:
    """For when the connection is lost: wait for a program to end, or end it; returns how it did."""
    if (await asyncio.wait([program.ended], timeout=_SETTLE))[0]:
        return program.ended.result()
    program.kill()
    await asyncio.wait([program.ended])
    return "stopped answering"


class Kernel:
    """A kernel that takes code over `channels` and runs in `program`.

    Args:
        most_output: the number of characters of text that a run may write.
        lost: what is gone when the program ends, in words for the model.
    """

    def __init__(self, channels: Channels, program: Program, most_output: int, lost: str) -> None:
        self._channels = channels
        self._program = program
        self._most_output = most_output
        self._lost = lost
        self._one_at_a_time = asyncio.Lock()
        self._interrupted = asyncio.Event()

    @property
    def alive(self) -> bool:
        """See `Session`."""
        return not self._program.ended.done()

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

    async def ask(self, code: str, expression: str, *, timeout: float) -> Mapping[str, Any]:  # noqa: ASYNC109
        """Have the kernel run code without a word and look at an expression then, after any code that still runs.

        Returns the reply's `user_expressions` entry for it, of which nothing has been checked
        (https://jupyter-client.readthedocs.io/en/stable/messaging.html#execution-results).

        Raises:
            ChannelClosed: the kernel is gone, or did not answer within `timeout` seconds and was ended.
        """
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(timeout):
                    identifier = await self._send(code, silent=True, expressions={"answer": expression})
                    while True:
                        message = await self._channels.receive()
                        if message.parent == identifier and message.type == "execute_reply":
                            break
            except TimeoutError:
                self._program.kill()
                raise ChannelClosed("no answer in time") from None
        answers = message.content.get("user_expressions")
        answer: object = answers.get("answer") if isinstance(answers, dict) else None
        # Without an answer the code itself has failed: then the reply says how.
        return answer if isinstance(answer, dict) else message.content

    async def _send(self, code: str, *, silent: bool, expressions: Mapping[str, str]) -> str:
        request = {"code": code, "silent": silent, "store_history": False, "allow_stdin": False, "stop_on_error": False}
        return await self._channels.send("shell", "execute_request", {**request, "user_expressions": expressions})

    async def _execute(self, code: str, collector: Collector) -> None:
        """Have the kernel run code; returns when it has ended and all that it said has come. Raises ChannelClosed."""
        identifier = await self._send(code, silent=False, expressions={})
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
                    elif message.channel == "iopub":
                        idle = idle or _is_idle(message)
                        collector.take(message)
                    if replied:
                        # Where much was said, the kernel may have dropped the message that it is idle.
                        rest.reschedule(asyncio.get_running_loop().time() + _REST)

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
        self._program.kill()
        running.cancel()
        await asyncio.wait([running, self._program.ended])

    async def _note(self, status: Status, timeout: float) -> str:  # noqa: ASYNC109
        how = ""
        if status == "died":
            how = await settled(self._program)
        elif not self.alive:
            how = "did not react and was ended"
        notes = {
            "timeout": f"The code was stopped after {timeout:g} seconds.",
            "interrupted": "The code was interrupted.",
            "flooded": "The code was stopped because it wrote without end.",
        }
        lost = f"The Python process {how}: {self._lost}." if how else ""
        return f"{notes.get(status, '')} {lost}".strip()


def _is_idle(message: Message) -> bool:
    return message.type == "status" and message.content.get("execution_state") == "idle"
