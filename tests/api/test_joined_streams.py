"""Reading along with a run from another connection: the same events, with the same ids, as the run's own stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from retinue.settings import Settings

from ..harness import Api, Event, Json, Server, check_events, function, parse_events, read_until, run_path, serving
from ..scripted import Call, Reply, ScriptedUpstream
from .test_streams import called, names, of, said, streamed

TOOLS = {"tools": [function("weather", city="string"), function("time")]}


async def join(api: Api, run: Json, after: str = "", headers: dict[str, str] | None = None) -> list[Event]:
    """All events of a joined stream."""
    path = run_path(run) + "/stream" + (f"?after={after}" if after else "")
    async with api.open_get_stream(path, headers) as response:
        events = parse_events(await response.text())
    check_events(events)
    return events


def whole(events: list[Event]) -> list[Event]:
    """The events that are no pieces."""
    return [event for event in events if not event.name.endswith(".delta")]


def owns(run: Json, events: list[Event]) -> list[Event]:
    """What concerns the run: a joined stream leaves out the creation of the thread."""
    return [event for event in events if event.name != "thread.created"]


async def agrees(api: Api, own: list[Event]) -> list[Event]:
    """Holds the joined stream of a run, from the start and from every event on, against its own; returns it."""
    run = of(own, "thread.run.created")
    joined = await join(api, run)
    assert whole(joined) == whole(own)
    assert (said(joined), called(joined)) == (said(own), called(own))
    for number, event in enumerate(own):
        if event.id:
            rest = await join(api, run, event.id)
            assert whole(rest) == whole(own[number + 1 :]), event
            assert said(own[: number + 1]) + said(rest) == said(own)
    return joined


@pytest.mark.parametrize("texts", [["Hello there, 你好 Jane"], ["", "", "one", " two"]])
async def test_of_a_plain_run(api: Api, upstream: ScriptedUpstream, texts: list[str]) -> None:
    upstream.script(Reply(chunks=texts))
    _, own = await streamed(api)
    await agrees(api, own)


async def test_of_a_run_that_failed_expired_was_cut_off_or_cancelled(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(text="a", status=500, error="no"), Reply(text="one two three", break_after=2))
    for _ in range(2):
        _, own = await streamed(api)
        assert own[-2].name == "thread.run.failed"
        await agrees(api, own)
    upstream.script(Reply(text="cut off", finish_reason="length"))
    _, own = await streamed(api)
    assert own[-2].name == "thread.run.incomplete"
    await agrees(api, own)
    upstream.script(Reply(chunks=["half "], hang=True))
    thread, assistant = await api.thread("Hi"), await api.assistant()
    async with api.open_stream(f"/threads/{thread}/runs", {"assistant_id": assistant}) as response:
        text = await read_until(response.content, b"half")
        run = of(parse_events(text.decode()), "thread.run.in_progress")
        await api.post(run_path(run) + "/cancel")
        text += await response.content.read()
    own = parse_events(text.decode())
    assert names(own)[-6:-1] == [
        "thread.message.delta",
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    await agrees(api, own)


@pytest.mark.settings(run_expiry=1)
async def test_of_an_expired_run(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(chunks=["half "], hang=True))
    _, own = await streamed(api)
    assert own[-2].name == "thread.run.expired"
    await agrees(api, own)


async def test_of_a_run_that_asked_for_outputs_twice(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(
        Reply(text="Let me see.", tool_calls=[Call("weather", {"city": "Oslo"}), Call("time")]),
        Reply(tool_calls=[Call("weather", {"city": "Rome"})]),
        Reply(text="Rain here, sun there."),
    )
    _, own = await streamed(api, TOOLS)
    run = of(own, "thread.run.created")
    await agrees(api, own)
    own = [event for event in own if event.name != "done"]
    for _ in range(2):
        waiting = await api.get(run_path(run))
        calls = waiting["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": "fine"} for call in calls]
        own += await api.stream(run_path(run) + "/submit_tool_outputs", {"tool_outputs": outputs})
        joined = await join(api, run)
        assert [event.id for event in whole(joined)] == [event.id for event in whole(own)]
        assert [event.name for event in whole(joined)] == [event.name for event in whole(own)]
        own = [event for event in own if event.name != "done"]
    assert own[-1].name == "thread.run.completed"
    last_asked = [event for event in own if event.name == "thread.run.requires_action"][-1]
    after = await join(api, run, last_asked.id)
    assert names(after)[:3] == ["thread.run.step.completed", "thread.run.queued", "thread.run.in_progress"]
    assert said(after) == "Rain here, sun there."


async def test_of_a_run_cancelled_while_it_waited(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("time")]))
    _, own = await streamed(api, TOOLS)
    run = of(own, "thread.run.created")
    await api.post(run_path(run) + "/cancel")
    assert names(await join(api, run, own[-2].id)) == [
        "thread.run.cancelling",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
        "done",
    ]


@pytest.mark.settings(serve_worker=False)
async def test_of_a_run_cancelled_in_the_queue(api: Api) -> None:
    run = await api.start()
    await api.post(run_path(run) + "/cancel")
    ends = ["thread.run.cancelling", "thread.run.cancelled", "done"]
    assert names(await join(api, run)) == ["thread.run.created", "thread.run.queued", *ends]


@pytest.fixture
async def second(server: Server, settings: Settings, api: Api) -> AsyncIterator[Api]:
    """A client of another process's application on the same database."""
    async with serving(settings, postgres_of(server)) as other:
        yield api.at(other.url)


