"""A stream that is read beside whatever else happens, and what must hold for it afterwards."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import aiohttp

from retinue.runs.state import TRANSITIONS
from retinue.wire.runs import TERMINAL
from tests.harness import Api, Event, Json, Refused, check_events, parse_events, text


class Reading:
    """One streamed answer. `text` grows until the stream ends, or breaks because its server was killed."""

    def __init__(self) -> None:
        self.text = ""
        self._task: asyncio.Task[None] | None = None
        self._first: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

    async def open(self, api: Api, path: str, body: Json) -> Json:
        """Ask for the stream and go on reading it; returns the first run in it.

        Raises:
            Refused: it is answered with an error.
            aiohttp.ClientError: the server was killed.
        """
        self._task = asyncio.create_task(self._read(api, path, body))
        return await self._first

    async def _read(self, api: Api, path: str, body: Json) -> None:
        try:
            async with api.open_stream(path, body) as response:
                async for piece, _ in response.content.iter_chunks():
                    self.text += piece.decode()
                    self._tell_first()
        except (aiohttp.ClientError, Refused) as error:
            if not self._first.done():
                self._first.set_exception(error)

    def _tell_first(self) -> None:
        if not self._first.done():
            for event in self.events():
                if event.name.startswith("thread.run.") and ".step." not in event.name:
                    self._first.set_result(event.data)
                    return

    def events(self) -> list[Event]:
        """The whole events so far."""
        return parse_events(self.text.rpartition("\n\n")[0])

    async def end(self) -> None:
        """Wait until the stream has ended."""
        if self._task:
            await self._task

    def check(self, run: Json, messages: Sequence[Json], steps: Sequence[Json]) -> None:
        """Hold the stream to the contract, and to what GET says of the ended run.

        Args:
            run: the run.
            messages: its messages.
            steps: its steps.
        """
        events = self.events()
        check_events(events)
        statuses = [
            event.data["status"]
            for event in events
            if event.name.startswith("thread.run.")
            and ".step." not in event.name
            and event.name != "thread.run.created"
        ]
        for was, became in itertools.pairwise(statuses):
            assert became in TRANSITIONS[was], statuses
        whole = bool(events) and events[-1].name == "done" and not any(event.name == "error" for event in events)
        if whole:
            assert statuses[-1] in (*TERMINAL, "requires_action"), ([event.name for event in events], run)
        if statuses and statuses[-1] in TERMINAL:
            assert [event.data for event in events if event.name == f"thread.run.{statuses[-1]}"] == [run]
        kept = {one["id"]: one for one in (*messages, *steps)}
        said, called = _added_up(events)
        for event in events:
            if event.name in ("thread.message.completed", "thread.message.incomplete"):
                assert event.data == kept[event.data["id"]]
                assert said.get(event.data["id"], "") == text(event.data)
            elif event.name in ("thread.run.step.cancelled", "thread.run.step.failed", "thread.run.step.expired"):
                assert event.data == kept[event.data["id"]]
            elif event.name == "thread.run.step.completed":
                _check_step(event.data, kept[event.data["id"]], called)
        if whole:
            for identifier, added_up in said.items():
                assert text(kept[identifier]) == added_up
            for (identifier, index), arguments in called.items():
                call = kept[identifier]["step_details"]["tool_calls"][index]
                assert call["function"]["arguments"] == arguments


def _check_step(streamed: Json, kept: Json, called: dict[tuple[str, int], str]) -> None:
    """A completed step is what GET says, and what the deltas of its calls made, where this stream had them."""
    assert streamed == kept
    if streamed["type"] == "tool_calls":
        for index, call in enumerate(streamed["step_details"]["tool_calls"]):
            made = called.get((streamed["id"], index))
            assert made in (None, call["function"]["arguments"])


def _added_up(events: Sequence[Event]) -> tuple[dict[str, str], dict[tuple[str, int], str]]:
    """The text of each message by its deltas, and the arguments of each call by step and index."""
    said: dict[str, str] = {}
    called: dict[tuple[str, int], str] = {}
    for event in events:
        data: Any = event.data
        if event.name == "thread.message.delta":
            for part in data["delta"]["content"]:
                said[data["id"]] = said.get(data["id"], "") + part["text"]["value"]
        elif event.name == "thread.run.step.delta":
            for call in data["delta"]["step_details"]["tool_calls"]:
                key = (data["id"], call["index"])
                called[key] = called.get(key, "") + (call["function"].get("arguments") or "")
    return said, called
