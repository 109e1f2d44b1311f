"""Usage records: they add up to what the answers said, whoever asked and however."""

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from retinue.accounts import answers
from retinue.errors import Unavailable
from retinue.model_settings import ModelSettings
from retinue.settings import Settings
from retinue.store.embedded import EmbeddedPostgres
from retinue.store.migrate import migrate
from retinue.store.usage import Total, Used

from ..harness import Api, Server, eventually, function, run_path, serving
from ..scripted import Call, Reply, ScriptedUpstream

Json = dict[str, Any]

CHAT = "/chat/completions"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def chat(text: str = "Hello", **fields: Any) -> Json:
    return {"model": "scripted", "messages": [{"role": "user", "content": text}], **fields}


async def totals(server: Server, project: str = "proj_default") -> dict[tuple[bool, str], Used]:
    """What a project used, by endpoint and by whether a key asked."""
    rows: list[Total] = await server.app.state.store.usage.totals(project, EPOCH)
    assert {row.model for row in rows} <= {"scripted"}
    found = {(bool(row.key), row.endpoint): row.used for row in rows}
    assert len(found) == len(rows)
    return found


async def known(server: Server) -> dict[tuple[bool, str], int]:
    """How many requests are recorded; nothing while the database is away."""
    try:
        return {place: used.requests for place, used in (await totals(server)).items()}
    except Unavailable:
        return {}


async def settled(server: Server, requests: int, project: str = "proj_default") -> dict[tuple[bool, str], Used]:
    """The same, once so many calls have been recorded."""
    return await eventually(
        lambda: totals(server, project), lambda found: sum(used.requests for used in found.values()) >= requests
    )


async def stream(api: Api, **fields: Any) -> str:
    async with api.open_stream(CHAT, chat(**fields)) as response:
        return await response.text()


async def test_a_mixed_load_adds_up(api: Api, other: Api, server: Server, upstream: ScriptedUpstream):
    rng = random.Random(7)
    upstream.default = lambda _: Reply(text="Yes.", usage=(rng.randrange(1, 500), rng.randrange(1, 500)))
    said = {"proj_default": Used(), "proj_other": Used()}

    async def ask(project: str, streamed: bool) -> None:
        client = api if project == "proj_default" else other
        if streamed:
            chunks = (await stream(client, stream_options={"include_usage": True})).split("\n\n")
            assert chunks[-2:] == ["data: [DONE]", ""]
            usage = json.loads(chunks[-3].removeprefix("data: "))["usage"]
        else:
            usage = (await client.post(CHAT, chat()))["usage"]
        said[project].requests += 1
        said[project].prompt_tokens += usage["prompt_tokens"]
        said[project].completion_tokens += usage["completion_tokens"]

    await asyncio.gather(*(ask(rng.choice(list(said)), rng.random() < 0.5) for _ in range(60)))
    for project, used in said.items():
        assert used.requests > 10
        assert await settled(server, used.requests, project) == {(True, "chat.completions"): used}


async def test_a_stream_that_shows_no_usage_is_recorded(api: Api, server: Server, upstream: ScriptedUpstream):
    upstream.script(Reply(text="Yes.", usage=(11, 13)))
    assert '"usage"' not in await stream(api)
    assert await settled(server, 1) == {(True, "chat.completions"): Used(1, 11, 0, 13, 0)}


async def test_each_call_of_a_run_is_recorded(api: Api, server: Server, upstream: ScriptedUpstream):
    upstream.script(Reply(tool_calls=[Call("weather")], usage=(100, 10)), Reply(text="Rain.", usage=(150, 20)))
    run = await api.run(assistant={"tools": [function("weather")]})
    call = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    await api.post(f"{run_path(run)}/submit_tool_outputs", {"tool_outputs": [{"tool_call_id": call, "output": "rain"}]})
    run = await api.until(run, "completed")
    assert run["usage"]["total_tokens"] == 280
    assert await settled(server, 2) == {(True, "runs"): Used(2, 250, 0, 30, 0)}


async def test_a_refused_request_is_not_recorded(api: Api, server: Server, upstream: ScriptedUpstream):
    upstream.script(Reply(status=400), Reply(text="Yes.", usage=(1, 2)))
    assert (await api.request("POST", CHAT, chat())).status == 400
    assert (await api.request("POST", CHAT, chat(temperature=9))).status == 400
    await api.post(CHAT, chat())
    assert await settled(server, 1) == {(True, "chat.completions"): Used(1, 1, 0, 2, 0)}


async def test_stopping_loses_nothing(postgres: str, settings: Settings, server: Server, upstream: ScriptedUpstream):
    async with serving(settings, postgres) as second, aiohttp.ClientSession() as session:
        api = Api(session, second.url)
        for _ in range(3):
            await api.post(CHAT, chat())
    assert (await totals(server))[True, "chat.completions"].requests == 3


async def test_two_processes_add_to_the_same_records(
    postgres: str, settings: Settings, api: Api, server: Server, upstream: ScriptedUpstream
):
    async with serving(settings, postgres) as second:
        await asyncio.gather(*(client.post(CHAT, chat()) for client in [api, api.at(second.url)] * 10))
    assert (await settled(server, 20))[True, "chat.completions"].requests == 20


async def test_an_outage_of_the_database_loses_nothing(
    tmp_path: Path, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    upstream.default = lambda _: Reply(text="Yes.", usage=(3, 4))
    postgres = EmbeddedPostgres(tmp_path / "postgres")
    conninfo = await postgres.start()
    await migrate(conninfo)
    settings = Settings(
        data=tmp_path,
        models={"scripted": ModelSettings(base_url=upstream.base_url)},
        default_model="scripted",
        database_timeout=1,
        serve_worker=False,
    )
    try:
        async with serving(settings, conninfo) as server, aiohttp.ClientSession() as session:
            api = Api(session, server.url)
            records, refused = server.app.state.store.usage, asyncio.Event()
            add = records.add

            async def watched(*values: Any) -> None:
                try:
                    await add(*values)
                except Unavailable:
                    refused.set()
                    raise

            monkeypatch.setattr(records, "add", watched)
            monkeypatch.setattr(answers, "BELIEVED", 600.0)
            for _ in range(5):
                await api.post(CHAT, chat())
            await postgres.stop()
            for _ in range(5):
                await api.post(CHAT, chat())
            await asyncio.wait_for(refused.wait(), 20)
            assert await postgres.start() == conninfo
            found = await eventually(lambda: known(server), lambda found: sum(found.values()) >= 10)
            assert found == {(True, "chat.completions"): 10}
    finally:
        await postgres.stop()
