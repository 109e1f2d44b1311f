"""A session in a kernel at a Jupyter gateway.

Files are reached through the kernel (`remote`), for its file system is not ours. Isolation, limits on memory and
processes, and the absence of a network are the gateway's part; what the kernel answers is not believed.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import errno
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from retinue.sandbox import gateway
from retinue.sandbox.channels import ChannelClosed
from retinue.sandbox.files import MOST_FILES, parts, pieces, refusing
from retinue.sandbox.kernel import Kernel
from retinue.sandbox.session import FileInfo, FileRefused, Output, Result, SandboxUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Callable

#: Seconds until a kernel must be ready (a cluster may have to fetch its image), and for an answer about files.
_START, _ANSWER = 180.0, 60.0
#: Bytes of a file in one message.
_PIECE = 1024 * 1024
#: Characters of what a kernel gives as a reason.
_LONGEST_REASON = 300
_SOURCE = Path(__file__).with_name("remote.py")
#: The name of `remote` as a module of the kernel, the code that makes it one, and how it is called then.
_MODULE = "retinue_session"
_SETUP = """
def _retinue():
    import sys, types
    module = sys.modules[{name!r}] = types.ModuleType({name!r})
    exec(compile({source!r}, {name!r}, "exec"), module.__dict__)
_retinue()
del _retinue
"""
_CALL = f"__import__({_MODULE!r})."


class GatewaySession:
    """`Session` with a kernel at a gateway; made by `start`."""

    def __init__(
        self,
        place: gateway.Gateway,
        kernel_id: str,
        connection: gateway.Connection,
        most_output: int,
        most_file: int,
    ) -> None:
        self.id = secrets.token_hex(8)
        self._gateway = place
        self._kernel_id = kernel_id
        self._connection = connection
        self._most_file = most_file
        self._kernel = Kernel(connection, connection, most_output, lost="its variables and its files are lost")

    @classmethod
    async def start(cls, place: gateway.Gateway, most_output: int, most_file: int) -> GatewaySession:
        """Start a kernel and wait until it takes code.

        Args:
            place: where.
            most_output: the number of characters of text that a run may write.
            most_file: the number of bytes of a file that is put there.

        Raises:
            SandboxUnavailable: there is none to be had; says why.
        """
        session = kernel_id = None
        try:
            async with asyncio.timeout(_START):
                kernel_id = await place.start()
                session = cls(place, kernel_id, await place.connect(kernel_id), most_output, most_file)
                await session._begin()
        except BaseException as error:
            if session is not None:
                await session.close()
            elif kernel_id is not None:
                await place.delete(kernel_id)
            if isinstance(error, TimeoutError):
                raise SandboxUnavailable(f"No kernel at the gateway was ready within {_START:.0f} seconds.") from None
            if isinstance(error, ChannelClosed):
                raise SandboxUnavailable("The kernel at the gateway ended while it began.") from None
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
        """See `Session`. Waits for code that runs."""
        path = "/".join(parts(name))
        unfinished = f".{secrets.token_hex(8)}"
        left = self._most_file
        try:
            await self._call(name, "write", unfinished, "")
            async for piece in _of_size(pieces(content)):
                left -= len(piece)
                if left < 0:
                    raise FileRefused(f"`{name}` is longer than {self._most_file} bytes.")
                await self._call(name, "write", unfinished, base64.b64encode(piece).decode())
            await self._call(name, "keep", unfinished, path)
        except BaseException:
            with suppress(FileRefused):
                await self._call(name, "drop", unfinished)
            raise

    async def list(self) -> list[FileInfo]:
        """See `Session`. Waits for code that runs."""
        found: list[FileInfo] = []
        with suppress(FileRefused):
            entries = await self._call("", "listed", MOST_FILES)
            for entry in cast("list[Any]", entries)[:MOST_FILES] if isinstance(entries, list) else ():
                with suppress(FileRefused):
                    found.append(_file(entry))
        return sorted(found, key=lambda file: file.name)

    async def read(self, name: str, *, most: int) -> AsyncIterator[bytes]:
        """See `Session`. Waits for code that runs."""
        path = "/".join(parts(name))
        at = 0
        while piece := _decoded(name, await self._call(name, "read", path, at, _PIECE)):
            at += len(piece)
            if at > most:
                raise FileRefused(f"`{name}` is longer than {most} bytes.")
            yield piece

    async def close(self) -> None:
        """See `Session`."""
        self._connection.close()
        await asyncio.wait([self._connection.ended])
        await self._gateway.delete(self._kernel_id)

    async def _begin(self) -> None:
        code = _SETUP.format(name=_MODULE, source=_SOURCE.read_text(encoding="utf-8"))
        try:
            await self._answered(code, f"{_CALL}begin(get_ipython().kernel, {gateway.SILENCE}, {gateway.STEP})")
        except OSError as error:
            raise SandboxUnavailable(f"The kernel at the gateway cannot have /mnt/data: {error.strerror}.") from None

    async def _call(self, name: str, function: str, *arguments: str | int) -> object:
        """What a function of `remote` answers, called for the file `name`. Raises FileRefused."""
        listed = ", ".join(map(repr, arguments))
        try:
            with refusing(name):
                return await self._answered("", f"{_CALL}{function}({listed})")
        except ChannelClosed:
            raise FileRefused("The session has ended.") from None

    async def _answered(self, code: str, expression: str) -> object:
        """The `value` of an expression that is a `remote.Answer`, after running code. Raises OSError, ChannelClosed."""
        reply = await self._kernel.ask(code, expression, timeout=_ANSWER)
        data = reply.get("data")
        shown: object = data.get("application/json") if isinstance(data, dict) else None
        answer = cast("dict[str, Any]", shown) if isinstance(shown, dict) else {}
        if "value" in answer:
            return answer["value"]
        number, text = answer.get("errno"), answer.get("text", reply.get("evalue"))
        raise OSError(number if isinstance(number, int) else errno.EIO, str(text)[:_LONGEST_REASON])


def _file(entry: object) -> FileInfo:
    """An entry of `remote.listed`. Raises FileRefused if it is none."""
    match entry:
        case [str(name), int(size), int(modified)] if size >= 0:
            parts(name)
            return FileInfo(name, size, modified)
        case _:
            raise FileRefused("The kernel listed what is no file.")


def _decoded(name: str, piece: object) -> bytes:
    """What `remote.read` answers. Raises FileRefused if it is no piece of a file."""
    with suppress(binascii.Error, ValueError):
        if isinstance(piece, str) and len(found := base64.b64decode(piece, validate=True)) <= _PIECE:
            return found
    raise FileRefused(f"`{name}` cannot be used: the kernel does not give it.")


async def _of_size(content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces that fit a message."""
    waiting = b""
    async for piece in content:
        waiting += piece
        while len(waiting) >= _PIECE:
            yield waiting[:_PIECE]
            waiting = waiting[_PIECE:]
    if waiting:
        yield waiting
