"""Which server a call goes to, and what becomes of a call that fails. The servers are played, and so is the clock."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ContextOverflow, ModelBusy, ModelError
from retinue.inference.route import Route, Server
from retinue.inference.slots import FairSlots
from retinue.inference.upstream import Upstream

Json = dict[str, Any]

BODY: Json = {"messages": []}


class Clock:
    """Stands in for the modules `time` and `asyncio` of the route: sleeping takes no time, but the clock goes on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Nothing happens at the same moment as something else."""
        self.now += 1e-6
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("retinue.inference.route.time", clock)
    monkeypatch.setattr("retinue.inference.route.asyncio", clock)
    return clock


class Played:
    """An upstream that does what it is told, call by call, and then answers with its name."""

    def __init__(self, name: str, *, slots: int = 100, waiting: int = 100) -> None:
        self.base_url = name
        self.slots = FairSlots(slots, waiting=waiting, timeout=3600)
        self.script: deque[Exception] = deque()
        self.always: Exception | None = None
        #: Fails streams after this many batches; None: before the first.
        self.breaks_after: int | None = None
        self.asked: list[str] = []

    def _error(self) -> Exception | None:
        return self.script.popleft() if self.script else self.always

    async def post(self, model: str, path: str, body: Json, caller: str = "") -> Json:
        await self.slots.acquire(caller)
        self.slots.release()
        self.asked.append(model)
        if error := self._error():
            raise error
        return {"from": self.base_url}

    async def post_form(self, model: str, path: str, fields: Callable[[], aiohttp.FormData], caller: str = "") -> Json:
        fields()
        return await self.post(model, path, {}, caller)

    async def chunks(self, model: str, path: str, body: Json, caller: str = "") -> AsyncGenerator[list[Json], None]:
        self.asked.append(model)
        error = self._error()
        if error and self.breaks_after is None:
            raise error
        for number in range(3):
            if error and number == self.breaks_after:
                raise error
            yield [{"from": self.base_url, "number": number}]


def server(name: str, weight: float = 1, tier: int = 0, **played: Any) -> Server:
    return Server(cast(Upstream, Played(name, **played)), weight, tier)


def played(server: Server) -> Played:
    return cast(Played, cast(object, server.upstream))


def route(*servers: Server, retries: int = 2) -> Route:
    return Route("m", servers, retries=retries)


async def ask(way: Route) -> str:
    return (await way.post("/x", BODY))["from"]


def down() -> ModelError:
    return ModelError("cannot be reached", retriable=True)


def says(status: int, retry_after: float | None = None) -> ModelError:
    return ModelError("refused", status=status, retriable=status in (429, 500, 503), retry_after=retry_after)


# --- weights


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_each_round_has_exactly_the_shares(weights: list[int]) -> None:
    servers = [server(str(number), weight) for number, weight in enumerate(weights)]
    way = route(*servers)
    for _ in range(3):
        chosen = Counter(way.choose().upstream.base_url for _ in range(sum(weights)))
        assert [chosen[str(number)] for number in range(len(weights))] == weights


def test_shares_are_spread() -> None:
    """Smooth: the heavy server's calls do not come in one burst."""
    way = route(server("a", 5), server("b", 1), server("c", 1))
    assert "".join(way.choose().upstream.base_url for _ in range(7)) == "aabacaa"


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=4))
def test_fractions_are_weights_too(weights: list[float]) -> None:
    """No server is ever further from its share than one call for each other server."""
    way = route(*(server(str(number), weight) for number, weight in enumerate(weights)))
    chosen: Counter[str] = Counter()
    for made in range(1, 200):
        chosen[way.choose().upstream.base_url] += 1
        for number, weight in enumerate(weights):
            assert abs(chosen[str(number)] - made * weight / sum(weights)) < len(weights)


async def test_a_busy_server_is_passed_by_while_another_of_its_tier_is_free() -> None:
    busy, free, spare = server("a", 9, slots=1), server("b"), server("c", tier=1)
    await busy.upstream.slots.acquire("x")
    way = route(busy, free, spare)
    assert [await ask(way) for _ in range(3)] == ["b", "b", "b"]
    busy.upstream.slots.release()
    assert Counter([await ask(way) for _ in range(10)])["a"] >= 8


async def test_a_server_with_a_full_queue_is_no_server() -> None:
    full, spare = server("a", slots=1, waiting=0), server("b", tier=1)
    await full.upstream.slots.acquire("x")
    assert await ask(route(full, spare, retries=0)) == "b"
    with pytest.raises(ModelBusy):
        await ask(route(full))
    assert full.failures == 0


# --- tiers and health


