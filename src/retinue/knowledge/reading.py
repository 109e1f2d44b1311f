"""Reading files apart: a file's content becomes its chunks and words in a process that it can do no harm beyond."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from contextlib import asynccontextmanager
from tempfile import TemporaryFile
from typing import Any

from ..inference.frames import Frame
from ..inference.worker import TookTooLong, Worker
from ..settings import Settings
from ..store.chunk import Chunk
from ..wire.vector_stores import ChunkSizes
from .extract import Unreadable

#: Seconds that a process may take longer than its fork: it starts, and loads what it needs.
_GRACE = 60
#: Seconds without a file after which a process is ended.
_IDLE = 60
#: Of our own environment, what processes that read are told: nothing secret.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "TMPDIR")
#: One file takes one core.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


class Reading:
    """A file that has been read. Its slices are taken first, then its tables, each once."""

    def __init__(self, worker: Worker, head: dict[str, Any]) -> None:
        """`head`: what the process has answered; see `reader`."""
        self._worker = worker
        self._head = head

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return self._head["chunks"]

    @property
    def words(self) -> int:
        """How many words the chunks have together, repetitions included."""
        return self._head["words"]

    async def slices(self) -> AsyncGenerator[list[Chunk]]:
        """The chunks in order, as many at a time as can be written in one step."""
        for _ in range(self._head["slices"]):
            frame = await _asked(self._worker, Frame({}))
            entries: list[list[Any]] = frame.head["chunks"]
            texts = _divided(frame.parts[0], [entry[-1] for entry in entries])
            yield [
                Chunk(start, tokens, text.decode(), page, section)
                for (start, tokens, page, section, _), text in zip(entries, texts, strict=True)
            ]

    async def tables(self) -> AsyncGenerator[dict[str, bytes]]:
        """The words with their postings (see `words.postings`), as many at a time as can be written in one step."""
        for _ in range(self._head["tables"]):
            frame = await _asked(self._worker, Frame({}))
            entries: list[list[Any]] = frame.head["words"]
            contents = _divided(frame.parts[0], [entry[-1] for entry in entries])
            yield {word: content for (word, _), content in zip(entries, contents, strict=True)}


class Readers:
    """The processes that read files, one for each file that is being read. They are started when they are needed."""

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.ingest_timeout
        self._config = {
            "timeout": settings.ingest_timeout,
            "memory_bytes": settings.ingest_memory_bytes,
            "most_tokens": settings.max_index_tokens,
            "ocr": settings.ocr,
        }
        self._all: list[Worker] = []
        self._free: list[Worker] = []

    async def close(self) -> None:
        """End them."""
        for worker in self._all:
            await worker.close()

    @asynccontextmanager
    async def read(self, content: AsyncIterable[bytes], filename: str, sizes: ChunkSizes) -> AsyncGenerator[Reading]:
        """Read a file.

        Args:
            content: what is in it. It is copied to a temporary file without a name, which ends with this process.
            filename: what it is called.
            sizes: of its chunks.

        Raises:
            Unreadable: it has no text that can be searched, or takes too much time or memory.
            Died: the process was ended from outside; the file may be as good as any.
        """
        worker = self._free.pop() if self._free else self._new()
        try:
            yield Reading(worker, await self._ask(worker, content, filename, sizes))
        except Unreadable:
            self._free.append(worker)
            raise
        except BaseException:
            # It may be at work on this file still.
            await worker.close()
            self._free.append(worker)
            raise
        self._free.append(worker)

    def _new(self) -> Worker:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        worker = Worker(
            "retinue.knowledge.reader",
            self._config,
            name="reader",
            timeout=self._timeout + _GRACE,
            idle=_IDLE,
            environment=environment | _ONE_THREAD,
        )
        self._all.append(worker)
        return worker

    async def _ask(
        self, worker: Worker, content: AsyncIterable[bytes], filename: str, sizes: ChunkSizes
    ) -> dict[str, Any]:
        with TemporaryFile() as file:
            async for piece in content:
                await asyncio.to_thread(file.write, piece)
            file.flush()
            # The process opens it anew, to read only; nothing else leads to it.
            job = {
                "path": f"/proc/{os.getpid()}/fd/{file.fileno()}",
                "filename": filename,
                "size": sizes.max_chunk_size_tokens,
                "overlap": sizes.chunk_overlap_tokens,
            }
            return (await _asked(worker, Frame(job))).head


async def _asked(worker: Worker, question: Frame) -> Frame:
    """The answer of a process.

    Raises:
        Unreadable: the process says so.
        Died: as `Readers.read`.
    """
    try:
        answer = await worker.ask(question)
    except TookTooLong as error:
        raise Unreadable("invalid_file", f"Reading this file was given up: {error}. Divide it.") from error
    if "unreadable" in answer.head:
        raise Unreadable(answer.head["unreadable"], answer.head["message"])
    if "defect" in answer.head:
        raise RuntimeError(answer.head["defect"])
    return answer


def _divided(content: bytes, sizes: Sequence[int]) -> Iterator[bytes]:
    start = 0
    for size in sizes:
        yield content[start : start + size]
        start += size
