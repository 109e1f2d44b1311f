"""Making the files of vector stores searchable: jobs of the queue."""

from __future__ import annotations

import asyncio

import structlog

from ..errors import Unavailable
from ..inference.tokens import estimate_tokens
from ..settings import Settings
from ..store.files import blob_of
from ..store.store import Store
from ..store.vector_stores import INGEST, Chunk, Claim
from ..wire.vector_stores import ProcessingError
from .chunks import cut
from .text import Unreadable, read

log = structlog.get_logger(__name__)

#: How often the processing of a file may begin: one that ends a process each time must not do so for ever.
_MOST_ATTEMPTS = 5
#: Bytes of a token at most, by the estimate.
_TOKEN_BYTES = 4


class Ingest:
    """Cuts the files of vector stores into chunks."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def start(self) -> None:
        """Take part in the work on the queue, from when that begins."""
        self._store.queue.take(INGEST, self._process, self._settings.ingest_concurrency)
        self._store.queue.sweep_too(self._sweep)

    async def _sweep(self) -> None:
        await self._store.files.sweep()
        await self._store.vector_stores.sweep()

    async def _process(self, identifier: str) -> None:
        """A job: process the file at this position, unless that was done or is not wanted any more.

        Raises:
            Unavailable: database or blob store are away; the sweep will put the file on the queue again.
        """
        position = int(identifier)
        files = self._store.vector_store_files
        claim = await files.claim(position)
        if claim is None:
            return
        try:
            await files.complete(position, await self._chunks(claim))
        except Unreadable as error:
            await files.fail(position, ProcessingError(code=error.code, message=error.message))
        except Exception as error:
            if isinstance(error, Unavailable) and claim.attempts < _MOST_ATTEMPTS:
                raise
            log.exception("file cannot be processed", file=claim.file.id, attempt=claim.attempts)
            message = "The file could not be processed. Please try again by adding it to the vector store once more."
            await files.fail(position, ProcessingError(code="server_error", message=message))

    async def _chunks(self, claim: Claim) -> list[Chunk]:
        if claim.attempts > _MOST_ATTEMPTS:
            raise RuntimeError(f"begun {claim.attempts} times without coming to an end")
        most = self._settings.max_index_tokens
        if claim.file.bytes > most * _TOKEN_BYTES:
            raise _too_large(most)
        content = await self._store.blobs.read_whole(blob_of(claim.file.id))
        # In a thread: the steps are long calls of string methods, and 5 million tokens take a second in all.
        return await asyncio.to_thread(_chunks, content, claim, most)


def _chunks(content: bytes, claim: Claim, most: int) -> list[Chunk]:
    text = read(content)
    if estimate_tokens(text) > most:
        raise _too_large(most)
    sizes = claim.chunking.static
    return cut(text, sizes.max_chunk_size_tokens, sizes.chunk_overlap_tokens)


def _too_large(most: int) -> Unreadable:
    return Unreadable("invalid_file", f"The file has more than {most} tokens. Divide it into several files.")
