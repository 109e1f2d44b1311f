"""The client of model servers, and servers that answer byte by byte as a test wants."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import pytest

from retinue.errors import ModelError
from retinue.inference import upstream as module
from retinue.inference.slots import FairSlots
from retinue.inference.upstream import Upstream

from ..proxy import listening

Json = dict[str, Any]
JSON = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT, DONE, END = b'data: {"choices": []}\n\n', b"data: [DONE]\n\n", b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a body in chunks."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Bytes:
    """A server that answers each request with the same pieces of bytes, each by itself.

    Attributes:
        pieces: what it sends; it waits for an event among them.
        connections: how many were made.
        closes: whether it hangs up after each answer.
    """

    def __init__(self) -> None:
        self.pieces: list[bytes | asyncio.Event] = []
        self.connections = 0
        self.closes = False

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                await reader.readexactly(int(length[15:]))
                for piece in self.pieces:
                    if isinstance(piece, bytes):
                        writer.write(piece)
                        await writer.drain()
                        await asyncio.sleep(0)  # the client gets to read it by itself
                    else:
                        await piece.wait()
                if self.closes:
                    break
        writer.close()


@pytest.fixture
async def server() -> Bytes:
    return Bytes()


@pytest.fixture
async def upstream(server: Bytes) -> AsyncIterator[Upstream]:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(listening(server.handle))
        slots = FairSlots(1, waiting=0, timeout=1)
        upstream = Upstream(f"http://127.0.0.1:{port}/v1", slots=slots, read_timeout=10)
        stack.push_async_callback(upstream.close)
        yield upstream
        # Whatever happened, nobody has kept the slot.
        assert slots.free


async def refused(upstream: Upstream) -> ModelError:
    with pytest.raises(ModelError) as raised:
        await upstream.post("m", "/x", {})
    return raised.value


async def read(upstream: Upstream) -> list[Json]:
    return [event async for events in upstream.chunks("m", "/x", {}) for event in events]


async def test_an_error_is_read_to_its_end(server: Bytes, upstream: Upstream) -> None:
    body = b'{"error": {"message": "No such thing.", "code": "nothing"}}'
    server.pieces = [b"HTTP/1.1 404 No\r\ncontent-length: %d\r\n\r\n" % len(body), body[:9], body[9:30], body[30:]]
    error = await refused(upstream)
    assert (error.status, error.code) == (404, "nothing")
    assert error.message.endswith(": No such thing.")


async def test_an_error_without_end_is_cut(server: Bytes, upstream: Upstream) -> None:
    never = asyncio.Event()
    server.pieces = [b"HTTP/1.1 500 No\r\ntransfer-encoding: chunked\r\n\r\n", *[chunk(b"x" * 9000)] * 9, never]
    error = await refused(upstream)
    assert error.status == 500
    assert len(error.message) < 300


@pytest.mark.parametrize("head", [b"content-length: 2001", b"transfer-encoding: chunked", b"content-encoding: gzip"])
async def test_an_answer_that_is_too_long_is_refused(
    server: Bytes, upstream: Upstream, head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its head says."""
    monkeypatch.setattr(module, "_LONGEST_ANSWER", 2000)
    body = b'{"x": "%b"}' % (b"x" * 1992)
    if b"gzip" in head:
        body = gzip.compress(body)
        assert len(body) < 2000
        head += b"\r\ncontent-length: %d" % len(body)
    server.pieces = [JSON + head + b"\r\n\r\n", *([chunk(body), END] if b"chunked" in head else [body])]
    assert "too long" in (await refused(upstream)).message


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[]", b'"text"', b'{"error": {"message": "out of order"}}', b"\xff\xfe"]
)
async def test_nonsense_is_an_error(server: Bytes, upstream: Upstream, body: bytes) -> None:
    server.pieces = [JSON + b"content-length: %d\r\n\r\n" % len(body) + body]
    assert (await refused(upstream)).status == 502


async def test_what_is_not_http_is_an_error(server: Bytes, upstream: Upstream) -> None:
    server.pieces, server.closes = [b"SSH-2.0-OpenSSH_9.2\r\n"], True
    assert (await refused(upstream)).status == 502


async def test_a_redirect_is_not_followed(server: Bytes, upstream: Upstream) -> None:
    server.pieces = [b"HTTP/1.1 307 There\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"]
    assert (await refused(upstream)).status == 502
    assert server.connections == 1


async def test_a_proxys_complaint_is_not_passed_on_as_the_servers(server: Bytes, upstream: Upstream) -> None:
    server.pieces = [b"HTTP/1.1 407 Who are you?\r\ncontent-length: 0\r\n\r\n"]
    error = await refused(upstream)
    assert error.status == 502
    assert "proxy" in error.message


async def test_a_stream_in_any_pieces(server: Bytes, upstream: Upstream) -> None:
    whole = STREAM + chunk(EVENT) * 3 + chunk(DONE) + END
    server.pieces = [whole[start : start + 7] for start in range(0, len(whole), 7)]
    assert await read(upstream) == [{"choices": []}] * 3


async def test_the_connection_of_a_stream_is_used_again(server: Bytes, upstream: Upstream) -> None:
    """Although its end comes a little after its last event."""
    for _ in range(3):
        last = asyncio.Event()
        server.pieces = [STREAM, chunk(EVENT), chunk(DONE), last, END]
        async with aclosing(upstream.chunks("m", "/x", {})) as answer:
            await anext(answer)
            asyncio.get_running_loop().call_later(0.01, last.set)
            assert [events async for events in answer] == []
    assert server.connections == 1


async def test_a_stream_is_over_with_its_last_event(server: Bytes, upstream: Upstream) -> None:
    """Even if the server keeps the connection open, or drops it."""
    server.pieces = [STREAM, chunk(EVENT), chunk(DONE), asyncio.Event()]
    assert await asyncio.wait_for(read(upstream), 5) == [{"choices": []}]
    server.pieces, server.closes = [STREAM, chunk(EVENT), chunk(DONE)], True
    assert await read(upstream) == [{"choices": []}]


@pytest.mark.parametrize("ends", [[], [chunk(DONE)], [chunk(b": nothing to say\n\n")]])
async def test_an_empty_stream_is_an_error(server: Bytes, upstream: Upstream, ends: list[bytes]) -> None:
    server.pieces = [STREAM, *ends, END]
    with pytest.raises(ModelError, match="empty") as raised:
        await read(upstream)
    assert raised.value.retriable


@pytest.mark.parametrize("last", [b'data: {"error": {"message": "out of memory"}}\n\n', b"data: {no JSON\n\n"])
async def test_what_came_before_an_error_is_heard(server: Bytes, upstream: Upstream, last: bytes) -> None:
    """Even if it came together with it."""
    server.pieces = [STREAM + chunk(EVENT + EVENT + last) + END]
    answer = upstream.chunks("m", "/x", {})
    assert await anext(answer) == [{"choices": []}] * 2
    with pytest.raises(ModelError):
        await anext(answer)


@pytest.mark.parametrize("leave", ["close", "cancel"])
async def test_whoever_leaves_gives_the_slot_back(server: Bytes, upstream: Upstream, leave: str) -> None:
    server.pieces = [STREAM, chunk(EVENT), asyncio.Event()]
    answer = upstream.chunks("m", "/x", {})
    await anext(answer)
    assert not upstream.slots.free
    if leave == "cancel":
        waiting = asyncio.ensure_future(anext(answer))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await answer.aclose()
    assert upstream.slots.free
