"""One model on several servers: shares, fallback, health, further tries, queues, and hang-ups."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from retinue.inference.route import Server as ModelServer
from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import OTHER_KEY, Api, Json, Refused, Server, empty, eventually, read_until, serving
from ..scripted import Reply, ScriptedUpstream

CHAT = "/chat/completions"


def asking(text: str = "Hi", model: str = "m") -> Json:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


class Site:
    """A real application with the model `m`, as a test configures it.

    Attributes:
        api: a client.
        other: a client of another project.
        servers: what the application knows of the model's servers.
    """

    def __init__(self, server: Server, api: Api) -> None:
        self.api = api
        self.other = api.with_key(OTHER_KEY)
        self._app = server.app

    def rested(self) -> None:
        """As if so much time had gone by that every server has rested enough."""
        for server in self.servers:
            server.rests_until = 0

    @property
    def servers(self) -> list[ModelServer]:
        return list(self._app.state.models.resolve("m").route.servers)

    async def waiting(self, count: int) -> None:
        """Return once so many calls wait for the first server."""

        async def look() -> int:
            return self.servers[0].upstream.slots.waiting

        await eventually(look, lambda waiting: waiting == count)

    async def idle(self) -> None:
        """Return once no call is under way at the first server, which takes one at a time."""

        async def look() -> bool:
            return self.servers[0].upstream.slots.free

        await eventually(look)

    async def says(self, text: str = "Hi") -> str:
        """What the model answers."""
        answer = await self.api.post(CHAT, asking(text))
        return answer["choices"][0]["message"]["content"]


Serve = Callable[..., Awaitable[Site]]


@pytest.fixture(autouse=True)
def long_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that failed rests longer than any test takes, until the test says that it is `rested`."""
    monkeypatch.setattr("retinue.inference.route._REST", 3600)
    monkeypatch.setattr("retinue.inference.route._LONGEST_REST", 3600)


