"""A model server of which a test says what it answers to which address, for all that is no conversation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Json = dict[str, Any]


@dataclass
class JsonUpstream:
    """The server.

    Attributes:
        base_url: the base URL to configure, ending in ``/v1``.
        answers: by path under it, what makes an answer of a request's body; with a status where it is not 200.
        requests: path and body of every request.
    """

    base_url: str = ""
    answers: dict[str, Callable[[Json], Any]] = field(default_factory=dict[str, Callable[[Json], Any]])
    requests: list[tuple[str, Json]] = field(default_factory=list[tuple[str, Json]])

    async def handle(self, http: web.Request) -> web.Response:
        """Answer one request."""
        body: Json = await http.json()
        path = http.path.removeprefix("/v1")
        self.requests.append((path, body))
        answer = self.answers[path](body)
        status, answer = answer if isinstance(answer, tuple) else (200, answer)
        return web.json_response(answer, status=status)


@asynccontextmanager
async def json_upstream() -> AsyncIterator[JsonUpstream]:
    """The server, running."""
    upstream = JsonUpstream()
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", upstream.handle)
    async with running(app) as upstream.base_url:
        yield upstream


@asynccontextmanager
async def running(app: web.Application) -> AsyncIterator[str]:
    """The base URL of an application on loopback, ending in ``/v1``, while it runs."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/v1"
    finally:
        await runner.cleanup()
