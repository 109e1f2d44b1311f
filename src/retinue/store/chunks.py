"""Writing the chunks of files: their texts, their words and their vectors."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InvalidRequest
from ..wire.files import FileObject
from ..wire.vector_stores import StaticChunking
from .chunk import Chunk
from .database import Connection, Database
from .halfvectors import takes_vectors, unit_vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Bytes of a posting: see knowledge/words.py.
_POSTING = 8

#: Nothing if the attempt has been overtaken by another, or the file has left its store or been cancelled.
_STANDS = """
    select from vector_store_files where position = %(file)s and attempts = %(attempt)s and status = 'in_progress'
"""

#: Keeps it so until the transaction ends.
_HOLD = f"{_STANDS} for share"

_DROP = """
    with texts as (delete from chunks where file = %(file)s),
        vectors as (delete from chunk_vectors where file = %(file)s)
    delete from chunk_words where file = %(file)s
"""

_ADD = """
    insert into chunks (file, number, start_index, tokens, page, section, text)
    select %(file)s, %(before)s + chunk.place, start_index, tokens, page, section, text
    from unnest(%(starts)s::int[], %(tokens)s::int[], %(pages)s::int[], %(sections)s::text[], %(texts)s::text[])
        with ordinality as chunk (start_index, tokens, page, section, text, place)
"""

_ADD_WORDS = "copy chunk_words (store, word, file, chunks, postings) from stdin (format binary)"

_CUT_DONE = """
    update vector_store_files set cut = true, chunks = %(chunks)s, words = %(words)s
    where position = %(file)s and attempts = %(attempt)s and status = 'in_progress'
"""

_UNEMBEDDED = """
    select number, text from chunks
    where file = %(file)s
        and number > coalesce(%(after)s, (select max(number) from chunk_vectors where file = %(file)s), -1)
    order by number limit %(limit)s
"""

_DIMENSIONS = """
    update vector_stores set dimensions = coalesce(dimensions, %(dimensions)s)
    where position = %(store)s and coalesce(dimensions, %(dimensions)s) = %(dimensions)s
"""

_SAME_DIMENSIONS = "select dimensions = %(dimensions)s from vector_stores where position = %(store)s"

_ADD_VECTORS = "copy chunk_vectors (store, file, number, vector) from stdin (format binary)"


@dataclass(frozen=True, slots=True)
class Claim:
    """A file of a store that is to be processed, by this attempt and no other."""

    #: In `vector_store_files`.
    position: int
    #: How often that was begun, with this time.
    attempt: int
    project: str
    #: Id of the store.
    store: str
    #: Of the store, in `vector_stores`.
    store_position: int
    chunking: StaticChunking
    file: FileObject
    #: Of the store's vectors, once it is settled.
    embedding_model: str | None
    #: How many chunks an earlier attempt has written, if it wrote them all.
    cut: int | None


class Chunks:
    """What is made of the files of vector stores.

    Each method that writes takes the claim of an attempt, and says whether it stands: if another attempt has begun
    since, or the file has left the store, nothing is written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stands(self, claim: Claim) -> bool:
        """Whether the file is still to be processed by this attempt."""
        return await self._database.row(_STANDS, {"file": claim.position, "attempt": claim.attempt}) is not None

    async def begin(self, claim: Claim) -> bool:
        """Drop what an attempt that came to no end has left."""
        async with self._held(claim) as connection:
            if connection and claim.attempt > 1:
                await connection.execute(_DROP, {"file": claim.position})
        return connection is not None

    async def add(self, claim: Claim, chunks: Sequence[Chunk], first: int) -> bool:
        """Add chunks, numbered from `first`."""
        values: dict[str, Any] = {
            "file": claim.position,
            "before": first - 1,
            "starts": [chunk.start for chunk in chunks],
            "tokens": [chunk.tokens for chunk in chunks],
            "pages": [chunk.page for chunk in chunks],
            "sections": [chunk.section for chunk in chunks],
            "texts": [chunk.text for chunk in chunks],
        }
        async with self._held(claim) as connection:
            if connection:
                await connection.execute(_ADD, values)
        return connection is not None

    async def add_words(self, claim: Claim, postings: Mapping[str, bytes]) -> bool:
        """Add words of the file that it does not have yet, with their postings."""
        async with self._held(claim) as connection:
            if connection:
                async with connection.cursor() as cursor, cursor.copy(_ADD_WORDS) as copy:
                    copy.set_types(["int8", "text", "int8", "int4", "bytea"])
                    store, file = claim.store_position, claim.position
                    for word, posting in postings.items():
                        await copy.write_row((store, word, file, len(posting) // _POSTING, posting))
        return connection is not None

    async def cut_done(self, claim: Claim, chunks: int, words: int) -> bool:
        """All chunks and words are there.

        Args:
            claim: the attempt.
            chunks: how many chunks.
            words: how many words they have together, repetitions included.
        """
        values = {"file": claim.position, "attempt": claim.attempt, "chunks": chunks, "words": words}
        return bool(await self._database.execute(_CUT_DONE, values))

    async def unembedded(self, claim: Claim, limit: int, after: int | None = None) -> list[tuple[int, str]]:
        """The first chunks without vectors, at most `limit`: number and text. Vectors are added in order.

        Args:
            claim: the attempt.
            limit: the most chunks.
            after: begin behind this number, if the vectors up to it are on their way already.
        """
        values = {"file": claim.position, "limit": limit, "after": after}
        return [(int(row[0]), str(row[1])) for row in await self._database.rows(_UNEMBEDDED, values)]

    async def add_vectors(self, claim: Claim, numbers: Sequence[int], vectors: NDArray[np.float32]) -> bool:
        """Add the vectors of chunks.

        Args:
            claim: the attempt.
            numbers: of the chunks.
            vectors: float32, one row for each; their lengths do not matter.

        Raises:
            InvalidRequest: the store's other vectors have another number of dimensions.
        """
        store, file = claim.store_position, claim.position
        async with self._held(claim) as connection:
            if connection:
                await self._settle_dimensions(connection, store, vectors.shape[1])
                await takes_vectors(connection)
                async with connection.cursor() as cursor, cursor.copy(_ADD_VECTORS) as copy:
                    copy.set_types(["int8", "int8", "int4", "halfvec"])
                    for number, vector in zip(numbers, unit_vectors(vectors), strict=True):
                        await copy.write_row((store, file, number, vector))
        return connection is not None

    async def _settle_dimensions(self, connection: Connection, store: int, dimensions: int) -> None:
        values = {"store": store, "dimensions": dimensions}
        row = await (await connection.execute(_SAME_DIMENSIONS, values)).fetchone()
        if row and row[0]:
            return
        if not (await connection.execute(_DIMENSIONS, values)).rowcount:
            raise InvalidRequest(
                f"The embedding model makes vectors of {dimensions} dimensions; those of the vector store have others. "
                "Make a new vector store."
            )

    @asynccontextmanager
    async def _held(self, claim: Claim) -> AsyncGenerator[Connection | None]:
        """A transaction that keeps the claim standing; None if it stands no more."""
        async with self._database.transaction() as connection:
            values = {"file": claim.position, "attempt": claim.attempt}
            stands = await (await connection.execute(_HOLD, values)).fetchone()
            yield connection if stands is not None else None
