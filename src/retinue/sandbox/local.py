"""A session in a sandbox on this machine."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

from retinue.sandbox.channels import ChannelClosed, SocketChannels
from retinue.sandbox.kernel import Kernel, settled
from retinue.sandbox.process import Limits, Runtime, Sandbox
from retinue.sandbox.session import FileInfo, Output, Result, SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
    from pathlib import Path

#: Seconds until a kernel that was started must be ready.
_START = 120.0


class LocalSession:
    """`Session` with a Jupyter kernel in a `Sandbox`; made by `start`."""

    def __init__(self, sandbox: Sandbox, channels: SocketChannels, most_output: int) -> None:
        self.id = secrets.token_hex(8)
        self._sandbox = sandbox
        self._channels = channels
        self._kernel = Kernel(channels, sandbox, most_output, lost="its variables are lost")

    @classmethod
    async def start(
        cls, limits: Limits, private: Sequence[Path], most_output: int, runtime: Runtime = "bubblewrap"
    ) -> LocalSession:
        """Start a sandbox and wait until its kernel takes code.

        `most_output` is the number of characters of text that a run may write; the rest is as in `Sandbox.start`.
        Raises SandboxUnavailable.
        """
        sandbox = await Sandbox.start(limits, private, runtime)
        channels = await SocketChannels.over(sandbox.connection)
        session = cls(sandbox, channels, most_output)
        try:
            await asyncio.wait_for(_until_ready(channels), _START)
            # The first cell takes several times as long as the next ones.
            await session.run("pass", lambda _: None, timeout=_START)
        except BaseException as error:
            how = await settled(sandbox) if isinstance(error, ChannelClosed) else ""
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
        return self._kernel.alive

    async def run(self, code: str, on_output: Callable[[Output], None], *, timeout: float) -> Result:  # noqa: ASYNC109
        """See `Session`."""
        return await self._kernel.run(code, on_output, timeout=timeout)

    def interrupt(self) -> None:
        """See `Session`."""
        self._kernel.interrupt()

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


async def _until_ready(channels: SocketChannels) -> None:
    while (await channels.receive()).type != "ready":
        pass
