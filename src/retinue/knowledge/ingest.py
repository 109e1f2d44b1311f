"""Making the files of vector stores searchable: jobs of the queue."""

from __future__ import annotations

import asyncio
from collections import deque
from importlib import import_module

import structlog

from ..accounts.keys import Caller
from ..accounts.usage import UsageMeter
from ..errors import ApiError, ModelError, Unavailable
from ..inference.embeddings import Embedded, Embedders
from ..inference.worker import Died
from ..settings import Settings
from ..store.chunks import Claim
from ..store.files import blob_of
from ..store.store import Store
from ..store.vector_stores import INGEST
from ..wire.vector_stores import ProcessingError
from .extract import Unreadable
from .reading import Readers

log = structlog.get_logger(__name__)

#: How often the processing of a file may begin: one that ends a process each time must not do so for ever.
_MOST_ATTEMPTS = 5
#: Seconds between two looks whether a file is still to be processed.
_LOOK = 1
#: Chunks that become vectors, and are written, together: so many, and of so many tokens.
_PART_CHUNKS, _PART_TOKENS = 64, 16_384
#: Such parts of a file that are under way at once. While one is written, the embedding model works on the next.
_PARTS = 2
#: What the model's server answers when trying again may help, beside everything from 500 on.
_PASSING = (408, 409, 429)


class Ingest:
    """Cuts the files of vector stores into chunks, and finds the chunks' words and vectors.

    An attempt that breaks off leaves what it has done to the next: chunks and words once they are all there, and each
    part of the vectors.
    """

    def __init__(self, store: Store, embedders: Embedders, usage: UsageMeter, settings: Settings) -> None:
        self._store = store
        self._embedders = embedders
        self._usage = usage
        self._readers = Readers(settings)
        self._concurrency = settings.ingest_concurrency
        self._working: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take part in the work on the queue, from when that begins."""
        self._store.queue.take(INGEST, self._process, self._concurrency)
        self._store.queue.sweep_too(self._sweep)

    async def stop(self) -> None:
        """Break off what is under way, and end the processes that read."""
        for work in self._working:
            work.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self._readers.close()

    async def _sweep(self) -> None:
        await self._store.uploads.sweep()
        await self._store.files.sweep()
        await self._store.vector_stores.sweep()

    async def _process(self, identifier: str) -> None:
        """A job: process the file at this position, unless that was done, for as long as it is wanted.

        Raises:
            ApiError, Died: what is needed is away; the sweep will put the file on the queue again.
        """
        claim = await self._store.vector_store_files.claim(int(identifier))
        if claim is None:
            return
        work = asyncio.create_task(self._make_searchable(claim))
        self._working.add(work)
        try:
            while not (await asyncio.wait({work}, timeout=_LOOK))[0]:
                if not await self._store.chunks.stands(claim):
                    return
            if work.cancelled():
                raise Unavailable("The process that worked on the file is being stopped.")
            work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            self._working.discard(work)

    async def _make_searchable(self, claim: Claim) -> None:
        files = self._store.vector_store_files
        try:
            if claim.attempt > _MOST_ATTEMPTS:
                raise RuntimeError(f"begun {claim.attempt} times without coming to an end")
            if claim.cut is None:
                await self._read(claim)
            await self._embed(claim)
            await files.complete(claim)
        except Unreadable as error:
            await files.fail(claim, ProcessingError(code=error.code, message=error.message))
        except Exception as error:
            if _is_passing(error) and claim.attempt < _MOST_ATTEMPTS:
                raise
            log.exception("file cannot be processed", file=claim.file.id, attempt=claim.attempt)
            why = error.message if isinstance(error, ApiError) else "The file could not be processed."
            message = f"{why} To try again, add the file to the vector store once more."
            await files.fail(claim, ProcessingError(code="server_error", message=message))

    async def _read(self, claim: Claim) -> None:
        """Write the file's chunks and words.

        Raises:
            Unreadable: it has none.
        """
        chunks, first = self._store.chunks, 0
        await chunks.begin(claim)
        content = self._store.blobs.read(blob_of(claim.file.id))
        async with self._readers.read(content, claim.file.filename, claim.chunking.static) as reading:
            async for part in reading.slices():
                await chunks.add(claim, part, first)
                first += len(part)
            async for table in reading.tables():
                await chunks.add_words(claim, table)
        await chunks.cut_done(claim, reading.chunks, reading.words)

    async def _embed(self, claim: Claim) -> None:
        """Write the vectors of those chunks that have none."""
        stores, chunks = self._store.vector_stores, self._store.chunks
        name = claim.embedding_model
        if name is None:
            name = await stores.name_embedder(claim.project, claim.store, self._embedders.find(bulk=True).name)
        if name is None:
            return  # the store is gone
        embedder = self._embedders.find(name, bulk=True)
        # Vectors load it, which would hold up everyone on the event loop for 0.1 s.
        await asyncio.to_thread(import_module, "numpy")
        most = max(1, min(_PART_CHUNKS, _PART_TOKENS // claim.chunking.static.max_chunk_size_tokens))
        after: int | None = None
        under_way: deque[tuple[list[int], asyncio.Task[Embedded]]] = deque()
        try:
            while True:
                if part := await chunks.unembedded(claim, most, after):
                    after = part[-1][0]
                    texts = [text for _, text in part]
                    call = embedder.embed(texts, caller=claim.project, input_type="document")
                    under_way.append(([number for number, _ in part], asyncio.create_task(call)))
                elif not under_way:
                    return
                if not part or len(under_way) == _PARTS:
                    numbers, made = under_way.popleft()
                    embedded = await made
                    self._usage.record(
                        Caller(claim.project), "embeddings", embedder.name, prompt_tokens=embedded.tokens
                    )
                    await chunks.add_vectors(claim, numbers, embedded.vectors)
        finally:
            calls = [made for _, made in under_way]
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)


def _is_passing(error: Exception) -> bool:
    """Whether it may be gone at the next attempt: database, blob store or embedding model are away."""
    if isinstance(error, ModelError):
        return error.status >= 500 or error.status in _PASSING
    return isinstance(error, Unavailable | Died)
