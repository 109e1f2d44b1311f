"""`/v1/vector_stores`: stores, their files and batches, and what becomes of the files."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from retinue.settings import Settings

from ..faults.harness import until
from ..harness import Api, Json, Server

PROSE = "\n\n".join(f"Paragraph {number}. " + "Words of it follow here. " * 20 for number in range(60))
STATIC: Json = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
AUTO: Json = {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}}


async def made(api: Api, *files: str, **fields: Any) -> str:
    """The id of a new vector store whose files are processed."""
    store = (await api.post("/vector_stores", {"file_ids": list(files), **fields}))["id"]
    await api.settled(f"/vector_stores/{store}")
    return store


async def chunks(server: Server, store: str, file: str) -> list[tuple[int, int, int, str]]:
    """Number, start, tokens and text of a file's chunks."""
    rows = await server.app.state.store.database.rows(
        "select number, start_index, tokens, text from chunks join vector_store_files as held on position = file "
        "where vector_store_id = %(store)s and id = %(file)s order by number",
        {"store": store, "file": file},
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


# --- stores


async def test_a_new_store(api: Api) -> None:
    body = {
        "name": "图书馆",
        "description": "Books",
        "metadata": {"a": "1"},
        "expires_after": {"anchor": "last_active_at", "days": 7},
    }
    store = await api.post("/vector_stores", body)
    assert store["id"].startswith("vs_")
    assert {name: store[name] for name in ("name", "metadata", "expires_after")} == {
        name: body[name] for name in ("name", "metadata", "expires_after")
    }
    assert store["expires_at"] == store["last_active_at"] + 7 * 86_400
    assert (store["status"], store["usage_bytes"], store["file_counts"]["total"]) == ("completed", 0, 0)
    assert await api.get(f"/vector_stores/{store['id']}") == store


async def test_a_store_without_a_name(api: Api) -> None:
    store = (await api.request("POST", "/vector_stores")).body
    assert (store["name"], store["metadata"], store["expires_at"]) == ("", {}, None)


async def test_a_store_with_files(api: Api) -> None:
    files = [await api.file("One."), await api.file(PROSE)]
    started = await api.post("/vector_stores", {"file_ids": [*files, files[0]]})
    assert started["file_counts"]["total"] == 2
    store = await api.settled(f"/vector_stores/{started['id']}")
    assert store["file_counts"] == {"in_progress": 0, "completed": 2, "failed": 0, "cancelled": 0, "total": 2}
    listed = await api.get(f"/vector_stores/{store['id']}/files?order=asc")
    assert [file["id"] for file in listed["data"]] == files
    assert store["usage_bytes"] == sum(file["usage_bytes"] for file in listed["data"]) > len(PROSE)


async def test_modifying_a_store(api: Api) -> None:
    store = await made(api, name="A", metadata={"a": "1"})
    path = f"/vector_stores/{store}"
    changed = await api.post(path, {"name": "B", "expires_after": {"anchor": "last_active_at", "days": 1}})
    assert (changed["name"], changed["metadata"]) == ("B", {"a": "1"})
    assert changed["expires_at"] == changed["last_active_at"] + 86_400
    changed = await api.post(path, {"name": None, "metadata": None, "expires_after": None})
    assert (changed["name"], changed["metadata"], changed["expires_at"]) == ("", {}, None)
    assert "expires_after" not in changed
    assert await api.get(path) == changed


async def test_a_deleted_store_is_gone_and_its_files_stay(api: Api, server: Server) -> None:
    file = await api.file()
    store = await made(api, file)
    assert await api.delete(f"/vector_stores/{store}") == {
        "id": store,
        "object": "vector_store.deleted",
        "deleted": True,
    }
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/files"), ("GET", f"/files/{file}")):
        await api.refused(method, f"/vector_stores/{store}{path}", {} if method == "POST" else None, status=404)
    assert await api.get(f"/files/{file}")
    assert await chunks(server, store, file) == []


async def test_lists_of_stores(api: Api, other: Api) -> None:
    stores = [await made(api, name=str(number)) for number in range(3)]
    listed = await api.get("/vector_stores?limit=2")
    assert ([store["id"] for store in listed["data"]], listed["has_more"]) == (stores[:0:-1], True)
    assert (await other.get("/vector_stores"))["data"] == []


async def test_an_expired_store(api: Api, server: Server) -> None:
    file = await api.file()
    store = await made(api, file, expires_after={"anchor": "last_active_at", "days": 1})
    path = f"/vector_stores/{store}"
    stores = server.app.state.store.vector_stores
    await stores.patch("proj_default", store, {"expires_at": 1})
    found = await api.get(path)
    assert (found["status"], found["usage_bytes"] > 0) == ("expired", True)
    for method, below, body in (
        ("POST", "/files", {"file_id": file}),
        ("POST", "", {"expires_after": {"anchor": "last_active_at", "days": 9}}),
    ):
        assert "expired" in (await api.refused(method, path + below, body))["message"]
    assert (await api.post(path, {"name": "Old"}))["status"] == "expired"
    await stores.sweep()
    await server.app.state.store.vector_index.sweep()
    assert await chunks(server, store, file) == []
    found = await api.get(path)
    assert (found["usage_bytes"], found["file_counts"]["total"]) == (0, 1)


async def test_files_move_the_end_of_a_store(api: Api, server: Server) -> None:
    store = await made(api, expires_after={"anchor": "last_active_at", "days": 1})
    before = await server.app.state.store.vector_stores.patch("proj_default", store, {"last_active_at": 1})
    await api.post(f"/vector_stores/{store}/files", {"file_id": await api.file()})
    after = await api.get(f"/vector_stores/{store}")
    assert (before.last_active_at, after["expires_at"]) == (1, after["last_active_at"] + 86_400)
    assert after["last_active_at"] > 1


@pytest.mark.settings(max_vector_store_files=2)
async def test_a_store_takes_so_many_files(api: Api) -> None:
    files = [await api.file() for _ in range(3)]
    assert "at most 2" in (await api.refused("POST", "/vector_stores", {"file_ids": files}))["message"]
    store = await made(api, *files[:2])
    await api.refused("POST", f"/vector_stores/{store}/files", {"file_id": files[2]})
    # One that is there already takes no further place.
    await api.post(f"/vector_stores/{store}/files", {"file_id": files[0]})
    assert (await api.get(f"/vector_stores/{store}"))["file_counts"]["total"] == 2


# --- files


async def test_a_file_is_cut_into_chunks(api: Api, server: Server) -> None:
    file, store = await api.file(PROSE), await made(api)
    path = f"/vector_stores/{store}/files"
    started = await api.post(path, {"file_id": file, "chunking_strategy": STATIC, "attributes": {"a": "x", "n": 1.5}})
    assert (started["id"], started["status"], started["chunking_strategy"]) == (file, "in_progress", STATIC)
    done = await api.settled(f"{path}/{file}")
    assert done == {**started, "status": "completed", "usage_bytes": done["usage_bytes"]}
    kept = await chunks(server, store, file)
    assert [chunk[0] for chunk in kept] == list(range(len(kept)))
    assert all(chunk[2] <= 100 for chunk in kept)
    assert all(PROSE[start : start + len(text)] == text for _, start, _, text in kept)
    # The chunks' text, and two bytes for each dimension of their vectors beside what PostgreSQL keeps of a vector.
    assert 0 <= done["usage_bytes"] - sum(len(text) + 2 * 32 for *_, text in kept) <= 8 * len(kept)
    content = await api.get(f"{path}/{file}/content")
    assert content["data"] == [{"type": "text", "text": PROSE}]


@pytest.mark.parametrize("strategy", [None, {"type": "auto"}])
async def test_the_default_chunks(api: Api, server: Server, strategy: Json | None) -> None:
    file, store = await api.file(PROSE), await made(api)
    await api.post(
        f"/vector_stores/{store}/files",
        {"file_id": file, "chunking_strategy": strategy} if strategy else {"file_id": file},
    )
    done = await api.settled(f"/vector_stores/{store}/files/{file}")
    assert done["chunking_strategy"] == AUTO
    assert 600 < max(chunk[2] for chunk in await chunks(server, store, file)) <= 800


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\xef\xbb\xbfwith a mark", "with a mark"),
        ("中文文本。".encode(), "中文文本。"),
        (b'{"json": [1, 2]}', '{"json": [1, 2]}'),
        (b"lines\r\nof\rall kinds", "lines\nof\nall kinds"),
    ],
)
async def test_text_of_all_kinds(api: Api, content: bytes, text: str) -> None:
    file = await api.file(content)
    store = await made(api, file)
    assert (await api.get(f"/vector_stores/{store}/files/{file}/content"))["data"] == [{"type": "text", "text": text}]


