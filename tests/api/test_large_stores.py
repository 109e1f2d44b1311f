"""What is made of files in vector stores: written by one attempt, found exactly once, gone with its file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.knowledge.postings import WordIndex
from retinue.knowledge.words import postings
from retinue.settings import Settings
from retinue.store import vector_index
from retinue.store.chunk import Chunk
from retinue.store.chunks import Claim
from retinue.store.database import Connection
from retinue.store.ids import new_id
from retinue.store.search import Postings, StoreScope
from retinue.store.store import Store
from retinue.wire.files import FileObject
from retinue.wire.vector_search import ComparisonFilter
from retinue.wire.vector_stores import DEFAULT_CHUNKING, ProcessingError, VectorStore, VectorStoreFile

from ..harness import empty

PROJECT = "proj_test"
TABLES = ("chunks", "chunk_vectors", "chunk_words", "word_lists", "gone_files")
random = np.random.default_rng(7)


@pytest.fixture
async def store(postgres: str, tmp_path: Path) -> AsyncIterator[Store]:
    empty(postgres)
    store = Store(postgres, Settings(data=tmp_path))
    await store.open()
    yield store
    await store.close()


async def claimed(store: Store, to: str | None = None, **attributes: int | str) -> Claim:
    """A file of a vector store, new unless its id is given, that waits for its chunks."""
    now = int(time.time())

    async def content() -> AsyncIterator[bytes]:
        yield b"text"

    received = await store.files.receive(content())
    await store.files.add(
        PROJECT,
        FileObject(
            id=received.id, bytes=4, created_at=now, filename="a.txt", purpose="assistants", sha256=received.sha256
        ),
    )
    identifier = to or new_id("vs_")
    file = VectorStoreFile(
        id=received.id,
        created_at=now,
        vector_store_id=identifier,
        chunking_strategy=DEFAULT_CHUNKING,
        attributes=dict(attributes),
    )
    if to:
        await store.vector_stores.attach(PROJECT, to, [file])
    else:
        made = VectorStore(id=identifier, created_at=now, last_active_at=now - 3600)
        await store.vector_stores.add(PROJECT, made, [file])
        await store.vector_stores.name_embedder(PROJECT, identifier, "a-model")
    row = await store.database.row("select position from vector_store_files where id = %(id)s", {"id": received.id})
    assert row
    claim = await store.vector_store_files.claim(row[0])
    assert claim
    return claim


async def write(store: Store, claim: Claim, count: int, *, complete: bool = True) -> np.ndarray:
    """Give a file chunks; returns their vectors."""
    texts = [f"word{number} common" for number in range(count)]
    vectors = random.standard_normal((count, 16)).astype("f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    assert await store.chunks.begin(claim)
    assert await store.chunks.add(claim, [Chunk(0, 2, text, page=1, section="Top") for text in texts], 0)
    index, length = postings(texts)
    assert await store.chunks.add_words(claim, index)
    assert await store.chunks.cut_done(claim, count, length)
    assert await store.chunks.add_vectors(claim, range(count), vectors)
    if complete:
        assert await store.vector_store_files.complete(claim)
    return vectors


async def scope_of(store: Store, claim: Claim) -> StoreScope:
    (scope,) = await store.search.scopes(PROJECT, [claim.store])
    return scope


async def places(store: Store, scope: StoreScope, query: np.ndarray, limit: int, **options: bool) -> list[tuple]:
    return [(hit.file, hit.number) for hit in await store.search.nearest(scope, query, limit, **options)]


async def files_with(store: Store, scope: StoreScope, word: str) -> set[int]:
    """The positions of the files that have the word."""
    found = await WordIndex(store.search).find(scope, [word])
    return set(found[word].files.tolist()) if found else set()


async def rows(store: Store) -> list[int]:
    return [(await store.database.row(f"select count(*) from {table}", {}) or (0,))[0] for table in TABLES]


async def test_chunks_that_move_are_found_the_same(store: Store) -> None:
    """In the shared table, in a new table of their own, beside one, and in one that grew."""
    claim = await claimed(store)
    vectors = await write(store, claim, 300)
    scope = await scope_of(store, claim)
    assert (scope.chunks, scope.dimensions, scope.embedding_model) == (300, 16, "a-model")
    query = random.standard_normal(16).astype("f4")
    nearest = [(claim.position, int(number)) for number in np.argsort(-(vectors @ query))[:10]]
    assert await places(store, scope, query, 10) == nearest
    await store.vector_index.index(str(claim.store_position))
    assert (await rows(store))[1] == 0
    assert await places(store, scope, query, 10) == await places(store, scope, query, 10, exact=True) == nearest

    second = await claimed(store, claim.store)
    more = await write(store, second, 100)
    both = [(claim.position, number) for number in range(300)] + [(second.position, number) for number in range(100)]
    nearest = [both[number] for number in np.argsort(-(np.concatenate([vectors, more]) @ query))[:10]]
    assert await places(store, scope, query, 10) == nearest
    await store.vector_index.index(str(claim.store_position))
    assert (await rows(store))[1] == 0
    assert await places(store, scope, query, 10) == nearest
    asked = [*nearest, (second.position, 100)]
    similarities = await store.search.similarities(scope, query, asked)
    assert similarities[-1] is None
    assert similarities[:-1] == sorted((one for one in similarities if one is not None), reverse=True)


async def test_searches_meet_every_chunk_once_while_they_move(store: Store) -> None:
    claim = await claimed(store)
    await write(store, claim, 400)
    scope = await scope_of(store, claim)
    query = random.standard_normal(16).astype("f4")
    expected = await places(store, scope, query, 400)
    moving = asyncio.create_task(store.vector_index.index(str(claim.store_position)))
    while not moving.done():
        assert sorted(await places(store, scope, query, 400)) == sorted(expected)
    await moving
    assert sorted(await places(store, scope, query, 400, exact=True)) == sorted(expected)


async def test_without_shared_memory_one_process_builds_the_index(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a container with a small /dev/shm does, said by the database in the same words."""
    tried: list[int] = []
    move = store.vector_index._move

    async def scarce(position: int, *, workers: int = 2) -> bool:
        tried.append(workers)
        if workers:
            async with store.database.long_transaction("begin") as connection:
                await connection.execute("do $$ begin raise exception using errcode = '53100'; end $$")
        return await move(position, workers=workers)

    claim = await claimed(store)
    await write(store, claim, 30)
    monkeypatch.setattr(store.vector_index, "_move", scarce)
    await store.vector_index.index(str(claim.store_position))
    assert tried == [2, 0]
    assert (await rows(store))[1] == 0


