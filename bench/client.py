"""The HTTP client of bench.py.

A client library would cost more than some of the servers measured here, so this is the least HTTP/1.1 that works: one
keep-alive connection, one request at a time.
"""

import asyncio
import json
from collections.abc import Callable

from targets import Target


class Connection(asyncio.Protocol):
    """One keep-alive connection; `on_body` sees decoded body bytes as they arrive."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.closed = False
        self.waiter: asyncio.Future | None = None

    def start(self, request: bytes, on_body: Callable[[bytes], None]) -> asyncio.Future:
        self.waiter = asyncio.get_running_loop().create_future()
        self.on_body = on_body
        self.buffer = b""
        self.in_head = True
        self.transport.write(request)
        return self.waiter

    def data_received(self, data: bytes) -> None:
        self.buffer = self.buffer + data if self.buffer else data
        if self.in_head and not self._read_head():
            return
        if self.chunked:
            self._read_chunks()
        else:
            self._read_sized()

    def _read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end == -1:
            return False
        head = self.buffer[:end].lower()
        self.buffer = self.buffer[end + 4 :]
        self.in_head = False
        self.status = int(head[9:12])
        self.keep_alive = b"\r\nconnection: close" not in head
        self.chunked = b"\r\ntransfer-encoding: chunked" in head
        self.left = None  # body bytes still to come; None: until the peer closes
        at = head.find(b"\r\ncontent-length:")
        if at != -1:
            self.left = int(head[at + 17 :].split(b"\r\n", 1)[0])
        self.chunk_left = 0
        return True

    def _read_sized(self) -> None:
        body, self.buffer = self.buffer, b""
        if body:
            self.on_body(body)
        if self.left is not None:
            self.left -= len(body)
            if self.left <= 0:
                self._finish()

    def _read_chunks(self) -> None:
        buffer, at = self.buffer, 0
        while True:
            if self.chunk_left:  # inside a chunk: payload plus its closing CRLF
                if len(buffer) - at < self.chunk_left:
                    break
                self.on_body(buffer[at : at + self.chunk_left - 2])
                at += self.chunk_left
                self.chunk_left = 0
            line_end = buffer.find(b"\r\n", at)
            if line_end == -1:
                break
            size = int(buffer[at:line_end].split(b";", 1)[0], 16)
            if size == 0:
                if len(buffer) < line_end + 4:
                    break
                self.buffer = b""
                self._finish()
                return
            at = line_end + 2
            self.chunk_left = size + 2
        self.buffer = buffer[at:]

    def _finish(self) -> None:
        waiter, self.waiter = self.waiter, None
        if not self.keep_alive:
            self.transport.close()
            self.closed = True
        if waiter and not waiter.done():
            waiter.set_result(self.status)

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        waiter, self.waiter = self.waiter, None
        if waiter and not waiter.done():
            whole = not self.in_head and not self.chunked and self.left is None
            if whole:
                waiter.set_result(self.status)
            else:
                waiter.set_exception(ConnectionError(str(error or "closed by the server")))


class Client:
    """A target's connections, reused in turn."""

    def __init__(self, target: "Target") -> None:
        self.target = target
        self.idle: list[Connection] = []

    async def send(self, request: bytes, on_body: Callable[[bytes], None] = lambda body: None) -> int:
        """Send one request, return its status.  Raises OSError or TimeoutError."""
        connection = None
        while self.idle and connection is None:
            connection = self.idle.pop()
            if connection.closed:
                connection = None
        if connection is None:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, self.target.host, self.target.port
            )
        try:
            status = await asyncio.wait_for(connection.start(request, on_body), 60)
        except BaseException:
            connection.transport.abort()
            raise
        self.idle.append(connection)
        return status

    async def json(self, method: str, path: str, body: object | None = None) -> dict:
        parts: list[bytes] = []
        status = await self.send(self.target.request(method, path, body), parts.append)
        text = b"".join(parts)
        if status >= 300:
            raise RuntimeError(f"{method} {path}: {status} {text[:300].decode(errors='replace')}")
        return json.loads(text)

    def close(self) -> None:
        for connection in self.idle:
            connection.transport.close()
        self.idle.clear()
