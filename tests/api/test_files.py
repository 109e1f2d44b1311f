"""`/v1/files`: uploaded, listed, read, deleted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from retinue.settings import Settings

from ..faults.harness import until
from ..harness import KEY, Api, Server

BOUNDARY = "form-boundary"


@pytest.fixture
def blobs(settings: Settings) -> Path:
    """Where the content of files lies."""
    return settings.data / "blobs" / "files"


def form(*parts: tuple[str, bytes], end: bool = True) -> bytes:
    """A form from parts: the rest of their Content-Disposition, and their content."""
    heads = [f"--{BOUNDARY}\r\nContent-Disposition: form-data; {rest}\r\n\r\n" for rest, _ in parts]
    # A lone byte that is not UTF-8 is written as a surrogate.
    encoded = [head.encode("utf-8", "surrogateescape") for head in heads]
    body = b"".join(head + content + b"\r\n" for head, (_, content) in zip(encoded, parts, strict=True))
    return body + (f"--{BOUNDARY}--\r\n".encode() if end else b"")


def within(folder: Path) -> list[str]:
    """The names of what lies in a folder, if there is one."""
    return [path.name for path in folder.iterdir()] if folder.exists() else []


PURPOSE = ('name="purpose"', b"assistants")
FILE = ('name="file"; filename="a.txt"', b"A")
HEADERS = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}


async def test_what_was_uploaded_comes_back(api: Api, blobs: Path, server: Server) -> None:
    content = bytes(range(256)) * 10_000
    made = (await api.upload(content, ("purpose", "assistants"), filename="文件 é.bin")).body
    assert made["id"].startswith("file-")
    assert {name: made[name] for name in ("bytes", "filename", "purpose", "status")} == {
        "bytes": len(content),
        "filename": "文件 é.bin",
        "purpose": "assistants",
        "status": "processed",
    }
    assert await api.get(f"/files/{made['id']}") == made
    assert await api.download(f"/files/{made['id']}/content") == content
    kept = await server.app.state.store.files.get("proj_default", made["id"])
    assert kept.sha256 == hashlib.sha256(content).hexdigest()
    assert within(blobs) == [made["id"]]


async def test_a_large_file_goes_through_in_pieces(api: Api, settings: Settings) -> None:
    piece = bytes(range(256)) * 4096
    pieces = settings.max_body_bytes // len(piece) + 8

    async def content() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield piece

    made = (await api.upload(content())).body
    assert made["bytes"] == pieces * len(piece)
    assert await api.download(f"/files/{made['id']}/content") == piece * pieces


async def test_an_empty_file_is_a_file(api: Api) -> None:
    made = (await api.upload(b"", filename="empty")).body
    assert made["bytes"] == 0
    assert await api.download(f"/files/{made['id']}/content") == b""


async def test_the_name_is_no_path(api: Api) -> None:
    body = form(PURPOSE, ('name="file"; filename="C:/docs/../notes.txt"', b"A"))
    made = (await api.request("POST", "/files", data=body, headers=HEADERS)).body
    assert made["filename"] == "notes.txt"


async def test_fields_may_come_behind_the_file(api: Api) -> None:
    answer = await api.request("POST", "/files", data=form(FILE, PURPOSE), headers=HEADERS)
    assert answer.status == 200


async def test_files_expire(api: Api, server: Server, blobs: Path) -> None:
    expiry = (("expires_after[anchor]", "created_at"), ("expires_after[seconds]", "3600"))
    made = (await api.upload(b"A", ("purpose", "user_data"), *expiry)).body
    assert made["expires_at"] == made["created_at"] + 3600
    assert "expires_at" not in (await api.upload(b"A")).body
    batch = (await api.upload(b"A", ("purpose", "batch"))).body
    assert batch["expires_at"] == batch["created_at"] + 30 * 86_400
    store = server.app.state.store
    await store.files.patch("proj_default", made["id"], {"expires_at": made["created_at"] - 1})
    await store.files.sweep()
    await api.refused("GET", f"/files/{made['id']}", status=404)
    # The server's own sweep may be at it.
    await until(lambda: asyncio.to_thread(lambda: made["id"] not in within(blobs)))
    assert (blobs / batch["id"]).exists()


async def test_lists_by_purpose(api: Api) -> None:
    names = [(await api.upload(b"A", ("purpose", purpose))).body["id"] for purpose in ("assistants", "vision") * 2]
    listed = await api.get("/files")
    assert [file["id"] for file in listed["data"]] == names[::-1]
    listed = await api.get("/files?purpose=vision&order=asc")
    assert [file["id"] for file in listed["data"]] == names[1::2]
    listed = await api.get(f"/files?limit=1&after={names[2]}")
    assert ([file["id"] for file in listed["data"]], listed["has_more"]) == ([names[1]], True)
    assert (await api.get("/files?purpose=other"))["data"] == []
    assert (await api.get("/files?limit=10000"))["has_more"] is False
    assert (await api.refused("GET", "/files?limit=10001"))["param"] == "limit"


async def test_a_deleted_file_is_gone(api: Api, blobs: Path) -> None:
    file = await api.file()
    assert await api.delete(f"/files/{file}") == {"id": file, "object": "file", "deleted": True}
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        error = await api.refused(method, f"/files/{file}{path}", status=404)
        assert error["message"] == f"No file found with id '{file}'."
    assert within(blobs) == []


async def test_files_belong_to_a_project(api: Api, other: Api) -> None:
    file = await api.file()
    for method, path in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        await other.refused(method, f"/files/{file}{path}", status=404)
    assert (await other.get("/files"))["data"] == []


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([PURPOSE], "file"),
        ([FILE], "purpose"),
        ([FILE, ('name="purpose"', b"evals")], "purpose"),
        ([FILE, ('name="purpose"', b"x" * 100_000)], "purpose"),
        ([FILE, ('name="purpose[a]"', b"x")], "purpose"),
        ([FILE, FILE, PURPOSE], "file"),
        ([PURPOSE, ('name="file"', b"A")], "file"),
        ([PURPOSE, ('name="file"; filename=""', b"A")], "file"),
        ([PURPOSE, (f'name="file"; filename="{"x" * 256}"', b"A")], "file"),
        ([PURPOSE, FILE, ('name="colour"', b"red")], "colour"),
        ([PURPOSE, FILE, ('name="expires_after"', b"1")], "expires_after"),
        ([PURPOSE, FILE, ('name="expires_after[seconds]"', b"3600")], "expires_after.anchor"),
        (
            [PURPOSE, FILE, ('name="expires_after[anchor]"', b"created_at"), ('name="expires_after[seconds]"', b"1")],
            "expires_after.seconds",
        ),
        ([PURPOSE, FILE, ('name="\udcff"', b"A")], None),
        ([PURPOSE, ('name="file"; filename="a\x00b"', b"A")], None),
        ([PURPOSE] * 100, None),
    ],
)
async def test_forms_that_are_refused(api: Api, blobs: Path, parts: list[tuple[str, bytes]], param: str | None) -> None:
    answer = await api.request("POST", "/files", data=form(*parts), headers=HEADERS)
    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert (await api.get("/files"))["data"] == []
    assert within(blobs) == []


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"{}", "application/json"),
        (b"", "multipart/form-data"),
        (b"", f"multipart/form-data; boundary={BOUNDARY}"),
        (b"nonsense", f"multipart/form-data; boundary={BOUNDARY}"),
        (form(PURPOSE, FILE, end=False), f"multipart/form-data; boundary={BOUNDARY}"),
        (form(PURPOSE, FILE)[:-20], f"multipart/form-data; boundary={BOUNDARY}"),
        (b"purpose=assistants", "application/x-www-form-urlencoded"),
    ],
)
async def test_bodies_that_are_no_forms(api: Api, blobs: Path, data: bytes, kind: str) -> None:
    answer = await api.request("POST", "/files", data=data, headers={"content-type": kind})
    assert answer.status == 400
    assert within(blobs) == []


@pytest.mark.settings(max_file_bytes=1024)
async def test_files_have_a_largest_size(api: Api, blobs: Path) -> None:
    assert (await api.upload(b"x" * 1024)).status == 200
    answer = await api.upload(b"x" * 1025)
    assert (answer.status, answer.body["error"]["param"]) == (413, "file")
    assert len(within(blobs)) == 1


async def test_nothing_is_left_of_an_upload_that_broke_off(server: Server, api: Api, blobs: Path) -> None:
    seen: list[Any] = []

    async def content() -> AsyncIterator[bytes]:
        yield form(PURPOSE, ('name="file"; filename="a"', b""), end=False)[:-2]
        for _ in range(20):
            yield b"x" * 1024 * 1024
        await until(lambda: asyncio.to_thread(within, blobs))
        seen.extend(within(blobs))
        raise ConnectionAbortedError

    async with aiohttp.ClientSession() as session:
        with pytest.raises((ConnectionAbortedError, aiohttp.ClientError)):
            await session.post(
                f"{server.url}/v1/files",
                data=content(),
                headers={"authorization": f"Bearer {KEY}", **HEADERS},
            )
    assert seen
    database = server.app.state.store.database

    async def clean() -> bool:
        row = await database.row("select count(*) from loose_blobs", {})
        return row[0] == 0 and not within(blobs)

    await until(clean)
    assert (await api.get("/files"))["data"] == []


@pytest.mark.settings(upload_timeout=0.05)
async def test_uploads_may_not_take_for_ever(api: Api, blobs: Path) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(20)

    answer = await api.upload(content())
    assert answer.status == 400
    assert "0.05 seconds" in answer.body["error"]["message"]
    assert within(blobs) == []


async def test_what_a_dead_upload_left_is_swept(server: Server, blobs: Path) -> None:
    store = server.app.state.store

    async def content() -> AsyncIterator[bytes]:
        yield b"x"

    received = await store.files.receive(content())
    await store.files.sweep()
    assert (blobs / received.id).exists()
    (blobs / f"{received.id}#1").write_bytes(b"half")
    await store.database.execute("update loose_blobs set due_at = now()", {})
    await store.files.sweep()
    assert within(blobs) == []


async def test_while_the_blob_store_is_away(api: Api, settings: Settings, blobs: Path) -> None:
    file = await api.file()
    aside = settings.data / "aside"
    (settings.data / "blobs").rename(aside)
    (settings.data / "blobs").write_text("in the way")
    answer = await api.upload(b"A")
    assert answer.status == 503
    assert await api.delete(f"/files/{file}")
    (settings.data / "blobs").unlink()
    aside.rename(settings.data / "blobs")
    assert (await api.upload(b"A")).status == 200
    await until(lambda: asyncio.to_thread(lambda: not (blobs / file).exists()), 20)