async def test_what_leaves_is_found_no_more_and_deleted_soon(store: Store) -> None:
    claim = await claimed(store)
    await write(store, claim, 50)
    await store.vector_index.index(str(claim.store_position))
    second = await claimed(store, claim.store)
    await write(store, second, 60)
    scope = await scope_of(store, claim)
    query = random.standard_normal(16).astype("f4")
    assert len(await places(store, scope, query, 200)) == 110
    await store.files.delete(PROJECT, claim.file.id)
    assert {file for file, _ in await places(store, scope, query, 200)} == {second.position}
    assert await files_with(store, scope, "common") == {second.position}
    assert (await scope_of(store, claim)).chunks == 60
    await store.vector_index.sweep()
    assert (await rows(store))[0::4] == [60, 0]
    assert await files_with(store, scope, "common") == {second.position}
    await store.vector_stores.delete(PROJECT, claim.store, "vector_store.deleted")
    assert await places(store, scope, query, 200) == []
    await store.vector_index.sweep()
    assert await rows(store) == [0] * len(TABLES)
    await store.database.execute("update gone_tables set since = since - interval '1 hour'", {})
    await store.vector_index.sweep()
    tables = await store.database.rows("select tablename from pg_tables where tablename like 'vectors_of_store_%%'", {})
    assert f"vectors_of_store_{claim.store_position}" not in {row[0].rpartition("_")[0] for row in tables}


async def test_an_overtaken_attempt_writes_nothing(store: Store) -> None:
    claim = await claimed(store)
    await write(store, claim, 5, complete=False)
    later = await store.vector_store_files.claim(claim.position)
    assert later
    assert (later.attempt, later.cut) == (2, 5)
    vectors = np.ones((1, 16), "f4")
    assert not await store.chunks.add_vectors(claim, [7], vectors)
    assert not await store.chunks.add(claim, [Chunk(0, 1, "late")], 9)
    assert not await store.chunks.begin(claim)
    assert not await store.vector_store_files.complete(claim)
    assert (await rows(store))[:2] == [5, 5]
    assert await store.vector_store_files.complete(later)
    assert await store.vector_store_files.claim(claim.position) is None


