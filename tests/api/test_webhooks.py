"""Webhooks: kept, signed, delivered, tried again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from aiohttp import web
from openai import InvalidWebhookSignatureError, OpenAI

from retinue.settings import Settings

from ..contract.spec import validate
from ..harness import Api, Json, function, serving
from ..scripted import Call, Reply, ScriptedUpstream

RUN_EVENTS = ["queued", "in_progress", "completed"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request that a receiver got."""

    headers: Mapping[str, str]
    body: bytes
    path: str


@dataclass
class Receiver:
    """A webhook's receiver on loopback."""

    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    #: What the next requests are answered with; then 204.
    statuses: list[int] = field(default_factory=list[int])
    #: Answers wait for it.
    open: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def handle(self, request: web.Request) -> web.Response:
        got = Received(request.headers.copy(), await request.read(), request.path)
        status = self.statuses.pop(0) if self.statuses else 204
        async with self.came:
            self.received.append(got)
            self.came.notify_all()
        await self.open.wait()
        return web.Response(status=status, headers={"location": self.url} if 300 <= status < 400 else None)

    async def until(self, number: int) -> list[Received]:
        """The requests, once there are so many."""
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.received) >= number)
        return self.received


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    receiver.open.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """May send to loopback; a second try comes soon."""
    allowed = {"egress_allow": ["127.0.0.1"], "webhook_retry_after": 0.01}
    return settings.model_copy(update=allowed | settings.model_dump(include=settings.model_fields_set & set(allowed)))


async def create(api: Api, url: str, events: list[str] | None = None, **fields: Any) -> Json:
    body = {"url": url, "events": events or ["thread.run.*"], **fields}
    return await api.call("POST", "/webhooks", body, extension=True)


async def deliveries(api: Api, webhook: Json) -> list[Json]:
    """The deliveries of a webhook, oldest first."""
    listed = await api.call("GET", f"/webhooks/{webhook['id']}/deliveries?order=asc&limit=100", extension=True)
    return listed["data"]


async def deliveries_when(api: Api, webhook: Json, condition: Callable[[list[Json]], bool]) -> list[Json]:
    """The deliveries of a webhook, as soon as they fulfil a condition."""
    async with asyncio.timeout(20):
        while True:
            found = await deliveries(api, webhook)
            if condition(found):
                return found
            await asyncio.sleep(0.01)


async def settled(api: Api, webhook: Json, number: int) -> list[Json]:
    """The deliveries of a webhook, as soon as there are so many and none is pending."""
    return await deliveries_when(
        api, webhook, lambda found: len(found) >= number and all(one["status"] != "pending" for one in found)
    )


def unwrap(received: Received, secret: str) -> Any:
    """The event, verified by the official client."""
    return OpenAI(api_key="x").webhooks.unwrap(received.body, received.headers, secret=secret)


