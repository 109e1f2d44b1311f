"""Limits that administrators set: of projects, keys, people and models."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from retinue.accounts import quotas
from retinue.accounts.keys import Keys
from retinue.accounts.quotas import Quotas
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT

from ..browser import new_owner, signed_in
from ..harness import KEY, Answer, Api, Server, eventually, serving

LIMITS = f"/organization/projects/{DEFAULT_PROJECT}/rate_limits"
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture
async def admin(server: Server, api: Api) -> Api:
    """An administrator of the organization."""
    return api.with_key((await server.app.state.keys.create("admin", project=None))[0])


@pytest.fixture(autouse=True)
def limits_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For so long that whoever knows of a change has been told of it."""
    monkeypatch.setattr(quotas, "_BELIEVED", 600.0)


async def listens(server: Server) -> None:
    """Wait until a server hears of changes: before, it believes nothing."""

    async def heard() -> bool:
        return server.app.state.store.notices.heard

    await eventually(heard)


async def in_force(server: Server) -> None:
    """Wait until a server knows the limits that were set last."""
    service, rows = server.app.state.limits._quotas, server.app.state.store.limit_rows
    wanted = Quotas.of_settings(server.app.state.settings).changed(await rows.of(DEFAULT_PROJECT))
    await eventually(lambda: service.of(DEFAULT_PROJECT), lambda known: known == wanted)


async def new_key(server: Server) -> tuple[str, str]:
    """A further key of the default project, and its id."""
    keys: Keys = server.app.state.keys
    value, row = await keys.create("further")
    return value, row.id


async def ask(api: Api) -> Answer:
    return await api.request("POST", "/chat/completions", CHAT)


async def passes(api: Api, requests: int) -> list[int]:
    """How so many requests are answered."""
    return [(await ask(api)).status for _ in range(requests)]


async def set_limits(admin: Api, model: str = "*", **limits: Any) -> dict[str, Any]:
    return await admin.call("POST", f"{LIMITS}/rl-{model}", limits, extension=True)


async def test_by_the_official_client(server: Server, admin: Api, api: Api) -> None:
    key = (await server.app.state.keys.create("admin", project=None))[0]
    client = openai.AsyncOpenAI(api_key=KEY, admin_api_key=key, base_url=server.url + "/v1", max_retries=0)
    async with client:
        limits = client.admin.organization.projects.rate_limits
        every, *models = [one async for one in await limits.list_rate_limits(DEFAULT_PROJECT)]
        assert (every.id, every.model, every.max_requests_per_1_minute) == ("rl-*", "*", 1_000_000)
        assert "scripted" in [one.model for one in models]
        assert {one.max_tokens_per_1_minute for one in models} == {1_000_000_000}
        changed = await limits.update_rate_limit("rl-*", project_id=DEFAULT_PROJECT, max_requests_per_1_minute=2)
        assert changed.max_requests_per_1_minute == 2
        assert changed.max_tokens_per_1_minute == 1_000_000_000
        assert changed.max_requests_per_1_day is None
        # A model without limits of its own has those of all models.
        of_model = await limits.update_rate_limit("rl-scripted", project_id=DEFAULT_PROJECT, max_requests_per_1_day=7)
        assert (of_model.max_requests_per_1_minute, of_model.max_requests_per_1_day) == (2, 7)
        listed = [one async for one in await limits.list_rate_limits(DEFAULT_PROJECT, limit=1)]
        assert [one.id for one in listed] == ["rl-*", *sorted(one.id for one in models)]
        assert next(one for one in listed if one.model == "scripted") == of_model
        await eventually(lambda: passes(api, 3), lambda answers: answers[-1] == 429)


async def test_a_change_counts_at_once_and_can_be_taken_back(server: Server, admin: Api, api: Api) -> None:
    await listens(server)
    assert (await ask(api)).status == 200
    await set_limits(admin, max_requests_per_1_minute=3)
    await in_force(server)
    answer = await ask(api)
    # What was asked for before has flowed back at the old rate, and what was taken ahead was put back.
    assert answer.headers["x-ratelimit-limit-requests"] == "3"
    assert answer.headers["x-ratelimit-remaining-requests"] == "2"
    assert await passes(api, 3) == [200, 200, 429]
    await set_limits(admin, max_requests_per_1_minute=None)
    await eventually(lambda: ask(api), lambda answer: answer.status == 200)


