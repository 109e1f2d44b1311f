"""Searching the chunks of vector stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .database import Database

#: Chunks that have at least one word of the query, best first. 32 brings the rank into 0 to 1.
_SEARCH = """
    with query as (
        select string_agg(quote_literal(lexeme), ' | ')::tsquery as words from unnest(search_words(%(query)s))
    ), used as (
        update vector_stores set body = active(body)
        where id = any(%(stores)s) and project_id = %(project)s
            and (expires_at is null or expires_at > extract(epoch from now()))
        returning id
    )
    select chunks.file_id, files.body ->> 'filename', chunks.text, ts_rank(chunks.words, query.words, 32) as score
    from query, used
    join chunks on chunks.vector_store_id = used.id
    join files on files.id = chunks.file_id
    where chunks.project_id = %(project)s and chunks.words @@ query.words
    order by score desc, chunks.file_id, chunks.number limit %(limit)s
"""

_STORES = """
    select distinct jsonb_array_elements_text(body #> '{tool_resources,file_search,vector_store_ids}') from (
        select body from assistants where id = %(assistant)s and project_id = %(project)s
        union all select body from threads where id = %(thread)s and project_id = %(project)s
    ) as owners
    where jsonb_typeof(body #> '{tool_resources,file_search,vector_store_ids}') = 'array'
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that fits a query."""

    file: str
    filename: str
    text: str
    #: 0 to 1.
    score: float


class Chunks:
    """The chunks of a project's vector stores."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stores_of(self, project: str, assistant: str, thread: str) -> list[str]:
        """Ids of the vector stores of an assistant and a thread, as far as these are there."""
        values = {"project": project, "assistant": assistant, "thread": thread}
        return [str(row[0]) for row in await self._database.rows(_STORES, values)]

    async def search(self, project: str, stores: Sequence[str], query: str, limit: int) -> list[Found]:
        """The chunks that share words with a query, best first. Searching counts as use of the stores.

        Args:
            project: the caller's project.
            stores: ids of vector stores; those that the project does not have, or that have expired, hold nothing.
            query: words, in any language.
            limit: the most chunks.
        """
        values = {"project": project, "stores": list(stores), "query": query, "limit": limit}
        return [Found(*row) for row in await self._database.rows(_SEARCH, values)]
