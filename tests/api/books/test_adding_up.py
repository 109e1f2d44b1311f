"""What was used adds up, whatever used it, and stays what it was."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import openai
import psycopg
import pytest

from retinue.accounts.keys import Keys
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT

from ...browser import new_owner, signed_in
from ...harness import Api, Json, Server, function, read_until, run_path, serving
from ...indexing import index
from ...scripted import Call, Reply, ScriptedUpstream
from .amounts import DAY, FILE_SEARCH, NANO, SESSION, call, exact, nano, priced, today, written


class Load:
    """A mixed load, and what its answers say of it."""

    def __init__(self, api: Api, keys: dict[str, tuple[str, str]]) -> None:
        #: From a key to its id and its project.
        self.keys = keys
        self.api = api
        self.tokens: Counter[tuple[str, str, str, str]] = Counter()
        self.cached: Counter[tuple[str, str, str]] = Counter()
        self.calls: Counter[tuple[str, str, str]] = Counter()
        self.cost: Counter[tuple[str, str, str]] = Counter()

    def note(self, key: str, model: str, usage: Json, cost: int | None = None) -> None:
        """Take down what an answer says."""
        identifier, project = self.keys[key]
        place = (project, identifier, model)
        prompt, completion = usage["prompt_tokens"], usage.get("completion_tokens", 0)
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        self.cached[place] += cached
        self.tokens[(*place, "in")] += prompt
        self.tokens[(*place, "out")] += completion
        self.calls[place] += 1
        self.cost[place] += priced(model, prompt, completion, cached) if cost is None else cost

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
        # Steps do not tell how much was cached.
        cached = 0 if "tools" in request else rng.randrange(usage[0] + 1)
        return Reply(text="Yes.", usage=usage, cached=cached)

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
    cached: Counter[tuple[str, str, str]] = Counter()
    for one in await call(usage.completions, group_by=by_all) + await call(usage.embeddings, group_by=by_all):
        place = (one.project_id, one.api_key_id, one.model)
        found[(*place, "in")] += one.input_tokens
        found[(*place, "out")] += getattr(one, "output_tokens", 0)
        calls[place] += one.num_model_requests
        cached[place] += getattr(one, "input_cached_tokens", 0)
    assert found == load.tokens
    assert calls == load.calls
    assert cached == load.cached
    assert cached.total() > 0
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


async def test_what_a_person_uses_adds_up_by_user_and_by_day(
    postgres: str, server: Server, api: Api, upstream: ScriptedUpstream, admin: openai.AsyncOpenAI
) -> None:
    ada, chat = await new_owner(server, "ada"), {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]}
    store = (await api.post("/vector_stores", {"file_ids": [await api.file("The kestrel eats voles.")]}))["id"]
    await api.settled(f"/vector_stores/{store}")
    assistant = await api.assistant(
        tools=[{"type": "file_search"}, {"type": "code_interpreter"}],
        tool_resources={"file_search": {"vector_store_ids": [store]}},
    )
    async with signed_in(server, ada) as browser:
        upstream.script(Reply(text="Yes.", usage=(100, 10), cached=40))
        assert (await browser.api("POST", "/chat/completions", chat))[0] == 200
        upstream.script(
            Reply(tool_calls=[Call("file_search", {"queries": ["kestrel"]})], usage=(10, 20)),
            Reply(tool_calls=[Call("code_interpreter", {"code": "print(1)"})], usage=(30, 40)),
            Reply(text="Voles.", usage=(50, 60), cached=25),
        )
        body = {"assistant_id": assistant, "thread": {"messages": chat["messages"]}}
        _, run = await browser.api("POST", "/threads/runs", body)
        assert (await api.until(run))["status"] == "completed"
    upstream.script(Reply(text="Yes.", usage=(7, 5)))
    await api.post("/chat/completions", chat)
    await written(server)
    # Ada's use was yesterday, and all else two days before.
    yesterday = today()
    with psycopg.connect(postgres) as connection:
        moved = (
            "update usage_records set minute = minute - (select min(minute) from usage_records) "
            "+ to_timestamp(case user_id when %s then %s else %s end)"
        )
        connection.execute(moved, [ada, yesterday + DAY // 2, yesterday - 3 * DAY // 2])

    async def by_day(method: Any, by: str = "user_id", **params: Any) -> dict[tuple[int, str | None], Any]:
        """What each person, or project, has used on each day, as days before yesterday."""
        page = await method(start_time=yesterday - 3 * DAY, end_time=yesterday + DAY, group_by=[by], **params)
        assert [bucket.end_time - bucket.start_time for bucket in page.data] == [DAY] * 4
        return {
            ((yesterday - bucket.start_time) // DAY, getattr(one, by)): one
            for bucket in page.data
            for one in bucket.results
        }

    usage = admin.admin.organization.usage
    asked = await by_day(usage.completions)
    assert asked.keys() == {(0, ada), (2, None)}
    hers, others = asked[0, ada], asked[2, None]
    assert (hers.num_model_requests, hers.input_tokens, hers.input_cached_tokens, hers.output_tokens) == (
        4,
        190,
        65,
        130,
    )
    assert (others.num_model_requests, others.input_tokens, others.output_tokens) == (1, 7, 5)
    searches, sessions = (
        await by_day(usage.file_search_calls),
        await by_day(usage.code_interpreter_sessions, "project_id"),
    )
    assert {place: one.num_requests for place, one in searches.items()} == {(0, ada): 1}
    assert {place: one.num_sessions for place, one in sessions.items()} == {(0, DEFAULT_PROJECT): 1}
    assert (await by_day(usage.completions, user_ids=[ada])).keys() == {(0, ada)}
    models = [(100, 10, 40), (10, 20, 0), (30, 40, 0), (50, 60, 25)]
    embedded = {place: one.input_tokens for place, one in (await by_day(usage.embeddings)).items()}
    assert embedded.keys() == {(0, ada), (2, None)}
    costs = {place: exact(one.amount) for place, one in (await by_day(usage.costs)).items()}
    assert costs == {
        (0, ada): sum(priced("scripted", *one) for one in models)
        + priced("vectors", embedded[0, ada], 0)
        + round(nano(FILE_SEARCH))
        + round(nano(SESSION)),
        (2, None): priced("scripted", 7, 5) + priced("vectors", embedded[2, None], 0),
    }


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


async def test_usage_and_costs_by_assistant(server: Server, api: Api, admin: openai.AsyncOpenAI) -> None:
    runs = [await api.run(assistant={"model": "scripted"}) for _ in range(2)]
    await api.post("/chat/completions", {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}]})
    for run in runs:
        await api.until(run, "completed")
    await written(server)
    usage, by_assistant = admin.admin.organization.usage, {"group_by": ["assistant_id"]}
    for method in (usage.completions, usage.costs):
        found = await call(method, **by_assistant)
        # An extension: the field stays away where there is no assistant, and where nobody asks for it.
        assert {getattr(one, "assistant_id", None) for one in found} == {None, *(run["assistant_id"] for run in runs)}
        assert all(not hasattr(one, "assistant_id") for one in await call(method))


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


async def test_an_answer_that_breaks_off_counts_by_an_estimate(api: Api, upstream: ScriptedUpstream) -> None:
    said = "thirty words of an answer " * 6
    upstream.script(Reply(text=said, hang=True))
    assistant, thread = await api.assistant(), await api.thread("Hi")
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as stream:
        await read_until(stream.content, b" answer")
        (run,) = (await api.get(f"/threads/{thread}/runs"))["data"]
        await api.call("POST", run_path(run) + "/cancel")
        cancelled = await api.until(run, "cancelled")
    upstream.script(Reply(text=said, break_after=12))
    failed = await api.run("Hi")
    assert failed["status"] == "failed"
    for ended, least in ((cancelled, priced("scripted", 1, 1)), (failed, priced("scripted", 1, 20))):
        assert least / NANO <= ended["cost"]["value"] <= priced("scripted", 500, len(said)) / NANO


async def test_a_call_that_said_nothing_costs_nothing(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(hang=True))
    run = await api.start("Hi")
    await upstream.wait_for_requests(1)
    await api.call("POST", run_path(run) + "/cancel")
    assert (await api.until(run, "cancelled"))["cost"]["value"] == 0


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
