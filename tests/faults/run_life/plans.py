"""What the model does in each run of the state machine: a plan that travels in the run's instructions."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Literal

from tests.scripted import Call, Reply

Json = dict[str, Any]

#: Turns that end in function calls: one; two; one after some text; one after text that waits for `Plans.release`.
CallTurn = Literal["call", "calls", "talk", "wait_talk"]
#: Turns that end the run: text; text that waits; a refusal of the model's server; a connection that breaks in
#: mid-answer; an answer cut at its limit.
LastTurn = Literal["say", "wait", "fail", "break", "cut"]

#: What the model's server reports for each turn that it brings to its end: prompt and completion tokens.
USAGE = (7, 5)

_CALL = Call("look", {"at": "the moon"})

_ENDS: dict[LastTurn, str] = {
    "say": "completed",
    "wait": "completed",
    "fail": "failed",
    "break": "failed",
    "cut": "incomplete",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What the model does in one run, unless someone cancels it or its time runs out."""

    label: str
    calls: tuple[CallTurn, ...]
    last: LastTurn

    @property
    def instructions(self) -> str:
        """How the plan reaches the model's server."""
        return json.dumps({"label": self.label, "calls": self.calls, "last": self.last})

    @property
    def end(self) -> str:
        """The status in which the run ends."""
        return _ENDS[self.last]

    @property
    def waits(self) -> bool:
        """Whether some turn waits to be released."""
        return self.last == "wait" or "wait_talk" in self.calls

    def text(self, turn: int) -> str:
        """What the model says in a turn, if it says anything."""
        return f"{self.label}.{turn}: one two three"

    def messages(self) -> list[tuple[str, str]]:
        """Status and text of the messages that the run leaves when it goes as planned."""
        said = [("completed", self.text(turn)) for turn, kind in enumerate(self.calls) if kind in ("talk", "wait_talk")]
        text = self.text(len(self.calls))
        if self.last in ("say", "wait"):
            return [*said, ("completed", text)]
        if self.last == "cut":
            return [*said, ("incomplete", text)]
        return [*said, ("incomplete", text.split(" ")[0])] if self.last == "break" else said

    def steps(self) -> list[str]:
        """The types of the run's steps when it goes as planned."""
        found: list[str] = []
        for kind in self.calls:
            found += ["message_creation", "tool_calls"] if kind in ("talk", "wait_talk") else ["tool_calls"]
        return found if self.last == "fail" else [*found, "message_creation"]

    def usage(self) -> Json:
        """The run's usage when it goes as planned: turns that failed report none."""
        turns = len(self.calls) + (self.last not in ("fail", "break"))
        prompt, completion = (turns * tokens for tokens in USAGE)
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class Plans:
    """The model: answers each request as the plan in its first message says. `reply` is what the upstream needs."""

    def __init__(self) -> None:
        self._released: dict[str, asyncio.Event] = {}

    def release(self, label: str) -> None:
        """Let the turns of this plan that wait go on, now and later."""
        self._event(label).set()

    def released(self, label: str) -> bool:
        return self._event(label).is_set()

    def _event(self, label: str) -> asyncio.Event:
        return self._released.setdefault(label, asyncio.Event())

    def reply(self, request: Json) -> Reply:
        """The next turn: as many are over as calls stand in the request."""
        first, *messages = request["messages"]
        sent = json.loads(first["content"])
        plan = Plan(sent["label"], tuple(sent["calls"]), sent["last"])
        turn = sum("tool_calls" in message for message in messages)
        kind = plan.calls[turn] if turn < len(plan.calls) else plan.last
        words = plan.text(turn).split(" ")
        pieces: list[str | asyncio.Event] = [words[0], *(" " + word for word in words[1:])]
        if kind in ("wait", "wait_talk"):
            pieces.insert(2, self._event(plan.label))
        if {"role": "assistant", "content": plan.text(turn)} in messages:
            # A driver died between the text and the calls: the text has been said.
            pieces = []
        if kind in ("call", "calls"):
            return Reply(tool_calls=[_CALL, _CALL][: 1 + (kind == "calls")], usage=USAGE)
        return Reply(
            chunks=pieces,
            tool_calls=[_CALL] if kind in ("talk", "wait_talk") else [],
            status=500 if kind == "fail" else 200,
            break_after=1 if kind == "break" else None,
            finish_reason="length" if kind == "cut" else None,
            usage=USAGE,
        )
