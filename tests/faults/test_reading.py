"""Processes that read files: what is in a file harms neither the server nor the next file."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from retinue.inference.worker import Died
from retinue.knowledge.extract import Unreadable
from retinue.knowledge.reading import Readers, Reading
from retinue.settings import Settings
from retinue.store.chunk import Chunk
from retinue.wire.vector_stores import ChunkSizes
from tests.faults.harness import until

SIZES = ChunkSizes(max_chunk_size_tokens=100, chunk_overlap_tokens=0)
#: Takes some ten seconds of CPU time and some hundred MB of memory, and sends more than fits into a pipe.
LARGE = b"Some words of a long text, which is about nothing. \n" * 200_000


@asynccontextmanager
async def reading(**settings: Any) -> AsyncGenerator[Readers]:
    readers = Readers(Settings(**settings))
    try:
        yield readers
    finally:
        await readers.close()


async def pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1_000_000):
        yield content[start : start + 1_000_000]


async def read(readers: Readers, content: bytes, filename: str = "notes.txt") -> list[Chunk]:
    """The chunks of a file; its words must be told too."""
    async with readers.read(pieces(content), filename, SIZES) as found:
        chunks = [chunk async for part in found.slices() for chunk in part]
        words = {word: postings async for table in found.tables() for word, postings in table.items()}
    assert len(chunks) == found.chunks
    assert words
    return chunks


async def refusal(readers: Readers, content: bytes, filename: str = "notes.txt") -> str:
    with pytest.raises(Unreadable) as caught:
        await read(readers, content, filename)
    assert caught.value.code == "invalid_file"
    return caught.value.message


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def readers_of(pid: int) -> list[int]:
    """The reader processes that a process has started."""
    return [child for child in children(pid) if b"knowledge.reader" in Path(f"/proc/{child}/cmdline").read_bytes()]


async def fork_of_reader(pid: int) -> int:
    """The fork that a file is being read by."""

    async def found() -> int | None:
        return next((fork for reader in readers_of(pid) for fork in children(reader)), None)

    return await until(found)


def zipped(name: str, content: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return target.getvalue()


async def test_chunks_come_with_their_places() -> None:
    async with reading() as readers:
        chunks = await read(readers, "# 天气\n\n今天下雨。\n\n# Ferry\n\nIt leaves at nine.".encode(), "notes.md")
        assert [(chunk.start, chunk.section) for chunk in chunks] == [(0, "Ferry")]
        assert "今天下雨" in chunks[0].text


async def test_poisoned_files_are_given_up_and_good_ones_beside_them_read() -> None:
    bomb = zipped("notes.txt", b"0" * 50_000_000)
    sheet = zipped("xl/workbook.xml", b"<workbook>" * 3_000_000)
    async with reading(ingest_timeout=20) as readers:
        poisoned = [refusal(readers, bomb, "notes.zip"), refusal(readers, sheet, "table.xlsx")]
        *messages, good = await asyncio.gather(*poisoned, read(readers, b"A good file."))
        assert [chunk.text for chunk in good] == ["A good file."]
        assert all(messages)


async def test_a_file_may_take_so_much_time() -> None:
    async with reading(ingest_timeout=0.5) as readers:
        assert "more than 0.5 seconds" in await refusal(readers, LARGE)
        [chunk] = await read(readers, b"A short one.")
        assert chunk.text == "A short one."


async def test_a_file_may_take_so_much_memory() -> None:
    # Four bytes for each of 18 million characters, once and again.
    large = "🙂 ".encode() * 9_000_000
    async with reading(ingest_memory_bytes=256 * 1024**2) as readers:
        assert "memory" in await refusal(readers, large)
        assert await read(readers, b"A short one.")


@asynccontextmanager
async def under_way(readers: Readers) -> AsyncGenerator[tuple[Reading, int]]:
    """A file that has been read and whose chunks have not all been taken, and its fork."""
    async with readers.read(pieces(LARGE[:600_000]), "notes.txt", SIZES) as found:
        yield found, await fork_of_reader(os.getpid())


async def test_a_file_that_kills_its_fork_fails() -> None:
    async with reading() as readers:

        async def take() -> None:
            async with under_way(readers) as (found, fork):
                os.kill(fork, signal.SIGKILL)
                async for _ in found.slices():
                    pass

        with pytest.raises(Unreadable, match="SIGKILL"):
            await take()
        assert await read(readers, b"The next one.")


async def test_a_process_that_is_killed_from_outside_says_nothing_of_the_file() -> None:
    async with reading() as readers:

        async def take() -> None:
            async with under_way(readers) as (found, fork):
                [reader] = readers_of(os.getpid())
                os.kill(reader, signal.SIGKILL)
                await until_gone(fork)
                async for _ in found.slices():
                    pass

        with pytest.raises(Died):
            await take()
        assert await read(readers, b"The next one.")


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def until_gone(pid: int) -> None:
    """Return when there is no such process, or nothing but its exit status."""

    async def gone() -> bool:
        try:
            return state(pid) in "ZX"
        except FileNotFoundError:
            return True

    await until(gone)


async def test_who_reads_knows_no_secrets_and_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETINUE_API_KEY", "sk-very-secret")
    async with reading() as readers, under_way(readers) as (_, fork):
        proc = Path(f"/proc/{fork}")
        assert b"secret" not in (proc / "environ").read_bytes()
        assert os.getpriority(os.PRIO_PROCESS, fork) == 10
        limits = {line[:25].strip(): line[25:].split()[0] for line in (proc / "limits").read_text().splitlines()}
        assert (limits["Max core file size"], limits["Max file size"]) == ("0", "0")
        kinds = [str(link.readlink()).partition(":")[0] for link in (proc / "fd").iterdir()]
        assert set(kinds) == {"/dev/null", "pipe"}
        assert len(kinds) == 4  # nothing to read, standard output and error, and the way back


async def test_a_reading_that_is_broken_off_ends_its_processes() -> None:
    async with reading() as readers:

        async def take() -> int:
            async with under_way(readers) as (_, fork):
                raise KeyError(fork)

        with pytest.raises(KeyError) as caught:
            await take()
        await until_gone(caught.value.args[0])
        assert readers_of(os.getpid()) == []
