"""Following an agent by its events, as long as somebody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import openai
from nicegui import background_tasks

from ...visitor import Visitor
from .common import ENDED, Json, api_path

#: After these nothing follows until a person acts.
_RESTING = (*ENDED, "incomplete")
#: Seconds until a stream that has broken off is taken up again, and how they grow.
_AGAIN, _LONGEST = 1.0, 30.0


class Follower:
    """One stream of events, which is taken up again where it breaks off."""

    def __init__(
        self,
        visitor: Visitor,
        agent: str,
        on_event: Callable[[Json], Awaitable[None]],
        on_lost: Callable[[bool], None],
    ) -> None:
        """Nothing is asked before `start`.

        Args:
            visitor: who looks.
            agent: its id.
            on_event: is told each agent and each cycle that comes.
            on_lost: is told whether the stream is broken off.
        """
        self._visitor, self._agent = visitor, agent
        self._on_event, self._on_lost = on_event, on_lost
        self._task: asyncio.Task[None] | None = None
        #: Whether somebody has acted since the stream was opened: what it says at its end may be old.
        self._wanted = False
        #: The newest event of a cycle that was seen. The client tells no ids: events of statuses since then come again.
        self._last = ""

    def seen(self, cycle: Json) -> None:
        """Events up to this cycle, as it is, need not come any more."""
        ended = cycle["status"] in ("completed", "denied")
        self._last = f"{cycle['id']}.{cycle['status'] if ended else 'created'}"

    def start(self) -> None:
        """Follow, unless that is being done; then once more when the present stream has ended."""
        self._wanted = True
        if self._task is None or self._task.done():
            self._task = background_tasks.create(self._follow(), name="agent events")

    def stop(self) -> None:
        """Follow no more."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def _follow(self) -> None:
        """Until nothing more is to come."""
        pause = _AGAIN
        while True:
            self._wanted, status = False, ""
            try:
                async with await self._stream() as events:
                    async for event in events:
                        self._on_lost(False)
                        pause = _AGAIN
                        if event["object"] == "agent.cycle":
                            self.seen(event)
                        else:
                            status = event["status"]
                        await self._on_event(event)
            except openai.NotFoundError:
                return
            except (openai.APIError, httpx2.HTTPError):
                status = ""
            if status in _RESTING:
                if self._wanted:
                    continue
                return
            self._on_lost(True)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST)

    async def _stream(self) -> Any:
        headers = {"last-event-id": self._last} if self._last else {}
        return await self._visitor.client.get(
            api_path(self._agent, "/events"),
            cast_to=object,
            options={"headers": headers},
            stream=True,
            stream_cls=openai.AsyncStream[Any],
        )
