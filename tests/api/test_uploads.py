"""`/v1/uploads`: files that come in parts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from retinue.settings import Settings

from ..faults.harness import until
from ..harness import Answer, Api, Json, Server
from .test_files import BOUNDARY, HEADERS, form, within

DATA = 'name="data"; filename="blob"'


@pytest.fixture
def blobs(settings: Settings) -> Path:
    """Where blobs lie."""
    return settings.data / "blobs"


def left(blobs: Path) -> list[str]:
    """What lies in the blob store, but for files."""
    return within(blobs / "parts")


async def begun(api: Api, size: int, **fields: Any) -> str:
    """The id of a new upload."""
    body = {"filename": "notes.txt", "purpose": "assistants", "mime_type": "text/plain", "bytes": size, **fields}
    return (await api.post("/uploads", body))["id"]


async def send(api: Api, upload: str, content: bytes) -> Answer:
    """A part, sent."""
    return await api.request("POST", f"/uploads/{upload}/parts", data=form((DATA, content)), headers=HEADERS)


async def part(api: Api, upload: str, content: bytes) -> str:
    """The id of a new part."""
    answer = await send(api, upload, content)
    assert answer.status == 200, answer.body
    return answer.body["id"]


async def test_an_upload_becomes_a_file(api: Api, server: Server, blobs: Path) -> None:
    pieces = [bytes([number]) * (2_000_000 + number) for number in range(3)]
    whole = b"".join(pieces)
    body = {"filename": "C:/文件 é.bin", "purpose": "user_data", "mime_type": "application/x-any", "bytes": len(whole)}
    upload = await api.post("/uploads", body)
    assert upload == {
        "id": upload["id"],
        "object": "upload",
        "bytes": len(whole),
        "created_at": upload["created_at"],
        "expires_at": upload["created_at"] + 3600,
        "filename": "文件 é.bin",
        "purpose": "user_data",
        "status": "pending",
        "file": None,
    }
    path = f"/uploads/{upload['id']}"
    # They come in any order; the request that completes says which is theirs.
    sent = [(await send(api, upload["id"], pieces[number])).body for number in (2, 0, 1)]
    assert {one["upload_id"] for one in sent} == {upload["id"]}
    order = [sent[number]["id"] for number in (1, 2, 0)]
    done = await api.post(f"{path}/complete", {"part_ids": order, "md5": hashlib.md5(whole).hexdigest().upper()})
    file = done.pop("file")
    assert {**done, "file": None} == {**upload, "status": "completed"}
    assert (file["bytes"], file["filename"], file["purpose"]) == (len(whole), "文件 é.bin", "user_data")
    assert "expires_at" not in file
    assert await api.get(f"/files/{file['id']}") == file
    assert await api.download(f"/files/{file['id']}/content") == whole
    kept = await server.app.state.store.files.get("proj_default", file["id"])
    assert kept.sha256 == hashlib.sha256(whole).hexdigest()
    assert left(blobs) == []
    # The same request again is answered with the same file, as long as there is one.
    again = {"part_ids": order, "md5": hashlib.md5(whole).hexdigest().upper()}
    assert (await api.post(f"{path}/complete", again))["file"] == file
    await api.delete(f"/files/{file['id']}")
    assert (await api.post(f"{path}/complete", again))["file"] is None


async def test_the_file_may_expire(api: Api) -> None:
    upload = await begun(api, 1, expires_after={"anchor": "created_at", "seconds": 3600})
    body = {"part_ids": [await part(api, upload, b"A")]}
    file = (await api.post(f"/uploads/{upload}/complete", body))["file"]
    assert file["expires_at"] == file["created_at"] + 3600
    upload = await begun(api, 0, purpose="batch")
    file = (await api.post(f"/uploads/{upload}/complete", {"part_ids": []}))["file"]
    assert (file["bytes"], file["expires_at"]) == (0, file["created_at"] + 30 * 86_400)


async def test_parts_that_do_not_make_up_the_file(api: Api, blobs: Path) -> None:
    upload, other = await begun(api, 4), await begun(api, 2)
    first, second, third = [await part(api, upload, content) for content in (b"ab", b"cd", b"e")]
    foreign = await part(api, other, b"cd")
    path = f"/uploads/{upload}/complete"
    wrong: list[tuple[Json, str, str]] = [
        ({"part_ids": [first]}, "part_ids", "hold 2 bytes"),
        ({"part_ids": [first, second, third]}, "part_ids", "hold 5 bytes"),
        ({"part_ids": [first, first]}, "part_ids", "named twice"),
        ({"part_ids": [first, foreign]}, "part_ids", "no part"),
        ({"part_ids": [first, "part_x"]}, "part_ids", "no part"),
        ({"part_ids": ["p"] * 10_001}, "part_ids", "array too long"),
        ({"part_ids": [first, second], "md5": hashlib.md5(b"cdab").hexdigest()}, "md5", "md5 of the file is"),
        ({"part_ids": [first, second], "md5": "no sum"}, "md5", "does not match"),
    ]
    for body, param, words in wrong:
        error = await api.refused("POST", path, body)
        assert (error["param"], words in error["message"]) == (param, True), error
    assert within(blobs / "files") == []
    # It is pending as before. A part that is not named goes.
    done = await api.post(path, {"part_ids": [second, first]})
    assert await api.download(f"/files/{done['file']['id']}/content") == b"cdab"
    assert left(blobs) == [foreign]
    assert "is completed" in (await api.refused("POST", path, {"part_ids": [first, second]}))["message"]


async def test_an_upload_that_has_ended_takes_nothing(api: Api, server: Server, blobs: Path) -> None:
    cancelled, completed, expired = [await begun(api, 2) for _ in range(3)]
    parts = {upload: await part(api, upload, b"ab") for upload in (cancelled, completed, expired)}
    for _ in range(2):
        assert (await api.post(f"/uploads/{cancelled}/cancel"))["status"] == "cancelled"
    await api.post(f"/uploads/{completed}/complete", {"part_ids": [parts[completed]]})
    await server.app.state.store.uploads.patch("proj_default", expired, {"expires_at": 1})
    for upload, how in ((cancelled, "is cancelled"), (completed, "is completed"), (expired, "has expired")):
        answer = await send(api, upload, b"ab")
        assert (answer.status, how in answer.body["error"]["message"]) == (400, True)
        if upload != completed:
            body = {"part_ids": [parts[upload]]}
            assert how in (await api.refused("POST", f"/uploads/{upload}/complete", body))["message"]
        if upload != cancelled:
            assert how in (await api.refused("POST", f"/uploads/{upload}/cancel"))["message"]
    assert len((await api.get("/files"))["data"]) == 1
    # The server's own sweep may be at it.
    await server.app.state.store.uploads.sweep()
    await server.app.state.store.files.sweep()
    await until(lambda: asyncio.to_thread(lambda: not left(blobs)))
    # Long after, nothing is known of it.
    await server.app.state.store.uploads.patch("proj_default", cancelled, {"expires_at": 1})
    await server.app.state.store.uploads.sweep()
    await api.refused("POST", f"/uploads/{cancelled}/cancel", status=404)


async def test_a_part_that_comes_while_the_upload_ends(api: Api, server: Server, blobs: Path) -> None:
    upload = await begun(api, 2)
    held = asyncio.Event()

    async def content() -> AsyncIterator[bytes]:
        yield form((DATA, b""), end=False)[:-2] + b"a"
        await held.wait()
        yield b"b\r\n" + f"--{BOUNDARY}--\r\n".encode()

    sending = asyncio.create_task(
        api.request("POST", f"/uploads/{upload}/parts", data=content(), headers=HEADERS),
    )
    await until(lambda: server.app.state.store.database.row("select 1 from loose_blobs", {}))
    await api.post(f"/uploads/{upload}/cancel")
    held.set()
    answer = await sending
    assert (answer.status, "is cancelled" in answer.body["error"]["message"]) == (400, True)
    assert left(blobs) == []


async def test_completing_at_once_makes_one_file(api: Api, blobs: Path) -> None:
    content = b"x" * 3_000_000
    upload = await begun(api, 2 * len(content))
    body = {"part_ids": [await part(api, upload, content) for _ in range(2)]}
    reverse = {"part_ids": body["part_ids"][::-1]}
    path = f"/uploads/{upload}/complete"
    answers = await asyncio.gather(*(api.request("POST", path, one) for one in (body, reverse, body, body)))
    (file,) = (await api.get("/files"))["data"]
    good = [answer.body["file"] for answer in answers if answer.status == 200]
    assert good == [file] * len(good)
    # Of two that want different files, one is told that it came too late.
    assert len(good) == (1 if answers[1].status == 200 else 3)
    assert {answer.status for answer in answers} == {200, 400}
    assert within(blobs / "files") == [file["id"]]
    assert left(blobs) == []


async def test_a_part_may_be_sent_again_but_not_for_ever(api: Api, blobs: Path) -> None:
    upload = await begun(api, 10)
    for _ in range(2):
        await part(api, upload, b"x" * 10)
    for content in (b"x", b"x" * 100):
        answer = await send(api, upload, content)
        assert (answer.status, answer.body["error"]["param"]) == (400, "data")
    assert len(left(blobs)) == 2
    # Those that come at once are counted too.
    upload = await begun(api, 10)
    answers = await asyncio.gather(*(send(api, upload, b"x" * 10) for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [200, 200, 400, 400, 400, 400]
    assert len(left(blobs)) == 4


async def test_parts_have_a_largest_size(api: Api, blobs: Path) -> None:
    most = 64 * 1024 * 1024
    upload = await begun(api, 2 * most)
    assert (await send(api, upload, bytes(most))).status == 200
    answer = await send(api, upload, bytes(most + 1))
    assert (answer.status, answer.body["error"]["param"]) == (413, "data")
    answer = await send(api, upload, bytes(most + 2 * 1024 * 1024))
    assert (answer.status, answer.body["error"]["param"]) == (413, None)
    assert len(left(blobs)) == 1


async def test_uploads_belong_to_a_project(api: Api, other: Api, blobs: Path) -> None:
    upload = await begun(api, 2)
    mine = await part(api, upload, b"ab")
    assert (await send(other, upload, b"ab")).status == 404
    body = {"part_ids": [mine]}
    error = await other.refused("POST", f"/uploads/{upload}/complete", body, status=404)
    assert error["message"] == f"No upload found with id '{upload}'."
    await other.refused("POST", f"/uploads/{upload}/cancel", status=404)
    theirs = await begun(other, 2)
    assert "no part" in (await other.refused("POST", f"/uploads/{theirs}/complete", body))["message"]
    assert left(blobs) == [mine]


@pytest.mark.settings(max_upload_bytes=1024)
@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"bytes": 1025}, "bytes"),
        ({"bytes": -1}, "bytes"),
        ({"bytes": 10**30}, "bytes"),
        ({"filename": ""}, "filename"),
        ({"filename": "x" * 256}, "filename"),
        ({"mime_type": ""}, "mime_type"),
        ({"purpose": "assistants_output"}, "purpose"),
        ({"expires_after": {"anchor": "created_at", "seconds": 1}}, "expires_after.seconds"),
        ({"md5": "0" * 32}, "md5"),
    ],
)
async def test_uploads_that_are_refused(api: Api, fields: Json, param: str) -> None:
    body = {"filename": "a", "purpose": "assistants", "mime_type": "text/plain", "bytes": 1024}
    assert (await api.post("/uploads", body))["status"] == "pending"
    assert (await api.refused("POST", "/uploads", body | fields))["param"] == param


@pytest.mark.parametrize(
    ("parts", "param"),
    [
        ([], "data"),
        ([('name="colour"', b"red")], "colour"),
        ([(DATA, b"a"), (DATA, b"b")], "data"),
        ([(DATA, b"a"), ('name="colour"', b"red")], "colour"),
    ],
)
async def test_parts_that_are_refused(api: Api, blobs: Path, parts: list[tuple[str, bytes]], param: str | None) -> None:
    upload = await begun(api, 10)
    answer = await api.request("POST", f"/uploads/{upload}/parts", data=form(*parts), headers=HEADERS)
    assert (answer.status, answer.body["error"]["param"]) == (400, param)
    assert left(blobs) == []


@pytest.mark.parametrize("data", [b"", b"{}", form((DATA, b"a"), end=False), form((DATA, b"a"))[:-20]])
async def test_parts_that_break_off(api: Api, server: Server, blobs: Path, data: bytes) -> None:
    upload = await begun(api, 10)
    answer = await api.request("POST", f"/uploads/{upload}/parts", data=data, headers=HEADERS)
    assert answer.status == 400
    assert left(blobs) == []
    assert await server.app.state.store.database.rows("select key from loose_blobs", {}) == []


async def test_data_may_be_a_plain_field(api: Api) -> None:
    upload = await begun(api, 2)
    answer = await api.request("POST", f"/uploads/{upload}/parts", data=form(('name="data"', b"ab")), headers=HEADERS)
    done = await api.post(f"/uploads/{upload}/complete", {"part_ids": [answer.body["id"]]})
    assert done["file"]["bytes"] == 2


async def test_what_is_lost_in_the_blob_store_is_said(api: Api, server: Server, blobs: Path) -> None:
    upload = await begun(api, 4)
    parts = [await part(api, upload, b"ab") for _ in range(2)]
    (blobs / "parts" / parts[1]).unlink()
    error = await api.refused("POST", f"/uploads/{upload}/complete", {"part_ids": parts})
    assert error["message"] == f"What is in part '{parts[1]}' is lost. Send it again."
    assert within(blobs / "files") == []
    again = [parts[0], await part(api, upload, b"cd")]
    assert (await api.post(f"/uploads/{upload}/complete", {"part_ids": again}))["file"]["bytes"] == 4
