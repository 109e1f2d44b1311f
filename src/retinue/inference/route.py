"""The way to a model that several servers may answer for: weights, tiers, health, and further tries."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import aiohttp
import structlog

from ..errors import ContextOverflow, ModelBusy, ModelError
from .chat import Chunks, Json
from .upstream import Upstream

log = structlog.get_logger(__name__)

#: Seconds before the first, second, … further try; a server's own `retry-after` comes before these.
_PAUSES = (0.5, 1.0, 2.0, 4.0)
#: A server that asks to wait longer than this many seconds is not waited for.
_LONGEST_PAUSE = 20.0
#: Seconds that a server is left alone after a failure; doubled with each further one, up to the longest.
_REST, _LONGEST_REST = 1.0, 60.0
#: Statuses that say that another server might do better with the same request.
_ANOTHER = frozenset({401, 403, 404, 408, 425, 429, 501})
#: Those of all below 500 that a server is left alone for, and the one from 500 that it is not: a client's request for
#: what a server does not have must not keep others from it.
_UNWELL, _WELL = frozenset({401, 408, 425, 429}), 501


@dataclass(slots=True, eq=False)
class Server:
    """An upstream, and how it fares. What a call finds that began before the last failure is old news."""

    upstream: Upstream
    weight: float = 1
    tier: int = 0
    #: For smooth weighted round robin: how much it is owed.
    owed: float = 0
    #: Failures in a row.
    failures: int = 0
    #: The monotonic time of the last one.
    failed_at: float = -math.inf
    #: The monotonic time until which it is left alone.
    rests_until: float = -math.inf

    def succeeded(self, began: float) -> None:
        """It answered a call that began at this monotonic time."""
        if self.failures and began > self.failed_at:
            self.failures = 0
            self.rests_until = -math.inf
            log.info("model server answers again", server=self.upstream.base_url)

    def noted(self, began: float, error: ModelError) -> None:
        """A call that began at this monotonic time ended so: that may say that the server is unwell."""
        if isinstance(error, ContextOverflow | ModelBusy):
            return
        if error.status in _UNWELL or (error.status >= 500 and error.status != _WELL):
            self.failed(began, error)

    def failed(self, began: float, error: ModelError) -> None:
        """It could not be reached, broke or is overloaded, as a call found that began at this monotonic time."""
        if began <= self.failed_at:
            return
        self.failed_at = time.monotonic()
        rest = min(_REST * 2 ** min(self.failures, 16), _LONGEST_REST)
        rest = max(rest, min(error.retry_after or 0, _LONGEST_REST))
        self.failures += 1
        self.rests_until = self.failed_at + rest
        log.warning(
            "model server failed",
            server=self.upstream.base_url,
            error=error.message,
            reason=repr(error.__cause__) if error.__cause__ else None,
        )


class Route:
    """All servers of one model name, called like one `Upstream`.

    A call goes to a server of the lowest tier that has one in health, by weight; among those that have a slot free, if
    there are any. One that failed rests; when its rest is over one call tries it again. A call that has not answered
    anything is tried again, on another server if there is one; one that has begun to stream never is.
    """

    def __init__(self, name: str, servers: Sequence[Server], *, retries: int) -> None:
        """Describe the way.

        Args:
            name: the model that the servers are asked for.
            servers: at least one, unless nothing is ever asked.
            retries: how often a call that failed is tried again.
        """
        self.name = name
        self.servers = servers
        self._retries = retries

    def named(self, name: str) -> Route:
        """The way to the same servers, with their health and their slots, for another name."""
        return Route(name, self.servers, retries=self._retries)

    async def close(self) -> None:
        """Close the connections."""
        for server in self.servers:
            await server.upstream.close()

    async def post(self, path: str, body: Json, caller: str = "") -> Json:
        """See `Upstream.post`."""
        return await self._whole(lambda upstream: upstream.post(self.name, path, body, caller))

    async def post_form(self, path: str, fields: Callable[[], aiohttp.FormData], caller: str = "") -> Json:
        """See `Upstream.post_form`."""
        return await self._whole(lambda upstream: upstream.post_form(self.name, path, fields, caller))

    async def _whole(self, ask: Callable[[Upstream], Awaitable[Json]]) -> Json:
        tries = _Tries(self, self._retries)
        while True:
            server = tries.server()
            try:
                answer = await ask(server.upstream)
            except ModelError as error:
                await tries.after(error)
            else:
                tries.succeeded()
                return answer

    def chunks(self, path: str, body: Json, caller: str = "") -> Chunks:
        """See `Upstream.chunks`."""
        return _Streamed(lambda upstream: upstream.chunks(self.name, path, body, caller), _Tries(self, self._retries))

    def choose(self, tried: Collection[Server] = ()) -> Server:
        """The server whose turn it is: not one of those `tried`, unless there is no other.

        Raises:
            ModelError: there is none at all, for the model is one of those that no server answers for.
        """
        if len(self.servers) == 1:
            return self.servers[0]
        if not self.servers:
            raise ModelError(f"The model `{self.name}` does not do this.", status=400, run_code="invalid_prompt")
        now = time.monotonic()
        others = [server for server in self.servers if server not in tried] or self.servers
        others = [server for server in others if not server.upstream.slots.full] or others
        able = [server for server in others if server.rests_until <= now]
        if not able:
            return min(others, key=lambda server: server.rests_until)
        lowest = min(server.tier for server in able)
        turn = [server for server in able if server.tier == lowest]
        turn = [server for server in turn if server.upstream.slots.free] or turn
        total = sum(server.weight for server in turn)
        for server in turn:
            server.owed += server.weight
        chosen = max(turn, key=lambda server: server.owed)
        chosen.owed -= total
        if chosen.failures:
            # This call finds out whether it is well again; others wait for that with it resting.
            chosen.rests_until = now + _REST
        return chosen


class _Streamed:
    """A streamed answer of the first server that begins one. A `Chunks`."""

    def __init__(self, ask: Callable[[Upstream], Chunks], tries: _Tries) -> None:
        self._ask = ask
        self._tries = tries
        self._answer: Chunks | None = None

    def __aiter__(self) -> _Streamed:
        return self

    async def __anext__(self) -> list[Json]:
        if self._answer is None:
            return await self._begin()
        try:
            return await self._answer.__anext__()
        except StopAsyncIteration:
            self._tries.succeeded()
            raise
        except ModelError as error:
            self._tries.note(error)
            raise

    async def aclose(self) -> None:
        """Give back what the server's answer holds."""
        if self._answer is not None:
            await self._answer.aclose()

    async def _begin(self) -> list[Json]:
        while True:
            answer = self._answer = self._ask(self._tries.server().upstream)
            try:
                return await answer.__anext__()
            except ModelError as error:
                self._answer = None
                await answer.aclose()
                await self._tries.after(error)


