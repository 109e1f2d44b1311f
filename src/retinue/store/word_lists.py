"""The words of large stores: many files in one row for each word."""

from __future__ import annotations

from collections.abc import Sequence

from .database import Connection

_JOIN = """
    with moved as (
        delete from chunk_words where store = %(store)s and file = any(%(files)s)
        returning store, word, file, chunks, postings
    )
    insert into word_lists as list (store, word, chunks, files, sizes, postings)
    select store, word, sum(chunks), string_agg(int8send(file), ''::bytea),
        string_agg(int4send(length(postings)), ''::bytea), string_agg(postings, ''::bytea)
    from moved group by store, word
    on conflict (store, word) do update set
        chunks = list.chunks + excluded.chunks,
        files = list.files || excluded.files,
        sizes = list.sizes || excluded.sizes,
        postings = list.postings || excluded.postings
"""

# A file's number may be found across two others: then its list is written as it was.
_DROP = """
    with kept as materialized (
        select word, rest.* from word_lists as list
        cross join lateral without_files(list.chunks, list.files, list.sizes, list.postings, %(files)s) as rest
        where store = %(store)s
            and exists (select from unnest(%(files)s::bigint[]) as one where position(int8send(one) in list.files) > 0)
    ), emptied as (
        delete from word_lists where store = %(store)s and word in (select word from kept where chunks = 0)
    )
    update word_lists as list set chunks = kept.chunks, files = kept.files, sizes = kept.sizes, postings = kept.postings
    from kept where list.store = %(store)s and list.word = kept.word and kept.chunks > 0
"""


async def join_words(connection: Connection, store: int, files: Sequence[int]) -> None:
    """Move the words of files into their store's lists.

    Args:
        connection: in a transaction in which nobody else moves or deletes words of the store.
        store: its position.
        files: positions of files that are completed.
    """
    await connection.execute(_JOIN, {"store": store, "files": files})


async def drop_words(connection: Connection, store: int, files: Sequence[int]) -> None:
    """Delete what the lists of a store have of files.

    Args:
        connection: as for `join_words`.
        store: its position.
        files: positions.
    """
    await connection.execute(_DROP, {"store": store, "files": files})
