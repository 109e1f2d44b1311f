"""`mcp`: an assistant calls the tools of MCP servers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from retinue.inference.chat import Json
from retinue.settings import Settings

from ..clients.environments import Unavailable, python_with
from ..harness import Api, Server, run_path
from ..mcp_server import WAV, McpServer, mcp_server
from ..scripted import Call, Reply, ScriptedUpstream
from ..services import connect

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])


@pytest.fixture
async def shop() -> AsyncIterator[McpServer]:
    """An MCP server."""
    async with mcp_server() as server:
        yield server


def tool(connection: Json, *allowed: str) -> Json:
    """An assistant that may call a connection, or these tools of it."""
    chosen = {"allowed_tools": list(allowed)} if allowed else {}
    return {"tools": [{"type": "mcp", "mcp": {"connection_id": connection["id"], **chosen}}]}


async def called(
    api: Api, upstream: ScriptedUpstream, connection: Json, name: str, arguments: Json | None = None, **run: Any
) -> Json:
    """A run in which the model calls one tool."""
    upstream.script(Reply(tool_calls=[Call(name, arguments or {}, id="call_a")]), Reply(text="Done."))
    return await api.run("Hi", assistant=tool(connection), **run)


def told(upstream: ScriptedUpstream) -> str:
    """What the model was last told of a call."""
    (said,) = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    return said


def offered(upstream: ScriptedUpstream) -> dict[str, Json]:
    """The functions that the model was last told of."""
    return {one["function"]["name"]: one["function"] for one in upstream.requests[-1].get("tools", [])}


async def test_a_tool_is_called(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url, headers={"X-Team": "blue"})
    run = await called(api, upstream, connection, "add", {"a": 2, "b": 3})
    assert (run["status"], told(upstream)) == ("completed", "5")
    (call,) = (await api.steps(run))[0]["step_details"]["tool_calls"]
    assert call["type"] == "function"
    assert call["function"] == {"name": "add", "arguments": '{"a": 2, "b": 3}', "output": "5"}
    assert offered(upstream)["add"]["description"] == "Add two numbers."
    assert offered(upstream)["add"]["parameters"]["required"] == ["a", "b"]
    assert {headers["x-team"] for headers in shop.headers} == {"blue"}


async def test_the_tools_of_a_connection(api: Api, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    listed = await api.call("GET", f"/connections/{connection['id']}/tools", extension=True)
    asked = {one["name"]: one["needs_consent"] for one in listed["data"]}
    reading = dict.fromkeys(["add", "show.all", "fail", "wait", "much"], False)
    assert asked == {**reading, "remove": True}
    assert listed["data"][0]["description"] == "Add two numbers."


async def test_only_the_allowed_tools_are_offered(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    await api.run("Hi", assistant=tool(connection, "add", "show.all", "nothing"))
    assert list(offered(upstream)) == ["add", "show_all"]


async def test_what_may_change_something_waits_for_consent(
    api: Api, upstream: ScriptedUpstream, shop: McpServer
) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    run = await called(api, upstream, connection, "remove", {"name": "lamp"})
    assert (run["status"], shop.calls) == ("requires_action", [])
    consents = await api.call("GET", run_path(run) + "/consents", extension=True)
    assert "Remove a thing" in consents["data"][0]["reason"]
    outputs = [{"tool_call_id": "call_a", "output": "always"}]
    run = await api.until(await api.post(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs}))
    assert (run["status"], shop.calls, told(upstream)) == ("completed", ["lamp"], "lamp is gone")
    await called(api, upstream, connection, "remove", {"name": "chair"})
    assert shop.calls == ["lamp", "chair"]


async def test_a_connection_that_never_asks(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url, consent="never")
    await called(api, upstream, connection, "remove", {"name": "lamp"})
    assert shop.calls == ["lamp"]


async def test_all_kinds_of_content(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    run = await called(api, upstream, connection, "show_all")
    lines = told(upstream).splitlines()
    assert lines[0] == "Look. [Left out: orders to whoever reads this.]"
    assert lines[1:4] == ["[Something came that cannot be decoded.]", "site: https://shop.example/", "A note."]
    assert [line.partition(": ")[2] for line in lines[4:]] == [
        "sandbox:/mnt/data/0-0-image.png. The user sees it.",
        "sandbox:/mnt/data/0-1-image.bin.",
        "sandbox:/mnt/data/0-2-audio.wav.",
        "sandbox:/mnt/data/0-3-prices.csv.",
    ]
    shown = (await api.messages(run["thread_id"]))[-1]["content"]
    assert [part["type"] for part in shown] == ["image_file", "text"]
    names = {one["filename"]: one["id"] for one in (await api.get("/files?purpose=assistants_output"))["data"]}
    assert names["0-0-image.png"] == shown[0]["image_file"]["file_id"]
    assert await api.download(f"/files/{names['0-2-audio.wav']}/content") == WAV
    assert (await api.download(f"/files/{names['0-3-prices.csv']}/content")).decode() == "价格"


async def test_what_goes_wrong_is_told_to_the_model(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    await called(api, upstream, connection, "fail")
    assert told(upstream).startswith("Error: ")
    assert "there is nothing" in told(upstream)
    await called(api, upstream, connection, "add", {"a": "no number"})
    assert told(upstream).startswith("Error: ")
    run = await called(api, upstream, connection, "unknown")
    assert run["status"] == "requires_action", "it is no function of ours"


@pytest.mark.settings(mcp_timeout=1, mcp_max_bytes=10_000)
async def test_limits(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url, name="Shop")
    await called(api, upstream, connection, "much", {"size": 20_000})
    assert "larger than 10000 bytes" in told(upstream)
    await called(api, upstream, connection, "wait")
    assert "in time" in told(upstream) or "within 1 seconds" in told(upstream)
    await called(api, upstream, connection, "add", {"a": 1, "b": 1})
    assert told(upstream) == "2"


async def test_a_cancelled_run_ends_its_call(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    upstream.script(Reply(tool_calls=[Call("wait", {})]))
    run = await api.start("Hi", assistant=tool(connection))
    async with asyncio.timeout(10):
        await shop.waiting.wait()
    await api.post(run_path(run) + "/cancel")
    assert (await api.until(run, "cancelled"))["status"] == "cancelled"


# --- lists of tools


async def test_the_list_is_kept(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    await api.run("Hi", assistant=tool(connection))
    asked = len(shop.headers)
    await api.run("Hi", assistant=tool(connection))
    assert len(shop.headers) == asked
    assert "add" in offered(upstream)


@pytest.mark.settings(mcp_tools_cache=0)
async def test_the_list_is_asked_for_anew(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    await api.run("Hi", assistant=tool(connection))
    shop.sdk.remove_tool("add")
    await api.run("Hi", assistant=tool(connection))
    assert "add" not in offered(upstream)
    shop.status = 503
    await api.run("Hi", assistant=tool(connection))
    assert "remove" in offered(upstream), "the list from before serves"
    asked = len(shop.headers)
    await api.run("Hi", assistant=tool(connection))
    assert "remove" in offered(upstream)
    assert len(shop.headers) == asked, "a server that is away is left alone for a while"


async def test_a_server_that_is_away(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    shop.status = 503
    connection = await connect(api, type="mcp", url=shop.url)
    run = await api.run("Hi", assistant=tool(connection))
    assert (run["status"], offered(upstream)) == ("completed", {})
    error = await api.refused("GET", f"/connections/{connection['id']}/tools")
    assert "answers with an error" in error["message"]


async def test_a_connection_that_is_gone_or_another(api: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    await api.call("DELETE", f"/connections/{connection['id']}", extension=True)
    run = await api.run("Hi", assistant=tool(connection))
    assert (run["status"], offered(upstream)) == ("completed", {})


async def test_connections_of_others(api: Api, other: Api, upstream: ScriptedUpstream, shop: McpServer) -> None:
    connection = await connect(api, type="mcp", url=shop.url)
    await other.run("Hi", assistant=tool(connection))
    assert (offered(upstream), shop.headers) == ({}, [])


# --- authentication


async def test_keys_are_sent_and_not_seen(
    api: Api, upstream: ScriptedUpstream, shop: McpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auth = {"type": "api_key", "name": "X-Key", "key": "very-secret"}
    connection = await connect(api, type="mcp", url=shop.url, auth=auth)
    await called(api, upstream, connection, "remove", {"name": "very-secret"}, metadata={})
    await api.run("Hi", assistant=tool(connection))
    assert {headers["x-key"] for headers in shop.headers} == {"very-secret"}
    in_query = await connect(api, type="mcp", url=shop.url, auth={**auth, "in": "query", "name": "k"}, consent="never")
    shop.queries.clear()
    await called(api, upstream, in_query, "remove", {"name": "a very-secret lamp"})
    assert set(shop.queries) == {"k=very-secret"}
    assert told(upstream) == "a [secret] lamp is gone"
    shop.status = 401
    await called(api, upstream, in_query, "add", {"a": 1, "b": 1})
    assert "does not accept the credentials" in told(upstream)
    ours = [record.getMessage() for record in caplog.records if record.name != "uvicorn.access"]
    assert not [message for message in ours if "very-secret" in message]


async def test_whoever_has_not_signed_in_is_sent_there(
    api: Api, server: Server, upstream: ScriptedUpstream, shop: McpServer
) -> None:
    places = {"authorization_url": "http://8.8.8.8/sign-in", "token_url": "http://8.8.8.8/token"}
    connection = await connect(api, type="mcp", url=shop.url, auth={"type": "oauth", "client_id": "a", **places})
    run = await api.run("Hi", assistant=tool(connection))
    assert (run["status"], offered(upstream)) == ("completed", {}), "nobody knows its tools"
    known = {"tool": "add", "name": "add", "title": "Add", "description": "", "parameters": {}, "changes": False}
    await server.app.state.store.connections.keep_tools(connection["id"], [known])
    run = await called(api, upstream, connection, "add")
    consents = await api.call("GET", run_path(run) + "/consents", extension=True)
    assert consents["data"][0]["authorize_url"].startswith("http://8.8.8.8/sign-in?response_type=code")
    assert not shop.headers


# --- addresses and commands


@pytest.mark.settings(egress_allow=[])
async def test_addresses_are_judged_with_every_request(api: Api, server: Server, shop: McpServer) -> None:
    error = await api.refused("POST", "/connections", {"type": "mcp", "url": shop.url})
    assert (error["code"], error["param"]) == ("address_refused", "url")


async def test_commands_that_nobody_has_allowed(api: Api, upstream: ScriptedUpstream) -> None:
    connection = await connect(api, type="mcp", url="stdio:shell", name="Shell")
    run = await api.run("Hi", assistant=tool(connection))
    assert (run["status"], offered(upstream)) == ("completed", {})
    error = await api.refused("GET", f"/connections/{connection['id']}/tools")
    assert "`mcp_commands` names no command for 'stdio:shell'" in error["message"]


@pytest.fixture(scope="module")
def programs() -> dict[str, list[str]]:
    """Published servers, each in an environment of its own, as the setting `mcp_commands` names them."""
    try:
        time, sqlite = (python_with(f"mcp-server-{name}").parent / f"mcp-server-{name}" for name in ("time", "sqlite"))
    except Unavailable as error:
        pytest.skip(str(error))
    return {"time": [str(time), "--local-timezone=UTC"], "sqlite": [str(sqlite), "--db-path"]}


async def test_a_published_server(
    api: Api, server: Server, settings: Settings, upstream: ScriptedUpstream, programs: dict[str, list[str]]
) -> None:
    """mcp-server-time by standard input, without what this process knows."""
    settings.mcp_commands["time"] = programs["time"]
    connection = await connect(api, type="mcp", url="stdio:time", consent="never")
    arguments = {"source_timezone": "Asia/Shanghai", "time": "12:30", "target_timezone": "Europe/Oslo"}
    run = await called(api, upstream, connection, "convert_time", arguments)
    assert run["status"] == "completed"
    assert list(offered(upstream)) == ["get_current_time", "convert_time"]
    assert "Europe/Oslo" in told(upstream)
    await called(api, upstream, connection, "convert_time", {**arguments, "time": "25:00"})
    assert told(upstream).startswith("Error: ")


async def test_a_published_server_of_the_older_protocol(
    api: Api,
    server: Server,
    settings: Settings,
    upstream: ScriptedUpstream,
    programs: dict[str, list[str]],
    tmp_path: Path,
) -> None:
    """mcp-server-sqlite, with an SDK that speaks the protocol of 2025: two questions in one answer of the model."""
    path = tmp_path / "courses.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("create table Courses (name text, teacher text)")
        courses = [("数学", "张三"), ("物理", "张三"), ("化学", "张三"), ("历史", "李四")]
        database.executemany("insert into Courses values (?, ?)", courses)
    settings.mcp_commands["sqlite"] = [*programs["sqlite"], str(path)]
    connection = await connect(api, type="mcp", url="stdio:sqlite", consent="never")
    queries = [f"select count(*) as n from Courses where teacher = '{name}'" for name in ("张三", "李四")]
    calls = [Call("read_query", {"query": query}, id=f"call_{number}") for number, query in enumerate(queries)]
    upstream.script(Reply(tool_calls=calls), Reply(text="3, 2 more."))
    run = await api.run("Hi", assistant=tool(connection, "read_query"))
    assert run["status"] == "completed"
    answers = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    assert answers == ["[{'n': 3}]", "[{'n': 1}]"]


OLD = """
import socket, uvicorn
from mcp.server.fastmcp import FastMCP
server = FastMCP("old")
@server.tool()
def shout(text: str) -> str:
    return text.upper()
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(server.streamable_http_app(), log_level="critical")).run(sockets=[listening])
"""


async def test_the_older_protocol_over_http(
    api: Api, upstream: ScriptedUpstream, programs: dict[str, list[str]]
) -> None:
    """The SDK's server of 2025, which keeps sessions."""
    python = Path(programs["sqlite"][0]).with_name("python")
    process = await asyncio.create_subprocess_exec(python, "-c", OLD, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout
        port = int(await process.stdout.readline())
        connection = await connect(api, type="mcp", url=f"http://127.0.0.1:{port}/mcp", consent="never")
        await called(api, upstream, connection, "shout", {"text": "hej"})
        assert told(upstream) == "HEJ"
    finally:
        process.kill()
        await process.wait()


COMMANDS = {"gone": ["/nowhere/program"], "silent": ["/bin/sleep", "60"], "deaf": ["/bin/true"]}


@pytest.mark.settings(mcp_commands=COMMANDS, mcp_timeout=1)
async def test_commands_that_are_no_servers(api: Api) -> None:
    for name, said in (("gone", "cannot be started"), ("silent", "within 1 seconds"), ("deaf", "")):
        connection = await connect(api, type="mcp", url=f"stdio:{name}", name=name)
        error = await api.refused("GET", f"/connections/{connection['id']}/tools")
        assert said in error["message"], name
