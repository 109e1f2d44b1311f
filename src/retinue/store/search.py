"""Searching the chunks of vector stores, by vectors and by words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from ..wire.vector_search import ComparisonFilter, CompoundFilter
from .database import Database, Row
from .filters import condition
from .halfvectors import takes_vectors, unit_vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Seconds after which the use of a store is noted again. They expire by days.
_NOTED = 60
#: Postings that a search reads of one store: the rarest words first, and of these at least one.
_MOST_POSTINGS = 40_000
#: Filtered files with so few chunks are compared one by one: there the index finds too little.
_FEW = 10_000

_USABLE = """
    id = any(%(stores)s) and project_id = %(project)s and (expires_at is null or expires_at > extract(epoch from now()))
"""

_SCOPES = f"""
    with used as (
        update vector_stores set body = active(body)
        where {_USABLE} and (body ->> 'last_active_at')::bigint < extract(epoch from now()) - {_NOTED}
    )
    select id, position, embedding_model, dimensions, chunks, words, generation
    from vector_stores where {_USABLE} order by position
"""  # noqa: S608

_FILTERED = """
    select file.position, file.chunks from vector_store_files as file
    where file.vector_store_id = %(store)s and file.project_id = %(project)s and file.status = 'completed'
        and {condition}
"""

_NEAREST = "select file, number, similarity from nearest_chunks(%(id)s, %(vector)s, %(limit)s, %(files)s, %(exact)s)"

_SIMILARITIES = """
    select similarity
    from chunk_similarities(%(id)s, %(vector)s, %(files)s::text::bigint[], %(numbers)s::text::int[])
"""

_POSTINGS = """
    with there as (
        select word, chunks from word_lists where store = %(store)s and word = any(%(words)s)
        union all select word, chunks from chunk_words where store = %(store)s and word = any(%(words)s)
    ), counted as (
        select word, sum(chunks) as postings from there group by word
    ), summed as (
        select word, postings, sum(postings) over (order by postings, word) as running from counted
    ), chosen as (
        select word from summed where running <= greatest(%(most)s, (select min(postings) from counted))
    ), wanted as (
        select word from chosen where word <> all(%(known)s)
    ), hidden as (
        select hidden_files(%(store)s, %(id)s) as files
    ), parts as (
        select word, files, sizes, postings from word_lists
        where store = %(store)s and word in (select word from wanted)
        union all
        select word, int8send(file), int4send(length(postings)), postings from chunk_words
        where store = %(store)s and word in (select word from wanted)
            and (%(files)s::bigint[] is null or file = any(%(files)s))
            and file <> all((select files from hidden)::bigint[])
    ), read as (
        select word, string_agg(files, ''::bytea) as files, string_agg(sizes, ''::bytea) as sizes,
            string_agg(postings, ''::bytea) as entries
        from parts group by word
    )
    select word, coalesce(read.files, ''), coalesce(sizes, ''), coalesce(entries, ''), hidden.files
    from chosen left join read using (word) cross join hidden
"""

_FOUND = """
    select wanted.score, files.id, files.body ->> 'filename', chunks.text, held.body -> 'attributes',
        held.vector_store_id, chunks.file, chunks.number, chunks.start_index, chunks.tokens, chunks.page, chunks.section
    from unnest(%(files)s::bigint[], %(numbers)s::int[], %(scores)s::float4[])
        with ordinality as wanted (file, number, score, place)
    join vector_store_files as held
        on held.position = wanted.file and held.project_id = %(project)s and held.status = 'completed'
    join files on files.id = held.id
    join chunks on chunks.file = wanted.file and chunks.number = wanted.number
    order by place
"""

_AROUND = """
    select wanted.place, held.chunks, before.start_index, before.text, behind.start_index, behind.text
    from unnest(%(files)s::bigint[], %(numbers)s::int[]) with ordinality as wanted (file, number, place)
    join vector_store_files as held
        on held.position = wanted.file and held.project_id = %(project)s and held.status = 'completed'
    left join chunks as before on before.file = wanted.file and before.number = wanted.number - 1
    left join chunks as behind on behind.file = wanted.file and behind.number = wanted.number + 1