@pytest.mark.settings(max_index_tokens=1000)
@pytest.mark.parametrize(
    ("content", "code", "word"),
    [
        (b"", "invalid_file", "no text"),
        (b" \n\t ", "invalid_file", "no text"),
        (b"%PDF-1.7\nplain", "invalid_file", "PDF"),
        (bytes(range(256)) * 4, "unsupported_file", "neither text"),
        (b"word " * 1001, "invalid_file", "1000 tokens"),
    ],
)
async def test_files_that_cannot_be_searched(api: Api, content: bytes, code: str, word: str) -> None:
    file = await api.file(content)
    store = await made(api, file)
    failed = await api.get(f"/vector_stores/{store}/files/{file}")
    assert (failed["status"], failed["last_error"]["code"]) == ("failed", code)
    assert word in failed["last_error"]["message"]
    assert (await api.get(f"/vector_stores/{store}/files/{file}/content"))["data"] == []
    assert (await api.get(f"/vector_stores/{store}"))["file_counts"]["failed"] == 1


async def test_a_file_whose_content_is_lost_fails(api: Api, server: Server) -> None:
    file = await api.file()
    await server.app.state.store.blobs.delete(f"files/{file}")
    store = await made(api, file)
    failed = await api.get(f"/vector_stores/{store}/files/{file}")
    assert (failed["status"], failed["last_error"]["code"]) == ("failed", "server_error")


