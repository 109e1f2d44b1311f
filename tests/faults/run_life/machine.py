"""The state machine: what clients, and whoever kills servers, do to threads and runs, in any order."""

from __future__ import annotations

import asyncio
import itertools
import re
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from retinue.wire.runs import ACTIVE
from tests.harness import Answer, Json, function, text

from .lives import Life
from .plans import CallTurn, LastTurn, Plan
from .site import MARGIN, Site
from .streams import Reading

T = TypeVar("T")

CALL_TURNS: tuple[CallTurn, ...] = ("call", "calls", "talk", "wait_talk")
LAST_TURNS: tuple[LastTurn, ...] = ("say", "wait", "wait", "say", "fail", "break", "cut")
PLANS = st.tuples(st.lists(st.sampled_from(CALL_TURNS), max_size=2), st.sampled_from(LAST_TURNS))
VIA = st.sampled_from(["first", "second", "first", "second", "short"])
#: Seconds into a request after which its server is killed; mostly never.
STRIKES = st.sampled_from([None] * 9 + [0.0, 0.002, 0.005, 0.01, 0.03])

#: Which thread, which run: one that is free or goes on, but for the highest number. What is drawn must not depend on
#: what has happened, which is not the same each time: rules that find nothing to do do nothing.
PICKS = st.integers(0, 9)
#: How outputs are handed in.
WAYS = st.sampled_from(["right", "right", "wrong", "missing", "doubled", "at_once", "beside_cancel"])

_numbers = itertools.count(1)


@dataclass(slots=True)
class Talk:
    """One thread: what has been said and run on it, in order."""

    id: str
    entries: list[str | Life] = field(default_factory=list[Any])

    @property
    def lives(self) -> list[Life]:
        return [entry for entry in self.entries if isinstance(entry, Life)]

    @property
    def last(self) -> Life | None:
        """The latest run."""
        return self.lives[-1] if self.lives else None


