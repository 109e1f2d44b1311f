"""Webhook endpoints: made, changed, given new secrets, tried out, kept apart."""

from __future__ import annotations

import psycopg
import pytest
from openai import InvalidWebhookSignatureError
from openai.types.admin.organization.projects import ProjectSpendLimit

from retinue.settings import Settings
from retinue.wire.agents import Agent

from ..contract.spec import validate
from ..harness import Api, Json
from ..webhooks import (
    ENDPOINTS,
    Received,
    Receiver,
    create,
    deliveries,
    deliveries_when,
    settled,
    unwrap,
)

# May send to loopback; a second try comes soon.
pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"], webhook_retry_after=0.01)

#: What every new endpoint says of itself, beside its address.
WHOLE = {"name": "Test", "event_types": ["*"]}
#: The official object of each type of event, as the document names it.
SCHEMAS = {"thread.run": "RunObject", "file": "OpenAIFile", "vector_store.file": "VectorStoreFileObject"}


async def made_long_ago(postgres: str, endpoint: Json) -> None:
    """Set the times of an endpoint back by a day."""
    for name in ("created_at", "updated_at"):
        endpoint[name] -= 86_400
    times = psycopg.types.json.Jsonb({name: endpoint[name] for name in ("created_at", "updated_at")})
    async with await psycopg.AsyncConnection.connect(postgres) as connection:
        await connection.execute(
            "update webhook_endpoints set body = body || %s where id = %s", (times, endpoint["id"])
        )


# --- keeping endpoints


