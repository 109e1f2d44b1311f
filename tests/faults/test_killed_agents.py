"""Agents whose server is killed go on, and do nothing twice."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from aiohttp import web

from tests.faults.harness import Json, Site, client_of, until
from tests.scripted import Reply, ScriptedUpstream
from tests.webhooks import receiving

STEPS = 10
#: Every other commit of a cycle waits for a lock that the test holds: so each is tried twice, and the first time the
#: server is killed before it counts.
LOCK = 4711
HOLD = """
    create sequence commits;
    create function hold_commit() returns trigger language plpgsql as $$
    begin
        if nextval('commits') % 2 = 1 then
            perform pg_advisory_xact_lock_shared(4711);
        end if;
        return new;
    end
    $$;
    create trigger commit_held after insert or update on agent_cycles
        for each row when (new.embedding is null) execute function hold_commit();
"""


def decide(request: Json) -> Reply:
    """What to do next follows from what was done: append a number, publish a number, in turn."""
    done = sum(message["role"] == "assistant" for message in request["messages"])
    if done >= STEPS:
        command: Json = {"name": "task_complete", "args": {"reason": "done"}}
    elif done % 2:
        command = {"name": "send_tweet", "args": {"text": f"{done}"}}
    else:
        command = {"name": "append_to_file", "args": {"file": "log.txt", "text": f"{done};"}}
    return Reply(text=orjson.dumps({"thoughts": {"text": "t"}, "command": command}).decode(), silence=0.05)


@asynccontextmanager
async def publisher() -> AsyncGenerator[tuple[str, Counter[str]]]:
    """A service that counts what is published there, and takes its time."""
    got: Counter[str] = Counter()

    async def take(request: web.Request) -> web.Response:
        got[(await request.json())["text"]] += 1
        await asyncio.sleep(0.2)
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/", got
    finally:
        await runner.cleanup()


async def test_a_killed_server_does_nothing_twice(site: Site, upstream: ScriptedUpstream) -> None:
    upstream.default = decide
    chance = random.Random(7)
    async with publisher() as (url, published):
        settings: Any = {
            "RETINUE_EGRESS_ALLOW": '["127.0.0.1"]',
            "RETINUE_PUBLISH_KIND": "webhook",
            "RETINUE_PUBLISH_URL": url,
        }
        server = await site.serve(**settings)
        async with client_of(server) as client:
            agent = await client.post("/agents", {"goals": ["count"], "approval": "never"})
        path, kills = f"/agents/{agent['id']}", 0
        while kills < 6:
            await asyncio.sleep(chance.uniform(0.05, 1.2))
            await server.kill()
            kills += 1
            server = await site.serve(**settings)
        async with client_of(server) as client:

            async def ended() -> bool:
                return (await client.get(path))["status"] == "completed"

            await until(ended, 60)
            cycles = (await client.get(path + "/cycles?order=asc&limit=100"))["data"]
            async with client.session.get(f"{client.base_url}{path}/files/content?path=log.txt") as response:
                written = await response.text()
    assert [one["number"] for one in cycles] == list(range(1, STEPS + 2))
    assert written == "".join(f"{number};" for number in range(0, STEPS, 2))
    assert set(published.values()) <= {1}
    # What was published is told as such, or as not known where the server was killed meanwhile.
    for one in cycles:
        if one["command"]["name"] == "send_tweet" and not one["result"]["failed"]:
            assert published[one["command"]["args"]["text"]] == 1


async def held(database: str) -> bool:
    """Whether a commit waits for the test's lock."""
    sql = "select from pg_locks where locktype = 'advisory' and objid = %s and not granted"
    async with await psycopg.AsyncConnection.connect(database) as connection:
        return (await connection.execute(sql, (LOCK,))).rowcount > 0


async def test_a_server_killed_before_each_commit(site: Site, upstream: ScriptedUpstream, database: str) -> None:
    """Each commit of a cycle is lost once, with the server, and done again by the next; a webhook hears of the end."""

    def short(request: Json) -> Reply:
        done = sum(message["role"] == "assistant" for message in request["messages"])
        names = ("append_to_file", "send_tweet", "task_complete")
        args: list[Json] = [{"file": "log.txt", "text": "a;"}, {"text": "news"}, {"reason": "done"}]
        command = {"name": names[done], "args": args[done]}
        return Reply(text=orjson.dumps({"thoughts": {"text": "t"}, "command": command}).decode())

    upstream.default = short
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(HOLD)
    async with publisher() as (url, published), receiving() as receiver:
        settings: Any = {
            "RETINUE_EGRESS_ALLOW": '["127.0.0.1"]',
            "RETINUE_PUBLISH_KIND": "webhook",
            "RETINUE_PUBLISH_URL": url,
            # No vectors: they are written outside of commits.
            "RETINUE_DEFAULT_EMBEDDING_MODEL": "none",
        }
        lock = psycopg.connect(database, autocommit=True)
        lock.execute("select pg_advisory_lock(%s)", (LOCK,))
        server = await site.serve(**settings)
        async with client_of(server) as client:
            hook = {"name": "Test", "url": receiver.url, "event_types": ["agent.*"]}
            await client.post("/webhook_endpoints", hook)
            agent = await client.post("/agents", {"goals": ["count"], "approval": "never"})
        path, kills = f"/agents/{agent['id']}", 0

        async def status() -> str:
            async with client_of(server) as client:
                return "held" if await held(database) else (await client.get(path))["status"]

        async def held_or_ended() -> str:
            now = await status()
            return now if now in ("held", "completed", "failed") else ""

        while await until(held_or_ended, 60) == "held":
            await server.kill()
            kills += 1
            # What the dead server had begun is not committed: nobody is there to do it.
            lock.execute("select pg_advisory_unlock(%s)", (LOCK,))
            await until(lambda: _free(database), 30)
            lock.execute("select pg_advisory_lock(%s)", (LOCK,))
            server = await site.serve(**settings)
        lock.close()
        async with client_of(server) as client:
            ended = await client.get(path)
            cycles = (await client.get(path + "/cycles?order=asc"))["data"]
            async with client.session.get(f"{client.base_url}{path}/files/content?path=log.txt") as response:
                written = await response.text()
        told = [orjson.loads(one.body) for one in await receiver.until(1)]
    # Three thoughts, three results, and the note that publishing has begun.
    assert (ended["status"], kills) == ("completed", 7)
    assert [one["command"]["name"] for one in cycles] == ["append_to_file", "send_tweet", "task_complete"]
    assert (written, published["news"]) == ("a;", 1)
    # It was published, but the server was killed before it could say so.
    assert "it is not known whether it was done" in cycles[1]["result"]["text"]
    assert {(one["type"], one["data"]["id"]) for one in told} == {("agent.completed", agent["id"])}
    assert len({one["id"] for one in told}) == 1


async def _free(database: str) -> bool:
    return not await held(database)
