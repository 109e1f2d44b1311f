"""Agents in exports and imports: looked at, and gone on with, elsewhere."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from ..harness import Api, Json, Server, eventually
from ..scripted import Reply, ScriptedUpstream
from .extensions import get, post
from .test_agents import DONE, begin, content, cycles, thinks, until
from .test_transfer import export, kinds, load, refused, renamed


async def an_agent(api: Api, upstream: ScriptedUpstream) -> Json:
    """A paused agent that has started one which waits for a person."""

    def decide(request: Json) -> Reply:
        said = "".join(message["content"] for message in request["messages"])
        if "1. Say hello." in said:
            return thinks("delete_file", file="notes.txt")
        if "works now" in said:
            return Reply(text=thinks("search_files", directory="").text, delay_before=gate)
        if "Once a rose" in said:
            return thinks("start_agent", name="Helper", task="help", prompt="Say hello.")
        return thinks("write_to_file", file="story.txt", text="Once a rose…")

    gate, upstream.default = asyncio.Event(), decide
    file = await api.file("Roses are red. " * 40_000, "notes.txt")
    agent = await begin(api, file_ids=[file], metadata={"agent_id": "agent_mine"}, connections=[])
    path = f"/agents/{agent['id']}"
    await upstream.wait_for_requests(4)
    (child,) = (await get(api, f"{path}/agents"))["data"]
    await until(api, child, "requires_action")
    await post(api, f"{path}/pause")
    await post(api, f"{path}/messages", {"text": "Mind the thorns."})
    gate.set()
    return await until(api, agent, "paused")


async def test_agents_come_back_under_new_ids(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    agent = await an_agent(api, upstream)
    lines = await export(api)
    assert lines[-1]["objects"] == len([line for line in lines if "id" in line]) + kinds(lines).count("agent.file")
    assert kinds(lines).count("agent.file.content") > 2
    answer = await load(other, lines)
    expected = {"file": 1, "agent": 2, "agent.cycle": 4, "agent.file": 2}
    assert answer["counts"] == expected
    again = await export(other)
    assert renamed(again) == renamed(lines)
    copy = await get(other, f"/agents/{answer['ids'][agent['id']]}")
    assert copy == agent | {"id": copy["id"]}
    (child,) = (await get(other, f"/agents/{copy['id']}/agents"))["data"]
    assert (child["status"], child["parent_id"]) == ("requires_action", copy["id"])
    assert [one["command"] for one in await cycles(other, copy)] == [one["command"] for one in await cycles(api, agent)]
    # They share the files, as before.
    for one in (copy, child):
        assert await content(other, one, "story.txt") == "Once a rose…"
        assert await content(other, one, "notes.txt") == "Roses are red. " * 40_000


async def test_an_imported_agent_is_gone_on_with(
    api: Api, other: Api, upstream: ScriptedUpstream, server: Server
) -> None:
    agent = await an_agent(api, upstream)
    ids = (await load(other, await export(api)))["ids"]
    copy = await get(other, f"/agents/{ids[agent['id']]}")
    (child,) = (await get(other, f"/agents/{copy['id']}/agents"))["data"]
    upstream.script(DONE)
    before = len(upstream.requests)
    await post(other, f"/agents/{copy['id']}/resume")
    await until(other, copy, "completed")
    said = "".join(message["content"] for message in upstream.requests[before]["messages"])
    assert "Mind the thorns." in said
    assert "notes.txt (600000 bytes)" in said
    # It remembers by similarity what it did elsewhere.
    vectors = "select id from agent_cycles where agent_id = %(id)s and embedding is not null"
    database = server.app.state.store.database
    await eventually(lambda: database.rows(vectors, {"id": copy["id"]}), lambda rows: len(rows) >= 2)
    # What it had started ends with it; that of the other project does not.
    assert (await get(other, f"/agents/{child['id']}"))["status"] == "cancelled"
    assert (await get(api, f"/agents/{agent['id']}"))["status"] == "paused"


async def test_a_command_that_waits_is_approved_elsewhere(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(thinks("write_to_file", file="a", text="x"), thinks("delete_file", file="a"), DONE)
    agent = await until(api, await begin(api), "requires_action")
    copy = {"id": (await load(other, await export(api)))["ids"][agent["id"]]}
    await post(other, f"/agents/{copy['id']}/approve", {"decision": "once"})
    await until(other, copy, "completed")
    assert (await get(other, f"/agents/{copy['id']}/files"))["data"] == []
    assert await content(api, agent, "a") == "x"


async def test_an_agent_at_work_is_paused(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(hang=True))
    agent = await begin(api)
    await upstream.wait_for_requests(1)
    ids = (await load(other, await export(api)))["ids"]
    assert (await get(other, f"/agents/{ids[agent['id']]}"))["status"] == "paused"
    await post(api, f"/agents/{agent['id']}/cancel")


def _parent(lines: list[Json]) -> None:
    agent = next(line for line in lines if line["object"] == "agent")
    agent["parent_id"] = agent["id"]


def _path(lines: list[Json]) -> None:
    for line in lines:
        if line["object"].startswith("agent.file"):
            line["path"] = "../x"


def _damaged(lines: list[Json]) -> None:
    line = next(line for line in lines if line["object"] == "agent.file.content")
    line["data"] = base64.b64encode(b"Something else").decode()


def _twice(lines: list[Json]) -> None:
    at = next(at for at, line in enumerate(lines) if line["object"] == "agent.file")
    lines[at:at] = [dict(line) for line in lines[at : at + 2]]


def _nobodys(lines: list[Json]) -> None:
    for line in lines:
        if line["object"] == "agent.file":
            line["agent_id"] = "agent_none"


def _large(lines: list[Json]) -> None:
    agent = next(line["id"] for line in lines if line["object"] == "agent")
    for number in range(3):
        data = b"x" * 400
        told: Any = {"agent_id": agent, "path": f"more{number}"}
        file = {"bytes": 400, "sha256": hashlib.sha256(data).hexdigest(), "modified_at": 1}
        more = {"object": "agent.file.content", **told, "data": base64.b64encode(data).decode()}
        lines[-1:-1] = [{"object": "agent.file", **told, **file}, more]
    lines[-1]["objects"] += 3


def _status(lines: list[Json]) -> None:
    lines[1]["status"] = "asleep"


def _goals(lines: list[Json]) -> None:
    lines[1]["goals"] = ["x"] * 21


def _number(lines: list[Json]) -> None:
    lines[2]["number"] = 2**70


@pytest.mark.settings(agent_max_bytes=1024)
@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_parent, "no agent"),
        (_path, "its path"),
        (_damaged, "is not its content"),
        (_twice, "two files"),
        (_nobodys, "no agent 'agent_none'"),
        (_large, "has more than"),
        (_status, "status"),
        (_goals, "goals"),
        (_number, ""),
    ],
)
async def test_what_is_no_agent_is_refused(
    api: Api, other: Api, upstream: ScriptedUpstream, spoil: Callable[[list[Json]], None], told: str
) -> None:
    upstream.script(thinks("write_to_file", file="a", text="x" * 500), DONE)
    await until(api, await begin(api), "completed")
    lines = await export(api)
    assert kinds(lines)[1:-1] == ["agent", "agent.cycle", "agent.cycle", "agent.file", "agent.file.content"]
    spoil(lines)
    assert told in await refused(other, lines)
    assert (await get(other, "/agents"))["data"] == []