async def test_an_endpoint_from_creation_to_deletion(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    secret = made.pop("signing_secret")
    assert secret.startswith("whsec_")
    assert made == {
        "id": made["id"],
        "object": "webhook_endpoint",
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "name": "Test",
        "url": receiver.url,
        "event_types": ["thread.run.completed"],
        "signing_secret_hint": f"whsec_...{secret[-4:]}",
    }
    path = f"{ENDPOINTS}/{made['id']}"
    assert await api.call("GET", path, extension=True) == made
    await made_long_ago(postgres, made)
    unchanged = await api.call("POST", path, {"name": "Test", "url": None}, extension=True)
    assert unchanged == made
    changed = await api.call("POST", path, {"event_types": ["*"], "name": "New"}, extension=True)
    assert changed == made | {"event_types": ["*"], "name": "New", "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > made["updated_at"]
    listed = await api.call("GET", ENDPOINTS, extension=True)
    assert (listed["data"], listed["has_more"]) == ([changed], False)
    deleted = await api.call("DELETE", path, extension=True)
    assert deleted == {"id": made["id"], "object": "webhook_endpoint.deleted", "deleted": True}
    await api.refused("GET", path, status=404)
    await api.refused("GET", path + "/deliveries", status=404)


async def test_the_status_of_an_endpoint(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    path = f"{ENDPOINTS}/{made['id']}"
    status = {"object": "webhook_endpoint.status", "webhook_endpoint_id": made["id"], "enabled": True}
    assert await api.call("GET", path + "/status", extension=True) == status
    for enabled in (False, True):
        told = await api.call("POST", path + "/status", {"enabled": enabled}, extension=True)
        assert told == status | {"enabled": enabled}
        assert await api.call("GET", path + "/status", extension=True) == told
    shown = await api.call("GET", path, extension=True)
    assert shown == {name: value for name, value in made.items() if name != "signing_secret"}
    for body in ({}, {"enabled": None}, {"enabled": "no"}):
        await api.refused("POST", path + "/status", body)


async def test_the_secret_is_encrypted_in_the_database(
    api: Api, receiver: Receiver, postgres: str, settings: Settings
) -> None:
    secret = (await create(api, receiver.url))["signing_secret"]
    with psycopg.connect(postgres) as connection:
        row = connection.execute("select secret, webhook_endpoints::text from webhook_endpoints").fetchone()
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
        ({"event_types": []}, "event_types", "array_below_min_length"),
        ({"event_types": ["thread.run.completed"] * 65}, "event_types", "array_above_max_length"),
        ({"event_types": ["thread.run.dancing"]}, "event_types[0]", "invalid_value"),
        ({"event_types": ["thread.*.queued"]}, "event_types[0]", "invalid_value"),
        ({"event_types": ["thread.run.comp*"]}, "event_types[0]", "invalid_value"),
        ({"event_types": ["moon.*"]}, "event_types[0]", "invalid_value"),
        ({"event_types": "thread.run.*"}, "event_types", "invalid_type"),
        ({"name": ""}, "name", "string_below_min_length"),
        ({"name": "n" * 257}, "name", "string_above_max_length"),
        ({"name": 7}, "name", "invalid_type"),
        ({"event_types": ["response.completed"]}, "event_types[0]", "invalid_value"),
        ({"enabled": False}, "enabled", "unknown_parameter"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
    ],
)
async def test_what_an_endpoint_must_not_be(api: Api, receiver: Receiver, fields: Json, param: str, code: str) -> None:
    error = await api.refused("POST", ENDPOINTS, {**WHOLE, "url": receiver.url, **fields})
    assert (error["param"], error["code"]) == (param, code)
    # Nor may it become so.
    made = await create(api, receiver.url)
    error = await api.refused("POST", f"{ENDPOINTS}/{made['id']}", fields)
    assert (error["param"], error["code"]) == (param, code)
    assert (await api.call("GET", ENDPOINTS, extension=True))["data"][0]["url"] == receiver.url


@pytest.mark.settings(max_webhooks=2)
async def test_so_many_endpoints_and_no_more(api: Api, receiver: Receiver) -> None:
    first = await create(api, receiver.url)
    await create(api, receiver.url)
    error = await api.refused("POST", ENDPOINTS, {**WHOLE, "url": receiver.url})
    assert "has 2 webhook endpoints" in error["message"]
    await api.call("DELETE", f"{ENDPOINTS}/{first['id']}", extension=True)
    await create(api, receiver.url)


async def test_endpoints_of_other_projects(api: Api, other: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    await api.run()
    delivery = (await settled(api, made, 1))[0]
    path = f"{ENDPOINTS}/{made['id']}"
    for method, end, body in (
        ("GET", "", None),
        ("POST", "", {"name": "Theirs"}),
        ("DELETE", "", None),
        ("POST", "/rotate_secret", None),
        ("POST", "/test", {"event_type": "file.created"}),
        ("GET", "/status", None),
        ("POST", "/status", {"enabled": False}),
        ("GET", "/deliveries", None),
        ("POST", f"/deliveries/{delivery['id']}/retry", None),
    ):
        await other.refused(method, path + end, body, status=404)
    assert (await other.call("GET", ENDPOINTS, extension=True))["data"] == []
    # What happens in one project is told to that project only.
    theirs = await create(other, receiver.url)
    await api.run()
    await settled(api, made, 2)
    assert await deliveries(other, theirs) == []


# --- secrets


async def test_a_rotated_secret(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url, ["thread.run.completed"])
    old = made["signing_secret"]
    path = f"{ENDPOINTS}/{made['id']}/rotate_secret"
    await made_long_ago(postgres, made)
    both = await api.call("POST", path, {"keep_old_secret_active_for_24_hours": True}, extension=True)
    middle = both.pop("signing_secret")
    assert middle != old
    assert both == {
        **{name: value for name, value in made.items() if name != "signing_secret"},
        "signing_secret_hint": f"whsec_...{middle[-4:]}",
        "updated_at": both["updated_at"],
    }
    assert both["updated_at"] > made["updated_at"]
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
    with psycopg.connect(postgres) as connection:
        connection.execute("update webhook_endpoints set secret = 'nonsense'")
    await api.run()
    found = await deliveries_when(api, made, lambda found: any(one["last_error"] for one in found))
    assert "encrypted with another key" in found[0]["last_error"]
    assert receiver.received == []
    error = await api.refused("POST", f"{ENDPOINTS}/{made['id']}/test", {"event_type": "file.created"})
    assert "encrypted with another key" in error["message"]
    # A new secret helps.
    secret = (await api.call("POST", f"{ENDPOINTS}/{made['id']}/rotate_secret", extension=True))["signing_secret"]
    await settled(api, made, 1)
    assert unwrap(receiver.received[-1], secret).type == "thread.run.completed"


# --- trying an endpoint out


async def test_a_sample_of_every_type_of_event(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url, ["file.created"])
    types = (await api.call("GET", "/webhook_event_types", extension=True))["data"]
    assert len(types) >= 13
    for event_type in types:
        result = await api.call("POST", f"{ENDPOINTS}/{made['id']}/test", {"event_type": event_type}, extension=True)
        assert result == {
            "object": "webhook_endpoint.test",
            "webhook_endpoint_id": made["id"],
            "event_type": event_type,
            "status_code": 204,
            "success": True,
        }
        event = unwrap(receiver.received[-1], made["signing_secret"]).to_dict()
        assert event["type"] == event_type
        subject, status = event_type.rsplit(".", 1)
        if event_type == "file.deleted":
            assert event["data"] == {"id": event["data"]["id"], "object": "file", "deleted": True}
        elif subject == "project.spend_limit":
            # The official document has no such object; the client has.
            limit = {name: value for name, value in event["data"].items() if name not in ("project_id", "spent_amount")}
            ProjectSpendLimit.model_validate(limit, strict=True)
            assert limit["enforcement"]["status"] == ("enforcing" if status == "reached" else "inactive")
        else:
            if subject == "agent":
                Agent.model_validate(event["data"], strict=True)
            else:
                validate(SCHEMAS[subject], event["data"])
            if subject != "file":
                assert event["data"]["status"] == status
    assert len(set(receiver.ids)) == len(types)
    assert await deliveries(api, made) == []


async def test_a_test_tells_whatever_the_receiver_answers(api: Api, receiver: Receiver) -> None:
    made = await create(api, receiver.url)
    path = f"{ENDPOINTS}/{made['id']}"
    await api.call("POST", path + "/status", {"enabled": False}, extension=True)
    for status in (500, 302, 410, 200):
        receiver.statuses.append(status)
        result = await api.call("POST", path + "/test", {"event_type": "file.created"}, extension=True)
        assert result["status_code"] == status
    assert len(receiver.received) == 4
    await api.call("POST", path + "/status", {"enabled": True}, extension=True)
    receiver.statuses.append(410)
    await api.call("POST", path + "/test", {"event_type": "file.created"}, extension=True)
    assert (await api.call("GET", path + "/status", extension=True))["enabled"] is True


@pytest.mark.settings(webhook_timeout=0.2)
async def test_a_test_that_is_not_answered(api: Api, receiver: Receiver, postgres: str) -> None:
    made = await create(api, receiver.url)
    path = f"{ENDPOINTS}/{made['id']}/test"
    receiver.open.clear()
    error = await api.refused("POST", path, {"event_type": "file.created"})
    assert (error["code"], "did not answer in time" in error["message"]) == ("address_failed", True)
    with psycopg.connect(postgres) as connection:
        connection.execute('update webhook_endpoints set body = body || \'{"url": "http://127.0.0.2/"}\'')
    error = await api.refused("POST", path, {"event_type": "file.created"})
    assert error["code"] == "address_refused"


@pytest.mark.parametrize("event_type", ["thread.run.*", "*", "response.completed", "", None])
async def test_a_test_needs_a_type_of_event(api: Api, receiver: Receiver, event_type: str | None) -> None:
    made = await create(api, receiver.url)
    error = await api.refused("POST", f"{ENDPOINTS}/{made['id']}/test", {"event_type": event_type})
    assert error["param"] == "event_type"
    assert receiver.received == []
