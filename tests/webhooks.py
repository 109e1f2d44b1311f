"""What tests of webhooks share: a receiver on loopback, endpoints and their deliveries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from openai import OpenAI

from .harness import Api, Json, eventually

ENDPOINTS = "/webhook_endpoints"
RUN_EVENTS = ["queued", "in_progress", "completed"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request that a receiver got."""

    headers: Mapping[str, str]
    body: bytes
    path: str


@dataclass
class Receiver:
    """Where a webhook endpoint points to."""

    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    #: What the next requests are answered with; then 204.
    statuses: list[int] = field(default_factory=list[int])
    #: Answers wait for it.
    open: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def ids(self) -> list[str]:
        """Ids of the events, as they came."""
        return [one.headers["webhook-id"] for one in self.received]

    async def handle(self, request: web.Request) -> web.Response:
        got = Received(request.headers.copy(), await request.read(), request.path)
        status = self.statuses.pop(0) if self.statuses else 204
        async with self.came:
            self.received.append(got)
            self.came.notify_all()
        await self.open.wait()
        return web.Response(status=status, headers={"location": self.url} if 300 <= status < 400 else None)

    async def until(self, number: int) -> list[Received]:
        """The requests, once there are so many."""
        async with asyncio.timeout(30), self.came:
            await self.came.wait_for(lambda: len(self.received) >= number)
        return self.received


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that answers."""
    receiver = Receiver()
    receiver.open.set()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


async def create(api: Api, url: str, event_types: list[str] | None = None, **fields: Any) -> Json:
    """A new endpoint, with its secret; by default for all events of runs."""
    body = {"name": "Test", "url": url, "event_types": event_types or ["thread.run.*"], **fields}
    return await api.call("POST", ENDPOINTS, body, extension=True)


async def deliveries(api: Api, endpoint: Json) -> list[Json]:
    """The deliveries to an endpoint, oldest first."""
    path = f"{ENDPOINTS}/{endpoint['id']}/deliveries?order=asc&limit=100"
    return (await api.call("GET", path, extension=True))["data"]


async def deliveries_when(api: Api, endpoint: Json, condition: Callable[[list[Json]], bool]) -> list[Json]:
    """The deliveries to an endpoint, as soon as they fulfil a condition."""
    return await eventually(lambda: deliveries(api, endpoint), condition)


async def settled(api: Api, endpoint: Json, number: int) -> list[Json]:
    """The deliveries to an endpoint, as soon as there are so many and none is pending."""
    return await deliveries_when(
        api, endpoint, lambda found: len(found) >= number and all(one["status"] != "pending" for one in found)
    )


def unwrap(received: Received, secret: str) -> Any:
    """The event, verified by the official client."""
    return OpenAI(api_key="x").webhooks.unwrap(received.body, received.headers, secret=secret)