async def test_attributes_of_a_file(api: Api) -> None:
    file = await api.file()
    store = await made(api, file)
    path = f"/vector_stores/{store}/files/{file}"
    attributes = {"text": "x" * 512, "number": 1, "decimal": 0.5, "yes": True}
    changed = await api.post(path, {"attributes": attributes})
    assert changed["attributes"] == attributes
    assert (await api.get(path)) == changed
    assert (await api.post(path, {"attributes": None}))["attributes"] == {}


async def test_a_file_that_leaves_a_store(api: Api, server: Server) -> None:
    file = await api.file()
    store = await made(api, file)
    path = f"/vector_stores/{store}/files/{file}"
    assert await api.delete(path) == {"id": file, "object": "vector_store.file.deleted", "deleted": True}
    for method, below in (("GET", ""), ("GET", "/content"), ("POST", ""), ("DELETE", "")):
        body = {"attributes": {}} if method == "POST" else None
        await api.refused(method, path + below, body, status=404)
    assert await api.get(f"/files/{file}")
    assert await chunks(server, store, file) == []
    assert (await api.get(f"/vector_stores/{store}"))["file_counts"]["total"] == 0


async def test_a_deleted_file_leaves_every_store(api: Api, server: Server) -> None:
    file = await api.file()
    stores = [await made(api, file) for _ in range(2)]
    await api.delete(f"/files/{file}")
    for store in stores:
        assert (await api.get(f"/vector_stores/{store}/files"))["data"] == []
        assert await chunks(server, store, file) == []


