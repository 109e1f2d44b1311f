"""What is delivered to webhook endpoints, signed, and tried again."""

from __future__ import annotations

import psycopg
import pytest

from retinue.settings import Settings

from ..contract.spec import validate
from ..harness import Api, function, serving
from ..scripted import Call, Reply, ScriptedUpstream
from ..webhooks import ENDPOINTS, RUN_EVENTS, Receiver, create, deliveries, deliveries_when, receiving, settled, unwrap

# May send to loopback; a second try comes soon.
pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"], webhook_retry_after=0.01)


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


async def test_the_deliveries_to_an_endpoint(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    await api.run()
    found = await settled(api, made, 3)
    assert [one["event"]["type"] for one in found] == [f"thread.run.{status}" for status in RUN_EVENTS]
    by_id = {one.headers["Webhook-Id"]: one for one in receiver.received}
    for one in found:
        assert one == {
            "id": one["id"],
            "object": "webhook_endpoint.delivery",
            "created_at": one["event"]["created_at"],
            "webhook_endpoint_id": made["id"],
            "status": "delivered",
            "attempts": 1,
            "last_attempt_at": one["last_attempt_at"],
            "next_attempt_at": None,
            "response_status": 204,
            "last_error": None,
            "event": one["event"],
        }
        assert unwrap(by_id[one["event"]["id"]], made["signing_secret"]).to_dict() == one["event"]
    newest = await api.call("GET", f"{ENDPOINTS}/{made['id']}/deliveries?limit=1", extension=True)
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
    ("event_types", "told"),
    [
        (["*"], RUN_EVENTS),
        (["thread.*"], RUN_EVENTS),
        (["thread.run.*", "thread.run.completed"], RUN_EVENTS),
        (["thread.run.queued", "thread.run.completed"], ["queued", "completed"]),
        (["thread.run.failed"], []),
    ],
)
async def test_only_the_events_that_are_wanted(
    api: Api, receiver: Receiver, event_types: list[str], told: list[str]
) -> None:
    made = await create(api, receiver.url, event_types)
    off = await create(api, receiver.url)
    await api.call("POST", f"{ENDPOINTS}/{off['id']}/status", {"enabled": False}, extension=True)
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
    path = f"{ENDPOINTS}/{made['id']}/deliveries/{found['id']}/retry"
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
    path = f"{ENDPOINTS}/{made['id']}"
    assert (await api.call("GET", path + "/status", extension=True))["enabled"] is False
    await api.run()
    assert len(await deliveries(api, made)) == 1
    error = await api.refused("POST", f"{path}/deliveries/{found['id']}/retry")
    assert "is disabled" in error["message"]
    await api.call("POST", path + "/status", {"enabled": True}, extension=True)
    await api.call("POST", f"{path}/deliveries/{found['id']}/retry", extension=True)
    assert (await settled(api, made, 1))[0]["status"] == "delivered"


@pytest.mark.settings(webhook_attempts=1)
async def test_an_address_that_has_become_private(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    with psycopg.connect(postgres) as connection:
        connection.execute(
            "update webhook_endpoints set body = body || jsonb_build_object('url', %s::text)",
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
    with psycopg.connect(postgres) as connection:
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
    await api.call("DELETE", f"{ENDPOINTS}/{made['id']}", extension=True)
    with psycopg.connect(postgres) as connection:
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
