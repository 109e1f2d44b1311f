"""Commands of agents: each with the real service that it speaks to, played on loopback."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import Api, Json, Server
from ..image_upstream import ImageUpstream, images_upstream, opened
from ..mcp_server import mcp_server
from ..scripted import Reply, ScriptedUpstream
from ..services import Service, connect, service
from .extensions import get, post
from .test_agents import DONE, begin, content, cycles, thinks, until

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])


@pytest.fixture
async def place() -> AsyncIterator[Service]:
    """A service: a search engine, or where things are published."""
    async with service() as made:
        yield made


@pytest.fixture
async def painter() -> AsyncIterator[ImageUpstream]:
    """An image model's server."""
    async with images_upstream() as made:
        yield made


@pytest.fixture
def settings(settings: Settings, place: Service, painter: ImageUpstream) -> Settings:
    """All that commands need, but `publish_kind`, which a test's mark sets."""
    models = {**settings.models, "painter": ModelSettings(base_url=painter.base_url, retries=0)}
    services = {"search_provider": "searxng", "search_url": place.url, "publish_url": f"{place.url}/here"}
    return settings.model_copy(update={"models": models, "default_image_model": "painter", **services})


async def did(api: Api, upstream: ScriptedUpstream, *replies: Reply, **fields: Any) -> tuple[Json, list[Json]]:
    """An agent that does this unasked, and what came of each command."""
    if replies:
        upstream.script(*replies, DONE)
    agent = await until(api, await begin(api, approval="never", **fields), "completed", "failed")
    assert agent["status"] == "completed", agent
    return agent, [one["result"] for one in await cycles(api, agent)][:-1]


# --- the model, asked apart


async def test_code_is_improved_by_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    better = "```python\nprint(sum(range(10)))\n```"
    improve = thinks("improve_code", suggestions="Use sum.", code="t = 0\nfor i in range(10): t += i\nprint(t)")
    _, (result,) = await did(api, upstream, improve, Reply(text=better))
    assert (result["text"], result["failed"]) == (better, False)
    instructions, question = (one["content"] for one in upstream.requests[1]["messages"])
    assert "improve Python code" in instructions
    assert ("Use sum." in question, "for i in range(10)" in question) == (True, True)


async def test_tests_are_written_by_the_model(api: Api, upstream: ScriptedUpstream) -> None:
    tests = "```python\nimport unittest\n```"
    write = thinks("write_tests", code="def double(x): return 2 * x", focus="negative numbers")
    _, (result,) = await did(api, upstream, write, Reply(text=tests))
    assert (result["text"], result["failed"]) == (tests, False)
    instructions, question = (one["content"] for one in upstream.requests[1]["messages"])
    assert "unittest" in instructions
    assert ("negative numbers" in question, "def double" in question) == (True, True)


# --- other agents


