"""The blob store: what is in files, in a local folder or in the object store of a cloud.

obstore's blocking calls run in threads of our own. Its asynchronous ones finish on threads of its runtime, which may
abort a process that is just ending.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import obstore
import structlog
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from ..errors import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Bytes that are written or read in one step.
_PIECE = 1024 * 1024
#: Bytes of a part of a large upload to an object store: 10,000 parts are allowed there.
_PART = 8 * 1024 * 1024
#: Parts of one upload that are under way at once.
_PARTS_AT_ONCE = 4
#: Steps on blobs at once in one process.
_THREADS = 16


@dataclass(frozen=True, slots=True)
class Written:
    """What a write has put into the store."""

    size: int
    #: In hexadecimal digits.
    sha256: str


class Blobs:
    """Blobs by key. A blob is there whole or not at all.

    Raises from every method:
        Unavailable: the blob store does not answer.
    """

    def __init__(self, folder: Path, url: str | None) -> None:
        """Describe the store; nothing is opened yet.

        Args:
            folder: where blobs lie if there is no `url`.
            url: ``file://`` and a folder, or an object store, such as ``s3://bucket/prefix``, whose credentials come
                from the environment.
        """
        named = url is not None and url.startswith("file://")
        self._folder = Path(url.removeprefix("file://")) if url is not None and named else folder
        self._url = None if named else url
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="blobs")
        self._opened: ObjectStore | None = None

    async def write(self, key: str, content: AsyncIterable[bytes]) -> Written:
        """Write a blob from pieces of any size. If `content` raises, nothing is left behind."""
        digest = hashlib.sha256()
        size = 0
        writer = await self._do(
            lambda: obstore.open_writer(self._store(), key, buffer_size=_PART, max_concurrency=_PARTS_AT_ONCE)
        )

        def step(piece: bytes) -> None:
            digest.update(piece)
            writer.write(piece)

        try:
            try:
                async for piece in _gathered(content):
                    size += len(piece)
                    await self._do(lambda piece=piece: step(piece))
            except BaseException as error:
                kind = type(error)
                # An object store keeps the parts of an upload that nobody ends, unseen.
                with contextlib.suppress(Unavailable, FileNotFoundError):
                    await self._do(lambda: writer.__exit__(kind, None, None))
                raise
            await self._do(writer.close)
        except FileNotFoundError as error:
            # It is the bucket that is not there.
            raise _unavailable(error) from error
        return Written(size, digest.hexdigest())

    async def read(self, key: str) -> AsyncGenerator[bytes]:
        """The blob, piece by piece.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        pieces: Iterator[bytes] = await self._do(
            lambda: iter(obstore.get(self._store(), key).stream(min_chunk_size=_PIECE))
        )
        while (piece := await self._do(lambda: next(pieces, None))) is not None:
            yield bytes(piece)

    async def read_whole(self, key: str) -> bytes:
        """The blob in one piece: for blobs that are known to be small.

        Raises:
            FileNotFoundError: there is no such blob.
        """
        return b"".join([piece async for piece in self.read(key)])

    async def delete(self, key: str) -> None:
        """Delete a blob, or what is left of one whose writer died; one that is not there counts as deleted."""

        def delete() -> None:
            store = self._store()
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(store, key)
            if isinstance(store, LocalStore):
                for part in self._folder.glob(f"{key}#*"):
                    part.unlink(missing_ok=True)

        await self._do(delete)

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _store(self) -> ObjectStore:
        if self._opened is None:
            if self._url is None:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._opened = LocalStore(self._folder)
            else:
                self._opened = from_url(
                    self._url,
                    # Whether an endpoint in the environment is plain HTTP is the affair of who wrote it there.
                    client_options={
                        "allow_http": True,
                        "timeout": timedelta(seconds=60),
                        "connect_timeout": timedelta(seconds=5),
                    },
                    retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=30)},
                )
        return self._opened

    async def _do(self, step: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, step)
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            raise _unavailable(error) from error


def _unavailable(error: Exception) -> Unavailable:
    log.warning("blob store failed", error=str(error).partition("\n")[0])
    return Unavailable("The blob store cannot be reached at the moment. Please try again.")


async def _gathered(content: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    """The same bytes in pieces of at least `_PIECE`, but for the last."""
    waiting: list[bytes] = []
    size = 0
    async for piece in content:
        waiting.append(piece)
        size += len(piece)
        if size >= _PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
