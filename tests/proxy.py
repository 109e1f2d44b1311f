"""A forward HTTP proxy on loopback. It alone knows where host names such as `model.test` lead."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Proxy:
    """The proxy; `proxying` runs one.

    Attributes:
        hosts: the port on loopback that each host leads to.
        credentials: `user:password` that it wants, if any.
        url: where it is.
        seen: method and target of every request.
    """

    hosts: Mapping[str, int]
    credentials: str | None = None
    url: str = ""
    seen: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            request, *lines = head.strip().split("\r\n")
            method, target, _ = request.split(" ")
            self.seen.append((method, target))
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            host = urlsplit(target if "://" in target else f"//{target}").hostname or ""
            if not self._may(headers.pop("proxy-authorization", "")):
                writer.write(b"HTTP/1.1 407 Credentials wanted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            elif host not in self.hosts:
                writer.write(b"HTTP/1.1 502 No such host\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            else:
                beyond = await asyncio.open_connection("127.0.0.1", self.hosts[host])
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    told = "".join(f"{name}: {value}\r\n" for name, value in headers.items() if name != "connection")
                    path = urlsplit(target).path
                    beyond[1].write(f"{method} {path} HTTP/1.1\r\n{told}connection: close\r\n\r\n".encode())
                await join((reader, writer), beyond)
        writer.close()

    def _may(self, given: str) -> bool:
        return self.credentials is None or given == "Basic " + base64.b64encode(self.credentials.encode()).decode()


async def join(one: Connection, other: Connection) -> None:
    """Pass on what each says to the other, until one of them ends."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(65_536):
                writer.write(piece)
                await writer.drain()

    ways = [asyncio.create_task(pump(one[0], other[1])), asyncio.create_task(pump(other[0], one[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        other[1].close()


@asynccontextmanager
async def proxying(hosts: Mapping[str, int], credentials: str | None = None) -> AsyncGenerator[Proxy, None]:
    """The proxy, running."""
    proxy = Proxy(hosts, credentials)
    async with listening(proxy.handle) as port:
        proxy.url = f"http://127.0.0.1:{port}"
        yield proxy


@asynccontextmanager
async def encrypted(port: int, context: ssl.SSLContext) -> AsyncGenerator[int, None]:
    """The port of a server that speaks TLS for the plain one at `port`."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await join((reader, writer), await asyncio.open_connection("127.0.0.1", port))
        writer.close()

    async with listening(handle, context) as own:
        yield own


@asynccontextmanager
async def listening(handle: Handler, context: ssl.SSLContext | None = None) -> AsyncGenerator[int, None]:
    """The port of a server on loopback that answers each connection by `handle`."""
    under_way: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