async def test_a_lower_tier_comes_first(clock: Clock) -> None:
    first, second = server("a"), server("b", 100, tier=1)
    way = route(first, second)
    assert {await ask(way) for _ in range(20)} == {"a"}
    played(first).always = down()
    assert await ask(way) == "b"
    played(first).always = None
    clock.now += 1.1
    assert await ask(way) == "a"


async def test_a_failed_server_rests_longer_each_time(clock: Clock) -> None:
    sick, well = server("sick"), server("well", tier=1)
    played(sick).always = down()
    way = route(sick, well)
    rests: list[float] = []
    for _ in range(9):
        made = len(played(sick).asked)
        assert await ask(way) == "well"
        assert len(played(sick).asked) == made + 1
        began = clock.now
        while sick.rests_until > clock.now:
            assert await ask(way) == "well"
            clock.now += 0.25
        assert len(played(sick).asked) == made + 1
        rests.append(clock.now - began)
    assert [round(rest) for rest in rests] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert clock.slept == [0] * 9  # another server was there: nobody waited


async def test_a_server_that_is_well_again_starts_afresh(clock: Clock) -> None:
    sick, well = server("sick"), server("well", tier=1)
    played(sick).script.extend(down() for _ in range(4))
    way = route(sick, well)
    for _ in range(4):
        assert await ask(way) == "well"
        clock.now = sick.rests_until
    assert sick.failures == 4
    assert await ask(way) == "sick"
    assert sick.failures == 0
    played(sick).script.append(down())
    assert await ask(way) == "well"
    assert sick.rests_until - clock.now == pytest.approx(1, abs=0.01)


async def test_only_one_call_finds_out(clock: Clock) -> None:
    """While a server is tried again, others do not follow until it has answered."""
    sick, well = server("sick"), server("well", tier=1)
    way = route(sick, well)
    played(sick).script.append(down())
    assert await ask(way) == "well"
    clock.now += 1.1
    assert [way.choose().upstream.base_url for _ in range(3)] == ["sick", "well", "well"]
    # That call was given up without a result: after a while another one goes.
    clock.now += 1.1
    assert way.choose() is sick


async def test_calls_that_fail_together_count_once(clock: Clock) -> None:
    lone = server("a")
    began = clock.monotonic()
    for _ in range(50):
        lone.failed(began, down())
    assert lone.failures == 1
    lone.failed(clock.monotonic(), down())
    assert lone.failures == 2


async def test_an_old_call_that_succeeds_says_nothing_of_today(clock: Clock) -> None:
    lone = server("a")
    early = clock.monotonic()
    lone.failed(clock.monotonic(), down())
    lone.succeeded(early)
    assert lone.failures == 1
    lone.succeeded(clock.monotonic())
    assert lone.failures == 0


def test_a_server_may_fail_for_ever() -> None:
    lone = server("a")
    for _ in range(5000):
        lone.failed(time.monotonic(), down())
        lone.failed_at -= 1
    assert lone.rests_until - time.monotonic() <= 60


async def test_a_server_that_asks_for_time_gets_it(clock: Clock) -> None:
    sick, well = server("sick"), server("well", tier=1)
    way = route(sick, well)
    for asked, granted in ((30, 30), (3600, 60)):
        played(sick).script.append(says(429, retry_after=asked))
        assert await ask(way) == "well"
        assert sick.rests_until - clock.now == pytest.approx(granted, abs=0.01)
        clock.now += 3600


async def test_if_all_rest_the_one_is_asked_that_has_rested_most(clock: Clock) -> None:
    servers = [server(name) for name in "abc"]
    way = route(*servers, retries=0)
    for one in servers:
        played(one).script.append(down())
    for _ in servers:
        with pytest.raises(ModelError):
            await ask(way)
    first = min(servers, key=lambda one: one.rests_until)
    assert await ask(way) == first.upstream.base_url


@pytest.mark.parametrize("status", [403, 404, 501])
async def test_what_one_server_does_not_have_another_may(clock: Clock, status: int) -> None:
    """And it goes on serving what it has."""
    first, second = server("a"), server("b", tier=1)
    played(first).script.append(says(status))
    way = route(first, second)
    assert await ask(way) == "b"
    assert await ask(way) == "a"


@pytest.mark.parametrize("status", [401, 408, 429, 500, 502, 503, 529])
async def test_what_is_the_servers_own_trouble_another_does_not_have(clock: Clock, status: int) -> None:
    first, second = server("a"), server("b", tier=1)
    played(first).always = ModelError("refused", status=status, retriable=status != 401)
    way = route(first, second)
    assert [await ask(way) for _ in range(3)] == ["b", "b", "b"]
    assert len(played(first).asked) == 1