async def test_another_agent_is_told_something_listed_and_deleted(
    api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    gate = asyncio.Event()

    def child(said: str) -> Reply:
        if "Mind the thorns." in said:
            return thinks("task_complete", reason="No thorn hurt me.")
        return Reply(text=thinks("search_files", directory="").text, delay_before=gate)

    def parent(said: str) -> Reply:
        key = re.search(r'its key is "(agent_\w+)"', said)
        if key is None:
            return thinks("start_agent", name="Helper", task="pick roses", prompt="Pick a rose.")
        if "You have started no agents." in said:
            return DONE
        if "is deleted." in said:
            return thinks("list_agents")
        if "has ended (completed)" in said:
            return thinks("delete_agent", key=key[1])
        if "You have no agent with the key" in said:
            return thinks("message_agent", key="Helper", message="Too late.")
        if ": completed: No thorn hurt me." in said:
            return thinks("message_agent", key="nobody", message="Hello?")
        if "has ended: No thorn hurt me." in said:
            return thinks("list_agents")
        if "will hear it before its next step" in said:
            gate.set()
            return thinks("do_nothing")
        return thinks("message_agent", key=key[1], message="Mind the thorns.")

    def decide(request: Json) -> Reply:
        said = "".join(message["content"] for message in request["messages"])
        return child(said) if "1. Pick a rose." in said else parent(said)

    upstream.default = decide
    agent, results = await did(api, upstream)
    names = [one["command"]["name"] for one in await cycles(api, agent)]
    others = ["message_agent", "message_agent", "delete_agent", "list_agents", "task_complete"]
    assert names == ["start_agent", "message_agent", "do_nothing", "list_agents", *others]
    assert [one["failed"] for one in results] == [False] * 4 + [True, True, False, False]
    assert (await get(api, f"/agents/{agent['id']}/agents"))["data"] == []
    # What it worked still counts.
    assert (await server.app.state.store.agents.worked(agent["id"]))[0] > agent["cycles"]
    assert [one["id"] for one in (await get(api, "/agents"))["data"]] == [agent["id"]]


@pytest.mark.settings(agent_max_children=1)
async def test_there_are_no_more_agents_than_it_may_have(api: Api, upstream: ScriptedUpstream) -> None:
    def decide(request: Json) -> Reply:
        said = "".join(message["content"] for message in request["messages"])
        if "1. Say hello." in said or "may have no more" in said:
            return DONE
        name = "Second" if "works now" in said else "First"
        return thinks("start_agent", name=name, task="help", prompt="Say hello.")

    upstream.default = decide
    agent = await until(api, await begin(api), "completed", "failed")
    assert [one["failed"] for one in [c["result"] for c in await cycles(api, agent)]] == [False, True, False]


# --- the world


async def test_it_searches_the_web(api: Api, upstream: ScriptedUpstream, place: Service) -> None:
    found = {"title": "Roses", "url": "https://roses.example/", "content": "They are red."}
    place.answer = lambda _: web.json_response({"results": [found]})
    _, (result,) = await did(api, upstream, thinks("google", input="red flowers"))
    assert not result["failed"]
    assert ("They are red." in result["text"], "https://roses.example/" in result["text"]) == (True, True)
    assert "q=red" in place.got[0].target


@pytest.mark.settings(browse_max_pages=1)
async def test_pages_are_counted_in_each_of_its_cycles(api: Api, upstream: ScriptedUpstream, place: Service) -> None:
    place.answer = lambda _: web.json_response(
        {"results": [{"title": "Roses", "url": "https://roses.example/", "content": "Red."}]}
    )
    _, results = await did(api, upstream, *(thinks("google", input=f"flowers {number}") for number in range(2)))
    assert [one["failed"] for one in results] == [False, False]


async def test_it_draws_a_picture_into_its_workspace(
    api: Api, upstream: ScriptedUpstream, painter: ImageUpstream
) -> None:
    draw = thinks("generate_image", prompt="A red rose, at dawn, by the sea!")
    agent, (result,) = await did(api, upstream, draw)
    (path,) = result["files"]
    assert re.fullmatch(r"images/a-red-rose-at-dawn-\d+\.png", path)
    picture = await api.download(f"/agents/{agent['id']}/files/content?path={path}")
    assert opened(picture).size == (64, 64)
    # There is no second copy that nobody would delete.
    assert (await api.call("GET", "/files"))["data"] == []
    assert painter.requests[0].fields["prompt"] == "A red rose, at dawn, by the sea!"


def publishing(kind: str, *values: Any) -> Any:
    """A case in which the server publishes so."""
    return pytest.param(*values, marks=pytest.mark.settings(publish_kind=kind, publish_token=SecretStr("secret")))


@pytest.mark.parametrize(
    ("target", "field"),
    [
        publishing("webhook", "/here", "text"),
        publishing("mastodon", "/here/api/v1/statuses", "status"),
        publishing("x", "/here", "text"),
    ],
)
async def test_it_publishes(api: Api, upstream: ScriptedUpstream, place: Service, target: str, field: str) -> None:
    _, (result,) = await did(api, upstream, thinks("send_tweet", text="Roses are red. 玫瑰"))
    (got,) = place.got
    assert (got.method, got.target, got.json) == ("POST", target, {field: "Roses are red. 玫瑰"})
    assert (got.headers["authorization"], got.headers["content-type"]) == ("Bearer secret", "application/json")
    assert (result["text"], result["failed"]) == ("It is published.", False)


@pytest.mark.settings(publish_kind="x")
async def test_what_is_not_published_is_told(api: Api, upstream: ScriptedUpstream, place: Service) -> None:
    place.answer = lambda _: web.Response(status=403)
    _, (result,) = await did(api, upstream, thinks("send_tweet", text="Roses are red."))
    assert ("authorization" in place.got[0].headers, result["failed"]) == (False, True)
    assert result["text"] == "It was not published: the service answered 403."


async def test_where_nothing_is_set_nothing_is_published_and_that_is_said(
    api: Api, upstream: ScriptedUpstream, place: Service
) -> None:
    _, (result,) = await did(api, upstream, thinks("send_tweet", text="x"), commands=["send_tweet"])
    assert (result["failed"], result["text"].startswith("Nothing was published")) == (True, True)
    assert ("publish_kind" in result["text"], place.got) == (True, [])


# --- commands of others

PLUGIN = """
from retinue.agents.commands.command import Argument, Both, Command, Outcome


async def _water(place, args):
    return Outcome(f"{args['flower']} has water now.", files={"watered.txt": args["flower"].encode()})


def water():
    flower = Argument("flower", Both("<flower>", "<花>"))
    return [Command("water_flower", Both("Water a flower", "浇花"), (flower,), _water, risky=True)]


def broken():
    raise RuntimeError
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with two plugins, of which one breaks."""
    folder = tmp_path / "site"
    information = folder / "retinue_flowers-1.0.dist-info"
    information.mkdir(parents=True)
    (folder / "retinue_flowers.py").write_text(PLUGIN)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: retinue-flowers\nVersion: 1.0\n")
    points = "[retinue.agent_commands]\nbroken = retinue_flowers:broken\nflowers = retinue_flowers:water\n"
    (information / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(folder)


@pytest.mark.usefixtures("plugin")
async def test_commands_come_from_other_packages(api: Api, upstream: ScriptedUpstream) -> None:
    listed = {one["id"]: one for one in (await get(api, "/agents/commands"))["data"]}
    assert (listed["water_flower"]["risky"], listed["water_flower"]["arguments"]) == (True, ["flower"])
    upstream.script(thinks("water_flower", flower="rose"), DONE)
    agent = await until(api, await begin(api), "requires_action", "completed", "failed")
    assert agent["required_action"]["command"] == {"name": "water_flower", "args": {"flower": "rose"}}
    await post(api, f"/agents/{agent['id']}/approve", {"decision": "once"})
    agent = await until(api, agent, "completed", "failed")
    assert (await cycles(api, agent))[0]["result"]["text"] == "rose has water now."
    assert await content(api, agent, "watered.txt") == "rose"
    assert '"water_flower", args: "flower": "<flower>"' in upstream.requests[0]["messages"][0]["content"]


async def test_tools_of_an_mcp_server_are_commands(api: Api, upstream: ScriptedUpstream) -> None:
    async with mcp_server() as shop:
        connection = await connect(api, type="mcp", url=shop.url)
        upstream.script(thinks("add", a=2, b=3), thinks("remove", name="the vase"), DONE)
        # Whatever the agent's approval is: what changes something there asks as the connection says.
        agent = await begin(api, connections=[connection["id"]], approval="never")
        agent = await until(api, agent, "requires_action", "completed", "failed")
        assert agent["required_action"]["command"] == {"name": "remove", "args": {"name": "the vase"}}
        assert shop.calls == []
        await post(api, f"/agents/{agent['id']}/approve", {"decision": "once"})
        agent = await until(api, agent, "completed", "failed")
        results = [one["result"]["text"] for one in await cycles(api, agent)]
        assert (results[0], "the vase is gone" in results[1], shop.calls) == ("5", True, ["the vase"])


# --- limits


@pytest.mark.settings(agent_command_timeout=0.3)
async def test_a_command_that_takes_too_long_is_given_up(api: Api, upstream: ScriptedUpstream, place: Service) -> None:
    place.open.clear()
    browse = thinks("browse_website", url=f"{place.url}/page", question="What is there?")
    _, (result,) = await did(api, upstream, browse)
    place.open.set()
    assert (result["text"], result["failed"]) == ("It took longer than 0.3 seconds and was given up.", True)


@pytest.mark.model_settings(context_length=100_000)
async def test_a_result_that_is_too_long_is_cut_and_says_so(api: Api, upstream: ScriptedUpstream) -> None:
    long, short = await api.file("Rose. " * 20_000, "long.txt"), await api.file("Rose.", "short.txt")
    files = [thinks("read_file", file=f"{name}.txt") for name in ("long", "short")]
    _, results = await did(api, upstream, *files, file_ids=[long, short])
    assert [(len(one["text"]), one["truncated"]) for one in results] == [(40_000, True), (5, False)]


@pytest.mark.settings(agent_max_files=2)
async def test_a_workspace_has_so_many_files(api: Api, upstream: ScriptedUpstream) -> None:
    writes = [thinks("write_to_file", file=f"{number}.txt", text="x") for number in range(3)]
    again = thinks("append_to_file", file="0.txt", text="y")
    agent, results = await did(api, upstream, *writes, thinks("append_to_file", file="3.txt", text="x"), again)
    assert [one["failed"] for one in results] == [False, False, True, True, False]
    assert results[2]["text"].startswith("A workspace has at most 2 files")
    assert [one["path"] for one in (await get(api, f"/agents/{agent['id']}/files"))["data"]] == ["0.txt", "1.txt"]
    assert await content(api, agent, "0.txt") == "xy"
