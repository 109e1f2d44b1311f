"""Agents beside others: people who may not speak for each other, sub-agents, what happens meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Json, Server, eventually
from ..scripted import Reply, ScriptedUpstream
from ..services import document, service
from .extensions import get, post
from .test_agents import DONE, begin, content, cycles, thinks, until
from .test_oauth import SignedIn


@pytest.mark.settings(egress_allow=["127.0.0.1"])
async def test_nobody_has_an_agent_act_in_the_name_of_another(
    api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    async with service() as bank:
        paths: Any = {"/payments": {"post": {"operationId": "pay"}}}
        body = {"type": "action", "document": document(paths, bank.url)}
        connection = await api.call("POST", "/connections", body, extension=True)
        ada, bob = await SignedIn.of(api, server, "ada"), await SignedIn.of(api, server, "bob")
        upstream.script(thinks("pay"), DONE)
        agent = await begin(ada, connections=[connection["id"]])
        agent = await until(ada, agent, "requires_action")
        path = f"/agents/{agent['id']}"
        for where, said in (
            ("/approve", {"decision": "always"}),
            ("/messages", {"text": "Pay now."}),
            ("", {"goals": ["pay"]}),
            ("/resume", {}),
        ):
            for other in (bob, api):
                error = await other.refused("POST", path + where, said, status=403)
                assert error["code"] == "consent_of_another"
        assert bank.got == []
        await post(ada, f"{path}/approve", {"decision": "once"})
        await until(ada, agent, "completed")
        assert len(bank.got) == 1
        # What its model was told, operations of connections included, can be read.
        told = (await get(ada, f"{path}/prompt"))["text"]
        assert told == upstream.requests[0]["messages"][0]["content"]
        assert '"pay"' in told


@pytest.mark.parametrize("digits", [30, 350])
async def test_what_no_database_takes_is_put_right(api: Api, upstream: ScriptedUpstream, digits: int) -> None:
    command = '{"name": "write_to_file", "args": {"file": "a", "text": 1' + "0" * digits + "}}"
    text = '{"thoughts": {"text": "a\\u0000b"}, "command": ' + command + "}"
    upstream.script(Reply(text=text), DONE)
    agent = await until(api, await begin(api), "completed", "failed")
    assert agent["status"] == "completed"
    assert (await cycles(api, agent))[0]["thoughts"]["text"] == "a\ufffdb"


async def test_a_defect_ends_it_and_says_so(
    api: Api, server: Server, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*args: object, **named: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(server.app.state.store.agents, "last_cycles", broken)
    agent = await until(api, await begin(api), "failed")
    assert agent["last_error"]["code"] == "server_error"
    monkeypatch.undo()
    upstream.script(DONE)
    await post(api, f"/agents/{agent['id']}/resume")
    await until(api, agent, "completed")


@pytest.mark.parametrize(("wish", "status"), [("pause", "paused"), ("cancel", "cancelled")])
async def test_a_wish_is_not_lost_when_it_comes_to_wait(
    api: Api, upstream: ScriptedUpstream, wish: str, status: str
) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(text=thinks("delete_file", file="a").text, delay_before=gate))
    agent = await begin(api)
    await upstream.wait_for_requests(1)
    await post(api, f"/agents/{agent['id']}/{wish}")
    gate.set()
    agent = await until(api, agent, status)
    if wish == "pause":
        # Whoever has it go on is asked what it asked.
        agent = await post(api, f"/agents/{agent['id']}/resume")
        assert (agent["status"], agent["required_action"]["type"]) == ("requires_action", "approve")


def helped(child: Reply) -> Any:
    """A model of an agent that starts one, waits, and has done; and of that one, which says `child`."""

    def decide(request: Json) -> Reply:
        told = "".join(message["content"] for message in request["messages"])
        if "1. Say hello." in told:
            return child
        if "has ended" in told or "Enough." in told:
            return DONE
        if "works now" in told:
            return thinks("do_nothing")
        return thinks("start_agent", name="Helper", task="help", prompt="Say hello.")

    return decide


@pytest.mark.settings(agent_concurrency=1)
async def test_those_that_wait_leave_room_for_those_that_they_wait_for(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = helped(DONE)
    agent = await until(api, await begin(api), "completed", "failed")
    assert (agent["status"], agent["cycles"]) == ("completed", 3)


async def test_one_that_waits_hears_what_it_is_told_and_ends_with_what_it_started(
    api: Api, upstream: ScriptedUpstream
) -> None:
    upstream.default = helped(thinks("delete_file", file="x"))
    agent = await begin(api)
    (child,) = await eventually(lambda: children(api, agent))
    await until(api, child, "requires_action")
    # The other waits for a person, and this one for the other: it costs nothing.
    await eventually(lambda: cycles(api, agent), lambda did: len(did) == 2 and did[1]["status"] == "completed")
    await post(api, f"/agents/{agent['id']}/messages", {"text": "Enough."})
    assert (await until(api, agent, "completed"))["cycles"] == 3
    await until(api, child, "cancelled")


@pytest.mark.parametrize("end", ["cancelled", "deleted"])
async def test_one_that_waits_hears_what_people_do_to_those_that_it_started(
    api: Api, upstream: ScriptedUpstream, end: str
) -> None:
    def decide(request: Json) -> Reply:
        told = "".join(message["content"] for message in request["messages"])
        if "1. Say hello." in told:
            return thinks("delete_file", file="x")
        if "has ended: " in told:
            return DONE
        started = sum(f"The agent Helper {number} works now" in told for number in range(2))
        if started == 2:
            return thinks("do_nothing")
        return thinks("start_agent", name=f"Helper {started}", task="help", prompt="Say hello.")

    upstream.default = decide
    agent = await begin(api)
    both = await eventually(lambda: children(api, agent), lambda found: len(found) == 2)
    for child in both:
        await until(api, child, "requires_action")
    await eventually(lambda: cycles(api, agent), lambda did: len(did) == 3 and did[2]["status"] == "completed")
    if end == "deleted":
        await api.call("DELETE", f"/agents/{both[0]['id']}", extension=True)
    else:
        await post(api, f"/agents/{both[0]['id']}/cancel")
    agent = await until(api, agent, "completed", "failed")
    assert agent["cycles"] == 4
    assert f"has ended: {end}" in upstream.requests[-1]["messages"][-1]["content"]


async def children(api: Api, agent: Json) -> list[Json]:
    return (await get(api, f"/agents/{agent['id']}/agents"))["data"]


async def test_cycles_of_those_that_it_started_count_for_it(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = helped(thinks("search_files", directory=""))
    agent = await begin(api, limits={"cycles": 5})
    (child,) = await eventually(lambda: children(api, agent))
    child = await until(api, child, "incomplete", "failed")
    agent = await until(api, agent, "incomplete", "failed")
    assert (agent["incomplete_details"], agent["cycles"] + child["cycles"]) == ({"reason": "max_cycles"}, 5)


async def test_what_those_worked_counts_that_are_gone(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    upstream.default = helped(DONE)
    agent = await until(api, await begin(api, limits={"cycles": 4}), "completed")
    worked = server.app.state.store.agents.worked
    (child,) = await children(api, agent)
    assert (await worked(agent["id"]))[0] == agent["cycles"] + child["cycles"] == 4
    await api.call("DELETE", f"/agents/{child['id']}", extension=True)
    assert await children(api, agent) == []
    assert (await worked(agent["id"]))[0] == 4


async def test_one_is_told_only_so_much_that_it_has_not_heard(
    api: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.store.agent_changes._MOST_UNHEARD", 2)
    gate = asyncio.Event()
    upstream.script(Reply(text=thinks("search_files", directory="").text, delay_before=gate), DONE)
    agent = await begin(api)
    await upstream.wait_for_requests(1)
    for text in ("One.", "Two."):
        await post(api, f"/agents/{agent['id']}/messages", {"text": text})
    error = await api.refused("POST", f"/agents/{agent['id']}/messages", {"text": "Three."})
    assert "has 2 messages that it has not heard yet" in error["message"]
    gate.set()
    await until(api, agent, "completed")


@pytest.mark.settings(max_storage_bytes=1000)
async def test_workspaces_are_among_what_a_project_stores(api: Api, upstream: ScriptedUpstream) -> None:
    file = await api.file("x" * 400, "a.txt")
    upstream.script(thinks("write_to_file", file="b.txt", text="y" * 300), DONE)
    agent = await until(api, await begin(api, file_ids=[file]), "completed")
    (wrote, _) = await cycles(api, agent)
    assert wrote["result"]["failed"]
    assert "200 bytes are left, and 300 are needed" in wrote["result"]["text"]
    error = await api.refused("POST", "/agents", {"goals": ["x"], "file_ids": [file]})
    assert error["code"] == "storage_limit_exceeded"
    await api.call("DELETE", f"/agents/{agent['id']}", extension=True)
    await begin(api, file_ids=[file])


async def test_given_up_for_repeating_itself_it_may_go_on(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = lambda _: thinks("read_file", file="nothing")
    agent = await until(api, await begin(api), "failed")
    assert agent["last_error"]["code"] == "repetition"
    upstream.default = lambda _: DONE
    await post(api, f"/agents/{agent['id']}/resume")
    agent = await until(api, agent, "completed", "failed")
    assert agent["status"] == "completed"


async def test_it_hears_as_much_at_once_as_there_is_room_for(api: Api, upstream: ScriptedUpstream) -> None:
    gate = asyncio.Event()
    upstream.script(Reply(text=thinks("search_files", directory="").text, delay_before=gate), DONE)
    agent = await begin(api)
    await upstream.wait_for_requests(1)
    for number in range(8):
        await post(api, f"/agents/{agent['id']}/messages", {"text": f"{number} " + "word " * 3900})
    gate.set()
    await until(api, agent, "completed")
    heard = upstream.requests[1]["messages"][-1]["content"]
    assert heard.startswith("0 word")
    assert len(heard) < 100_000


@pytest.mark.settings(agent_max_bytes=100_000)
async def test_files_that_are_too_much_are_not_read(api: Api) -> None:
    files = [await api.file("x" * 60_000, f"{number}.txt") for number in range(2)]
    error = await api.refused("POST", "/agents", {"goals": ["x"], "file_ids": files})
    assert (error["code"], error["param"]) == ("workspace_full", "file_ids")


async def test_those_that_add_to_a_file_at_once_lose_nothing(
    api: Api, server: Server, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents, both = server.app.state.store.agents, asyncio.Barrier(2)
    reads = agents.read_file

    async def read(*named: str) -> bytes:
        """What is in the file, once both have asked."""
        try:
            return await reads(*named)
        finally:
            await both.wait()

    def decide(request: Json) -> Reply:
        said = "".join(message["content"] for message in request["messages"])
        added = "are added to log.txt" in said
        if "1. Say hello." in said:
            return DONE if added else thinks("append_to_file", file="log.txt", text="The child.\n")
        if added:
            return DONE if "has ended" in said else thinks("do_nothing")
        if "works now" in said:
            return thinks("append_to_file", file="log.txt", text="The parent.\n")
        return thinks("start_agent", name="Helper", task="help", prompt="Say hello.")

    upstream.default = decide
    file = await api.file("Once.\n", "log.txt")
    monkeypatch.setattr(agents, "read_file", read)
    agent = await until(api, await begin(api, file_ids=[file]), "completed", "failed")
    monkeypatch.undo()
    lines = (await content(api, agent, "log.txt")).splitlines()
    assert (lines[0], sorted(lines[1:])) == ("Once.", ["The child.", "The parent."])


async def test_a_file_does_not_grow_beyond_what_files_may_have(api: Api, upstream: ScriptedUpstream) -> None:
    file = await api.file("x" * (2 * 1024 * 1024 - 3), "log.txt")
    upstream.script(
        thinks("append_to_file", file="log.txt", text="123"), thinks("append_to_file", file="log.txt", text="4"), DONE
    )
    agent = await until(api, await begin(api, file_ids=[file]), "completed")
    results = [one["result"] for one in await cycles(api, agent)][:2]
    assert [one["failed"] for one in results] == [False, True]
    assert "A file has at most 2048 KiB." in results[1]["text"]
    assert (await content(api, agent, "log.txt")).endswith("x123")
