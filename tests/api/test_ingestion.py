"""How files of vector stores become searchable: progress, what stops it, and what comes of an embedding model away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..faults.harness import until
from ..harness import Api, Json, Server
from ..scripted import ScriptedUpstream

SMALL: Json = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}
#: About 130 chunks when it is cut small: three parts.
PROSE = "\n\n".join(f"Paragraph {number}. " + "Words of it follow here. " * 15 for number in range(130))


async def begun(api: Api, *contents: str, **fields: Any) -> tuple[str, list[str]]:
    """A new vector store and its files, which are being processed."""
    files = [await api.file(content) for content in contents]
    store = (await api.post("/vector_stores", {"file_ids": files, "chunking_strategy": SMALL, **fields}))["id"]
    return store, files


async def progress(api: Api, store: str, file: str) -> Json:
    return await api.call("GET", f"/vector_stores/{store}/files/{file}/progress", extension=True)


async def stage(api: Api, store: str, file: str, wanted: str) -> Json:
    """The progress of a file, as soon as it is at this stage."""

    async def there() -> Json | None:
        found = await progress(api, store, file)
        return found if found["stage"] == wanted else None

    return await until(there)


async def count(server: Server, table: str, where: str = "true") -> int:
    row = await server.app.state.store.database.row(f"select count(*) from {table} where {where}", {})
    return row[0]


async def jobs_end(server: Server) -> None:
    """Return when no job works on a file."""

    async def ended() -> bool:
        return not await count(server, "procrastinate_jobs", "task_name = 'ingest_file' and status = 'doing'")

    await until(ended)


async def test_progress_of_a_file(api: Api, upstream: ScriptedUpstream, server: Server, other: Api) -> None:
    upstream.embedding_turns = asyncio.Semaphore(1)
    store, [file] = await begun(api, PROSE)
    found = await stage(api, store, file, "embedding")
    total = found.pop("chunks")
    assert total == await count(server, "chunks") > 128
    assert found.pop("chunks_embedded") in (0, 64)
    assert found == {
        "object": "vector_store.file.progress",
        "vector_store_id": store,
        "file_id": file,
        "stage": "embedding",
        "attempts": 1,
    }

    async def first_part() -> bool:
        return (await progress(api, store, file))["chunks_embedded"] == 64

    await until(first_part)
    for _ in range(10):
        upstream.embedding_turns.release()
    done = await stage(api, store, file, "done")
    assert (done["chunks"], done["chunks_embedded"]) == (total, total)
    assert [len(texts) for texts in upstream.embedded] == [64, 64, total - 128]
    assert await count(server, "chunk_vectors") == total
    refused = await other.request("GET", f"/vector_stores/{store}/files/{file}/progress")
    assert refused.status == 404


@pytest.mark.settings(serve_worker=False)
async def test_a_file_that_waits(api: Api) -> None:
    store, [file] = await begun(api, "Some text.")
    found = await progress(api, store, file)
    assert (found["stage"], found["chunks"], found["attempts"]) == ("waiting", 0, 0)


async def test_progress_of_a_file_that_fails(api: Api) -> None:
    store, [file] = await begun(api, "")
    assert (await stage(api, store, file, "failed"))["attempts"] == 1


@pytest.mark.settings(ingest_concurrency=1)
async def test_files_are_processed_in_the_order_in_which_they_came(api: Api, upstream: ScriptedUpstream) -> None:
    contents = [f"File number {number}." for number in range(5)]
    store, _ = await begun(api, *contents)
    await api.settled(f"/vector_stores/{store}")
    assert upstream.embedded == [[content] for content in contents]


async def test_a_file_that_leaves_while_it_is_processed(api: Api, upstream: ScriptedUpstream, server: Server) -> None:
    upstream.embedding_turns = asyncio.Semaphore(1)
    store, [file] = await begun(api, PROSE)
    await until(lambda: count(server, "chunk_vectors"))
    await api.delete(f"/vector_stores/{store}/files/{file}")
    await jobs_end(server)
    assert len(upstream.embedded) <= 3
    assert (await api.get(f"/vector_stores/{store}"))["file_counts"]["total"] == 0

    async def gone() -> bool:
        return not await count(server, "chunks") + await count(server, "chunk_vectors")

    await until(gone)


async def test_a_batch_that_is_cancelled_while_it_is_processed(
    api: Api, upstream: ScriptedUpstream, server: Server
) -> None:
    upstream.embedding_turns = asyncio.Semaphore(0)
    store = (await api.post("/vector_stores"))["id"]
    files = [await api.file(PROSE) for _ in range(3)]
    batches = f"/vector_stores/{store}/file_batches"
    batch = await api.post(batches, {"file_ids": files, "chunking_strategy": SMALL})
    await stage(api, store, files[0], "embedding")
    cancelled = await api.post(f"{batches}/{batch['id']}/cancel")
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 3)
    await jobs_end(server)
    assert (await progress(api, store, files[0]))["stage"] == "cancelled"
    assert (await api.get(f"{batches}/{batch['id']}")) == cancelled


async def test_an_embedding_model_that_comes_back(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.embedding_status = 503
    store, [file] = await begun(api, "Some text.")
    await until(lambda: asyncio.sleep(0, upstream.embedded))
    assert (await progress(api, store, file))["stage"] == "embedding"
    upstream.embedding_status = 200
    done = await stage(api, store, file, "done")
    assert (done["attempts"], done["chunks"]) == (2, 1)


async def test_an_embedding_model_that_stays_away(api: Api, upstream: ScriptedUpstream, server: Server) -> None:
    upstream.embedding_status = 503
    store, [file] = await begun(api, "Some text.")
    await until(lambda: count(server, "procrastinate_jobs", "status = 'failed'"))
    await server.app.state.store.database.execute("update vector_store_files set attempts = 4", {})
    await stage(api, store, file, "failed")
    error = (await api.get(f"/vector_stores/{store}/files/{file}"))["last_error"]
    assert error["code"] == "server_error"
    assert "No embeddings now." in error["message"]


async def test_an_embedding_model_that_refuses_a_file(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.embedding_status = 400
    store, [file] = await begun(api, "Some text.")
    assert (await stage(api, store, file, "failed"))["attempts"] == 1
    error = (await api.get(f"/vector_stores/{store}/files/{file}"))["last_error"]
    assert (error["code"], "No embeddings now." in error["message"]) == ("server_error", True)


async def test_a_store_keeps_its_embedding_model(api: Api, server: Server) -> None:
    store, _ = await begun(api, "Some text.")
    await api.settled(f"/vector_stores/{store}")
    assert await server.app.state.store.vector_stores.name_embedder("proj_default", store, "another") == "scripted"


@pytest.mark.settings(ingest_timeout=0.5)
async def test_a_file_that_takes_too_long_fails_and_others_go_on(api: Api) -> None:
    long = "Some words of a long text, which is about nothing. \n" * 100_000
    store, [poisoned, good] = await begun(api, long, "A good file.")
    counts = (await api.settled(f"/vector_stores/{store}"))["file_counts"]
    assert (counts["completed"], counts["failed"]) == (1, 1)
    failed = await api.get(f"/vector_stores/{store}/files/{poisoned}")
    assert failed["last_error"]["code"] == "invalid_file"
    assert "more than 0.5 seconds" in failed["last_error"]["message"]
    assert (await api.get(f"/vector_stores/{store}/files/{good}/content"))["data"][0]["text"] == "A good file."
