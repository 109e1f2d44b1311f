"""Large files on a real server: what they cost in memory, and `kill -9` while parts come and are put together."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import psycopg

from tests.faults.harness import Client, Json, Process, Site, client_of, until

MIB = 1024 * 1024
#: Bytes by which the memory of a server may grow, whatever the size of files.
GROWTH = 64 * MIB


def resident(server: Process, kind: str) -> int:
    """Bytes of memory that a server has (`VmRSS`), or had at most (`VmHWM`)."""
    status = Path(f"/proc/{server.pid}/status").read_text(encoding="utf-8")
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


async def pieces(size: int) -> AsyncIterator[bytes]:
    """Bytes of a file of this size, in pieces."""
    for _ in range(size // MIB):
        yield b"x" * MIB


async def send(client: Client, path: str, field: str, content: AsyncIterator[bytes]) -> Json:
    """Send a form with a file."""
    form = aiohttp.FormData(default_to_multipart=True)
    if field == "file":
        form.add_field("purpose", "user_data")
    form.add_field(field, content, filename="large.bin")
    async with client.session.post(f"{client.base_url}{path}", data=form) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def size_of(client: Client, file: str) -> int:
    """The bytes that a download brings, which are forgotten."""
    size = 0
    async with client.session.get(f"{client.base_url}/files/{file}/content") as response:
        assert response.status == 200, await response.text()
        async for piece in response.content.iter_any():
            size += len(piece)
    return size


async def begun(client: Client, size: int) -> str:
    body = {"filename": "large.bin", "purpose": "user_data", "mime_type": "application/octet-stream", "bytes": size}
    return (await client.post("/uploads", body))["id"]


async def test_large_files_are_not_held_in_memory(site: Site) -> None:
    server = await site.serve()
    async with client_of(server) as client:
        # Once small, so that what is made on first use is there.
        await size_of(client, (await send(client, "/files", "file", pieces(16 * MIB)))["id"])
        before = resident(server, "VmRSS")
        file = await send(client, "/files", "file", pieces(192 * MIB))
        assert await size_of(client, file["id"]) == file["bytes"] == 192 * MIB
        assert (await client.ask("DELETE", f"/files/{file['id']}")).status == 200
        upload = await begun(client, 192 * MIB)
        parts = [(await send(client, f"/uploads/{upload}/parts", "data", pieces(64 * MIB)))["id"] for _ in range(3)]
        done = await client.post(f"/uploads/{upload}/complete", {"part_ids": parts})
        assert await size_of(client, done["file"]["id"]) == 192 * MIB
        assert resident(server, "VmHWM") < before + GROWTH


async def test_an_upload_goes_on_after_its_server_was_killed(site: Site, database: str) -> None:
    blobs, size = site.data / "blobs", 128 * MIB
    server = await site.serve()

    def half_done() -> bool:
        # What is being written has a number behind its name.
        return any("#" in path.name for path in (blobs / "files").glob("*"))

    async with client_of(server) as client:
        upload = await begun(client, size)
        parts = [(await send(client, f"/uploads/{upload}/parts", "data", pieces(size // 2)))["id"] for _ in range(2)]
        complete = f"/uploads/{upload}/complete", {"part_ids": parts}
        completing = asyncio.create_task(client.post(*complete))
        await until(lambda: asyncio.to_thread(half_done))
        await server.kill()
        with contextlib.suppress(aiohttp.ClientError):
            await completing
    with psycopg.connect(database) as connection:
        assert connection.execute("update loose_blobs set due_at = now()").rowcount == 1
    async with client_of(await site.serve()) as client:
        assert (await client.get("/files"))["data"] == []
        done = await client.post(*complete)
        assert await size_of(client, done["file"]["id"]) == size

        def left() -> list[str]:
            return [path.name for folder in ("files", "parts") for path in (blobs / folder).glob("*")]

        async def clean() -> bool:
            return await asyncio.to_thread(left) == [done["file"]["id"]]

        await until(clean)
