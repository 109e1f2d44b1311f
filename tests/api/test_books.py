"""The books: what everybody used and what it cost, to the nano-dollar, by the official administration client."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import openai
import psycopg
import pytest

from retinue.accounts.keys import Keys
from retinue.model_settings import ModelSettings
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT

from ..harness import Api, Json, Server, eventually, function, run_path, serving
from ..indexing import index
from ..scripted import Call, Reply, ScriptedUpstream

NANO = 10**9
DAY = 86_400
#: Dollars for a million tokens in and out.
PRICES = {"scripted": ("0.137", "1.9991"), "dear": ("13.000000007", "77.77777"), "vectors": ("0.0213", "0")}
SESSION, FILE_SEARCH = "0.0333", "0.002500001"


def nano(price: str, count: int = 1) -> Fraction:
    """The price of so much, in nano-dollars."""
    return Fraction(price) * NANO * count


def priced(model: str, prompt: int, completion: int) -> int:
    """What one call costs."""
    into, out = PRICES[model]
    return int((nano(into, prompt) + nano(out, completion)) / 10**6 + Fraction(1, 2))


@pytest.fixture
def settings(settings: Settings, upstream: ScriptedUpstream) -> Settings:
    """Models with odd prices."""
    models = {
        name: ModelSettings.model_validate(
            {"base_url": upstream.base_url, "retries": 0, "input_price": into, "output_price": out}
        )
        for name, (into, out) in PRICES.items()
    }
    changed = {"models": models, "default_embedding_model": "vectors", "whole_files_tokens": 0}
    prices = {"code_session_price": SESSION, "file_search_price": FILE_SEARCH}
    return Settings.model_validate({**settings.model_dump(), **changed, **prices})


@pytest.fixture
def keys(server: Server) -> Keys:
    return server.app.state.keys


@pytest.fixture
async def admin(server: Server, keys: Keys) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client, which takes answers at their word."""
    value, _ = await keys.create("admin", project=None)
    async with openai.AsyncOpenAI(
        api_key="none",
        admin_api_key=value,
        base_url=server.url + "/v1",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture
async def admin_api(api: Api, keys: Keys) -> Api:
    """The bare client with an admin key."""
    return api.with_key((await keys.create("admin", project=None))[0])


async def written(server: Server) -> None:
    """Everything that was used is in the database."""
    usage = server.app.state.metering.usage
    await eventually(lambda: asyncio.sleep(0, not usage._waiting and not usage._batch))


def today() -> int:
    """Some time before all tests, that is early enough whatever midnight does meanwhile."""
    return int(time.time()) // DAY * DAY - DAY


def exact(value: Any) -> int:
    """An amount in nano-dollars."""
    assert value.currency == "usd"
    return round(value.value * NANO)


async def call(method: Any, **params: Any) -> list[Any]:
    """All results of all buckets since yesterday."""
    page = await method(start_time=today(), **params)
    assert not page.has_more
    return [result for bucket in page.data for result in bucket.results]


class Load:
    """A mixed load, and what its answers say of it."""

    def __init__(self, api: Api, keys: dict[str, tuple[str, str]]) -> None:
        #: From a key to its id and its project.
        self.keys = keys
        self.api = api
        self.tokens: Counter[tuple[str, str, str, str]] = Counter()
        self.calls: Counter[tuple[str, str, str]] = Counter()
        self.cost: Counter[tuple[str, str, str]] = Counter()

    def note(self, key: str, model: str, usage: Json, cost: int | None = None) -> None:
        """Take down what an answer says."""
        identifier, project = self.keys[key]
        place = (project, identifier, model)
        prompt, completion = usage["prompt_tokens"], usage.get("completion_tokens", 0)
        self.tokens[(*place, "in")] += prompt
        self.tokens[(*place, "out")] += completion
        self.calls[place] += 1
        self.cost[place] += priced(model, prompt, completion) if cost is None else cost

    async def chat(self, key: str, model: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        self.note(key, model, (await self.api.with_key(key).post("/chat/completions", body))["usage"])

    async def streamed(self, key: str, model: str) -> None:
        body = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
        told = await self.api.with_key(key).chunks(
            "/chat/completions", {**body, "stream_options": {"include_usage": True}}
        )
        self.note(key, model, told[-1]["usage"])

    async def embedded(self, key: str, model: str) -> None:
        answer = await self.api.with_key(key).post("/embeddings", {"model": "vectors", "input": "Some words " * 9})
        self.note(key, "vectors", answer["usage"])

    async def ran(self, key: str, model: str) -> None:
        """A run with a tool: two calls of the model, and each step tells of one."""
        client = self.api.with_key(key)
        run = await client.run(assistant={"tools": [function("weather")], "model": model}, metadata={"tool": "yes"})
        assert run["cost"] is None
        call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
        outputs = {"tool_outputs": [{"tool_call_id": call, "output": "rain"}]}
        await client.post(f"{run_path(run)}/submit_tool_outputs", outputs)
        run = await client.until(run, "completed")
        steps = [step["usage"] for step in await client.steps(run)]
        assert len(steps) == 2
        for usage in steps:
            self.note(key, model, usage)
        costs = [priced(model, usage["prompt_tokens"], usage["completion_tokens"]) for usage in steps]
        assert run["cost"] == {"value": sum(costs) / NANO, "currency": "usd"}
        assert sum(usage["total_tokens"] for usage in steps) == run["usage"]["total_tokens"]


async def test_a_mixed_load_adds_up_to_the_nano_dollar(
    server: Server, api: Api, keys: Keys, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    rng = random.Random(11)

    def reply(request: Json) -> Reply:
        usage = (rng.randrange(1, 5_000), rng.randrange(1, 5_000))
        if "tools" in request and request["messages"][-1]["role"] != "tool":
            return Reply(tool_calls=[Call("weather")], usage=usage)
        return Reply(text="Yes.", usage=usage)

    upstream.default = reply
    second = await server.app.state.store.accounts.add_project("Second")
    made = [await keys.create("one"), await keys.create("two"), await keys.create("three", project=second.id)]
    load = Load(api, {value: (row.id, row.project or "") for value, row in made})
    kinds = [load.chat, load.streamed, load.embedded, load.ran]
    await asyncio.gather(
        *(kinds[number % 4](rng.choice(list(load.keys)), rng.choice(["scripted", "dear"])) for number in range(48))
    )
    await written(server)
    usage = admin.admin.organization.usage
    by_all: Any = ["project_id", "api_key_id", "model"]
    found: Counter[tuple[str, str, str, str]] = Counter()
    calls: Counter[tuple[str, str, str]] = Counter()
    for one in await call(usage.completions, group_by=by_all) + await call(usage.embeddings, group_by=by_all):
        place = (one.project_id, one.api_key_id, one.model)
        found[(*place, "in")] += one.input_tokens
        found[(*place, "out")] += getattr(one, "output_tokens", 0)
        calls[place] += one.num_model_requests
    assert found == load.tokens
    assert calls == load.calls
    by_item: Any = ["project_id", "api_key_id", "line_item"]
    costs: Counter[tuple[str, str, str]] = Counter()
    for one in await call(usage.costs, group_by=by_item):
        costs[one.project_id, one.api_key_id, one.line_item] += exact(one.amount)
        assert one.quantity == sum(
            load.tokens[one.project_id, one.api_key_id, one.line_item, way] for way in ("in", "out")
        )
        assert one.quantity_unit == "tokens"
    assert costs == load.cost
    assert min(costs.values()) > 0
    for field, index_ in (("project_id", 0), ("line_item", 2)):
        fields: Any = [field]
        sums: Counter[str] = Counter()
        for one in await call(usage.costs, group_by=fields):
            sums[getattr(one, field)] += exact(one.amount)
        expected: Counter[str] = Counter()
        for place, cost in load.cost.items():
            expected[place[index_]] += cost
        assert sums == expected
    assert sum(exact(one.amount) for one in await call(usage.costs)) == sum(load.cost.values())


async def test_a_run_is_known_by_its_assistant_thread_and_key(
    postgres: str, server: Server, api: Api, upstream: ScriptedUpstream
) -> None:
    upstream.script(Reply(text="Yes.", usage=(10, 20)))
    run = await api.run()
    await written(server)
    with psycopg.connect(postgres) as connection:
        rows = connection.execute(
            "select assistant_id, thread_id, run_id, key_id = (select id from api_keys where name = 'first key'), cost "
            "from usage_records"
        ).fetchall()
    assert rows == [(run["assistant_id"], run["thread_id"], run["id"], True, priced("scripted", 10, 20))]


async def test_what_ended_a_run_does_not_hide_its_cost(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("weather")], usage=(1_000, 100)))
    run = await api.run(assistant={"tools": [function("weather")]})
    cancelled = await api.post(run_path(run) + "/cancel")
    assert cancelled["cost"] == {"value": priced("scripted", 1_000, 100) / NANO, "currency": "usd"}
    upstream.script(Reply(tool_calls=[Call("weather")], usage=(1_000, 100)))
    run = await api.run(assistant={"tools": [function("weather")]})
    upstream.script(Reply(status=400))
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    outputs = {"tool_outputs": [{"tool_call_id": call, "output": "rain"}]}
    await api.post(f"{run_path(run)}/submit_tool_outputs", outputs)
    assert (await api.until(run, "failed"))["cost"] == cancelled["cost"]


@pytest.mark.settings(serve_worker=False)
async def test_searches_in_files_are_counted_by_key(
    server: Server, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    store = await api.post("/vector_stores", {"file_ids": [await api.file("The kestrel eats voles.")]})
    await index(server)
    for _ in range(2):
        await api.post(f"/vector_stores/{store['id']}/search", {"query": "kestrel"})
    await api.refused("POST", "/vector_stores/vs_none/search", {"query": "kestrel"}, status=404)
    upstream.script(
        Reply(tool_calls=[Call("file_search", {"queries": ["kestrel"]})], usage=(10, 20)),
        Reply(text="Voles.", usage=(30, 40)),
    )
    assistant = {
        "tools": [{"type": "file_search"}],
        "tool_resources": {"file_search": {"vector_store_ids": [store["id"]]}},
    }
    body = {"assistant_id": await api.assistant(**assistant)}
    events = await api.stream(f"/threads/{await api.thread('What do kestrels eat?')}/runs", body)
    run = await api.get(run_path(next(event.data for event in events if event.name == "thread.run.completed")))
    models = priced("scripted", 10, 20) + priced("scripted", 30, 40)
    assert round(run["cost"]["value"] * NANO) == models + round(nano(FILE_SEARCH))
    await written(server)
    usage = admin.admin.organization.usage
    (found,) = await call(usage.file_search_calls, group_by=["api_key_id"])
    assert found.num_requests == 3
    assert found.api_key_id.startswith("key_")
    costs = {one.line_item: one for one in await call(usage.costs, group_by=["line_item"])}
    assert exact(costs["file search"].amount) == 3 * round(nano(FILE_SEARCH))
    assert costs["file search"].quantity == 3
    assert await call(usage.file_search_calls, project_ids=["proj_none"]) == []


async def test_embedding_for_searches_is_on_the_books(
    server: Server, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    store = (await api.post("/vector_stores", {"file_ids": [await api.file("The kestrel eats voles.")]}))["id"]
    await api.settled(f"/vector_stores/{store}")
    for _ in range(2):
        await api.post(f"/vector_stores/{store}/search", {"query": "kestrel"})
    await written(server)
    # The file, and the query, which is known the second time. What cosines are compared with is on nobody's books.
    assert len(upstream.embedded) == 3
    usage = admin.admin.organization.usage
    (found,) = await call(usage.embeddings, group_by=["model"])
    assert (found.model, found.num_model_requests, found.input_tokens) == ("vectors", 2, 2)
    by_key = await call(usage.embeddings, group_by=["api_key_id"])
    assert sorted(bool(one.api_key_id) for one in by_key) == [False, True]
    costs = {one.line_item: exact(one.amount) for one in await call(usage.costs, group_by=["line_item"])}
    assert costs["vectors"] == 2 * priced("vectors", 1, 0) > 0


async def test_code_of_a_thread_is_one_session_within_an_hour(
    postgres: str, server: Server, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    upstream.script(
        Reply(tool_calls=[Call("code_interpreter", {"code": "print(1)"})], usage=(1, 1)),
        Reply(tool_calls=[Call("code_interpreter", {"code": "print(2)"})], usage=(1, 1)),
        Reply(text="Done.", usage=(1, 1)),
    )
    run = await api.run(assistant={"tools": [{"type": "code_interpreter"}]})
    assert run["status"] == "completed"
    assert round(run["cost"]["value"] * NANO) == round(nano(SESSION)) + 3 * priced("scripted", 1, 1)
    await written(server)
    usage = admin.admin.organization.usage
    (found,) = await call(usage.code_interpreter_sessions, group_by=["project_id"])
    assert (found.num_sessions, found.project_id) == (1, DEFAULT_PROJECT)
    records = server.app.state.store.usage
    thread = run["thread_id"]
    assert not await records.begin_session(DEFAULT_PROJECT, thread)
    assert await asyncio.gather(*(records.begin_session("proj_none", thread) for _ in range(2))) == [False, False]
    with psycopg.connect(postgres) as connection:
        connection.execute("update code_sessions set begun_at = now() - interval '61 minutes'")
    begun = await asyncio.gather(*(records.begin_session(DEFAULT_PROJECT, thread) for _ in range(5)))
    assert sorted(begun) == [False] * 4 + [True]
    await api.delete(f"/threads/{thread}")
    with psycopg.connect(postgres) as connection:
        assert connection.execute("select * from code_sessions").fetchall() == []


# --- storage


@pytest.mark.settings(serve_worker=False)
async def test_storage_is_counted_once_however_many_count(
    postgres: str, server: Server, settings: Settings, api: Api, admin: openai.AsyncOpenAI, tmp_path: Path
) -> None:
    await api.post("/vector_stores", {"file_ids": [await api.file("The kestrel eats voles.")]})
    await index(server)
    hours = 5
    with psycopg.connect(postgres) as connection:
        # A large store: what is small costs nothing that could be seen.
        connection.execute(
            "update vector_store_files set body = body || jsonb_build_object('usage_bytes', 3 * 2::bigint ^ 30)::jsonb"
        )
        row = connection.execute(
            "update storage_counts set counted_at = now() - %s * interval '1 hour' "
            "returning extract(epoch from counted_at)",
            [hours],
        ).fetchone()
    assert row
    async with serving(settings.model_copy(update={"data": tmp_path / "second"}), postgres) as second:
        meters = [one.app.state.metering.usage for one in (server, second) for _ in range(4)]
        await asyncio.gather(*(meter.sweep() for meter in meters))
        await asyncio.gather(*(meter.sweep() for meter in meters))
    held = 3 * 2**30
    with psycopg.connect(postgres) as connection:
        (counted, until, cost) = connection.execute(
            "select sum(byte_seconds), (select extract(epoch from counted_at) from storage_counts), sum(cost)::float "
            "from usage_records where endpoint = 'vector_storage'"
        ).fetchone()  # pyright: ignore[reportGeneralTypeIssues]
    assert abs(counted - held * (until - row[0])) <= hours + 1
    assert cost == pytest.approx(0.30 * NANO * hours / 24, rel=1e-3)
    usage = admin.admin.organization.usage
    start = int(row[0]) // 3600 * 3600 + 3600
    for width, count in (("1h", hours - 1), ("1m", 60 * (hours - 1))):
        page = await usage.vector_stores(
            start_time=start,
            end_time=start + 3600 * (hours - 1),
            bucket_width=width,
            limit=min(count, 168 * 4),  # pyright: ignore
        )
        assert [[one.usage_bytes for one in bucket.results] for bucket in page.data] == [[held]] * count  # pyright: ignore
    (item,) = await call(usage.costs, group_by=["line_item"])
    assert (item.line_item, item.quantity_unit) == ("vector storage", "gibibyte_hours")
    assert item.quantity == pytest.approx(3 * hours, rel=1e-3)


async def test_storage_is_not_counted_before_an_hour_is_over(postgres: str, server: Server) -> None:
    with psycopg.connect(postgres) as connection:
        connection.execute("update storage_counts set counted_at = now() - interval '59 minutes'")
    assert not await server.app.state.store.usage.count_storage(0)


# --- old runs


async def test_usage_of_old_runs_is_added_up(
    postgres: str, server: Server, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    assistant = await api.assistant()
    for _ in range(3):
        upstream.script(Reply(text="Yes.", usage=(10, 20)))
        thread = await api.thread("Hello")
        await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))
    await written(server)
    moved = "update usage_records set minute = date_trunc('day', now() - interval '40 days')"
    with psycopg.connect(postgres) as connection:
        connection.execute(moved)
        connection.execute("update storage_counts set counted_at = now() - interval '2 hours'")
    await server.app.state.metering.usage.sweep()
    with psycopg.connect(postgres) as connection:
        rows = connection.execute(
            "select assistant_id, thread_id, run_id, requests, prompt_tokens, completion_tokens, cost "
            "from usage_records"
        ).fetchall()
    assert rows == [(assistant, "", "", 3, 30, 60, 3 * priced("scripted", 10, 20))]


# --- buckets and pages


async def filled(postgres: str, start: int, minutes: list[int]) -> None:
    """One call in each of these minutes after a moment."""
    with psycopg.connect(postgres) as connection:
        for minute in minutes:
            connection.execute(
                "insert into usage_records (minute, project_id, endpoint, key_id, model, requests, prompt_tokens, "
                "cached_tokens, completion_tokens, images, cost) "
                "values (to_timestamp(%s), 'proj_a', 'chat.completions', 'key_a', 'm', 1, 7, 3, 5, 0, 11)",
                [start + 60 * minute],
            )


async def test_buckets_without_use_are_there(postgres: str, server: Server, admin: openai.AsyncOpenAI) -> None:
    start = int(time.time()) // DAY * DAY - 3 * DAY
    await filled(postgres, start, [0, 61, 119, 120])
    usage = admin.admin.organization.usage
    page = await usage.completions(start_time=start, end_time=start + 4 * 3600, bucket_width="1h")
    assert [bucket.start_time for bucket in page.data] == [start + 3600 * hour for hour in range(4)]
    assert [bucket.end_time - bucket.start_time for bucket in page.data] == [3600] * 4
    counts: list[Any] = [[one.num_model_requests for one in bucket.results] for bucket in page.data]  # pyright: ignore
    assert counts == [[1], [2], [1], []]
    (first,) = page.data[0].results
    assert json.loads(first.to_json()) == {
        "object": "organization.usage.completions.result",
        "input_tokens": 7,
        "input_cached_tokens": 3,
        "input_uncached_tokens": 4,
        "output_tokens": 5,
        "input_audio_tokens": 0,
        "output_audio_tokens": 0,
        "num_model_requests": 1,
        **dict.fromkeys(("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "api_source")),
    }
    # A bucket that the time asked for cuts has what lies inside.
    page = await usage.completions(start_time=start + 61 * 60, end_time=start + 118 * 60, bucket_width="1h")
    (bucket,) = page.data
    assert (bucket.start_time, bucket.end_time) == (start + 61 * 60, start + 118 * 60)
    assert [one.num_model_requests for one in bucket.results] == [1]  # pyright: ignore


async def test_pages_follow_each_other(postgres: str, server: Server, admin: openai.AsyncOpenAI) -> None:
    start = int(time.time()) // DAY * DAY - 3 * DAY
    await filled(postgres, start, list(range(0, 100, 7)))
    usage = admin.admin.organization.usage
    found: list[Any] = []
    params: dict[str, Any] = {"start_time": start + 30, "end_time": start + 100 * 60, "bucket_width": "1m", "limit": 9}
    page = await usage.completions(**params)
    while True:
        assert len(page.data) <= 9
        found += page.data
        if not page.has_more:
            break
        page = await usage.completions(**params, page=page.next_page or "")
    assert page.next_page is None
    assert [bucket.start_time for bucket in found[1:]] == [start + 60 * minute for minute in range(1, 100)]
    assert [bool(bucket.results) for bucket in found] == [minute % 7 == 0 for minute in range(100)]
    # By default, until now.
    page = await usage.completions(start_time=start)
    assert len(page.data) == 4
    assert page.data[-1].end_time == page.data[-1].start_time + DAY
    assert (await usage.completions(start_time=int(time.time()) + 3 * DAY)).data == []


async def test_every_kind_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    usage = admin.admin.organization.usage
    start = today()
    for method in (
        *(usage.completions, usage.embeddings, usage.moderations, usage.images, usage.audio_speeches),
        *(usage.audio_transcriptions, usage.vector_stores, usage.code_interpreter_sessions),
        *(usage.file_search_calls, usage.web_search_calls, usage.costs),
    ):
        page = await method(start_time=start, project_ids=["proj_a", "proj_b"], group_by=["project_id"], limit=3)
        assert [bucket.results for bucket in page.data] == [[]] * len(page.data)
        assert 2 <= len(page.data) <= 3


async def test_filters_and_constant_groups(postgres: str, server: Server, admin: openai.AsyncOpenAI) -> None:
    start = int(time.time()) // DAY * DAY - 3 * DAY
    await filled(postgres, start, [1])
    usage = admin.admin.organization.usage
    wanted: dict[str, Any] = {"start_time": start, "end_time": start + DAY}
    for only, count in (
        ({"models": ["m", "x"], "api_key_ids": ["key_a"], "project_ids": ["proj_a"]}, 1),
        ({"models": ["x"]}, 0),
        ({"api_key_ids": ["key_b"]}, 0),
        ({"user_ids": ["user_a"]}, 0),
        ({"batch": True}, 0),
        ({"batch": False}, 1),
    ):
        page = await usage.completions(**wanted, **only)
        assert len(page.data[0].results) == count, only
    page = await usage.completions(**wanted, group_by=["batch", "service_tier", "api_source", "user_id", "model"])
    one: Any = page.data[0].results[0]
    assert (one.batch, one.service_tier, one.api_source, one.user_id, one.model) == (
        False, "default", "unlabeled", None, "m"
    )  # fmt: skip
    for items, cost in ((["m"], [11]), (["file search"], [])):
        costs = await usage.costs(**wanted, line_items=items)
        assert [exact(result.amount) for result in costs.data[0].results] == cost  # pyright: ignore


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("", "start_time"),
        ("start_time=x", "start_time"),
        ("start_time=-1", "start_time"),
        ("start_time=99999999999999999999", "start_time"),
        ("start_time=5&end_time=5", "end_time"),
        ("start_time=5&end_time=999999999999999", "end_time"),
        ("start_time=5&bucket_width=2d", "bucket_width"),
        ("start_time=5&limit=0", "limit"),
        ("start_time=5&limit=32", "limit"),
        ("start_time=5&bucket_width=1h&limit=169", "limit"),
        ("start_time=5&bucket_width=1m&limit=1441", "limit"),
        ("start_time=5&page=next", "page"),
        ("start_time=5&page=page_7", "page"),
        ("start_time=5&page=page_999999999999", "page"),
        ("start_time=5&group_by=thread_id", "group_by[0]"),
        ("start_time=5&group_by[]=model&group_by[]=x", "group_by[1]"),
        ("start_time=5&batch=perhaps", "batch"),
        ("start_time=5&colour=red", "colour"),
        ("start_time=5&" + "&".join(["models=m"] * 101), "models"),
    ],
)
async def test_what_makes_no_sense_is_refused(admin_api: Api, query: str, param: str) -> None:
    answer = await admin_api.request("GET", f"/organization/usage/completions?{query}", extension=True)
    assert answer.status == 400, answer.body
    assert answer.body["error"]["param"] == param


async def test_odd_text_is_no_defect(admin_api: Api) -> None:
    for value in ("%00", "%ff%fe", "%F0%9F%92%B0"):
        answer = await admin_api.request(
            "GET", f"/organization/usage/completions?start_time=5&models={value}", extension=True
        )
        assert answer.status in (200, 400)


async def test_prices_of_today_do_not_change_yesterday(
    postgres: str, server: Server, settings: Settings, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    upstream.default = lambda _: Reply(text="Yes.", usage=(100, 100))
    body = {"model": "scripted", "messages": [{"role": "user", "content": "Hello"}]}
    await api.post("/chat/completions", body)
    await written(server)
    models = {"scripted": settings.models["scripted"].model_copy(update={"input_price": 1000})}
    async with serving(settings.model_copy(update={"models": models}), postgres) as second:
        await api.at(second.url).post("/chat/completions", body)
        await written(second)
    (found,) = await call(admin.admin.organization.usage.costs)
    assert exact(found.amount) == 2 * priced("scripted", 100, 100) + (1000 * NANO - round(nano("0.137"))) * 100 // 10**6
