"""`kill -9` while files are uploaded and processed: after a restart each file is searchable, every chunk once."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator

import aiohttp
import psycopg

from tests.faults.harness import Client, Json, Site, client_of, until

#: Seconds within which the jobs of a dead worker are given to a living one: they count as dead after 30.
GIVEN_ON = 90
#: About 80 chunks, cut small.
TEXT = "\n\n".join(f"Paragraph {number}: " + "some words of it. " * 10 for number in range(100))
SMALL = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}


async def upload(client: Client, content: bytes | AsyncIterator[bytes]) -> Json:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("purpose", "assistants")
    form.add_field("file", content, filename="notes.txt")
    async with client.session.post(f"{client.base_url}/files", data=form) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def chunks(database: str) -> dict[str, list[int]]:
    """The numbers of the chunks of every file."""
    with psycopg.connect(database) as connection:
        rows = connection.execute("select file_id, number from chunks order by file_id, number").fetchall()
    return {file: [number for _, number in group] for file, group in itertools.groupby(rows, lambda row: row[0])}


async def test_files_are_processed_once_however_often_the_server_dies(site: Site, database: str) -> None:
    first = await site.serve(RETINUE_SERVE_WORKER="false")
    async with client_of(first) as client:
        files = [(await upload(client, TEXT.encode()))["id"] for _ in range(40)]
        store = (await client.post("/vector_stores"))["id"]
        await client.post(f"/vector_stores/{store}/file_batches", {"file_ids": files, "chunking_strategy": SMALL})
    await first.kill()
    for done in (1, 15):
        server = await site.serve()

        async def some(done: int = done) -> bool:
            return len(await asyncio.to_thread(chunks, database)) >= done

        await until(some)
        await server.kill()
    async with client_of(await site.serve()) as client:

        async def processed() -> bool:
            return (await client.get(f"/vector_stores/{store}"))["status"] == "completed"

        await until(processed, GIVEN_ON)
        counts = (await client.get(f"/vector_stores/{store}"))["file_counts"]
        assert (counts["completed"], counts["total"]) == (40, 40)
        content = await client.get(f"/vector_stores/{store}/files/{files[0]}/content")
        assert content["data"][0]["text"] == TEXT
    kept = chunks(database)
    numbers = kept[files[0]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert kept == dict.fromkeys(files, numbers)


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