@pytest.fixture
async def serve(postgres: str, tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a `Site`; the arguments are the model's settings, and the name of the model where it is not `m`."""
    empty(postgres)
    async with AsyncExitStack() as stack:

        async def start(name: str = "m", **model: Any) -> Site:
            settings = Settings(data=tmp_path, models={name: ModelSettings(**model)}, default_model="m")
            server = await stack.enter_async_context(serving(settings, postgres))
            await server.add_project(OTHER_KEY)
            return Site(server, Api(await stack.enter_async_context(aiohttp.ClientSession()), server.url))

        yield start


@asynccontextmanager
async def named(name: str) -> AsyncIterator[ScriptedUpstream]:
    """A server that answers with its name."""
    async with ScriptedUpstream(Reply(text=name)) as upstream:
        yield upstream


@pytest.fixture
async def first() -> AsyncIterator[ScriptedUpstream]:
    async with named("first") as upstream:
        yield upstream


@pytest.fixture
async def second() -> AsyncIterator[ScriptedUpstream]:
    async with named("second") as upstream:
        yield upstream


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def both(first: ScriptedUpstream, second: ScriptedUpstream, **of_second: Any) -> list[Json]:
    return [{"base_url": first.base_url}, {"base_url": second.base_url, **of_second}]


# --- shares and fallback


async def test_weights(serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream) -> None:
    site = await serve(upstreams=[{"base_url": first.base_url, "weight": 3}, {"base_url": second.base_url}])
    assert Counter([await site.says() for _ in range(40)]) == {"first": 30, "second": 10}


async def test_streams_and_whole_answers_share_by_the_same_weights(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    site = await serve(upstreams=both(first, second))
    for _ in range(5):
        await site.says()
        await site.api.chunks(CHAT, asking())
    assert (len(first.requests), len(second.requests)) == (5, 5)


async def test_each_server_gets_its_own_name_and_key(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    upstreams = both(first, second, served_name="their-name", api_key="their-key")
    site = await serve(upstreams=upstreams, api_key="our-key")
    # An answer names what the server says that it is.
    assert [(await site.api.post(CHAT, asking()))["model"] for _ in range(2)] == ["m", "their-name"]
    told = [(one.requests[0]["model"], one.request_headers[0]["authorization"]) for one in (first, second)]
    assert told == [("m", "Bearer our-key"), ("their-name", "Bearer their-key")]


@pytest.mark.parametrize(
    "sick", [Reply(status=500), Reply(status=503), Reply(status=429), Reply(status=401), Reply(break_after=0)]
)
async def test_another_server_answers_for_a_sick_one(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream, sick: Reply
) -> None:
    """The sick one is left alone, and tried again later."""
    site = await serve(upstreams=both(first, second, tier=1))
    first.default = sick
    assert [await site.says() for _ in range(5)] == ["second"] * 5
    assert len(first.requests) == 1
    first.default = Reply(text="well again")
    site.rested()
    assert [await site.says() for _ in range(3)] == ["well again"] * 3


async def test_another_server_answers_for_one_that_is_not_there(
    serve: Serve, second: ScriptedUpstream, closed_port: int
) -> None:
    upstreams = [{"base_url": f"http://127.0.0.1:{closed_port}/v1", "weight": 100}, {"base_url": second.base_url}]
    site = await serve(upstreams=upstreams)
    assert [await site.says() for _ in range(3)] == ["second"] * 3
    chunks = await site.api.chunks(CHAT, asking())
    assert "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]) == "second"


async def test_other_endpoints_go_the_same_way(serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream) -> None:
    site = await serve(upstreams=both(first, second, tier=1))
    first.default = Reply(status=500)
    answer = await site.api.post("/completions", {"model": "m", "prompt": "Hi"})
    assert answer["choices"][0]["text"] == "second"
    run = await site.api.run("Hello", assistant={"model": "m"})
    assert run["status"] == "completed"
    assert len(first.requests) == 1


# --- what is tried again, and what is not


async def test_a_refused_request_is_not_tried_again(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    site = await serve(upstreams=both(first, second, tier=1))
    first.script(Reply(status=400, error={"message": "No such colour.", "param": "colour", "code": "bad_colour"}))
    error = await site.api.refused("POST", CHAT, asking(), status=400)
    assert error == {
        "message": "The model's server refused the request: No such colour.",
        "type": "invalid_request_error",
        "param": "colour",
        "code": "bad_colour",
    }
    assert (len(first.requests), len(second.requests)) == (1, 0)
    assert await site.says() == "first"


async def test_a_stream_that_broke_is_not_begun_anew(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    site = await serve(upstreams=both(first, second, tier=1))
    first.script(Reply(text="one two three", break_after=2))
    *chunks, last = await site.api.chunks(CHAT, asking())
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "one two"
    assert last["error"]["type"] == "server_error"
    assert (len(first.requests), len(second.requests)) == (1, 0)


async def test_an_error_in_a_stream_ends_it(serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream) -> None:
    site = await serve(upstreams=both(first, second, tier=1))
    first.script(Reply(text="one two", error={"message": "out of memory"}))
    *chunks, last = await site.api.chunks(CHAT, asking())
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "one two"
    assert "out of memory" in last["error"]["message"]
    assert second.requests == []


async def test_silence_is_an_error_and_is_not_tried_again(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    site = await serve(upstreams=both(first, second, tier=1), read_timeout=0.2)
    first.default = Reply(hang=True)
    error = await site.api.refused("POST", CHAT, asking(), status=502)
    assert "did not answer in time" in error["message"]
    assert (len(first.requests), len(second.requests)) == (1, 0)
    await first.wait_for_disconnects(1)
    # The silent one is left alone now.
    assert await site.says() == "second"


async def test_one_server_is_tried_again(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, retries=1)
    first.script(Reply(status=503, headers={"retry-after": "0"}), Reply(text="there"))
    assert await site.says() == "there"
    first.script(*[Reply(status=503, headers={"retry-after": "0"})] * 2)
    await site.api.refused("POST", CHAT, asking(), status=503)
    assert len(first.requests) == 4


async def test_a_rate_limit_is_passed_on(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, retries=3)
    error = {"message": "Slow down.", "type": "tokens", "code": "rate_limit_exceeded"}
    first.script(Reply(status=429, headers={"retry-after": "77"}, error=error))
    answer = await site.api.request("POST", CHAT, asking())
    assert answer.status == 429
    assert answer.headers["retry-after"] == "77"
    assert answer.headers["retry-after-ms"] == "77000"
    assert answer.body["error"] == {
        **error,
        "message": "The model's server is over its rate limit: Slow down.",
        "param": None,
    }
    # More than a minute is more than a call waits for.
    assert len(first.requests) == 1


async def test_a_refused_key_is_passed_on(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url)
    first.script(Reply(status=401, error={"message": "Who are you?", "code": "invalid_api_key"}))
    error = await site.api.refused("POST", CHAT, asking(), status=401)
    assert error["message"] == "The model's server refused Retinue's key: Who are you?"
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
    assert len(first.requests) == 1


async def test_an_error_before_a_stream_has_its_status(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, retries=0)
    first.script(Reply(status=529, error="overloaded"))
    with pytest.raises(Refused) as refused:
        await site.api.chunks(CHAT, asking())
    assert refused.value.answer.status == 529
    assert "overloaded" in refused.value.answer.body["error"]["message"]


# --- who may call


async def test_a_crowd_does_not_hold_other_projects_up(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=1)
    begin = asyncio.Event()
    first.script(Reply(text="first", delay_before=begin))
    crowd = [asyncio.create_task(site.api.post(CHAT, asking(f"a{number}"))) for number in range(20)]
    await first.wait_for_requests(1)
    await site.waiting(19)
    late = asyncio.create_task(site.other.post(CHAT, asking("b")))
    await site.waiting(20)
    assert len(first.requests) == 1
    begin.set()
    await asyncio.gather(*crowd, late)
    order = [request["messages"][0]["content"] for request in first.requests]
    assert order.index("b") <= 2
    assert len(order) == 21


async def test_no_more_at_once_than_may_be(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=3)
    begin = asyncio.Event()
    first.default = Reply(text="done", delay_before=begin)
    calls = [asyncio.create_task(site.api.post(CHAT, asking())) for _ in range(8)]
    await first.wait_for_requests(3)
    await site.waiting(5)
    assert len(first.requests) == 3
    begin.set()
    await asyncio.gather(*calls)
    assert len(first.requests) == 8


async def test_a_limit_holds_for_all_names_of_a_pattern(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve("m*", base_url=first.base_url, max_concurrency=1)
    begin = asyncio.Event()
    first.default = Reply(text="done", delay_before=begin)
    calls = [asyncio.create_task(site.api.post(CHAT, asking(model=name))) for name in ("m", "m-1", "m-2")]
    await first.wait_for_requests(1)
    await site.waiting(2)
    assert len(first.requests) == 1
    begin.set()
    await asyncio.gather(*calls)
    assert {request["model"] for request in first.requests} == {"m", "m-1", "m-2"}


async def test_a_full_queue_refuses(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=1, max_waiting=1)
    begin = asyncio.Event()
    first.script(Reply(delay_before=begin))
    calls = [asyncio.create_task(site.api.post(CHAT, asking())) for _ in range(2)]
    await site.waiting(1)
    for client in (site.api, site.other):
        answer = await client.request("POST", CHAT, asking())
        assert answer.status == 503
        assert (answer.body["error"]["type"], answer.body["error"]["code"]) == ("server_error", "model_busy")
        assert answer.headers["retry-after"] == "1"
    begin.set()
    await asyncio.gather(*calls)
    assert len(first.requests) == 2


async def test_another_server_answers_for_a_busy_one(
    serve: Serve, first: ScriptedUpstream, second: ScriptedUpstream
) -> None:
    site = await serve(upstreams=both(first, second, tier=1), max_concurrency=1, max_waiting=0, retries=0)
    begin = asyncio.Event()
    first.script(Reply(text="first", delay_before=begin))
    held = asyncio.create_task(site.says())
    await first.wait_for_requests(1)
    assert await site.says() == "second"
    begin.set()
    assert await held == "first"
    assert await site.says() == "first"


async def test_no_call_waits_longer_than_it_may(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=1, wait_timeout=0.1)
    begin = asyncio.Event()
    first.script(Reply(delay_before=begin))
    held = asyncio.create_task(site.says())
    await first.wait_for_requests(1)
    error = await site.api.refused("POST", CHAT, asking(), status=503)
    assert error["code"] == "model_busy"
    begin.set()
    await held


# --- hang-ups


async def test_a_stream_that_is_hung_up_on_ends_at_the_server(serve: Serve, first: ScriptedUpstream) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=1)
    first.script(Reply(text="one two", hang=True))
    async with site.api.open_stream(CHAT, asking()) as response:
        await read_until(response.content, b"two")
    await first.wait_for_disconnects(1)
    await site.idle()
    assert await site.says() == "first"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_hung_up_on_before_it_is_answered_ends_at_the_server(
    serve: Serve, first: ScriptedUpstream, stream: bool
) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=1)
    first.script(Reply(hang=True))
    call = asyncio.create_task(site.api.request("POST", CHAT, {**asking(), "stream": stream}))
    await first.wait_for_requests(1)
    call.cancel()
    await first.wait_for_disconnects(1)
    await site.idle()
    assert await site.says() == "first"


async def test_a_call_that_is_hung_up_on_while_it_waits_never_reaches_the_server(
    serve: Serve, first: ScriptedUpstream
) -> None:
    site = await serve(base_url=first.base_url, max_concurrency=1)
    begin = asyncio.Event()
    first.script(Reply(delay_before=begin))
    held = asyncio.create_task(site.says("held"))
    await first.wait_for_requests(1)
    gone = asyncio.create_task(site.says("gone"))
    await site.waiting(1)
    gone.cancel()
    await site.waiting(0)
    begin.set()
    await held
    assert await site.says("next") == "first"
    assert [request["messages"][0]["content"] for request in first.requests] == ["held", "next"]
