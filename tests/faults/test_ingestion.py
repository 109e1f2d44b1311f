"""`kill -9` while files are uploaded and processed: after a restart each file is searchable, every chunk once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import aiohttp
import psycopg

from tests.faults.harness import Client, Json, Process, Site, client_of, until
from tests.scripted import ScriptedUpstream

#: About 60 chunks, cut small.
TEXT = "\n\n".join(f"Paragraph {number}: " + "some words of it. " * 10 for number in range(100))
SMALL = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}


#: Words, which are written behind the chunks, wait for whoever holds a lock.
WORDS_WAIT = """
    create function wait() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock_shared(1); return new; end
    $$;
    create trigger wait before insert on chunk_words for each row execute function wait()
"""


async def upload(client: Client, content: bytes | AsyncIterator[bytes]) -> Json:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("purpose", "assistants")
    form.add_field("file", content, filename="notes.txt")
    async with client.session.post(f"{client.base_url}/files", data=form) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def numbers(database: str, table: str = "chunks") -> dict[str, list[int]]:
    """The numbers of the chunks of every file, or of those that have vectors (`chunk_vectors`)."""
    query = f"select id, number from {table} join vector_store_files on position = file order by id, number"
    with psycopg.connect(database) as connection:
        rows = connection.execute(query).fetchall()
    return {file: [number for _, number in group] for file, group in itertools.groupby(rows, lambda row: row[0])}


async def kill(server: Process, database: str) -> None:
    """`kill -9`, and 30 seconds that pass at once: then its jobs are given to others."""
    await server.kill()
    with psycopg.connect(database) as connection:
        connection.execute("update procrastinate_workers set last_heartbeat = now() - interval '1 hour'")


async def processed(client: Client, store: str) -> None:
    """Return when nothing in the store is in progress."""

    async def settled() -> bool:
        return (await client.get(f"/vector_stores/{store}"))["status"] == "completed"

    await until(settled, 60)


async def begun(client: Client, text: str) -> tuple[str, str]:
    """A new vector store and its file, which is being processed."""
    file = (await upload(client, text.encode()))["id"]
    body = {"file_ids": [file], "chunking_strategy": SMALL}
    return (await client.post("/vector_stores", body))["id"], file


async def test_files_are_processed_once_however_often_the_server_dies(
    site: Site, database: str, upstream: ScriptedUpstream
) -> None:
    first = await site.serve(RETINUE_SERVE_WORKER="false")
    async with client_of(first) as client:
        files = [(await upload(client, TEXT.encode()))["id"] for _ in range(40)]
        store = (await client.post("/vector_stores"))["id"]
        await client.post(f"/vector_stores/{store}/file_batches", {"file_ids": files, "chunking_strategy": SMALL})
    await first.kill()
    for done in (1, 15):
        server = await site.serve()

        async def some(done: int = done) -> bool:
            return len(await asyncio.to_thread(numbers, database)) >= done

        await until(some)
        await kill(server, database)
    async with client_of(await site.serve()) as client:
        await processed(client, store)
        counts = (await client.get(f"/vector_stores/{store}"))["file_counts"]
        assert (counts["completed"], counts["total"]) == (40, 40)
        content = await client.get(f"/vector_stores/{store}/files/{files[0]}/content")
        assert content["data"][0]["text"] == TEXT
    kept = numbers(database)
    expected = list(range(len(kept[files[0]])))
    assert kept == numbers(database, "chunk_vectors") == dict.fromkeys(files, expected)
    # What had been asked for and not written when the server died is asked for again: at most two files each time.
    assert 40 <= len(upstream.embedded) <= 44


async def test_a_server_that_dies_while_it_writes_chunks(site: Site, database: str) -> None:
    server = await site.serve()
    with psycopg.connect(database) as connection:
        connection.execute(WORDS_WAIT)
        connection.commit()
        connection.execute("select pg_advisory_xact_lock(1)")
        async with client_of(server) as client:
            store, file = await begun(client, TEXT)
            await until(lambda: asyncio.to_thread(numbers, database))
            path = f"/vector_stores/{store}/files/{file}"
            assert (await client.get(f"{path}/progress"))["stage"] == "reading"
        await kill(server, database)
    async with client_of(await site.serve()) as client:
        await processed(client, store)
        assert (await client.get(f"{path}/progress"))["attempts"] == 2
        assert (await client.get(f"{path}/content"))["data"][0]["text"] == TEXT
    [there] = numbers(database).values()
    assert there == list(range(len(there)))
    with psycopg.connect(database) as connection:
        [row] = connection.execute("select count(*), count(distinct word) from chunk_words").fetchall()
        assert row[0] == row[1] > 0


async def test_a_server_that_dies_while_it_embeds(site: Site, database: str, upstream: ScriptedUpstream) -> None:
    upstream.embedding_turns = asyncio.Semaphore(2)
    server = await site.serve()
    async with client_of(server) as client:
        store, file = await begun(client, TEXT * 5)

        async def two_parts() -> bool:
            return len((await asyncio.to_thread(numbers, database, "chunk_vectors")).get(file, [])) == 128

        await until(two_parts)
    await kill(server, database)
    asked, upstream.embedding_turns = len(upstream.embedded), None
    async with client_of(await site.serve()) as client:
        await processed(client, store)
    kept = numbers(database)
    assert kept == numbers(database, "chunk_vectors") == {file: list(range(len(kept[file])))}
    again = [text for texts in upstream.embedded[asked:] for text in texts]
    with psycopg.connect(database) as connection:
        rows = connection.execute("select text from chunks where number >= 128 order by number").fetchall()
    assert again == [row[0] for row in rows]


async def test_a_server_that_stops_leaves_its_files_to_others(
    site: Site, database: str, upstream: ScriptedUpstream
) -> None:
    upstream.embedding_turns = asyncio.Semaphore(0)
    server = await site.serve()
    async with client_of(server) as client:
        store, _ = await begun(client, TEXT)
        await until(lambda: asyncio.sleep(0, upstream.embedded))
    assert await server.end() == 0
    with psycopg.connect(database) as connection:
        rows = connection.execute("select status from procrastinate_jobs where task_name = 'ingest_file'").fetchall()
        assert rows == [("failed",)]
    upstream.embedding_turns = None
    async with client_of(await site.serve()) as client:
        await processed(client, store)


async def test_a_file_that_kills_every_worker_fails_in_the_end(site: Site, database: str) -> None:
    server = await site.serve(RETINUE_SERVE_WORKER="false")
    async with client_of(server) as client:
        file = (await upload(client, b"Poison."))["id"]
        store = (await client.post("/vector_stores", {"file_ids": [file]}))["id"]
        with psycopg.connect(database) as connection:
            connection.execute("update vector_store_files set attempts = 5")
        await site.worker()

        async def failed() -> Json | None:
            found = await client.get(f"/vector_stores/{store}/files/{file}")
            return found if found["status"] == "failed" else None

        assert (await until(failed))["last_error"]["code"] == "server_error"


async def test_nothing_is_left_of_uploads_whose_server_was_killed(site: Site, database: str) -> None:
    blobs = site.data / "blobs" / "files"
    server = await site.serve()

    def left() -> list[str]:
        return [path.name for path in blobs.iterdir()] if blobs.exists() else []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1024 * 1024
            await asyncio.sleep(0)

    async with client_of(server) as client:
        uploading = asyncio.create_task(upload(client, endless()))
        await until(lambda: asyncio.to_thread(left))
        await server.kill()
        with contextlib.suppress(aiohttp.ClientError):
            await uploading
    assert left()
    with psycopg.connect(database) as connection:
        assert connection.execute("update loose_blobs set due_at = now()").rowcount == 1
    await site.serve()

    async def clean() -> bool:
        return not await asyncio.to_thread(left)

    await until(clean)