async def test_a_file_that_comes_again_is_processed_anew(api: Api, server: Server) -> None:
    first, second = await api.file(PROSE), await api.file()
    store = await made(api, first, second)
    before = await chunks(server, store, first)
    await api.post(f"/vector_stores/{store}/files", {"file_id": first, "chunking_strategy": STATIC})
    await api.settled(f"/vector_stores/{store}")
    after = await chunks(server, store, first)
    assert len(after) > len(before)
    listed = await api.get(f"/vector_stores/{store}/files?order=asc")
    assert [file["id"] for file in listed["data"]] == [second, first]


async def test_files_put_in_at_once(api: Api, server: Server) -> None:
    files, store = [await api.file(PROSE) for _ in range(3)], await made(api)
    path = f"/vector_stores/{store}/files"
    await asyncio.gather(*(api.post(path, {"file_id": file}) for file in files * 4))
    await api.settled(f"/vector_stores/{store}")
    counts = (await api.get(f"/vector_stores/{store}"))["file_counts"]
    assert (counts["completed"], counts["total"]) == (3, 3)
    assert len({len(await chunks(server, store, file)) for file in files}) == 1


async def test_lists_of_files(api: Api) -> None:
    good, bad = [await api.file() for _ in range(3)], await api.file(b"")
    store = await made(api, *good, bad)
    path = f"/vector_stores/{store}/files"
    assert [file["id"] for file in (await api.get(f"{path}?filter=completed&order=asc"))["data"]] == good
    assert [file["id"] for file in (await api.get(f"{path}?filter=failed"))["data"]] == [bad]
    assert (await api.get(f"{path}?filter=in_progress"))["data"] == []
    assert (await api.get(f"{path}?after={good[0]}&order=asc&limit=2"))["first_id"] == good[1]
    assert (await api.refused("GET", f"{path}?filter=lost"))["param"] == "filter"
    other = await made(api, await api.file())
    await api.refused("GET", f"/vector_stores/{other}/files?after={good[0]}")


@pytest.mark.settings(serve_worker=False)
async def test_without_a_worker_files_wait(api: Api) -> None:
    store = (await api.post("/vector_stores", {"file_ids": [await api.file()]}))["id"]
    assert (await api.get(f"/vector_stores/{store}"))["status"] == "in_progress"


async def test_a_file_without_a_job_gets_another(api: Api, server: Server, settings: Settings) -> None:
    """As after a job that failed because the blob store was away."""
    aside = settings.data / "aside"
    file = await api.file()
    (settings.data / "blobs").rename(aside)
    (settings.data / "blobs").write_text("in the way")
    store = (await api.post("/vector_stores", {"file_ids": [file]}))["id"]
    database = server.app.state.store.database

    async def failed() -> bool:
        return await database.row("select 1 from procrastinate_jobs where status = 'failed'", {}) is not None

    await until(failed)
    assert (await api.get(f"/vector_stores/{store}/files/{file}"))["status"] == "in_progress"
    (settings.data / "blobs").unlink()
    aside.rename(settings.data / "blobs")
    done = await until(lambda: api.settled(f"/vector_stores/{store}/files/{file}"))
    assert done["status"] == "completed"


# --- batches


