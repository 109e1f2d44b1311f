"""The events of an agent, from what is kept of it: for readers who follow it, join late, anywhere, or come back.

They follow from the state: the agent's cycles, and the statuses that it has passed. So a reader who was cut off goes on
after the last event that it has had, whichever that is, on any server process.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..errors import ApiError, InvalidRequest, NotFound, Unavailable
from ..runs.events import DONE, KEEP_ALIVE, encode_error
from ..settings import Settings
from ..store.agent_changes import CHANGED
from ..store.store import Store
from ..wire.agents import OVER, Agent, AgentCycle, Passed
from ..wire.common import WireObject, to_json

#: Statuses of cycles that are over.
_OVER = ("completed", "denied")
#: Cycles that are read at once.
_PAGE = 100
#: Events of cycles, where there are more than were read.
_UNKNOWN = 10**9
#: What is told of an agent only as it is now.
_OF_NOW = ("required_action", "incomplete_details", "last_error", "result", "completed_at")
#: Where an event stands among those of its agent: how many events of cycles there were with it, and the number of the
#: status; 0 for the cycle's own event, which is before those of the statuses.
_Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Event:
    place: _Place
    name: str
    data: WireObject
    id: str

    def encoded(self) -> bytes:
        return b"event: %s\ndata: %s\nid: %s\n\n" % (self.name.encode(), to_json(self.data), self.id.encode())


class Following:
    """Who follows agents here."""

    def __init__(self, store: Store, settings: Settings) -> None:
        """Listens on the store's notices: to be made before the store is opened."""
        self._store, self._settings = store, settings
        #: Woken with every change of an agent.
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        store.notices.on(CHANGED, self._wake)

    def _wake(self, agent: str) -> None:
        for changed in self._waiting.get(agent, ()):
            changed.set()

    def require_room(self) -> None:
        """See that another stream may be opened here. Raises `Unavailable`."""
        if sum(map(len, self._waiting.values())) >= self._settings.max_joined_streams:
            raise Unavailable("This server has as many streams as it allows. Please try again later.")

    async def open(self, project: str, agent: str, after: str) -> AsyncGenerator[bytes]:
        """Follow an agent: its events, encoded, until it has ended.

        Args:
            project: the caller's project.
            agent: the agent.
            after: the id of the last event that the reader has had; "" for all.

        Raises:
            NotFound: there is no such agent.
            InvalidRequest: the agent has no such event.
            Unavailable: too many agents are followed here.
        """
        self.require_room()
        reader = _Reader(self._store, project, agent)
        await reader.go_to(after)
        return self._read(reader, agent)

    async def _read(self, reader: _Reader, agent: str) -> AsyncGenerator[bytes]:
        changed = asyncio.Event()
        self._waiting[agent].add(changed)
        try:
            yield KEEP_ALIVE
            while True:
                changed.clear()
                events = await reader.news()
                if events:
                    yield b"".join(event.encoded() for event in events)
                elif reader.rests:
                    yield DONE
                    return
                else:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._settings.stream_keep_alive):
                            await changed.wait()
                        continue
                    yield KEEP_ALIVE
        except NotFound:
            # It was deleted.
            yield DONE
        except ApiError as error:
            yield encode_error(error) + DONE
        finally:
            self._waiting[agent].discard(changed)
            if not self._waiting[agent]:
                del self._waiting[agent]


class _Reader:
    """What one reader has had of an agent, and what follows."""

    def __init__(self, store: Store, project: str, agent: str) -> None:
        self._store, self._project, self._agent = store, project, agent
        self._place: _Place = (0, 0)
        #: Whether nothing follows until a client acts.
        self.rests = False

    async def go_to(self, after: str) -> None:
        """Take the event with this id for the last that the reader has had. Raises `NotFound`, `InvalidRequest`."""
        agent = await self._store.agents.get(self._project, self._agent)
        if not after:
            return
        owner, _, at = after.partition(".")
        place = await self._of_cycle(owner, at) if owner != agent.id else _of_status(agent, at)
        if place is None:
            message = f"Agent {agent.id} has no event '{after}'. Leave `Last-Event-ID` out to get all its events."
            raise InvalidRequest(message, param="Last-Event-ID")
        self._place = place

    async def _of_cycle(self, identifier: str, at: str) -> _Place | None:
        try:
            cycle = await self._store.agent_cycles.get(self._project, identifier, self._agent)
        except NotFound:
            return None
        return next((event.place for event in _of_cycles([cycle]) if event.id == f"{identifier}.{at}"), None)

    async def news(self) -> list[_Event]:
        """The next events that the reader has not had; none if it has had all."""
        # Cycles are read first, and statuses that came after more of them wait: so nothing is passed over that comes in
        # between.
        cycles = await self._store.agent_cycles.since(self._project, self._agent, (self._place[0] + 1) // 2, _PAGE)
        agent = await self._store.agents.get(self._project, self._agent)
        told = list(_of_cycles(cycles))
        last = max(self._place[0], told[-1].place[0] if told else 0)
        upto = last if len(cycles) < _PAGE else _UNKNOWN
        statuses = list(_of_statuses(agent, upto))
        told += [event for event in statuses if event.place[0] <= last]
        events = sorted((one for one in told if one.place > self._place), key=lambda one: one.place)
        if events:
            self._place = events[-1].place
        self.rests = agent.status in OVER and statuses[-1].place <= self._place
        return events


def _of_cycles(cycles: Sequence[AgentCycle]) -> Iterator[_Event]:
    for cycle in cycles:
        after = 2 * cycle.number
        yield _Event((after - 1, 0), "agent.cycle.created", cycle, f"{cycle.id}.created")
        if cycle.status in _OVER:
            yield _Event((after, 0), "agent.cycle.completed", cycle, f"{cycle.id}.{cycle.status}")


def _of_statuses(agent: Agent, cycles: int) -> Iterator[_Event]:
    *before, now = _passed(agent, cycles)
    for one in before:
        then = {**dict.fromkeys(_OF_NOW), "status": one.status, "cycles": (one.after + 1) // 2}
        yield _status_event(one, agent.model_copy(update=then))
    yield _status_event(now, agent)


def _passed(agent: Agent, cycles: int) -> list[Passed]:
    """The statuses that an agent has passed, the present one last, when so many events of its cycles are known."""
    passed = agent.passed
    if passed and passed[-1].status == agent.status:
        return passed
    # It is from before statuses were kept, or was imported.
    after = 0 if agent.status in ("queued", "in_progress") else cycles
    return [*passed, Passed(number=passed[-1].number + 1 if passed else 1, status=agent.status, after=after)]


def _status_event(passed: Passed, agent: Agent) -> _Event:
    at = f"{agent.id}.{passed.after}.{passed.number}.{passed.status}"
    return _Event((passed.after, passed.number), f"agent.{passed.status}", agent, at)


def _of_status(agent: Agent, at: str) -> _Place | None:
    """Where the event of a status stands, by what follows the agent in its id."""
    now = _passed(agent, max(0, 2 * agent.cycles - 1))[-1]
    if at == agent.status:
        # From before ids told of places.
        return now.after, now.number
    numbers = at.split(".")[:2]
    if not all(one.isascii() and one.isdigit() and len(one) < 10 for one in numbers) or len(numbers) < 2:
        return None
    after, number = map(int, numbers)
    return (after, number) if after <= 2 * agent.cycles and number <= now.number else None
