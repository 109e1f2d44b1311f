"""Spend limits: what a project may cost in a month, set by the official client, and what happens at its end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import psycopg
import pytest

from retinue.accounts import budgets
from retinue.store.accounts import DEFAULT_PROJECT

from ..harness import Answer, Api, Json, Server, eventually
from ..scripted import Reply, ScriptedUpstream
from ..webhooks import Receiver
from .books.amounts import written

#: A dollar for a token: whole dollars can be spent.
pytestmark = [pytest.mark.model_settings(input_price=1_000_000), pytest.mark.settings(egress_allow=["127.0.0.1"])]

CHAT: Json = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}]}
LIMIT = f"/organization/projects/{DEFAULT_PROJECT}/spend_limit"
MONTHLY: Json = {"currency": "USD", "interval": "month"}


@pytest.fixture
async def admin(server: Server, api: Api) -> Api:
    """A client with an admin key."""
    return api.with_key((await server.app.state.keys.create("admin", project=None))[0])


async def limited(admin: Api, cents: int) -> Json:
    """Limit the default project."""
    return await admin.call("POST", LIMIT, {**MONTHLY, "threshold_amount": cents}, extension=True)


async def asked(api: Api, status: int) -> Answer:
    """What the model answers, as soon as it is this status."""
    return await eventually(
        lambda: api.request("POST", "/chat/completions", CHAT), lambda found: found.status == status
    )


async def test_a_project_that_has_reached_its_limit_asks_no_model(
    server: Server, api: Api, admin: Api, other: Api, upstream: ScriptedUpstream
) -> None:
    upstream.default = lambda _: Reply(text="Yes.", usage=(5, 0))
    assert (await limited(admin, 500))["enforcement"] == {"status": "inactive"}
    await api.post("/chat/completions", CHAT)
    answer = await asked(api, 429)
    error = answer.body["error"]
    assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
    assert "$5.00" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after" not in answer.headers
    assert (await admin.call("GET", LIMIT, extension=True))["enforcement"] == {"status": "enforcing"}
    before = len(upstream.requests)
    for path, body in (
        ("/embeddings", {"model": "scripted", "input": "x"}),
        ("/completions", {"model": "scripted", "prompt": "x"}),
    ):
        assert (await api.request("POST", path, body)).status == 429
    run = await api.run()
    assert (run["status"], run["last_error"]["code"]) == ("failed", "rate_limit_exceeded")
    assert run["cost"] == {"value": 0.0, "currency": "usd"}
    assert len(upstream.requests) == before
    await other.post("/chat/completions", CHAT)
    await limited(admin, 100_000)
    await asked(api, 200)
    await limited(admin, 0)
    await asked(api, 429)
    await admin.call("DELETE", LIMIT, extension=True)
    await asked(api, 200)


async def test_what_was_spent_in_another_month_does_not_count(
    postgres: str, server: Server, api: Api, admin: Api, upstream: ScriptedUpstream
) -> None:
    upstream.default = lambda _: Reply(text="Yes.", usage=(5, 0))
    await limited(admin, 500)
    await api.post("/chat/completions", CHAT)
    await asked(api, 429)
    await written(server)
    with psycopg.connect(postgres) as connection:
        connection.execute("update spend_months set month = month - interval '1 month'")
    await asked(api, 200)


async def test_the_log_warns_once_in_a_month(
    postgres: str, server: Server, api: Api, admin: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    monkeypatch.setattr(budgets.log, "warning", lambda *what, **fields: said.append(fields), raising=False)
    upstream.default = lambda _: Reply(text="Yes.", usage=(4, 0))
    await limited(admin, 500)
    await api.post("/chat/completions", CHAT)
    await eventually(lambda: asyncio.sleep(0, said))
    limits = server.app.state.store.spend_limits
    others = [budgets.Budgets(limits) for _ in range(5)]
    await asyncio.gather(*(one.refresh() for one in others))
    assert said == [{"project": DEFAULT_PROJECT, "percent": 80, "limit_cents": 500}]
    with psycopg.connect(postgres) as connection:
        connection.execute("update spend_limits set warned = warned - interval '1 month'")
    await asyncio.gather(*(one.refresh() for one in others))
    assert len(said) == 2


async def test_webhook_endpoints_are_told_once_of_each(
    server: Server, api: Api, admin: Api, other: Api, receiver: Receiver, upstream: ScriptedUpstream
) -> None:
    hook = {"name": "money", "url": receiver.url, "event_types": ["project.spend_limit.*"]}
    for client in (api, other):
        await client.call("POST", "/webhook_endpoints", hook, extension=True)
    upstream.default = lambda _: Reply(text="Yes.", usage=(4, 0))
    await limited(admin, 500)
    await api.post("/chat/completions", CHAT)

    async def told(*types: str) -> dict[str, Json]:
        """What the last event of each type says, as soon as there are so many events."""
        events = [json.loads(one.body) for one in await receiver.until(len(types))]
        assert sorted(event["type"].rpartition(".")[2] for event in events) == sorted(types)
        return {event["type"].rpartition(".")[2]: event["data"] for event in events}

    assert (await told("warned"))["warned"] == {
        "object": "project.spend_limit",
        "project_id": DEFAULT_PROJECT,
        **MONTHLY,
        "threshold_amount": 500,
        "spent_amount": 400,
        "enforcement": {"status": "inactive"},
    }
    await asyncio.gather(*(server.app.state.metering.usage._budgets.refresh() for _ in range(3)))
    await api.post("/chat/completions", CHAT)
    await asked(api, 429)
    reached = (await told("warned", "reached"))["reached"]
    assert reached["spent_amount"] >= 800
    assert reached["enforcement"] == {"status": "enforcing"}
    # A new limit, a new end: what was told of the old one counts no more.
    await limited(admin, 700)
    await told("warned", "warned", "reached", "reached")


async def test_limits_by_the_official_client(server: Server) -> None:
    value, _ = await server.app.state.keys.create("admin", project=None)
    async with openai.AsyncOpenAI(
        api_key="none",
        admin_api_key=value,
        base_url=server.url + "/v1",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        limits = client.admin.organization.projects.spend_limit
        with pytest.raises(openai.NotFoundError):
            await limits.retrieve(DEFAULT_PROJECT)
        for cents in (1_000, 2_000):
            made = await limits.update(DEFAULT_PROJECT, currency="USD", interval="month", threshold_amount=cents)
            assert made.threshold_amount == cents
        assert await limits.retrieve(DEFAULT_PROJECT) == made
        assert (made.enforcement.status, made.currency, made.interval) == ("inactive", "USD", "month")
        assert (await limits.delete(DEFAULT_PROJECT)).deleted
        with pytest.raises(openai.NotFoundError):
            await limits.delete(DEFAULT_PROJECT)
        with pytest.raises(openai.NotFoundError):
            await limits.update("proj_none", currency="USD", interval="month", threshold_amount=1)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"threshold_amount": -1}, "threshold_amount"),
        ({"threshold_amount": 10**12}, "threshold_amount"),
        ({"threshold_amount": 1.5}, "threshold_amount"),
        ({"currency": "EUR"}, "currency"),
        ({"interval": "day"}, "interval"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_limits_that_make_no_sense(admin: Api, fields: Json, param: str) -> None:
    answer = await admin.request("POST", LIMIT, {**MONTHLY, "threshold_amount": 1, **fields}, extension=True)
    assert answer.status == 400
    assert answer.body["error"]["param"] == param