async def test_unfinished_and_failed_files_are_not_found(store: Store) -> None:
    claim = await claimed(store)
    await write(store, claim, 5, complete=False)
    scope = await scope_of(store, claim)
    query = random.standard_normal(16).astype("f4")
    assert await places(store, scope, query, 10) == []
    assert await files_with(store, scope, "common") == set()
    assert await store.vector_store_files.fail(claim, ProcessingError(code="invalid_file", message="broken"))
    assert await places(store, scope, query, 10) == []
    await store.vector_index.sweep()
    assert await rows(store) == [0] * len(TABLES)
    progress = await store.vector_store_files.progress(PROJECT, claim.store, claim.file.id)
    assert progress.status == "failed"


async def test_half_written_files_are_not_found(store: Store) -> None:
    claim = await claimed(store)
    await store.chunks.begin(claim)
    await store.chunks.add_words(claim, postings(["common word"])[0])
    assert await files_with(store, await scope_of(store, claim), "common") == set()


async def test_vectors_of_another_length_are_refused(store: Store) -> None:
    claim = await claimed(store)
    await write(store, claim, 5)
    second = await claimed(store, claim.store)
    with pytest.raises(Exception, match="dimensions"):
        await store.chunks.add_vectors(second, [0], np.ones((1, 8), "f4"))


async def test_a_filter_looks_in_its_files_only(store: Store) -> None:
    claim = await claimed(store, year=2020)
    await write(store, claim, 40)
    second = await claimed(store, claim.store, year=2024)
    await write(store, second, 3)
    await store.vector_index.index(str(claim.store_position))
    filter = ComparisonFilter(type="gt", key="year", value=2022)
    (scope,) = await store.search.scopes(PROJECT, [claim.store], filter)
    assert (scope.files, scope.among, scope.chunks) == ([second.position], 3, 43)
    query = random.standard_normal(16).astype("f4")
    assert {file for file, _ in await places(store, scope, query, 10)} == {second.position}
    assert await files_with(store, scope, "common") == {second.position}


async def everywhere(store: Store, scope: StoreScope) -> dict[str, dict[tuple[int, int], float]]:
    """The score of each chunk for each of some words."""
    found = await WordIndex(store.search).find(scope, ["common", "word3", "word55", "word70"])
    return {
        word: dict(
            zip(
                zip(np.repeat(one.files, one.counts).tolist(), one.chunks.tolist(), strict=True),
                one.shares.tolist(),
                strict=True,
            )
        )
        for word, one in found.items()
    }