class RunLife(RuleBasedStateMachine):
    """Rules are what anybody may do; invariants are what everybody sees."""

    #: Where the machines play, and the loop that it lives on, which turns only while a rule is at work.
    site: ClassVar[Site]
    loop: ClassVar[asyncio.AbstractEventLoop]

    def __init__(self) -> None:
        super().__init__()
        self._assistant = ""
        self.talks: list[Talk] = []
        #: All runs, those of deleted threads too.
        self.lives: list[Life] = []

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    # --- threads

    @initialize(plan=PLANS)
    def begin(self, plan: Any) -> None:
        """All runs are of one assistant, which has a function. One is there from the start, and a free thread."""
        body = {"model": "m", "tools": [function("look", at="string")]}
        self._assistant = self._do(self._told("first", "POST", "/assistants", body))["id"]
        self._do(self._start_on_new_thread(Life(_plan(plan), "", short=False), "second", stream=True))
        self.talks.append(Talk(self._do(self._told("first", "POST", "/threads", {}))["id"]))

    def _talk(self, pick: int) -> Talk:
        return self.talks[pick % len(self.talks)]

    @rule(pick=PICKS, what=st.sampled_from(["say", "say", "runs", "messages", "delete"]), via=VIA, strike=STRIKES)
    def use(self, pick: int, what: str, via: str, strike: float | None) -> None:
        """Append a message to a thread, turn the pages of its lists, or delete it."""
        if not self.talks:
            return
        talk = self._talk(pick)
        if what == "say":
            self._do(self._add_message(talk, via, strike))
        elif what == "delete":
            self._do(self._delete(talk, via, strike))
        else:
            self._do(self._turn_pages(f"/threads/{talk.id}/{what}", via))

    async def _add_message(self, talk: Talk, via: str, strike: float | None) -> None:
        """A thread with an active run refuses, in the official words."""
        said = _say()
        path = f"/threads/{talk.id}/messages"
        answer = await self.site.ask(via, "POST", path, _message(said), strike=strike)
        if answer is None:
            kept = [text(one) for one in await self._messages(talk)]
            answer = Answer(200 if said in kept else 400, {}, None)
            assert answer.status == 400 or talk.last is None or await self._over(talk.last)
        elif answer.status != 200:
            self._check_locked(talk, answer, r"Can't add messages to (\S+) while a run (\S+) is active\.")
        elif talk.last:
            assert await self._over(talk.last), "a locked thread took a message"
        if answer.status == 200:
            talk.entries.append(said)

    def _check_locked(self, talk: Talk, answer: Answer, words: str) -> None:
        """A refusal must be in these words, and name a run that nobody had seen to have ended."""
        assert answer.status == 400, answer.body
        found = re.fullmatch(words, answer.body["error"]["message"])
        assert found, answer.body
        assert talk.last
        assert found.groups() == (talk.id, talk.last.id)
        assert not talk.last.ended

    async def _delete(self, talk: Talk, via: str, strike: float | None) -> None:
        answer = await self.site.ask(via, "DELETE", f"/threads/{talk.id}", strike=strike)
        if answer is None:
            answer = await self.site.ask("first", "DELETE", f"/threads/{talk.id}")
            assert answer
            assert answer.status in (200, 404)
        else:
            assert answer.status == 200
        self.talks.remove(talk)

    async def _turn_pages(self, path: str, via: str) -> None:
        """Pages of a list, one after the other, make up the list; nothing is listed twice."""
        whole = [one["id"] for one in (await self.site.get(f"{path}?limit=100"))["data"]]
        found: list[str] = []
        more = True
        while more:
            after = f"&after={found[-1]}" if found else ""
            page = await self._told(via, "GET", f"{path}?limit=2{after}")
            found += [one["id"] for one in page["data"]]
            more = page["has_more"]
        assert len(set(found)) == len(found)
        # A run that is at work may add to the list, or take back what a killed driver had shown.
        assert [one for one in whole if one in found] == [one for one in found if one in whole]

    # --- runs

    def _life(self, pick: int) -> Life:
        going = [life for life in self.lives if self._goes_on(life)]
        choice = going if going and pick < 9 else self.lives
        return choice[pick % len(choice)]

    @rule(pick=PICKS, plan=PLANS, via=VIA, stream=st.booleans(), more=st.booleans(), strike=STRIKES)
    def start(self, pick: int, plan: Any, via: str, stream: bool, more: bool, strike: float | None) -> None:
        """Create a run: on a free thread, on a new one, or on one that is locked, which refuses."""
        free = [talk for talk in self.talks if talk.last is None or talk.last.ended]
        life = Life(_plan(plan), "", via == "short")
        if not self.talks or (pick < 9 and not free and len(self.talks) < 6):
            self._do(self._start_on_new_thread(life, via, stream))
            return
        talk = free[pick % len(free)] if pick < 9 and free else self._talk(pick)
        life.thread = talk.id
        self._do(self._start(talk, life, via, stream, more, strike))

    async def _start(self, talk: Talk, life: Life, via: str, stream: bool, more: bool, strike: float | None) -> None:
        said = [_say()] if more else []
        body = {**self._body(life), "additional_messages": [_message(one) for one in said]}
        before = talk.last
        answer = await self._ask_for_run(life, via, f"/threads/{talk.id}/runs", body, stream, strike)
        if answer is not None and answer.status != 200:
            self._check_locked(talk, answer, r"Thread (\S+) already has an active run (\S+)\.")
            return
        if answer is None:
            listed = (await self.site.get(f"/threads/{talk.id}/runs?limit=100"))["data"]
            made = [run for run in listed if run["metadata"] == {"label": life.plan.label}]
            if not made:
                return
            answer = Answer(200, {}, made[0])
        life.id = answer.body["id"]
        life.see(answer.body)
        talk.entries += [*said, life]
        self.lives.append(life)
        assert before is None or await self._over(before), "a thread has two active runs"

    async def _start_on_new_thread(self, life: Life, via: str, stream: bool) -> None:
        said = _say()
        body = {**self._body(life), "thread": {"messages": [_message(said)]}}
        answer = await self._ask_for_run(life, via, "/threads/runs", body, stream, None)
        assert answer
        assert answer.status == 200, answer.body
        life.thread, life.id = answer.body["thread_id"], answer.body["id"]
        life.see(answer.body)
        self.talks.append(Talk(life.thread, [said, life]))
        self.lives.append(life)

    def _body(self, life: Life) -> Json:
        return {
            "assistant_id": self._assistant,
            "instructions": life.plan.instructions,
            "metadata": {"label": life.plan.label},
        }

    async def _ask_for_run(
        self, life: Life, via: str, path: str, body: Json, stream: bool, strike: float | None
    ) -> Answer | None:
        if not stream:
            return await self.site.ask(via, "POST", path, body, strike=strike)
        life.readings.append(Reading())
        return await self.site.stream(via, path, body, life.readings[-1], strike=strike)

    @rule(pick=PICKS)
    def release(self, pick: int) -> None:
        """The model goes on where it was waiting."""
        self.site.plans.release(self._life(pick).plan.label)

    @rule(pick=PICKS)
    def wait_until_it_stops(self, pick: int) -> None:
        """Wait until a run has ended or waits, for its client or for the model; one that has little time expires."""
        life = self._life(pick)
        self._do(self._until_ended(life) if life.short else self._until_it_stops(life))

    async def _until_it_stops(self, life: Life) -> None:
        free = not life.plan.waits or self.site.plans.released(life.plan.label)
        enough = ("requires_action",) if free or life.short else ("requires_action", "in_progress", "cancelling")
        async with asyncio.timeout(MARGIN):
            while self._goes_on(life) and life.status not in enough:
                await asyncio.sleep(0.02)
                life.see(await self.site.get(life.path))

    @rule(pick=PICKS, via=VIA, strike=STRIKES)
    def cancel(self, pick: int, via: str, strike: float | None) -> None:
        """Cancel a run: refused where it has ended."""
        self._do(self._cancel(self._life(pick), via, strike))

    async def _cancel(self, life: Life, via: str, strike: float | None) -> None:
        life.may_be_cancelled = True
        answer = await self.site.ask(via, "POST", life.path + "/cancel", {}, strike=strike)
        if answer is None:
            return
        if not self._exists(life):
            assert answer.status == 404
        elif answer.status == 200:
            life.surely_cancelled = True
            life.see(answer.body)
            assert life.status in ("cancelling", "cancelled")
        else:
            assert answer.status == 400
            life.see(await self.site.get(life.path))
            assert life.ended, "a run that goes on refused to be cancelled"
            assert answer.body["error"]["message"] == f"Cannot cancel run with status '{life.status}'."

    @rule(pick=PICKS, how=WAYS, via=VIA, stream=st.booleans(), strike=STRIKES)
    def submit(self, pick: int, how: str, via: str, stream: bool, strike: float | None) -> None:
        """Hand in outputs: the right ones, others, or several times at once."""
        self._do(self._submit(self._life(pick), how, via, stream, strike))

    async def _submit(self, life: Life, how: str, via: str, stream: bool, strike: float | None) -> None:
        await self._until_it_stops(life)
        calls = life.calls() if self._exists(life) else []
        outputs = {call: f"{via} saw {call}" for call in calls}
        if how == "at_once":
            answers = await asyncio.gather(*(self._hand_in(life, one, outputs, False) for one in ("first", "second")))
            assert sum(answer.status == 200 for answer in answers if answer) <= 1, "outputs were taken twice"
        elif how == "beside_cancel":
            await asyncio.gather(self._hand_in(life, "first", outputs, stream), self._cancel(life, "second", None))
        elif how == "right":
            answer = await self._hand_in(life, via, outputs, stream, strike)
            taken = answer is None or answer.status == 200
            assert taken or not calls or life.short, "the right outputs were refused"
        else:
            ids = {"wrong": ["call_unknown"], "missing": calls[1:], "doubled": calls * 2}[how]
            body = {"tool_outputs": [{"tool_call_id": one, "output": "wrong"} for one in ids]}
            answer = await self.site.ask(via, "POST", life.path + "/submit_tool_outputs", body, strike=strike)
            assert answer is None or answer.status == (400 if self._exists(life) else 404), (ids, calls, answer)
            if answer and calls and not life.short:
                expected = f"Expected tool outputs for call_ids {calls}, got {ids}"
                assert answer.body["error"]["message"] == expected

    async def _hand_in(
        self, life: Life, via: str, outputs: dict[str, str], stream: bool, strike: float | None = None
    ) -> Answer | None:
        sent = [{"tool_call_id": call, "output": output} for call, output in outputs.items()]
        path = life.path + "/submit_tool_outputs"
        answer = await self._ask_for_run(life, via, path, {"tool_outputs": sent}, stream, strike)
        if answer is None:
            life.perhaps |= outputs
        elif not self._exists(life):
            assert answer.status == 404
        elif answer.status == 200:
            life.outputs |= outputs
        else:
            words = r'Runs in status "\w+" do not accept tool outputs\.|Expected tool outputs for call_ids .*, got .*'
            assert re.fullmatch(words, answer.body["error"]["message"]), answer.body
        return answer

    @rule(via=VIA)
    def kill(self, via: str) -> None:
        """`kill -9` of a server, while there is something to do for one."""
        if any(self._goes_on(life) for life in self.lives):
            self._do(self.site.servers.kill(via))

    # --- what everybody sees

    @invariant()
    def look(self) -> None:
        """Look at the threads on which something goes on."""
        for talk in self.talks:
            if talk.last and not talk.last.ended:
                self._do(self._look(talk))

    async def _look(self, talk: Talk) -> None:
        runs = (await self.site.get(f"/threads/{talk.id}/runs?order=asc&limit=100"))["data"]
        assert [run["id"] for run in runs] == [life.id for life in talk.lives]
        for life, run in zip(talk.lives, runs, strict=True):
            life.see(run)
        assert [run["id"] for run in runs[:-1] if run["status"] in ACTIVE] == []

    def _exists(self, life: Life) -> bool:
        return any(talk.id == life.thread for talk in self.talks)

    def _goes_on(self, life: Life) -> bool:
        return self._exists(life) and not life.ended

    async def _over(self, life: Life) -> bool:
        life.see(await self.site.get(life.path))
        return life.ended

    async def _told(self, via: str, method: str, path: str, body: Json | None = None) -> Json:
        """The body of an answer that must be 200."""
        answer = await self.site.ask(via, method, path, body)
        assert answer
        assert answer.status == 200, answer.body
        return answer.body

    async def _messages(self, talk: Talk) -> list[Json]:
        return (await self.site.get(f"/threads/{talk.id}/messages?order=asc&limit=100"))["data"]

    # --- the end

    def teardown(self) -> None:
        """Nobody keeps anything waiting any more: every run ends, and has left what it should."""
        try:
            if sys.exception() is None:
                self._do(self._finish())
        finally:
            self._do(self._leave())

    async def _finish(self) -> None:
        for talk in self.talks:
            for life in talk.lives:
                self.site.plans.release(life.plan.label)
        for talk in self.talks:
            for life in talk.lives:
                await self._until_ended(life)
            await self._check_end(talk)
            await self._add_message(talk, "first", None)
        await self.site.check_transitions()

    async def _until_ended(self, life: Life) -> None:
        """Give the run all that it waits for; it ends."""
        async with asyncio.timeout(MARGIN):
            while self._goes_on(life):
                life.see(await self.site.get(life.path))
                if life.status == "requires_action" and not life.short:
                    outputs = dict.fromkeys(life.calls(), "at last")
                    await self._hand_in(life, "first", outputs, stream=False)
                self.site.plans.release(life.plan.label)
                await asyncio.sleep(0.02)

    async def _check_end(self, talk: Talk) -> None:
        messages = await self._messages(talk)
        expected: list[str] = []
        for entry in talk.entries:
            if isinstance(entry, str):
                expected += [one["id"] for one in messages if one["run_id"] is None and text(one) == entry]
                continue
            own = [one for one in messages if one["run_id"] == entry.id]
            expected += [one["id"] for one in own]
            for reading in entry.readings:
                await asyncio.wait_for(reading.end(), MARGIN)
            steps = (await self.site.get(f"{entry.path}/steps?order=asc&limit=100"))["data"]
            entry.check_end(own, steps)
            event(f"a run ended as {entry.status}, {'as' if entry.status == entry.plan.end else 'not as'} planned")
        assert [one["id"] for one in messages] == expected, (messages, talk.entries)

    async def _leave(self) -> None:
        for talk in self.talks:
            for life in talk.lives:
                self.site.plans.release(life.plan.label)
            await self.site.ask("first", "DELETE", f"/threads/{talk.id}")


def _plan(drawn: tuple[list[CallTurn], LastTurn]) -> Plan:
    calls, last = drawn
    return Plan(f"run{next(_numbers)}", tuple(calls), last)


def _say() -> str:
    """A text that nobody has said before."""
    return f"message {next(_numbers)}"


def _message(said: str) -> Json:
    return {"role": "user", "content": said}
