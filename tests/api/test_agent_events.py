"""Following agents: every event once, in its order, from wherever a reader was cut off."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from retinue.accounts.keys import DEFAULT_PROJECT

from ..harness import Api, Json, Server
from ..scripted import Reply, ScriptedUpstream
from .extensions import get, post
from .test_agents import DONE, begin, thinks, until

_CYCLE = ["agent.cycle.created", "agent.cycle.completed"]
_GOES_ON = ["agent.queued", "agent.in_progress"]


async def events(api: Api, agent: Json, after: str = "") -> list[tuple[str, str, Json]]:
    """Names, ids and data of what a reader gets who has had all up to `after`, of an agent that has ended."""
    headers = {"last-event-id": after} if after else {}
    async with api.open_get_stream(f"/agents/{agent['id']}/events", headers) as stream:
        text = (await stream.content.read()).decode()
    found = [dict(line.split(": ", 1) for line in one.splitlines() if line[:1] != ":") for one in text.split("\n\n")]
    told = [one for one in found if one]
    assert told.pop() == {"event": "done", "data": "[DONE]"}
    return [(one["event"], one["id"], orjson.loads(one["data"])) for one in told]


async def eventful(api: Api, upstream: ScriptedUpstream) -> Json:
    """An agent that was asked about, refused, answered, paused, stopped by its limits, and that has ended."""
    gate = asyncio.Event()
    upstream.script(thinks("delete_file", file="a"), thinks("delete_file", file="b"), thinks("ask_user", question="?"))
    upstream.script(Reply(text=thinks("search_files", directory="").text, delay_before=gate), DONE)
    agent = await begin(api, commands=["delete_file", "ask_user", "search_files"], limits={"cycles": 4})
    path = f"/agents/{agent['id']}"
    await until(api, agent, "requires_action")
    await post(api, f"{path}/approve", {"decision": "once"})
    await until(api, agent, "requires_action")
    await post(api, f"{path}/approve", {"decision": "deny"})
    await until(api, agent, "requires_action")
    await post(api, f"{path}/messages", {"text": "Yes."})
    await upstream.wait_for_requests(4)
    await post(api, f"{path}/pause")
    gate.set()
    await until(api, agent, "paused")
    await post(api, f"{path}/resume")
    await until(api, agent, "incomplete")
    await post(api, path, {"limits": {"cycles": 9}})
    await post(api, f"{path}/resume")
    return await until(api, agent, "completed")


async def test_a_reader_gets_what_it_has_not_had_whatever_it_had_last(api: Api, upstream: ScriptedUpstream) -> None:
    agent = await eventful(api, upstream)
    told = await events(api, agent)
    assert [name for name, _, _ in told] == [
        *_GOES_ON,
        *("agent.cycle.created", "agent.requires_action", *_GOES_ON, "agent.cycle.completed"),
        *("agent.cycle.created", "agent.requires_action", "agent.cycle.completed", *_GOES_ON),
        *("agent.cycle.created", "agent.requires_action", "agent.cycle.completed", *_GOES_ON),
        *("agent.cycle.created", "agent.paused", *_GOES_ON, "agent.cycle.completed"),
        *("agent.incomplete", *_GOES_ON),
        *(*_CYCLE, "agent.completed"),
    ]
    ids = [identifier for _, identifier, _ in told]
    assert len({*ids}) == len(ids)
    for number, identifier in enumerate(ids, 1):
        assert [one for _, one, _ in await events(api, agent, identifier)] == ids[number:]


async def test_events_of_the_past_tell_of_the_past(api: Api, upstream: ScriptedUpstream) -> None:
    agent = await eventful(api, upstream)
    statuses = [data for name, _, data in await events(api, agent) if data["object"] == "agent"]
    first, *_, last = statuses
    assert (first["status"], first["cycles"], first["result"]) == ("queued", 0, None)
    assert [one["cycles"] for one in statuses if one["status"] == "requires_action"] == [1, 2, 3]
    assert last == agent
    assert "passed" not in agent


async def test_a_live_reader_is_told_every_status(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("delete_file", file="a"), DONE)
    agent = await begin(api)
    reading = asyncio.create_task(events(api, agent))
    await until(api, agent, "requires_action")
    await post(api, f"/agents/{agent['id']}/approve", {"decision": "once"})
    live = await reading
    assert [(name, at) for name, at, _ in live] == [(name, at) for name, at, _ in await events(api, agent)]
    assert "agent.requires_action" in [name for name, _, _ in live]


async def test_nothing_is_passed_over_that_comes_while_it_is_read(
    api: Api, server: Server, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, store = asyncio.Event(), server.app.state.store
    upstream.script(thinks("search_files", directory=""), Reply(text=DONE.text, delay_before=gate))
    agent = await begin(api)
    reading = asyncio.create_task(events(api, agent))
    await upstream.wait_for_requests(2)
    # By then the reader has had all, and waits.
    await asyncio.sleep(0.5)
    since = store.agent_cycles.since

    async def slowly(*asked: Any) -> Any:
        cycles = await since(*asked)
        gate.set()
        await until(api, agent, "completed")
        return cycles

    monkeypatch.setattr(store.agent_cycles, "since", slowly)
    await post(api, f"/agents/{agent['id']}/messages", {"text": "Look again."})
    told = [at for _, at, _ in await reading]
    assert told == [at for _, at, _ in await events(api, agent)]
    assert told[-1].endswith(".completed")


async def test_agents_from_before_statuses_were_kept_are_followed(
    api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    upstream.script(thinks("search_files", directory=""), thinks("delete_file", file="a"), DONE)
    agent = await until(api, await begin(api), "requires_action")
    await server.app.state.store.database.execute("update agents set body = body - 'passed'", {})
    async with api.open_get_stream(f"/agents/{agent['id']}/events") as stream:
        had = b""
        while b"requires_action" not in had:
            had += await stream.content.readany()
    names = [line[7:] for line in had.decode().splitlines() if line.startswith("event: ")]
    assert names == [*_CYCLE, "agent.cycle.created", "agent.requires_action"]
    last = had.decode().rpartition("id: ")[2].strip()
    await post(api, f"/agents/{agent['id']}/approve", {"decision": "once"})
    await until(api, agent, "completed")
    rest = [*_GOES_ON, "agent.cycle.completed", *_CYCLE, "agent.completed"]
    assert [name for name, _, _ in await events(api, agent, last)] == rest
    assert [name for name, _, _ in await events(api, agent)] == [*names[:-1], *rest]


async def test_ids_from_before_they_told_of_places_are_known(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(DONE)
    agent = await until(api, await begin(api), "completed")
    assert await events(api, agent, f"{agent['id']}.completed") == []


async def test_only_the_newest_changes_of_status_are_kept(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("delete_file", file="a"), DONE)
    agent = await until(api, await begin(api), "requires_action")
    for status in ("paused", "requires_action") * 110:
        async with server.app.state.store.agents.changing(DEFAULT_PROJECT, agent["id"]) as change:
            await change.keep({"status": status})
    await post(api, f"/agents/{agent['id']}/approve", {"decision": "once"})
    agent = await until(api, agent, "completed")
    told = await events(api, agent)
    statuses = [one for one in told if one[2]["object"] == "agent"]
    assert len(statuses) == 200
    ids = [identifier for _, identifier, _ in told]
    known = statuses[150][1]
    assert [one for _, one, _ in await events(api, agent, known)] == ids[ids.index(known) + 1 :]


@pytest.mark.parametrize(
    "after", ["agent_x.1.1.queued", "nonsense", "cycle_x.created", "{id}.x.y.queued", "{id}.9.1.z", "{id}.1.9.z"]
)
async def test_an_event_that_there_is_not_is_refused(api: Api, upstream: ScriptedUpstream, after: str) -> None:
    upstream.script(DONE)
    agent = await until(api, await begin(api), "completed")
    headers = {"last-event-id": after.replace("{id}", agent["id"])}
    answer = await api.request("GET", f"/agents/{agent['id']}/events", headers=headers)
    assert (answer.status, answer.body["error"]["param"]) == (400, "Last-Event-ID")


@pytest.mark.settings(max_joined_streams=0)
async def test_as_many_streams_are_open_as_are_allowed(api: Api, upstream: ScriptedUpstream) -> None:
    await api.refused("POST", "/agents", {"goals": ["x"], "stream": True}, status=503)
    assert (await get(api, "/agents"))["data"] == []
    upstream.script(DONE)
    agent = await until(api, await begin(api), "completed")
    await api.refused("GET", f"/agents/{agent['id']}/events", status=503)