async def test_words_that_are_joined_are_found_the_same(store: Store) -> None:
    """From rows of each file, from one row for all, from both; and when files of the joined ones have left."""
    claims = [await claimed(store)]
    await write(store, claims[0], 60)
    for count in (50, 80):
        claims.append(await claimed(store, claims[0].store))
        await write(store, claims[-1], count)
    before = await everywhere(store, await scope_of(store, claims[0]))
    assert sorted(len(chunks) for chunks in before.values()) == [1, 2, 3, 190]
    await store.vector_index.index(str(claims[0].store_position))
    assert (await rows(store))[2:4] == [0, 81]
    assert await everywhere(store, await scope_of(store, claims[0])) == before
    claims.append(await claimed(store, claims[0].store))
    await write(store, claims[-1], 70)
    mixed = await everywhere(store, await scope_of(store, claims[0]))
    assert sorted(len(chunks) for chunks in mixed.values()) == [1, 3, 4, 260]
    await store.vector_index.index(str(claims[0].store_position))
    assert (await rows(store))[2:4] == [0, 81]
    assert await everywhere(store, await scope_of(store, claims[0])) == mixed

    await store.files.delete(PROJECT, claims[1].file.id)
    await store.files.delete(PROJECT, claims[2].file.id)
    left = await everywhere(store, await scope_of(store, claims[0]))
    assert sorted(len(chunks) for chunks in left.values()) == [2, 2, 130]
    await store.vector_index.sweep()
    assert (await rows(store))[2:] == [0, 71, 0]
    assert await everywhere(store, await scope_of(store, claims[0])) == left


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
async def test_lists_lose_the_files_that_are_gone_and_nothing_else(postgres: str, data: st.DataObject) -> None:
    """Of files whose numbers, written one after the other, seem to hold others."""
    positions = st.sampled_from([1, 2, 256, 257, 2**16, 2**40, 2**62])
    files = data.draw(st.dictionaries(positions, st.binary(min_size=8, max_size=4_000), max_size=6))
    files = {file: content[: len(content) // 8 * 8] for file, content in files.items()}
    gone = data.draw(st.lists(positions, max_size=3))

    def row(of: dict[int, bytes]) -> tuple[int, bytes, bytes, bytes]:
        return (
            sum(map(len, of.values())) // 8,
            b"".join(file.to_bytes(8, "big") for file in of),
            b"".join(len(content).to_bytes(4, "big") for content in of.values()),
            b"".join(of.values()),
        )

    with psycopg.connect(postgres) as connection:
        kept = connection.execute(
            "select * from without_files(%s, %s, %s, %s, %s::bigint[])", (*row(files), gone)
        ).fetchone()
    assert kept == row({file: content for file, content in files.items() if file not in gone})


async def test_a_store_that_is_deleted_while_its_words_are_joined_leaves_none(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await claimed(store)
    await write(store, claim, 30)
    join = vector_index.join_words

    async def slow(connection: Connection, position: int, files: Sequence[int]) -> None:
        await join(connection, position, files)
        await store.vector_stores.delete(PROJECT, claim.store, "vector_store.deleted")

    monkeypatch.setattr(vector_index, "join_words", slow)
    await store.vector_index.index(str(claim.store_position))
    await store.vector_index.sweep()
    assert await rows(store) == [0] * len(TABLES)


async def test_an_expired_store_is_emptied(store: Store) -> None:
    claim = await claimed(store)
    await write(store, claim, 5)
    await store.database.execute(
        "update vector_stores set body = body || '{\"expires_at\": 1}' where id = %(id)s", {"id": claim.store}
    )
    assert await store.search.scopes(PROJECT, [claim.store]) == []
    await store.vector_stores.sweep()
    await store.vector_index.sweep()
    assert await rows(store) == [0] * len(TABLES)


async def test_rare_words_are_read_before_frequent_ones(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retinue.store.search._MOST_POSTINGS", 3)
    claim = await claimed(store)
    await write(store, claim, 20)
    scope = await scope_of(store, claim)
    assert {row[0] for row in await store.search.postings(scope, ["common", "word3", "word4"])} == {"word3", "word4"}
    assert {row[0] for row in await store.search.postings(scope, ["common"])} == {"common"}


async def test_words_that_were_read_are_remembered_until_something_changes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.knowledge.postings._WORTH_KEEPING", 200)
    index = WordIndex(store.search)
    asked: list[list[str]] = []
    read = store.search.postings

    async def noted(scope: StoreScope, words: Sequence[str], known: Sequence[str] = ()) -> list[Postings]:
        asked.append(sorted(set(words) - set(known)))
        return await read(scope, words, known)

    monkeypatch.setattr(store.search, "postings", noted)

    async def files_found(claim: Claim, filter: ComparisonFilter | None = None) -> list[list[int]]:
        (scope,) = await store.search.scopes(PROJECT, [claim.store], filter)
        found = await index.find(scope, ["common", "word3"])
        return [sorted(found[word].files.tolist()) for word in ("common", "word3")]

    first = await claimed(store, year=2020)
    await write(store, first, 40)
    for words in (["common", "word3"], ["word3"]):
        assert await files_found(first) == [[first.position]] * 2
        assert asked[-1] == words
    second = await claimed(store, first.store, year=2024)
    await write(store, second, 30)
    assert await files_found(first) == [sorted([first.position, second.position])] * 2
    assert asked[-1] == ["common", "word3"]
    assert await files_found(first, ComparisonFilter(type="gt", key="year", value=2022)) == [[second.position]] * 2
    assert await files_found(first) == [sorted([first.position, second.position])] * 2
    assert asked[-1] == ["word3"]
    await store.files.delete(PROJECT, first.file.id)
    assert await files_found(first) == [[second.position]] * 2


async def test_only_so_much_is_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retinue.knowledge.postings._WORTH_KEEPING", 0)
    monkeypatch.setattr("retinue.knowledge.postings._MOST_BYTES", 1_000)
    claim = await claimed(store)
    await write(store, claim, 60)
    scope, index = await scope_of(store, claim), WordIndex(store.search)
    for _ in range(2):
        for number in range(60):
            assert len(await index.find(scope, ["common", f"word{number}"])) == 2
    assert 0 < index.remembered <= 1_000
