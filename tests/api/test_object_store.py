"""Files and uploads whose content lies in an object store, by the S3 protocol."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from ..clients.environments import Unavailable
from ..faults.harness import until
from ..harness import Api, Server
from ..s3 import BUCKET, ObjectStore, object_store
from .test_uploads import begun, part, send

# On first use the object store's server is fetched, perhaps slowly.
pytestmark = [pytest.mark.timeout(900), pytest.mark.settings(blob_store=f"s3://{BUCKET}/retinue")]

#: So large that it goes into the object store in several parts.
LARGE = bytes(range(256)) * 40_000 * 2


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    try:
        with object_store(tmp_path_factory.mktemp("s3")) as store:
            yield store
    except Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
def s3(running: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The object store, which the environment tells of."""
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture(autouse=True)
async def left(server: Server, s3: ObjectStore) -> AsyncIterator[None]:
    """Each test deletes what it has put into the object store; then there is nothing."""
    yield
    assert (s3.keys(), s3.unfinished()) == ([], [])


async def test_a_file(api: Api, s3: ObjectStore) -> None:
    for content in (LARGE, b"small", b""):
        made = (await api.upload(content)).body
        assert made["bytes"] == len(content)
        assert s3.keys() == [f"retinue/files/{made['id']}"]
        assert await api.download(f"/files/{made['id']}/content") == content
        await api.delete(f"/files/{made['id']}")
        assert s3.keys() == []


async def test_an_upload_in_parts(api: Api, s3: ObjectStore) -> None:
    pieces = [LARGE, b"small", LARGE[::-1]]
    whole = b"".join(pieces)
    upload = await begun(api, len(whole))
    parts = [await part(api, upload, piece) for piece in pieces[::-1]][::-1]
    assert sorted(s3.keys()) == sorted(f"retinue/parts/{one}" for one in parts)
    body = {"part_ids": parts, "md5": hashlib.md5(whole).hexdigest()}
    file = (await api.post(f"/uploads/{upload}/complete", body))["file"]["id"]
    assert s3.keys() == [f"retinue/files/{file}"]
    assert await api.download(f"/files/{file}/content") == whole
    await api.delete(f"/files/{file}")


async def test_an_upload_that_is_cancelled(api: Api, s3: ObjectStore) -> None:
    upload = await begun(api, 5)
    await part(api, upload, b"small")
    assert len(s3.keys()) == 1
    await api.post(f"/uploads/{upload}/cancel")
    assert s3.keys() == []


async def test_content_that_is_refused_half_way(api: Api, s3: ObjectStore) -> None:
    upload = await begun(api, len(LARGE) // 4)
    answer = await send(api, upload, LARGE)
    assert (answer.status, answer.body["error"]["param"]) == (400, "data")


async def test_a_client_that_hangs_up(api: Api, s3: ObjectStore) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield LARGE
        await until(lambda: asyncio.to_thread(s3.unfinished))
        raise ConnectionAbortedError

    with pytest.raises(aiohttp.ClientError):
        await api.upload(content())
    await until(lambda: asyncio.to_thread(lambda: not s3.unfinished()))


@pytest.mark.settings(blob_store="s3://no-such-bucket")
async def test_without_a_bucket(api: Api, server: Server) -> None:
    answer = await api.upload(b"A")
    assert answer.status == 503
    assert (await api.get("/files"))["data"] == []