async def test_a_batch(api: Api) -> None:
    files, store = [await api.file(), await api.file(), await api.file(b"")], await made(api)
    path = f"/vector_stores/{store}/file_batches"
    body = {"file_ids": files, "chunking_strategy": STATIC, "attributes": {"a": True}}
    batch = await api.post(path, body)
    assert (batch["object"], batch["vector_store_id"]) == ("vector_store.files_batch", store)
    assert batch["file_counts"]["total"] == 3
    done = await api.settled(f"{path}/{batch['id']}")
    assert done["status"] == "completed"
    assert done["file_counts"] == {"in_progress": 0, "completed": 2, "failed": 1, "cancelled": 0, "total": 3}
    listed = (await api.get(f"{path}/{batch['id']}/files?order=asc"))["data"]
    assert [file["id"] for file in listed] == files
    assert all((file["attributes"], file["chunking_strategy"]) == ({"a": True}, STATIC) for file in listed)
    failed = (await api.get(f"{path}/{batch['id']}/files?filter=failed"))["data"]
    assert [file["id"] for file in failed] == [files[2]]
    # What is in the store beside the batch is no part of it.
    await api.post(f"/vector_stores/{store}/files", {"file_id": await api.file()})
    assert len((await api.get(f"{path}/{batch['id']}/files"))["data"]) == 3


async def test_a_batch_of_files_with_their_own_options(api: Api) -> None:
    files, store = [await api.file(), await api.file()], await made(api)
    wanted = [{"file_id": files[0], "attributes": {"n": 1}}, {"file_id": files[1], "chunking_strategy": STATIC}]
    batch = await api.post(f"/vector_stores/{store}/file_batches", {"files": wanted})
    listed = (await api.get(f"/vector_stores/{store}/file_batches/{batch['id']}/files?order=asc"))["data"]
    assert [(file["attributes"], file["chunking_strategy"]) for file in listed] == [({"n": 1}, AUTO), ({}, STATIC)]


async def test_a_batch_of_nothing_but_bad_files_fails(api: Api) -> None:
    store = await made(api)
    path = f"/vector_stores/{store}/file_batches"
    batch = await api.post(path, {"file_ids": [await api.file(b""), await api.file(b"\x00")]})
    assert (await api.settled(f"{path}/{batch['id']}"))["status"] == "failed"


@pytest.mark.settings(serve_worker=False)
async def test_a_cancelled_batch(api: Api, server: Server) -> None:
    files, store = [await api.file(), await api.file()], (await api.post("/vector_stores"))["id"]
    path = f"/vector_stores/{store}/file_batches"
    batch = await api.post(path, {"file_ids": files})
    kept = await api.post(path, {"file_ids": [await api.file()]})
    assert batch["status"] == "in_progress"
    cancelled = await api.post(f"{path}/{batch['id']}/cancel")
    assert (cancelled["status"], cancelled["file_counts"]["cancelled"]) == ("cancelled", 2)
    assert await api.post(f"{path}/{batch['id']}/cancel") == cancelled
    assert (await api.get(f"{path}/{kept['id']}"))["file_counts"]["in_progress"] == 1
    # A job that was under way meanwhile changes nothing any more.
    [row] = await server.app.state.store.database.rows(
        "select position from vector_store_files where id = %(id)s", {"id": files[0]}
    )
    assert await server.app.state.store.vector_store_files.claim(row[0]) is None
    assert await api.get(f"{path}/{batch['id']}") == cancelled


async def test_cancelling_a_batch_that_is_done_changes_nothing(api: Api) -> None:
    store = await made(api)
    path = f"/vector_stores/{store}/file_batches"
    batch = await api.post(path, {"file_ids": [await api.file()]})
    done = await api.settled(f"{path}/{batch['id']}")
    assert await api.post(f"{path}/{batch['id']}/cancel") == done


# --- what is refused