"""

_WHOLE = """
    select chunks.file, chunks.number, 1 as score from vector_stores as store
    join vector_store_files as held on held.vector_store_id = store.id and held.status = 'completed'
    join chunks on chunks.file = held.position
    where store.id = any(%(stores)s) and store.project_id = %(project)s
    order by held.position, chunks.number limit %(limit)s
"""

_TOKENS = """
    select coalesce(sum(chunks.tokens), 0) from (
        select held.position from vector_stores as store
        join vector_store_files as held on held.vector_store_id = store.id and held.status = 'completed'
        where store.id = any(%(stores)s) and store.project_id = %(project)s
    ) as file join chunks on chunks.file = file.position
"""

_STORES = """
    select distinct jsonb_array_elements_text(body #> '{tool_resources,file_search,vector_store_ids}') from (
        select body from assistants where id = %(assistant)s and project_id = %(project)s
        union all select body from threads where id = %(thread)s and project_id = %(project)s
    ) as owners
    where jsonb_typeof(body #> '{tool_resources,file_search,vector_store_ids}') = 'array'
"""


@dataclass(frozen=True, slots=True)
class StoreScope:
    """A store to search in, or some of its files."""

    project: str
    #: Of the store.
    id: str
    #: In `vector_stores`.
    position: int
    #: Of its vectors; None if it has none.
    embedding_model: str | None
    dimensions: int | None
    #: Chunks and words of its completed files, of all of them: what words are rare in.
    chunks: int
    words: int
    #: What was read of the store stays true as long as this is the same.
    generation: int
    #: Positions of the files to look in; None means all.
    files: Sequence[int] | None = None
    #: Chunks of these.
    among: int = 0


class Hit(NamedTuple):
    """A chunk by its place, with a score."""

    #: Position of the file in its store.
    file: int
    number: int
    score: float


class Postings(NamedTuple):
    """Where a word is."""

    word: str
    #: Positions of the files, as big-endian 64-bit integers.
    files: bytes
    #: Bytes of the postings in each, as big-endian 32-bit integers.
    sizes: bytes
    #: These, file after file (see knowledge/words.py).
    entries: bytes
    #: Files that must not be found, if they are among these.
    hidden: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that was found."""

    score: float
    #: Id of the file.
    file: str
    filename: str
    text: str
    attributes: dict[str, str | bool | int | float]
    #: Id of the store.
    vector_store: str
    #: Position of the file in its store, and number of the chunk in the file.
    position: int
    number: int
    #: Of the chunk's first character in the file's text.
    start: int
    tokens: int
    page: int | None
    section: str | None


class Around(NamedTuple):
    """What stands around a chunk in its file."""

    #: Chunks of the file.
    chunks: int = 0
    #: The chunk before: where its first character stands in the file's text, and its text.
    before: tuple[int, str] | None = None
    #: The chunk behind.
    behind: tuple[int, str] | None = None


class ChunkSearch:
    """Finds chunks in a project's vector stores. Chunks of files that are not completed are not found."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stores_of(self, project: str, assistant: str, thread: str) -> list[str]:
        """Ids of the vector stores of an assistant and a thread, as far as these are there."""
        values = {"project": project, "assistant": assistant, "thread": thread}
        return [str(row[0]) for row in await self._database.rows(_STORES, values)]

    async def scopes(
        self, project: str, stores: Sequence[str], filter: ComparisonFilter | CompoundFilter | None = None
    ) -> list[StoreScope]:
        """The stores, as far as the project has them and they have not expired. They count as used now.

        Args:
            project: the caller's project.
            stores: ids of vector stores.
            filter: look only in files whose attributes fit.

        Raises:
            InvalidRequest: the filter makes no sense.
        """
        values = {"project": project, "stores": list(stores)}
        rows = await self._database.rows(_SCOPES, values)
        scopes = [StoreScope(project, *row, among=row[4]) for row in rows]
        return [await self._filtered(scope, filter) for scope in scopes] if filter else scopes

    async def _filtered(self, scope: StoreScope, filter: ComparisonFilter | CompoundFilter) -> StoreScope:
        sql, values = condition(filter, "(file.body -> 'attributes')")
        values |= {"store": scope.id, "project": scope.project}
        rows = await self._database.rows(_FILTERED.format(condition=sql), values)
        return replace(scope, files=[int(row[0]) for row in rows], among=sum(int(row[1]) for row in rows))

    async def nearest(
        self, scope: StoreScope, vector: NDArray[np.float32], limit: int, *, exact: bool = False
    ) -> list[Hit]:
        """The chunks nearest to a vector, nearest first; scores are cosines.

        Args:
            scope: where to look.
            vector: of `scope.dimensions` numbers.
            limit: the most chunks.
            exact: compare with every chunk. Else an index may be asked, which misses one now and then.
        """
        few = scope.files is not None and scope.among <= _FEW
        values = {"limit": limit, "files": scope.files, "exact": exact or few}
        rows = await self._by_vector(_NEAREST, scope, vector, values)
        return list(starmap(Hit, rows))

    async def similarities(
        self, scope: StoreScope, vector: NDArray[np.float32], chunks: Sequence[tuple[int, int]]
    ) -> list[float | None]:
        """The cosines of given chunks (file, number), in their order; None for one that has no vector."""
        if not chunks:
            return []
        values = {"files": _array([file for file, _ in chunks]), "numbers": _array([number for _, number in chunks])}
        return [row[0] for row in await self._by_vector(_SIMILARITIES, scope, vector, values)]

    async def _by_vector(
        self, sql: str, scope: StoreScope, vector: NDArray[np.float32], values: dict[str, Any]
    ) -> list[Row]:
        given = {**values, "id": scope.id, "vector": unit_vectors(vector.reshape(1, -1))[0]}
        async with self._database.connection() as connection:
            return await (await (await takes_vectors(connection)).execute(sql.encode(), given)).fetchall()

    async def postings(self, scope: StoreScope, words: Sequence[str], known: Sequence[str] = ()) -> list[Postings]:
        """Where words are, as far as they are anywhere.

        Of a large store not all words are looked up: the rarest, as far as they have some ten thousand postings
        together, and at least one. What is found may be in other files than those of the scope.

        Args:
            scope: where to look.
            words: to look for, each once.
            known: of these, those whose postings are not wanted: they come empty.
        """
        values = {
            "store": scope.position,
            "id": scope.id,
            "words": list(words),
            "known": list(known),
            "files": scope.files,
            "most": _MOST_POSTINGS,
        }
        return list(starmap(Postings, await self._database.rows(_POSTINGS, values, binary=True)))

    async def found(self, project: str, hits: Sequence[Hit]) -> list[Found]:
        """The chunks of hits, in their order; those that are gone meanwhile are left out."""
        values = {
            "project": project,
            "files": [hit.file for hit in hits],
            "numbers": [hit.number for hit in hits],
            "scores": [hit.score for hit in hits],
        }
        rows = await self._database.rows(_FOUND, values) if hits else []
        return [_found(row) for row in rows]

    async def around(self, project: str, chunks: Sequence[tuple[int, int]]) -> list[Around]:
        """What stands around chunks (file, number), in their order; nothing around those that are gone."""
        values = {
            "project": project,
            "files": [file for file, _ in chunks],
            "numbers": [number for _, number in chunks],
        }
        found = [Around()] * len(chunks)
        for place, count, *sides in await self._database.rows(_AROUND, values) if chunks else []:
            before, behind = ((start, text) if text is not None else None for start, text in (sides[:2], sides[2:]))
            found[place - 1] = Around(count, before, behind)
        return found

    async def tokens(self, project: str, stores: Sequence[str]) -> int:
        """Tokens of all chunks of stores, what they share counted twice."""
        row = await self._database.row(_TOKENS, {"project": project, "stores": list(stores)})
        return int(row[0]) if row else 0

    async def whole(self, project: str, stores: Sequence[str], limit: int) -> list[Found]:
        """All chunks of stores, file by file, in order; at most `limit`."""
        values = {"project": project, "stores": list(stores), "limit": limit}
        return await self.found(project, list(starmap(Hit, await self._database.rows(_WHOLE, values))))


def _array(numbers: Sequence[int]) -> str:
    """Integers as the database reads an array: a tenth of what psycopg takes for a list."""
    return f"{{{','.join(map(str, numbers))}}}"


def _found(row: Row) -> Found:
    score, file, filename, text, attributes, *place = row
    return Found(score, file, filename, text, orjson.loads(attributes), *place)
