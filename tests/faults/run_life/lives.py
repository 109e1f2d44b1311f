"""What a test knows of a run, and what must hold for it whenever it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from retinue.runs.state import TRANSITIONS
from retinue.wire.runs import TERMINAL, RunStatus
from tests.harness import Json, text

from .plans import Plan
from .streams import Reading


def _closure() -> dict[str, set[str]]:
    """From each status, all that may be seen later, itself included."""
    reach: dict[str, set[str]] = {status: {status, *TRANSITIONS[status]} for status in get_args(RunStatus)}
    for _ in reach:
        for found in reach.values():
            found |= set().union(*(reach[status] for status in found))
    return reach


LATER = _closure()


@dataclass(slots=True)
class Life:
    """One run."""

    plan: Plan
    thread: str
    #: Whether it may expire, on a server that gives runs little time.
    short: bool
    #: Unset while nobody knows whether the run was made: its server was killed before it answered.
    id: str | None = None
    #: As last seen.
    seen: Json = field(default_factory=dict[str, Any])
    #: Whether someone asked for it to be cancelled: for sure, if that was answered 200.
    may_be_cancelled: bool = False
    surely_cancelled: bool = False
    #: Outputs by call id that were taken, and those of requests that were not answered.
    outputs: dict[str, str] = field(default_factory=dict[str, str])
    perhaps: dict[str, str] = field(default_factory=dict[str, str])
    readings: list[Reading] = field(default_factory=list[Reading])

    @property
    def path(self) -> str:
        return f"/threads/{self.thread}/runs/{self.id}"

    @property
    def status(self) -> str:
        return self.seen.get("status", "queued")

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL

    def calls(self) -> list[str]:
        """Ids of the calls that wait for outputs."""
        action = self.seen["required_action"]
        return [call["id"] for call in action["submit_tool_outputs"]["tool_calls"]] if action else []

    def see(self, run: Json) -> None:
        """Take note of the run as a server has just shown it."""
        if self.ended:
            assert run == self.seen, "a run that has ended has changed"
        assert run["status"] in LATER[self.status], f"{self.status} -> {run['status']}"
        assert (run["status"] == "requires_action") == (run["required_action"] is not None), run
        assert run["status"] in self._possible(run["status"]), (run, self)
        self.seen = run

    def _possible(self, status: str) -> set[str]:
        """The status itself while the run goes on; once it has ended, the ends that it may have."""
        if status not in TERMINAL:
            return {status}
        if self.surely_cancelled:
            return {"cancelled"}
        return {self.plan.end, *(["cancelled"] if self.may_be_cancelled else []), *(["expired"] if self.short else [])}

    # --- once it has ended

    def check_end(self, messages: Sequence[Json], steps: Sequence[Json]) -> None:
        """Hold everything that an ended run has left to its plan.

        Args:
            messages: those of this run, oldest first.
            steps: its steps, oldest first.
        """
        run = self.seen
        assert run["required_action"] is None
        assert all(step["status"] != "in_progress" for step in steps), steps
        assert [run[f"{kind}_at"] is not None for kind in ("completed", "failed", "cancelled")] == [
            run["status"] == kind for kind in ("completed", "failed", "cancelled")
        ], run
        assert (run["last_error"] is not None, run["incomplete_details"] is not None) == (
            run["status"] == "failed",
            run["status"] == "incomplete",
        ), run
        for name, total in run["usage"].items():
            assert total == sum(step["usage"][name] for step in steps if step["usage"]), (run, steps)
        self._check_messages(messages, steps)
        self._check_outputs(steps)
        if run["status"] == self.plan.end:
            assert run["usage"] == self.plan.usage()
            assert [step["type"] for step in steps] == self.plan.steps(), steps
        for reading in self.readings:
            reading.check(run, messages, steps)

    def _check_messages(self, messages: Sequence[Json], steps: Sequence[Json]) -> None:
        """None is lost, none is doubled, none is unfinished, and the steps tell of the same ones."""
        told = [
            step["step_details"]["message_creation"]["message_id"]
            for step in steps
            if step["type"] == "message_creation"
        ]
        assert told == [message["id"] for message in messages], (messages, steps)
        found = [(message["status"], text(message)) for message in messages]
        planned = self.plan.messages()
        if self.status == self.plan.end:
            assert found == planned
            return
        whole = [said for said in found if said[0] == "completed"]
        assert whole == planned[: len(whole)], (found, planned)
        for status, said in found[len(whole) :]:
            assert len(found) == len(whole) + 1
            assert status == "incomplete"
            assert planned[len(whole)][1].startswith(said), (found, planned)

    def _check_outputs(self, steps: Sequence[Json]) -> None:
        """Each output that was taken stands with its call, and no other output does."""
        calls = [call for step in steps if step["type"] == "tool_calls" for call in step["step_details"]["tool_calls"]]
        found = {call["id"]: call["function"]["output"] for call in calls}
        assert len(found) == len(calls), "two calls have one id"
        for call, output in found.items():
            expected = self.outputs.get(call)
            assert output == expected or (output is not None and output == self.perhaps.get(call)), (call, output, self)
        assert set(self.outputs) <= set(found)