@pytest.mark.settings(key_requests_per_minute=2)
async def test_each_key_has_a_bucket_of_its_own(server: Server, api: Api) -> None:
    value, identifier = await new_key(server)
    second = api.with_key(value)
    assert await passes(api, 3) == [200, 200, 429]
    assert await passes(second, 3) == [200, 200, 429]
    answer = await ask(second)
    assert answer.body["error"]["message"].startswith(
        f"Rate limit reached for API key {identifier} on requests per minute: Limit 2, Used 2, Requested 1."
    )
    assert answer.headers["x-ratelimit-limit-requests"] == "2"


@pytest.mark.settings(requests_per_day=3, key_requests_per_minute=2)
async def test_what_a_key_is_refused_costs_its_project_nothing(server: Server, api: Api) -> None:
    value, _ = await new_key(server)
    assert await passes(api, 5) == [200, 200, 429, 429, 429]
    answer = await ask(api.with_key(value))
    assert answer.status == 200
    assert answer.headers["x-ratelimit-limit-requests"] == "3"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    refused = await ask(api.with_key(value))
    assert "for project proj_default on requests per day: Limit 3" in refused.body["error"]["message"]
    assert 20_000 < int(refused.headers["retry-after"]) <= 28_800


@pytest.mark.settings(tokens_per_day=1000)
async def test_tokens_of_a_day(api: Api) -> None:
    answer = await api.request("POST", "/chat/completions", CHAT | {"max_completion_tokens": 1000})
    assert answer.status == 429
    assert "on tokens per day: Limit 1000" in answer.body["error"]["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-ratelimit-limit-tokens"] == "1000"


async def test_a_person_has_one_bucket_for_all_sessions(server: Server, api: Api, admin: Api) -> None:
    await set_limits(admin, each_user={"max_requests_per_1_day": 2})
    await in_force(server)
    ada, bob = await new_owner(server, "ada"), await new_owner(server, "bob")
    other = await server.app.state.store.accounts.add_project("Other")
    async with signed_in(server, ada) as one, signed_in(server, ada) as two, signed_in(server, bob) as bobs:
        assert (await one.api("POST", "/chat/completions", CHAT))[0] == 200
        # A run is another call of the same person.
        assistant = await api.assistant()
        body = {"assistant_id": assistant, "thread": {"messages": CHAT["messages"]}}
        status, run = await two.api("POST", "/threads/runs", body)
        assert (status, (await api.until(run))["status"]) == (200, "completed")
        for browser in (one, two):
            status, answer = await browser.api("POST", "/chat/completions", CHAT)
            message = f"Rate limit reached for user {ada} on requests per day: Limit 2, Used 2"
            assert (status, answer["error"]["message"][: len(message)]) == (429, message)
        status, run = await two.api("POST", "/threads/runs", body)
        assert (await api.until(run))["last_error"]["code"] == "rate_limit_exceeded"
        # Another person, another project, and keys are not concerned.
        assert (await bobs.api("POST", "/chat/completions", CHAT))[0] == 200
        elsewhere = {"openai-project": other.id}
        assert (await one.api("POST", "/chat/completions", CHAT, **elsewhere))[0] == 200
        assert await passes(api, 3) == [200] * 3


async def test_a_model_has_a_bucket_of_its_own(server: Server, admin: Api, api: Api) -> None:
    await set_limits(admin, "scripted", max_requests_per_1_day=1)
    await in_force(server)
    assert await passes(api, 2) == [200, 429]
    answer = await ask(api)
    assert "for model scripted in proj_default on requests per day" in answer.body["error"]["message"]
    assert answer.headers["x-ratelimit-limit-requests"] == "1"
    # By another way it is the same model.
    body = {"model": "scripted", "input": "text"}
    assert (await api.request("POST", "/embeddings", body)).status == 429