def postgres_of(server: Server) -> str:
    return server.app.state.store.database.conninfo


@asynccontextmanager
async def joined_bytes(api: Api, run: Json) -> AsyncIterator[aiohttp.StreamReader]:
    async with api.open_get_stream(run_path(run) + "/stream") as response:
        yield response.content


@pytest.mark.parametrize("here", [True, False])
async def test_while_it_runs_on_this_process_or_another(
    api: Api, second: Api, upstream: ScriptedUpstream, here: bool
) -> None:
    more, end = asyncio.Event(), asyncio.Event()
    upstream.script(Reply(chunks=["One ", more, "two ", "three ", end, "four."]))
    run = await api.start()
    async with joined_bytes(api if here else second, run) as content:
        text = await read_until(content, b"One ")
        assert b"two " not in text
        more.set()
        text += await read_until(content, b"three ")
        end.set()
        text += await content.read()
    events = parse_events(text.decode())
    check_events(events)
    assert said(events) == "One two three four."
    assert names(events)[-2:] == ["thread.run.completed", "done"]
    assert whole(events) == whole(await join(api, run))


async def test_a_run_in_the_queue_is_waited_for(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    idle_settings = server.app.state.settings.model_copy(update={"serve_worker": False})
    async with serving(idle_settings, postgres_of(server)) as idle:
        run = await api.at(idle.url).start()
        joined = await join(api.at(idle.url), run)
    assert names(joined)[-2:] == ["thread.run.completed", "done"]


async def test_last_event_id_is_another_way_to_say_after(api: Api) -> None:
    _, own = await streamed(api)
    run = of(own, "thread.run.created")
    (end,) = [event for event in own if event.name == "thread.run.completed"]
    assert names(await join(api, run, headers={"last-event-id": end.id})) == ["done"]


@pytest.mark.parametrize("after", ["nonsense", "msg_x.1", "run_y.queued.0", ".", "x.", "%00", "é.1", "a" * 300])
async def test_events_that_are_not_there(api: Api, after: str) -> None:
    run = await api.run()
    error = await api.refused("GET", run_path(run) + f"/stream?after={after}")
    assert error["param"] == "after"


async def test_places_that_are_not_there(api: Api) -> None:
    _, own = await streamed(api)
    run, message = of(own, "thread.run.created"), of(own, "thread.message.created")
    for place in ("-1", "1-1", "999999999999", "²", "1.5"):
        await api.refused("GET", run_path(run) + f"/stream?after={message['id']}.{place}")


async def test_runs_of_others_are_not_found(api: Api, other: Api) -> None:
    run = await api.run()
    await other.refused("GET", run_path(run) + "/stream", status=404)
    await api.refused("GET", f"/threads/{await api.thread()}/runs/{run['id']}/stream", status=404)


@pytest.mark.settings(max_joined_streams=1)
async def test_a_limit_and_a_reader_that_hangs_up(api: Api, server: Server, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(hang=True))
    run = await api.start()
    async with joined_bytes(api, run) as content:
        await read_until(content, b"in_progress")
        await api.refused("GET", run_path(run) + "/stream", status=503)
    async with asyncio.timeout(10):
        while server.app.state.engine.watch.readers:  # noqa: ASYNC110 (nothing tells when a reader is gone)
            await asyncio.sleep(0.01)
    async with joined_bytes(api, run) as content:
        await read_until(content, b"in_progress")
        await api.delete(f"/threads/{run['thread_id']}")
        last = parse_events((await content.read()).decode())[-2:]
    assert [event.name for event in last] == ["error", "done"]


@pytest.mark.settings(run_lease=600)
async def test_a_cancel_on_another_process_stops_the_drive_at_once(
    api: Api, second: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    upstream.script(Reply(chunks=["half "], hang=True))
    run = await api.start()
    await upstream.wait_for_requests(1)
    await second.post(run_path(run) + "/cancel")
    # Without being told, this process would see it when it renews its lease: after 200 seconds.
    async with asyncio.timeout(20):
        await api.until(run, "cancelled")
