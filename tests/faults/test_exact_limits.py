"""Limits that several server processes count together."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from tests.faults.harness import Client, Json, Process, Site, client_of, until
from tests.scripted import Reply, ScriptedUpstream

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