async def test_what_does_not_exist(api: Api) -> None:
    file, store = await api.file(), await made(api)
    batch = (await api.post(f"/vector_stores/{store}/file_batches", {"file_ids": [file]}))["id"]
    lost: list[tuple[str, str, Json | None, str]] = [
        ("POST", "/vector_stores", {"file_ids": [file, "file-x"]}, "No file found with id 'file-x'."),
        ("GET", "/vector_stores/vs_x", None, "No vector store found with id 'vs_x'."),
        ("POST", "/vector_stores/vs_x", {}, "No vector store found with id 'vs_x'."),
        ("POST", "/vector_stores/vs_x/files", {"file_id": file}, "No vector store found with id 'vs_x'."),
        ("POST", f"/vector_stores/{store}/files", {"file_id": "file-x"}, "No file found with id 'file-x'."),
        ("GET", "/vector_stores/vs_x/files", None, "No vector store found with id 'vs_x'."),
        ("GET", f"/vector_stores/{store}/files/file-x", None, "No vector store file found with id 'file-x'."),
        ("POST", f"/vector_stores/{store}/file_batches", {"file_ids": ["file-x"]}, "No file found with id 'file-x'."),
        ("GET", f"/vector_stores/{store}/file_batches/vsfb_x", None, "No file batch found with id 'vsfb_x'."),
        ("POST", f"/vector_stores/vs_x/file_batches/{batch}/cancel", {}, f"No file batch found with id '{batch}'."),
        ("GET", f"/vector_stores/vs_x/file_batches/{batch}/files", None, f"No file batch found with id '{batch}'."),
    ]
    for method, path, body, message in lost:
        assert (await api.refused(method, path, body, status=404))["message"] == message
    assert len((await api.get("/vector_stores"))["data"]) == 1


async def test_stores_belong_to_a_project(api: Api, other: Api) -> None:
    file = await api.file()
    store = await made(api, file)
    theirs = await made(other)
    await other.refused("GET", f"/vector_stores/{store}", status=404)
    await other.refused("GET", f"/vector_stores/{store}/files/{file}/content", status=404)
    await other.refused("DELETE", f"/vector_stores/{store}/files/{file}", status=404)
    await other.refused("POST", f"/vector_stores/{theirs}/files", {"file_id": file}, status=404)
    await other.refused("POST", f"/vector_stores/{store}/files", {"file_id": await other.file()}, status=404)


def static(size: int, overlap: int) -> Json:
    return {"type": "static", "static": {"max_chunk_size_tokens": size, "chunk_overlap_tokens": overlap}}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "x" * 257}, "name"),
        ({"expires_after": {"anchor": "created_at", "days": 1}}, "expires_after.anchor"),
        ({"expires_after": {"anchor": "last_active_at", "days": 366}}, "expires_after.days"),
        ({"file_ids": ["f"] * 501}, "file_ids"),
        ({"chunking_strategy": {"type": "clever"}}, "chunking_strategy.type"),
        ({"chunking_strategy": static(99, 0)}, "chunking_strategy.static.max_chunk_size_tokens"),
        ({"chunking_strategy": static(4097, 0)}, "chunking_strategy.static.max_chunk_size_tokens"),
        ({"chunking_strategy": static(100, 51)}, "chunking_strategy"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_bodies_that_are_refused(api: Api, body: Json, param: str) -> None:
    assert (await api.refused("POST", "/vector_stores", body))["param"] == param


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("files", {}, "file_id"),
        ("files", {"file_id": "f", "attributes": {"k": "x" * 513}}, "attributes"),
        ("files", {"file_id": "f", "attributes": {"k" * 65: "x"}}, "attributes"),
        ("files", {"file_id": "f", "attributes": {str(number): 1 for number in range(17)}}, "attributes"),
        ("files", {"file_id": "f", "attributes": {"k": []}}, "attributes.k"),
        ("files/f", {}, "attributes"),
        ("file_batches", {}, "file_ids"),
        ("file_batches", {"file_ids": []}, "file_ids"),
        ("file_batches", {"file_ids": ["f"], "files": [{"file_id": "f"}]}, "file_ids"),
        ("file_batches", {"files": [{"file_id": "f"}] * 2001}, "files"),
    ],
)
async def test_bodies_of_files_that_are_refused(api: Api, path: str, body: Json, param: str) -> None:
    assert (await api.refused("POST", f"/vector_stores/vs_1/{path}", body))["param"] == param