@contextmanager
def database(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


# --- keeping webhooks


async def test_a_webhook_from_creation_to_deletion(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"], description="d", metadata={"a": "b"})
    secret = made.pop("signing_secret")
    assert secret.startswith("whsec_")
    created_at = made.pop("created_at")
    assert made == {
        "id": made["id"],
        "object": "webhook",
        "url": receiver.url,
        "events": ["thread.run.completed"],
        "enabled": True,
        "description": "d",
        "metadata": {"a": "b"},
    }
    made["created_at"] = created_at
    path = f"/webhooks/{made['id']}"
    assert await api.call("GET", path, extension=True) == made
    changed = await api.call("POST", path, {"events": ["*"], "description": None, "url": None}, extension=True)
    assert changed == made | {"events": ["*"], "description": None}
    listed = await api.call("GET", "/webhooks", extension=True)
    assert (listed["data"], listed["has_more"]) == ([changed], False)
    deleted = await api.call("DELETE", path, extension=True)
    assert deleted == {"id": made["id"], "object": "webhook.deleted", "deleted": True}
    await api.refused("GET", path, status=404)
    await api.refused("GET", path + "/deliveries", status=404)


async def test_the_secret_is_encrypted_in_the_database(
    api: Api, receiver: Receiver, postgres: str, settings: Settings
) -> None:
    secret = (await create(api, receiver.url))["signing_secret"]
    with database(postgres) as connection:
        row = connection.execute("select secret, webhooks::text from webhooks").fetchone()
    assert row
    assert secret.encode() not in row[0]
    assert secret[6:] not in row[1]
    assert (settings.data / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"url": "http://127.0.0.2/"}, "url", "address_refused"),
        ({"url": "http://10.0.0.1/hook"}, "url", "address_refused"),
        ({"url": "http://2130706433/"}, "url", "address_refused"),
        ({"url": "http://[::ffff:127.0.0.1]/"}, "url", "address_refused"),
        ({"url": "http://user:word@127.0.0.1/"}, "url", "address_refused"),
        ({"url": "ftp://127.0.0.1/"}, "url", "address_refused"),
        ({"url": "not a url"}, "url", "address_refused"),
        ({"url": "http://name.invalid/"}, "url", "address_failed"),
        ({"url": ""}, "url", "string_below_min_length"),
        ({"url": "http://127.0.0.1/" + "a" * 2048}, "url", "string_above_max_length"),
        ({"events": []}, "events", "array_below_min_length"),
        ({"events": ["thread.run.completed"] * 65}, "events", "array_above_max_length"),
        ({"events": ["thread.run.dancing"]}, "events[0]", "invalid_value"),
        ({"events": ["thread.*.queued"]}, "events[0]", "invalid_value"),
        ({"events": ["thread.run.comp*"]}, "events[0]", "invalid_value"),
        ({"events": ["moon.*"]}, "events[0]", "invalid_value"),
        ({"events": "thread.run.*"}, "events", "invalid_type"),
        ({"enabled": None}, "enabled", "invalid_type"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
    ],
)
async def test_what_a_webhook_must_not_be(api: Api, receiver: Receiver, fields: Json, param: str, code: str) -> None:
    error = await api.refused("POST", "/webhooks", {"url": receiver.url, "events": ["*"], **fields})
    assert (error["param"], error["code"]) == (param, code)
    # Nor may it become so.
    made = await create(api, receiver.url)
    if fields != {"enabled": None}:
        error = await api.refused("POST", f"/webhooks/{made['id']}", fields)
        assert (error["param"], error["code"]) == (param, code)
    assert (await api.call("GET", "/webhooks", extension=True))["data"][0]["url"] == receiver.url


@pytest.mark.settings(max_webhooks=2)
async def test_so_many_webhooks_and_no_more(api: Api, receiver: Receiver) -> None:
    first = await create(api, receiver.url)
    await create(api, receiver.url)
    error = await api.refused("POST", "/webhooks", {"url": receiver.url, "events": ["*"]})
    assert "has 2 webhooks" in error["message"]
    await api.call("DELETE", f"/webhooks/{first['id']}", extension=True)
    await create(api, receiver.url)