@pytest.mark.parametrize("error", [says(400), says(422), says(413), ContextOverflow("too long")])
async def test_what_is_wrong_with_the_request_is_told_at_once(clock: Clock, error: ModelError) -> None:
    first, second = server("a"), server("b")
    played(first).always = played(second).always = error
    with pytest.raises(ModelError) as raised:
        await ask(route(first, second))
    assert raised.value is error
    assert len(played(first).asked) + len(played(second).asked) == 1
    assert first.failures == second.failures == 0


# --- further tries


async def test_one_server_is_asked_again_after_pauses(clock: Clock) -> None:
    lone = server("a")
    played(lone).script.extend(down() for _ in range(6))
    assert await ask(route(lone, retries=6)) == "a"
    assert len(played(lone).asked) == 7
    for pause, least in zip(clock.slept, (0.5, 1, 2, 4, 4, 4), strict=True):
        assert least <= pause <= least * 1.25


async def test_there_are_so_many_tries_and_no_more(clock: Clock) -> None:
    servers = [server(name) for name in "ab"]
    for one in servers:
        played(one).always = down()
    with pytest.raises(ModelError, match="cannot be reached"):
        await ask(route(*servers, retries=3))
    assert [len(played(one).asked) for one in servers] == [2, 2]
    # The other server at once; then both have failed.
    assert clock.slept[0] == 0
    assert all(pause >= 0.5 for pause in clock.slept[1:])


async def test_a_server_that_says_when_is_asked_then(clock: Clock) -> None:
    lone = server("a")
    played(lone).script.append(says(429, retry_after=7))
    assert await ask(route(lone)) == "a"
    assert 7 <= clock.slept[0] <= 7 * 1.25
    played(lone).script.append(says(429, retry_after=21))
    with pytest.raises(ModelError) as raised:
        await ask(route(lone))
    assert raised.value.retry_after == 21


async def test_silence_is_not_tried_again(clock: Clock) -> None:
    """The server may still be at work on the call."""
    first, second = server("a"), server("b")
    played(first).always = played(second).always = ModelError("did not answer in time")
    with pytest.raises(ModelError):
        await ask(route(first, second))
    assert len(played(first).asked) + len(played(second).asked) == 1
    assert first.failures + second.failures == 1


async def test_a_form_is_made_afresh_for_each_try(clock: Clock) -> None:
    first, second = server("a"), server("b", tier=1)
    played(first).always = down()
    made: list[aiohttp.FormData] = []

    def fields() -> aiohttp.FormData:
        made.append(aiohttp.FormData())
        return made[-1]

    assert (await route(first, second).post_form("/x", fields))["from"] == "b"
    assert len(made) == 2


# --- streams


async def read(way: Route) -> list[str]:
    return [f"{event['from']}{event['number']}" async for events in way.chunks("/x", BODY) for event in events]


async def test_a_stream_that_has_not_begun_is_asked_for_again(clock: Clock) -> None:
    first, second = server("a"), server("b", tier=1)
    played(first).always = down()
    assert await read(route(first, second)) == ["b0", "b1", "b2"]


async def test_a_stream_that_has_begun_is_never_asked_for_again(clock: Clock) -> None:
    first, second = server("a"), server("b", tier=1)
    played(first).always, played(first).breaks_after = down(), 2
    way = route(first, second)
    answer = way.chunks("/x", BODY)
    assert [(await anext(answer))[0]["number"] for _ in range(2)] == [0, 1]
    with pytest.raises(ModelError, match="cannot be reached"):
        await anext(answer)
    assert played(second).asked == []
    # But the next one goes elsewhere.
    assert await read(way) == ["b0", "b1", "b2"]


async def test_a_stream_that_nobody_reads_on_says_nothing_of_the_server(clock: Clock) -> None:
    first, second = server("a"), server("b", tier=1)
    way = route(first, second)
    async with aclosing(way.chunks("/x", BODY)) as answer:
        await anext(answer)
    assert first.failures == 0
    assert await read(way) == ["a0", "a1", "a2"]


# --- names


async def test_names_share_servers(clock: Clock) -> None:
    first, second = server("a"), server("b", tier=1)
    played(first).always = down()
    way = route(first, second)
    assert await ask(way.named("m-1")) == "b"
    assert await ask(way.named("m-2")) == "b"
    assert (played(first).asked, played(second).asked) == (["m-1"], ["m-1", "m-2"])


async def test_a_model_without_servers_refuses(clock: Clock) -> None:
    with pytest.raises(ModelError) as raised:
        await ask(route())
    assert raised.value.status == 400
