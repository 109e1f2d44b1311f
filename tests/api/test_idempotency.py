"""`Idempotency-Key`: sent twice, done once. An extension."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from ..harness import KEY, Answer, Api, Json, Server, eventually, run_path, text
from ..scripted import Reply, ScriptedUpstream


async def send(api: Api, path: str, body: Any = None, key: str = "key-1", **request: Any) -> Answer:
    return await api.request("POST", path, body, headers={"idempotency-key": key}, **request)


def replayed(answer: Answer) -> bool:
    return answer.headers.get("idempotent-replayed") == "true"


async def assistants(api: Api) -> int:
    return len((await api.get("/assistants?limit=100"))["data"])


NEW = {"model": "scripted", "name": "Once"}


async def test_the_same_request_is_done_once(api: Api) -> None:
    first = await send(api, "/assistants", NEW)
    again = await send(api, "/assistants", NEW)
    assert (first.status, replayed(first), replayed(again)) == (200, False, True)
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert await assistants(api) == 1


async def test_another_key_and_no_key_are_new_requests(api: Api) -> None:
    await send(api, "/assistants", NEW, key="a")
    await send(api, "/assistants", NEW, key="b")
    await api.post("/assistants", NEW)
    assert await assistants(api) == 3


async def test_a_key_is_for_one_request(api: Api) -> None:
    await send(api, "/assistants", NEW)
    thread = await api.thread()
    for path, body in (
        ("/assistants", {**NEW, "name": "Twice"}),
        ("/threads", None),
        (f"/threads/{thread}/messages", {"role": "user", "content": "x"}),
        ("/assistants?x=1", NEW),
    ):
        answer = await send(api, path, body)
        assert (answer.status, answer.body["error"]["code"]) == (400, "idempotency_key_reused")
    assert replayed(await send(api, "/assistants", NEW))
    assert await assistants(api) == 1


async def test_keys_belong_to_projects(api: Api, other: Api) -> None:
    first = await send(api, "/assistants", NEW)
    second = await send(other, "/assistants", NEW)
    assert not replayed(second)
    assert first.body["id"] != second.body["id"]


async def test_refusals_are_given_again_too(api: Api) -> None:
    thread = await api.thread()
    path = f"/threads/{thread}/messages"
    first = await send(api, path, {"role": "user"})
    again = await send(api, path, {"role": "user"})
    assert (first.status, again.status, replayed(again)) == (400, 400, True)
    assert again.body == first.body
    missing = [await send(api, "/threads/thread_none", {}, key="missing") for _ in range(2)]
    assert [(answer.status, replayed(answer)) for answer in missing] == [(404, False), (404, True)]


async def test_a_request_without_a_body(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=[gate]))
    run = await api.start("Hi")
    first = await send(api, run_path(run) + "/cancel")
    await api.until(run, "cancelled")
    # Anew it would be refused: the run has ended.
    again = await send(api, run_path(run) + "/cancel")
    assert (again.status, again.body, replayed(again)) == (200, first.body, True)


async def test_a_large_body(api: Api) -> None:
    thread = await api.thread()
    message = {"role": "user", "content": [{"type": "text", "text": "x" * 250_000}] * 10}
    path = f"/threads/{thread}/messages"
    first, again = await send(api, path, message), await send(api, path, message)
    assert (first.body, replayed(again)) == (again.body, True)
    message["content"][-1] = {"type": "text", "text": "y"}
    assert (await send(api, path, message)).body["error"]["code"] == "idempotency_key_reused"
    assert len(await api.messages(thread)) == 1


@pytest.mark.parametrize("key", ["", "k" * 256])
async def test_keys_of_a_wrong_length(api: Api, key: str) -> None:
    answer = await send(api, "/assistants", NEW, key=key)
    assert (answer.status, answer.body["error"]["code"]) == (400, "invalid_idempotency_key")


async def test_odd_keys(api: Api) -> None:
    for key in ("k" * 255, "ключ".encode().decode("latin-1"), "a b\tc", "'; drop table threads; --"):
        first, again = await send(api, "/assistants", NEW, key=key), await send(api, "/assistants", NEW, key=key)
        assert (replayed(again), again.body) == (True, first.body)


async def test_only_posts_heed_it(api: Api) -> None:
    assistant = await api.assistant()
    for _ in range(2):
        answer = await api.request("GET", f"/assistants/{assistant}", headers={"idempotency-key": "k"})
        assert not replayed(answer)
    deletions = [
        await api.request("DELETE", f"/assistants/{assistant}", headers={"idempotency-key": "k"}) for _ in range(2)
    ]
    assert [answer.status for answer in deletions] == [200, 404]


# --- while the first is still being worked on


async def opened(session: aiohttp.ClientSession, server: Server, path: str, body: Json) -> aiohttp.ClientResponse:
    headers = {"authorization": f"Bearer {KEY}", "idempotency-key": "key-1"}
    return await session.post(f"{server.url}/v1{path}", json=body, headers=headers)


async def test_a_stream_is_given_again_once_it_has_ended(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["Hel", gate, "lo"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    path, body = f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": True}
    async with aiohttp.ClientSession() as session:
        first = await opened(session, server, path, body)
        # It streams: the beginning is here before the end is written.
        beginning = await first.content.readuntil(b'"Hel"')
        early = await send(api, path, body)
        assert (early.status, early.body["error"]["code"]) == (409, "idempotency_key_in_use")
        assert int(early.headers["retry-after"]) >= 1
        gate.set()
        whole = beginning + await first.read()
        again = await opened(session, server, path, body)
        assert await again.read() == whole
        assert whole.endswith(b"data: [DONE]\n\n")
        assert again.headers["idempotent-replayed"] == "true"
        assert again.headers["content-type"] == first.headers["content-type"]
        assert again.headers["openai-model"] == "scripted"
    assert [text(message) for message in await api.messages(thread)] == ["Hi", "Hello"]


async def test_a_stream_whose_client_hung_up(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["Hel", gate, "lo"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    path, body = f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": True}
    async with aiohttp.ClientSession() as session:
        first = await opened(session, server, path, body)
        await first.content.readuntil(b'"Hel"')
    gate.set()
    async with aiohttp.ClientSession() as session:
        again = await eventually(lambda: opened(session, server, path, body), lambda answer: answer.status == 200)
        assert (await again.read()).endswith(b"data: [DONE]\n\n")
    assert [text(message) for message in await api.messages(thread)] == ["Hi", "Hello"]


@pytest.mark.settings(idempotency_max_answer_bytes=1024)
async def test_an_answer_that_is_too_long_is_not_kept_and_not_made_twice(api: Api) -> None:
    path, body = "/assistants", {"model": "scripted", "instructions": "x" * 2000}
    assert (await send(api, path, body)).status == 200
    again = await send(api, path, body)
    assert (again.status, again.body["error"]["code"]) == (400, "idempotency_answer_not_kept")
    assert await assistants(api) == 1


async def test_of_twenty_at_once_one_is_done(api: Api) -> None:
    answers = await asyncio.gather(*(send(api, "/assistants", NEW) for _ in range(20)))
    assert {answer.status for answer in answers} <= {200, 409}
    assert sum(answer.status == 200 and not replayed(answer) for answer in answers) == 1
    assert len({answer.body["id"] for answer in answers if answer.status == 200}) == 1
    assert await assistants(api) == 1


# --- how keys become free


@pytest.mark.settings(idempotency_keep=0.2)
async def test_answers_are_kept_for_a_time(api: Api, server: Server) -> None:
    first = await send(api, "/assistants", NEW)
    again = await eventually(lambda: send(api, "/assistants", NEW), lambda answer: not replayed(answer))
    assert again.body["id"] != first.body["id"]


async def rows(server: Server) -> list[Any]:
    return await server.app.state.store.database.rows("select key, owner from idempotency_keys", {})


# --- what is kept


ENDPOINT = {"name": "Once", "url": "http://127.0.0.1:8999/", "event_types": ["*"]}


@pytest.mark.settings(egress_allow=["127.0.0.1"])
async def test_a_secret_that_is_shown_again_is_not_readable_in_the_database(api: Api, server: Server) -> None:
    made = [await send(api, "/webhook_endpoints", ENDPOINT, extension=True) for _ in range(2)]
    path = f"/webhook_endpoints/{made[0].body['id']}/rotate_secret"
    turned = [await send(api, path, key="key-2", extension=True) for _ in range(2)]
    for first, again in (made, turned):
        assert (again.body, replayed(again)) == (first.body, True)
    assert made[0].body["signing_secret"] != turned[0].body["signing_secret"]
    kept = await server.app.state.store.database.rows("select answer from idempotency_keys", {})
    assert len(kept) == 2
    for (answer,) in kept:
        assert b"whsec_" not in answer
        assert b"Once" not in answer


async def test_an_answer_that_was_kept_with_another_secret_key(api: Api, server: Server) -> None:
    await send(api, "/assistants", NEW)
    await server.app.state.store.database.execute("update idempotency_keys set answer = 'nonsense'", {})
    answer = await send(api, "/assistants", NEW)
    assert (answer.status, answer.body["error"]["code"]) == (400, "idempotency_answer_not_kept")
    assert await assistants(api) == 1


@pytest.mark.settings(idempotency_keep=0.01)
async def test_old_answers_are_deleted(api: Api, server: Server) -> None:
    await send(api, "/assistants", NEW)
    # The sweep does so every few seconds.
    await eventually(lambda: rows(server), lambda left: not left)


@pytest.mark.settings(run_lease=1)
async def test_the_key_of_a_server_that_died_becomes_free(api: Api, server: Server) -> None:
    await send(api, "/assistants", NEW)
    # As it stands when the server dies in mid-request.
    await server.app.state.store.database.execute(
        "update idempotency_keys set owner = 'idem_dead', claim_ends = now() + interval '1 second', status = null", {}
    )
    assert (await send(api, "/assistants", NEW)).status == 409
    answer = await eventually(lambda: send(api, "/assistants", NEW), lambda answer: answer.status != 409)
    assert (answer.status, replayed(answer)) == (200, False)


@pytest.mark.settings(run_lease=1)
async def test_a_slow_request_keeps_its_key(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(chunks=["Hel", gate, "lo"]))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    path, body = f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": True}
    database = server.app.state.store.database

    async def ends() -> Any:
        ((end, left),) = await database.rows("select claim_ends, claim_ends > now() from idempotency_keys", {})
        assert left
        return end

    async with aiohttp.ClientSession() as session:
        first = await opened(session, server, path, body)
        await first.content.readuntil(b'"Hel"')
        began = await ends()
        await eventually(ends, lambda end: (end - began).total_seconds() > 1)
        assert (await send(api, path, body)).status == 409
        gate.set()
        await first.read()


async def test_a_request_that_failed_on_us_may_be_sent_again(
    api: Api, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server.app.state.engine, "_stopping", True)
        assistant, thread = await api.assistant(), await api.thread("Hi")
        path, body = f"/threads/{thread}/runs", {"assistant_id": assistant, "stream": True}
        assert (await send(api, path, body)).status == 503
    assert await rows(server) == []


# --- uploads draw a new boundary each time


async def multipart(server: Server, boundary: str, content: str) -> tuple[int, dict[str, str]]:
    body = f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\n{content}\r\n--{boundary}--\r\n'
    headers = {
        "authorization": f"Bearer {KEY}",
        "idempotency-key": "key-1",
        "content-type": f"multipart/form-data; boundary={boundary}",
    }
    address = f"{server.url}/v1/no_such_route"
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=body.encode(), headers=headers) as response,
    ):
        await response.read()
        return response.status, dict(response.headers)


async def test_the_boundary_of_an_upload_does_not_matter(server: Server) -> None:
    content = "x" * 300_000
    assert (await multipart(server, "first-boundary", content))[0] == 404
    status, headers = await multipart(server, "second-boundary", content)
    assert (status, headers.get("idempotent-replayed")) == (404, "true")
    assert (await multipart(server, "third-boundary", content + "y"))[0] == 400
