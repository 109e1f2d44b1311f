"""Limits that several server processes count together."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import aiohttp
import psycopg
import pytest

from tests.faults.harness import Client, Json, Process, Site, client_of, until
from tests.scripted import Call, Reply, ScriptedUpstream

BODY: Json = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
#: Requests to each process at once.
_AT_ONCE = 25


async def hammer(process: Process, requests: int) -> tuple[Counter[int], float]:
    """How so many requests were answered, and when the last of them was sent."""
    answers: Counter[int] = Counter()
    left, last = iter(range(requests)), 0.0

    async def ask() -> None:
        nonlocal last
        for _ in left:
            last = max(last, time.monotonic())
            answers[(await client.ask("POST", "/chat/completions", BODY)).status] += 1

    async with client_of(process) as client:
        await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    return answers, last


async def passes(client: Client, body: Json) -> bool:
    """Whether a request is let in."""
    return (await client.ask("POST", "/chat/completions", body)).status == 200


async def served(site: Site, requests: int, **settings: object) -> tuple[int, float, float]:
    """How many of so many requests to two servers were let in; seconds until the last was sent, and answered."""
    servers = await asyncio.gather(*(site.serve(**settings) for _ in range(2)))
    began = time.monotonic()
    results = await asyncio.gather(*(hammer(server, requests // 2) for server in servers))
    answers = results[0][0] + results[1][0]
    assert set(answers) <= {200, 429}
    assert answers.total() == requests
    return answers[200], max(last for _, last in results) - began, time.monotonic() - began


async def test_ten_thousand_requests_over_two_servers(site: Site, upstream: ScriptedUpstream) -> None:
    limit = 1000
    passed, sent, answered = await served(site, 10_000, RETINUE_REQUESTS_PER_MINUTE=limit)
    # A minute's worth, and what has flowed in meanwhile.
    assert 0.99 * limit * (1 + sent / 60) <= passed <= 1.01 * limit * (1 + answered / 60)
    assert len(upstream.requests) == passed


@pytest.mark.parametrize("limit", [1, 3])
async def test_a_small_limit_is_exact(site: Site, limit: int) -> None:
    passed, _, _ = await served(site, 60, RETINUE_REQUESTS_PER_DAY=limit)
    assert passed == limit


async def test_tokens_that_one_server_counts_are_missing_in_the_other(site: Site, upstream: ScriptedUpstream) -> None:
    one, other = await asyncio.gather(*(site.serve(RETINUE_TOKENS_PER_DAY=100_000) for _ in range(2)))
    upstream.script(*[Reply(text="Yes.", usage=(5_000, 5_000))] * 3)

    def body(tokens: int) -> Json:
        return BODY | {"max_completion_tokens": tokens}

    async with client_of(one) as client, client_of(other) as elsewhere:
        assert (await client.ask("POST", "/chat/completions", body(60_000))).status == 200
        # What it did not use is given back within a round or two, and what it used is not.
        assert (await elsewhere.ask("POST", "/chat/completions", body(91_000))).status == 429
        await until(lambda: passes(elsewhere, body(85_000)), 20)
        assert (await client.ask("POST", "/chat/completions", body(85_000))).status == 429
        await until(lambda: passes(client, body(75_000)), 20)


async def test_tokens_of_runs_on_one_server_are_missing_on_the_other(site: Site, upstream: ScriptedUpstream) -> None:
    settings = {"RETINUE_TOKENS_PER_DAY": 10_000}
    one, other = await asyncio.gather(*(site.serve(**settings) for _ in range(2)))
    upstream.script(Reply(text="Yes.", usage=(9_000, 2_000)))
    async with client_of(one) as client, client_of(other) as elsewhere:
        assistant = await client.assistant()
        await client.becomes(await client.run(assistant), "completed")

        async def refused() -> Json | None:
            run = await elsewhere.becomes(await elsewhere.run(assistant), "completed", "failed")
            return run if run["status"] == "failed" else None

        failed = await until(refused, 20)
        assert failed["last_error"]["code"] == "rate_limit_exceeded"
        assert "on tokens per day: Limit 10000" in failed["last_error"]["message"]


async def test_runs_at_once_over_two_servers(site: Site, database: str, upstream: ScriptedUpstream) -> None:
    servers = await asyncio.gather(*(site.serve(RETINUE_MAX_CONCURRENT_RUNS=3) for _ in range(2)))
    go_on = asyncio.Event()
    upstream.script(*[Reply(chunks=["Half ", go_on, "whole."])] * 3)
    upstream.default = lambda _: Reply(text="Yes.", delay_before=0.05)
    async with client_of(servers[0]) as one, client_of(servers[1]) as other:
        assistant = await one.assistant()
        runs = [await client.run(assistant) for _ in range(6) for client in (one, other)]
        await upstream.wait_for_requests(3)
        await asyncio.sleep(1)
        assert len(upstream.requests) == 3
        statuses = Counter([(await one.look(run))["status"] for run in runs])
        assert statuses == {"in_progress": 3, "queued": 9}
        go_on.set()
        most = 0
        with psycopg.connect(database, autocommit=True) as connection:

            async def ended() -> bool:
                nonlocal most
                now = Counter(row[0] for row in connection.execute("select status from runs"))
                most = max(most, now["in_progress"])
                return now["completed"] == len(runs)

            await until(ended)
        assert 1 <= most <= 3


async def test_time_of_code_that_ran_on_one_server_is_missing_on_the_other(
    site: Site, database: str, upstream: ScriptedUpstream
) -> None:
    one, other = await asyncio.gather(*(site.serve(RETINUE_SANDBOX_SECONDS_PER_DAY=3) for _ in range(2)))
    for code in ("import time; time.sleep(3); print('slept')", "print('more')"):
        upstream.script(Reply(tool_calls=[Call("code_interpreter", {"code": code})]), Reply(text="Done."))
    async with client_of(one) as client, client_of(other) as elsewhere:
        assistant = await client.assistant(tools=[{"type": "code_interpreter"}])
        await client.becomes(await client.run(assistant), "completed", seconds=60)
        assert "slept" in upstream.requests[-1]["messages"][-1]["content"]
        # What the call took beyond its estimate, which is one second, is told within a round or two.
        with psycopg.connect(database, autocommit=True) as connection:
            told = "select from rate_buckets where id like '%/seconds/day' and missing > 2 * 86400 * 1000000::bigint"

            async def is_told() -> bool:
                return bool(connection.execute(told).rowcount)

            await until(is_told)
        await elsewhere.becomes(await elsewhere.run(assistant), "completed", seconds=60)
        assert "used up the time that its code may run in a day" in upstream.requests[-1]["messages"][-1]["content"]


async def test_the_last_bytes_of_storage_are_given_once_by_two_servers(site: Site) -> None:
    servers = await asyncio.gather(*(site.serve(RETINUE_MAX_STORAGE_BYTES=1000) for _ in range(2)))

    async def upload(client: Client) -> tuple[int, str]:
        form = aiohttp.FormData({"purpose": "assistants"})
        form.add_field("file", b"x" * 300, filename="a.txt")
        async with client.session.post(client.base_url + "/files", data=form) as response:
            return response.status, str(await response.text())

    async with client_of(servers[0]) as one, client_of(servers[1]) as other:
        answers = await asyncio.gather(*(upload(client) for _ in range(6) for client in (one, other)))
        assert Counter(status for status, _ in answers) == {200: 3, 400: 9}
        assert all("storage_limit_exceeded" in text for status, text in answers if status == 400)
        for client in (one, other):
            assert len((await client.get("/files"))["data"]) == 3
            assert (await upload(client))[0] == 400


async def test_a_server_that_stops_puts_its_share_back(site: Site) -> None:
    # Half a per cent of the limit is ten.
    server = await site.serve(RETINUE_REQUESTS_PER_DAY=2000)
    async with client_of(server) as client:
        assert (await client.ask("POST", "/chat/completions", BODY)).status == 200
    await server.end()
    server = await site.serve(RETINUE_REQUESTS_PER_DAY=2000)
    async with client_of(server) as client:
        answer = await client.ask("POST", "/chat/completions", BODY)
        assert answer.headers["x-ratelimit-remaining-requests"] == "1998"
