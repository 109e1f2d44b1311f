"""Who may call a server next: never too many at once, caller by caller, nobody forgotten."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.errors import ModelBusy
from retinue.inference.slots import FairSlots

LONG = 3600.0
CALLERS = "abcd"

#: What happens to the slots: a call of someone, the end of the nth call under way, a hang-up of the nth that waits.
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(CALLERS)),
        st.tuples(st.just("end"), st.integers(0, 9)),
        st.tuples(st.just("hang up"), st.integers(0, 9)),
    ),
    max_size=40,
)


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


@dataclass(eq=False)
class Call:
    """A call, from when it asks to be let in."""

    caller: str
    task: asyncio.Task[None] | None = None
    inside: bool = False
    end: asyncio.Event = field(default_factory=asyncio.Event)


class Scene:
    """Calls that go through the same slots."""

    def __init__(self, slots: int) -> None:
        self.limit = slots
        self.slots = FairSlots(slots, waiting=1000, timeout=LONG)
        self.calls: list[Call] = []
        #: Those that were let in, in order.
        self.order: list[Call] = []

    def inside(self) -> list[Call]:
        return [call for call in self.calls if call.inside]

    def outside(self) -> list[Call]:
        return [call for call in self.calls if not call.inside]

    def call(self, caller: str) -> Call:
        call = Call(caller)
        self.calls.append(call)
        call.task = asyncio.create_task(self._run(call))
        return call

    async def _run(self, call: Call) -> None:
        try:
            await self.slots.acquire(call.caller)
            call.inside = True
            self.order.append(call)
            assert len(self.inside()) <= self.limit
            try:
                await call.end.wait()
            finally:
                call.inside = False
                self.slots.release()
        finally:
            self.calls.remove(call)

    async def finish(self) -> None:
        """End call after call. Everybody is let in, and the slots are as they were at first."""
        while self.calls:
            inside = self.inside()
            assert len(inside) == min(self.limit, len(self.calls))
            inside[0].end.set()
            await settle()
        assert self.slots.waiting == 0
        for _ in range(self.limit):
            assert self.slots.free
            await self.slots.acquire("x")
        assert not self.slots.free


def hang_up(call: Call) -> None:
    assert call.task
    call.task.cancel()


@given(st.integers(1, 3), EVENTS)
def test_callers_take_turns(slots: int, events: list[tuple[str, str | int]]) -> None:
    """Beside a model of it that is plain to see: one queue for each caller, and a round of callers."""

    async def play() -> None:
        scene = Scene(slots)
        queues: dict[str, deque[Call]] = {}
        turns: deque[str] = deque()
        expected: list[Call] = []

        def let_in() -> None:
            caller = turns.popleft()
            expected.append(queues[caller].popleft())
            if queues[caller]:
                turns.append(caller)

        for event, what in events:
            if event == "call":
                free = len(scene.inside()) < slots
                call = scene.call(str(what))
                if free:
                    expected.append(call)
                else:
                    queues.setdefault(call.caller, deque()).append(call)
                    if call.caller not in turns:
                        turns.append(call.caller)
            elif event == "end" and scene.inside():
                scene.inside()[int(what) % len(scene.inside())].end.set()
                if turns:
                    let_in()
            elif event == "hang up" and scene.outside():
                call = scene.outside()[int(what) % len(scene.outside())]
                hang_up(call)
                queues[call.caller].remove(call)
                if not queues[call.caller]:
                    turns.remove(call.caller)
            await settle()
            assert scene.order == expected
            assert scene.slots.waiting == sum(map(len, queues.values()))
        while turns:
            let_in()
        await scene.finish()
        assert scene.order == expected

    asyncio.run(play())


@given(st.integers(1, 3), EVENTS)
def test_what_happens_at_once_leaves_no_hole(slots: int, events: list[tuple[str, str | int]]) -> None:
    """Hang-ups, ends and calls in the same moment, before anybody has learnt of the others."""

    async def play() -> None:
        scene = Scene(slots)
        for event, what in events:
            if event == "call":
                scene.call(str(what))
                await settle()
            elif event == "end" and scene.inside():
                scene.inside()[int(what) % len(scene.inside())].end.set()
            elif scene.outside():
                hang_up(scene.outside()[int(what) % len(scene.outside())])
        await settle()
        await scene.finish()

    asyncio.run(play())


async def test_a_crowd_does_not_hold_others_up() -> None:
    scene = Scene(1)
    for _ in range(21):
        scene.call("a")
    await settle()
    late = scene.call("b")
    await settle()
    scene.inside()[0].end.set()
    await settle()
    scene.inside()[0].end.set()
    await settle()
    assert scene.order[2] is late
    await scene.finish()


async def test_a_hang_up_does_not_cost_its_caller_a_turn() -> None:
    scene = Scene(1)
    first, gone = scene.call("a"), scene.call("b")
    await settle()
    second, third = scene.call("b"), scene.call("c")
    await settle()
    first.end.set()
    hang_up(gone)  # which it notices when the slot is free already
    await settle()
    assert scene.order == [first, second]
    await scene.finish()
    assert scene.order == [first, second, third]


async def test_a_call_that_hangs_up_when_it_is_let_in_gives_the_slot_on() -> None:
    slots = FairSlots(1, waiting=10, timeout=LONG)
    await slots.acquire("a")
    leaving = asyncio.create_task(slots.acquire("b"))
    staying = asyncio.create_task(slots.acquire("c"))
    await settle()
    slots.release()  # to `leaving`, which has not yet been told
    leaving.cancel()
    with suppress(asyncio.CancelledError):
        await leaving
    await asyncio.wait_for(staying, 10)
    slots.release()
    assert slots.free


async def test_so_many_wait_and_no_more() -> None:
    slots = FairSlots(1, waiting=2, timeout=LONG)
    await slots.acquire("a")
    assert not slots.full
    waiting = [asyncio.create_task(slots.acquire("a")) for _ in range(2)]
    await settle()
    assert slots.full
    with pytest.raises(ModelBusy, match="2 calls wait") as refused:
        await slots.acquire("b")
    assert (refused.value.status, refused.value.code) == (503, "model_busy")
    waiting[0].cancel()
    await settle()
    assert not slots.full
    another = asyncio.create_task(slots.acquire("b"))
    await settle()
    slots.release()
    await asyncio.wait_for(waiting[1], 10)
    slots.release()
    await asyncio.wait_for(another, 10)


async def test_no_call_waits_for_ever() -> None:
    slots = FairSlots(1, waiting=2, timeout=0.01)
    await slots.acquire("a")
    with pytest.raises(ModelBusy, match="too long"):
        await slots.acquire("b")
    assert slots.waiting == 0
    slots.release()
    assert slots.free