async def test_webhooks_of_other_projects(api: Api, other: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    delivery = (await settled(api, made, 1))[0]
    path = f"/webhooks/{made['id']}"
    for method, end, body in (
        ("GET", "", None),
        ("POST", "", {"enabled": False}),
        ("DELETE", "", None),
        ("POST", "/rotate_secret", None),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{delivery['id']}/retry", None),
    ):
        await other.refused(method, path + end, body, status=404)
    assert (await other.call("GET", "/webhooks", extension=True))["data"] == []
    # What happens in one project is told to that project only.
    theirs = await create(other, receiver.url)
    await api.run()
    await settled(api, made, 2)
    assert await deliveries(other, theirs) == []


# --- what is delivered


async def test_events_of_a_run(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    run = await api.run(assistant={"reasoning_effort": "low"}, reasoning_effort="high", metadata={"my": "run"})
    received = await receiver.until(3)
    events = {event.type: event for event in (unwrap(one, made["signing_secret"]) for one in received)}
    assert sorted(events) == sorted(f"thread.run.{status}" for status in RUN_EVENTS)
    for name, event in events.items():
        body = event.to_dict()
        assert set(body) == {"id", "object", "created_at", "type", "data"}
        assert (body["object"], body["type"]) == ("event", name)
        assert body["id"].startswith("evt_")
        validate("RunObject", body["data"])
        assert "reasoning_effort" not in body["data"]
        assert (body["data"]["id"], body["data"]["status"]) == (run["id"], name.removeprefix("thread.run."))
    assert events["thread.run.completed"].to_dict()["data"] == run
    assert len({event.id for event in events.values()}) == 3
    for one in received:
        assert one.headers["Content-Type"] == "application/json"
        assert one.headers["User-Agent"].startswith("Retinue/")
        assert one.path == "/hook"


async def test_the_deliveries_of_a_webhook(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    await api.run()
    found = await settled(api, made, 3)
    assert [one["event"]["type"] for one in found] == [f"thread.run.{status}" for status in RUN_EVENTS]
    by_id = {one.headers["Webhook-Id"]: one for one in receiver.received}
    for one in found:
        assert one == {
            "id": one["id"],
            "object": "webhook.delivery",
            "created_at": one["event"]["created_at"],
            "webhook_id": made["id"],
            "status": "delivered",
            "attempts": 1,
            "last_attempt_at": one["last_attempt_at"],
            "next_attempt_at": None,
            "response_status": 204,
            "last_error": None,
            "event": one["event"],
        }
        assert unwrap(by_id[one["event"]["id"]], made["signing_secret"]).to_dict() == one["event"]
    newest = await api.call("GET", f"/webhooks/{made['id']}/deliveries?limit=1", extension=True)
    assert (newest["data"], newest["has_more"]) == ([found[-1]], True)


async def test_every_status_is_told(api: Api, receiver: Receiver, upstream: ScriptedUpstream) -> None:
    made = await create(api, receiver.url)
    upstream.script(Reply(tool_calls=[Call("weather", {"city": "Oslo"})]))
    run = await api.run(assistant={"tools": [function("weather", city="string")]})
    assert run["status"] == "requires_action"
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}/cancel")
    await api.until(run, "cancelled")
    upstream.script(Reply(status=400, error={"message": "no"}))
    await api.run()
    upstream.script(Reply(text="a " * 300, usage=(7, 300), finish_reason="length"))
    await api.run(max_completion_tokens=256)
    types = [one["event"]["type"].removeprefix("thread.run.") for one in await settled(api, made, 11)]
    assert types == [
        *("queued", "in_progress", "requires_action", "cancelling", "cancelled"),
        *("queued", "in_progress", "failed"),
        *("queued", "in_progress", "incomplete"),
    ]


@pytest.mark.settings(run_expiry=1)
async def test_an_expired_run_is_told(api: Api, receiver: Receiver, upstream: ScriptedUpstream) -> None:
    made = await create(api, receiver.url, ["thread.run.expired"])
    upstream.script(Reply(hang=True))
    run = await api.until(await api.start(), "expired")
    event = unwrap((await receiver.until(1))[0], made["signing_secret"])
    assert event.to_dict()["data"] == run


async def test_a_streamed_run_too(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    events = await api.stream("/threads/runs", {"assistant_id": await api.assistant(), "thread": {}})
    told = {one["event"]["type"] for one in await settled(api, made, 3)}
    assert told == {event.name for event in events if event.name.removeprefix("thread.run.") in RUN_EVENTS}


@pytest.mark.parametrize(
    ("events", "told"),
    [
        (["*"], RUN_EVENTS),
        (["thread.*"], RUN_EVENTS),
        (["thread.run.*", "thread.run.completed"], RUN_EVENTS),
        (["thread.run.queued", "thread.run.completed"], ["queued", "completed"]),
        (["thread.run.failed"], []),
    ],
)
async def test_only_the_events_that_are_wanted(
    api: Api, receiver: Receiver, events: list[str], told: list[str]
) -> None:
    made = await create(api, receiver.url, events)
    off = await create(api, receiver.url, enabled=False)
    everything = await create(api, receiver.url)
    await api.run()
    await settled(api, everything, 3)
    found = await settled(api, made, len(told))
    assert [one["event"]["type"].removeprefix("thread.run.") for one in found] == told
    assert await deliveries(api, off) == []
    # One event has one id, whoever receives it.
    ids = {one["event"]["type"]: one["event"]["id"] for one in await deliveries(api, everything)}
    assert all(ids[one["event"]["type"]] == one["event"]["id"] for one in found)


async def test_what_changes_no_status_is_no_event(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    run = await api.run()
    await api.post(f"/threads/{run['thread_id']}/runs/{run['id']}", {"metadata": {"a": "b"}})
    assert len(await settled(api, made, 3)) == 3


async def test_events_of_files(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["file.*", "vector_store.*"])
    good = await api.file("Some words.")
    bad = await api.file(b"a\x00b")
    store = (await api.post("/vector_stores", {"file_ids": [good, bad]}))["id"]
    await api.settled(f"/vector_stores/{store}")
    shown = {
        **{f"file.created {file}": await api.get(f"/files/{file}") for file in (good, bad)},
        f"vector_store.file.completed {good}": await api.get(f"/vector_stores/{store}/files/{good}"),
        f"vector_store.file.failed {bad}": await api.get(f"/vector_stores/{store}/files/{bad}"),
    }
    shown[f"file.deleted {good}"] = await api.delete(f"/files/{good}")
    events = [one["event"] for one in await settled(api, made, 5)]
    assert {f"{event['type']} {event['data']['id']}": event["data"] for event in events} == shown
    assert len(events) == 5


# --- secrets


async def test_a_rotated_secret(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    old = made["signing_secret"]
    path = f"/webhooks/{made['id']}/rotate_secret"
    both = await api.call("POST", path, {"keep_old_secret_active_for_24_hours": True}, extension=True)
    middle = both.pop("signing_secret")
    assert middle != old
    assert both == {name: value for name, value in made.items() if name != "signing_secret"}
    await api.run()
    first = (await receiver.until(1))[0]
    for secret in (old, middle):
        assert unwrap(first, secret).type == "thread.run.completed"
    new = (await api.call("POST", path, extension=True))["signing_secret"]
    await api.run()
    second = (await receiver.until(2))[1]
    assert unwrap(second, new).type == "thread.run.completed"
    for secret in (old, middle):
        with pytest.raises(InvalidWebhookSignatureError):
            unwrap(second, secret)


async def test_a_forged_body(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    one = (await receiver.until(1))[0]
    with pytest.raises(InvalidWebhookSignatureError):
        unwrap(Received(one.headers, one.body.replace(b"completed", b"cancelled"), one.path), made["signing_secret"])


async def test_another_key_than_the_secret_was_encrypted_with(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    with database(postgres) as connection:
        connection.execute("update webhooks set secret = 'nonsense'")
    await api.run()
    found = await deliveries_when(api, made, lambda found: any(one["last_error"] for one in found))
    assert "encrypted with another key" in found[0]["last_error"]
    assert receiver.received == []
    # A new secret helps.
    secret = (await api.call("POST", f"/webhooks/{made['id']}/rotate_secret", extension=True))["signing_secret"]
    await settled(api, made, 1)
    assert unwrap(receiver.received[-1], secret).type == "thread.run.completed"


# --- trying again


async def test_tried_again_until_it_is_taken(api: Api, receiver: Receiver) -> None:
    receiver.statuses += [500, 302, 429]
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    (found,) = await settled(api, made, 1)
    assert (found["status"], found["attempts"], found["response_status"]) == ("delivered", 4, 204)
    assert found["last_error"] is None
    assert len(receiver.received) == 4, "a redirect was followed"
    assert {one.headers["Webhook-Id"] for one in receiver.received} == {found["event"]["id"]}
    assert len({one.body for one in receiver.received}) == 1
    for one in receiver.received:
        unwrap(one, made["signing_secret"])


@pytest.mark.settings(webhook_attempts=2)
async def test_given_up_and_tried_once_more_on_request(api: Api, receiver: Receiver) -> None:
    receiver.statuses += [500, 503, 500]
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    (found,) = await settled(api, made, 1)
    assert (found["status"], found["attempts"], found["response_status"]) == ("failed", 2, 503)
    assert found["last_error"] == "The receiver answered with status 503."
    assert found["next_attempt_at"] is None
    path = f"/webhooks/{made['id']}/deliveries/{found['id']}/retry"
    for status, answered in (("failed", 500), ("delivered", 204), ("delivered", 204)):
        before = len(receiver.received)
        again = await api.call("POST", path, extension=True)
        assert again["status"] == "pending"
        await receiver.until(before + 1)
        (found,) = await settled(api, made, 1)
        assert (found["status"], found["response_status"]) == (status, answered)
    assert found["attempts"] == 5
    await api.refused("POST", path.replace("whd_", "whx_"), status=404)


async def test_a_receiver_that_wants_no_more(api: Api, receiver: Receiver) -> None:
    receiver.statuses += [410]
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    (found,) = await settled(api, made, 1)
    assert (found["status"], found["attempts"], found["response_status"]) == ("failed", 1, 410)
    path = f"/webhooks/{made['id']}"
    assert (await api.call("GET", path, extension=True))["enabled"] is False
    await api.run()
    assert len(await deliveries(api, made)) == 1
    error = await api.refused("POST", f"{path}/deliveries/{found['id']}/retry")
    assert "is disabled" in error["message"]
    await api.call("POST", path, {"enabled": True}, extension=True)
    await api.call("POST", f"{path}/deliveries/{found['id']}/retry", extension=True)
    assert (await settled(api, made, 1))[0]["status"] == "delivered"


@pytest.mark.settings(webhook_attempts=1)
async def test_an_address_that_has_become_private(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    with database(postgres) as connection:
        connection.execute(
            "update webhooks set body = body || jsonb_build_object('url', %s::text)",
            (receiver.url.replace("127.0.0.1", "127.0.0.2"),),
        )
    await api.run()
    (found,) = await settled(api, made, 1)
    assert (found["status"], found["response_status"]) == ("failed", None)
    assert "private or reserved" in found["last_error"]
    assert receiver.received == []


@pytest.mark.settings(webhook_timeout=0.2, webhook_attempts=1)
async def test_a_receiver_that_does_not_answer(api: Api, receiver: Receiver) -> None:
    receiver.open.clear()
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    (found,) = await settled(api, made, 1)
    assert (found["status"], found["response_status"]) == ("failed", None)
    assert "did not answer in time" in found["last_error"]


async def test_a_slow_receiver_holds_up_only_itself(api: Api, receiver: Receiver) -> None:
    receiver.open.clear()
    slow = await create(api, receiver.url)
    async with receiving() as fast:
        await create(api, fast.url)
        for _ in range(6):
            await api.run()
        assert len(await fast.until(18)) == 18
    assert 0 < len(receiver.received) < 8
    receiver.open.set()
    await settled(api, slow, 18)
    assert len(receiver.received) == 18


@pytest.mark.settings(webhook_keep_days=1)
async def test_old_deliveries_are_forgotten(api: Api, receiver: Receiver, postgres: str, settings: Settings) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    await api.run()
    old, new = await settled(api, made, 2)
    with database(postgres) as connection:
        connection.execute(
            "update webhook_deliveries set body = jsonb_set(body, '{created_at}', %s::text::jsonb) where id = %s",
            (old["created_at"] - 2 * 86400, old["id"]),
        )
    # Every process does so when it starts, and then each hour.
    async with serving(settings, postgres):
        found = await deliveries_when(api, made, lambda found: len(found) == 1)
    assert [one["id"] for one in found] == [new["id"]]


async def test_deleting_a_webhook_deletes_its_deliveries(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url)
    await api.run()
    await settled(api, made, 3)
    await api.call("DELETE", f"/webhooks/{made['id']}", extension=True)
    with database(postgres) as connection:
        assert connection.execute("select count(*) from webhook_deliveries").fetchone() == (0,)


async def test_a_change_that_is_taken_back_is_not_told(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url)
    run = await api.run()
    await settled(api, made, 3)
    with psycopg.connect(postgres) as connection:
        connection.execute('update runs set body = body || \'{"status": "failed"}\' where id = %s', (run["id"],))
        count = connection.execute("select count(*) from webhook_deliveries").fetchone()
        connection.rollback()
    assert count == (4,)
    assert len(await deliveries(api, made)) == 3
