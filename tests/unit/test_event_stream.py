"""The queue between a run and the client that reads it."""

from __future__ import annotations

import asyncio

from retinue.errors import NotFound
from retinue.runs.events import DONE, EventStream, encode
from retinue.wire.events import ErrorDetail
from retinue.wire.threads import Thread

THREAD = Thread(id="thread_1", created_at=1)


async def collect(stream: EventStream, keep_alive: float = 10) -> list[bytes]:
    return [piece async for piece in stream.read(keep_alive)]


def test_an_event_has_a_name_one_line_of_json_and_an_id() -> None:
    thread = THREAD.model_copy(update={"metadata": {"a": "line\nbreak"}})
    name, data, *rest = encode("thread.created", thread, "created").split(b"\n")
    assert name == b"event: thread.created"
    assert data.startswith(b'data: {"id":"thread_1"')
    assert rest == [b"id: thread_1.created", b"", b""]


async def test_what_waits_is_read_at_once_and_in_order() -> None:
    stream = EventStream()
    stream.send("thread.created", THREAD, "created")
    stream.fail(NotFound("gone"))
    stream.close()
    (piece,) = await collect(stream)
    error = encode("error", ErrorDetail(message="gone", type="invalid_request_error"))
    assert piece == encode("thread.created", THREAD, "created") + error + DONE


async def test_a_reader_is_woken_by_what_comes() -> None:
    stream = EventStream()
    reader = stream.read(10)
    waiting = asyncio.ensure_future(anext(reader))
    await asyncio.sleep(0)
    assert not waiting.done()
    stream.send("thread.created", THREAD, "created")
    assert await waiting == encode("thread.created", THREAD, "created")
    stream.close()
    assert [piece async for piece in reader] == [DONE]


async def test_silence_is_filled() -> None:
    stream = EventStream()
    reader = stream.read(0.001)
    assert await anext(reader) == await anext(reader) == b": keep-alive\n"
    stream.close()
    assert [piece async for piece in reader if not piece.startswith(b":")] == [DONE]


async def test_nothing_follows_the_end() -> None:
    stream = EventStream()
    stream.close()
    stream.close()
    stream.send("thread.created", THREAD, "created")
    assert await collect(stream) == [DONE]


async def test_a_reader_that_falls_too_far_behind_is_cut_off() -> None:
    stream = EventStream()
    large = THREAD.model_copy(update={"metadata": {"a": "x" * 1024 * 1024}})
    for _ in range(30):
        stream.send("thread.created", large, "created")
    stream.close()
    whole = b"".join(await collect(stream))
    assert len(whole) < 1000
    assert b"too slowly" in whole
    assert whole.endswith(DONE)


async def test_a_reader_that_keeps_up_may_read_any_amount() -> None:
    stream = EventStream()
    large = THREAD.model_copy(update={"metadata": {"a": "x" * 1024 * 1024}})
    reader = stream.read(10)
    for _ in range(30):
        stream.send("thread.created", large, "created")
        assert len(await anext(reader)) > 1024 * 1024
    stream.close()
    assert await anext(reader) == DONE