async def test_other_servers_hear_of_a_change(
    server: Server, admin: Api, api: Api, postgres: str, settings: Settings
) -> None:
    async with serving(settings, postgres) as second:
        elsewhere = api.at(second.url)
        await asyncio.gather(listens(server), listens(second))
        assert (await ask(elsewhere)).status == 200
        await set_limits(admin, max_requests_per_1_day=2)
        await asyncio.gather(in_force(server), in_force(second))
        assert (await ask(api)).status == 200
        assert (await ask(elsewhere)).status in (200, 429)
        assert await passes(elsewhere, 2) == [429, 429]


@pytest.mark.parametrize(
    ("model", "body", "status", "param"),
    [
        ("*", {"max_requests_per_1_minute": 0}, 400, "max_requests_per_1_minute"),
        ("*", {"max_requests_per_1_minute": -1}, 400, "max_requests_per_1_minute"),
        ("*", {"max_requests_per_1_minute": 10**13}, 400, "max_requests_per_1_minute"),
        ("*", {"max_requests_per_1_minute": 10**30}, 400, "max_requests_per_1_minute"),
        ("*", {"max_requests_per_1_minute": "3"}, 400, "max_requests_per_1_minute"),
        ("*", {"max_images_per_1_minute": 3}, 400, "max_images_per_1_minute"),
        ("*", {"each_key": {"max_storage_bytes": 3}}, 400, "each_key.max_storage_bytes"),
        ("*", {"each_key": 3}, 400, "each_key"),
        ("scripted", {"max_storage_bytes": 3}, 400, "max_storage_bytes"),
        ("nothing", {"max_requests_per_1_minute": 3}, 404, None),
    ],
)
async def test_limits_that_make_no_sense(admin: Api, model: str, body: Any, status: int, param: str | None) -> None:
    error = await admin.refused("POST", f"{LIMITS}/rl-{model}", body, status=status)
    assert error["param"] == param


async def test_limits_of_what_is_not_there(admin: Api) -> None:
    path = "/organization/projects/proj_none/rate_limits"
    await admin.refused("GET", path, status=404)
    await admin.refused("POST", path + "/rl-*", {"max_requests_per_1_minute": 1}, status=404)
    await admin.refused("POST", f"{LIMITS}/scripted", {}, status=404)
    await admin.refused("GET", f"{LIMITS}?after=rl-none", status=404)
    await admin.refused("GET", f"{LIMITS}?limit=0")


async def test_pages(admin: Api) -> None:
    every = [one["id"] for one in (await admin.call("GET", LIMITS, extension=True))["data"]]
    assert len(every) > 2
    first = await admin.call("GET", f"{LIMITS}?limit=2", extension=True)
    assert ([one["id"] for one in first["data"]], first["has_more"]) == (every[:2], True)
    second = await admin.call("GET", f"{LIMITS}?after={every[1]}", extension=True)
    assert ([one["id"] for one in second["data"]], second["has_more"]) == (every[2:], False)
    before = await admin.call("GET", f"{LIMITS}?before={every[2]}&limit=1", extension=True)
    assert ([one["id"] for one in before["data"]], before["has_more"]) == (every[1:2], True)


async def test_only_administrators_see_and_set_them(api: Api) -> None:
    await api.refused("GET", LIMITS, status=403)
    await api.refused("POST", f"{LIMITS}/rl-*", {"max_requests_per_1_minute": 1}, status=403)


@pytest.mark.settings(requests_per_day=2000)
async def test_few_requests_ask_the_database(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    buckets = server.app.state.store.rate_buckets
    asked: list[int] = []
    take = buckets.take

    async def counted(wanted: Any, **options: Any) -> Any:
        if not options.get("owed"):
            asked.append(len(wanted))
        return await take(wanted, **options)

    monkeypatch.setattr(server.app.state.limits, "_buckets", type("Counted", (), {"take": staticmethod(counted)})())
    answers = await asyncio.gather(*(ask(api) for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    # Half a per cent of the limit is ten; on a slow machine some may be put back in between.
    assert len(asked) <= 12
    assert min(int(answer.headers["x-ratelimit-remaining-requests"]) for answer in answers) == 1950