class _Tries:
    """The tries of one call."""

    def __init__(self, route: Route, retries: int) -> None:
        self._route = route
        self._left = retries
        self._made = 0
        self._tried: list[Server] = []
        self._began = 0.0

    def server(self) -> Server:
        """The server of the next try, which begins now."""
        server = self._route.choose(self._tried)
        self._tried.append(server)
        self._began = time.monotonic()
        return server

    def succeeded(self) -> None:
        """Remember that the server of this try answered."""
        self._tried[-1].succeeded(self._began)

    def note(self, error: ModelError) -> None:
        """Remember how the server of this try fared."""
        self._tried[-1].noted(self._began, error)

    async def after(self, error: ModelError) -> None:
        """Wait as long as is right after this failure; raises it if there is no further try."""
        self.note(error)
        elsewhere = len(set(self._tried)) < len(self._route.servers)
        again = error.retriable and not isinstance(error, ModelBusy)
        if self._left == 0 or not (again or (elsewhere and error.status in _ANOTHER)):
            raise error
        pause = 0.0
        if not elsewhere:
            pause = error.retry_after if error.retry_after is not None else _PAUSES[min(self._made, 3)]
            if pause > _LONGEST_PAUSE:
                raise error
            pause *= 1 + random.random() / 4  # noqa: S311 (spread, not a secret)
        self._left -= 1
        self._made += 1
        log.info("model call tried again", model=self._route.name, error=error.message)
        await asyncio.sleep(pause)
