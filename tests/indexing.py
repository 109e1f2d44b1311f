"""Files of vector stores made searchable at once, without the processes that read and embed.

For tests of searching: start the application with the setting ``serve_worker = False``, so that nobody else works on
the files, and call `index`. Each paragraph of a file becomes a chunk.
"""

from __future__ import annotations

from itertools import accumulate

from retinue.inference.embeddings import Embedder
from retinue.knowledge.words import postings
from retinue.store.chunks import Chunk, Claim
from retinue.store.files import blob_of
from retinue.store.store import Store

from .harness import Server

#: Between two chunks.
PARAGRAPH = "\n\n"


async def index(server: Server, *, embedder: Embedder | None = None) -> None:
    """Index every file that waits in a vector store; without an embedder, by words alone."""
    store: Store = server.app.state.store
    for row in await store.database.rows(
        "select position from vector_store_files where status = 'in_progress' order by position", {}
    ):
        claim = await store.vector_store_files.claim(row[0])
        assert claim
        texts = (await store.blobs.read_whole(blob_of(claim.file.id))).decode().split(PARAGRAPH)
        await _write(store, claim, texts)
        if embedder:
            await store.vector_stores.name_embedder(claim.project, claim.store, embedder.name)
            made = await embedder.embed(texts, input_type="document")
            assert await store.chunks.add_vectors(claim, range(len(texts)), made.vectors)
        assert await store.vector_store_files.complete(claim)


async def _write(store: Store, claim: Claim, texts: list[str]) -> None:
    starts = accumulate((len(text) + len(PARAGRAPH) for text in texts[:-1]), initial=0)
    chunks = [Chunk(start, len(text) // 4 + 1, text) for start, text in zip(starts, texts, strict=True)]
    found, words = postings(texts)
    assert await store.chunks.begin(claim)
    assert await store.chunks.add(claim, chunks, 0)
    assert await store.chunks.add_words(claim, found)
    assert await store.chunks.cut_done(claim, len(texts), words)
