"""The table of a run's transitions."""

from __future__ import annotations

from typing import get_args

import pytest

from retinue.runs.state import TRANSITIONS, change, sources
from retinue.wire.runs import ACTIVE, TERMINAL, RunStatus

STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)


def test_every_status_is_in_the_table_and_either_active_or_terminal() -> None:
    assert set(TRANSITIONS) == set(STATUSES) == set(ACTIVE) | set(TERMINAL)
    assert not set(ACTIVE) & set(TERMINAL)


@pytest.mark.parametrize("status", STATUSES)
def test_only_terminal_statuses_are_final(status: RunStatus) -> None:
    assert (TRANSITIONS[status] == ()) == (status in TERMINAL)


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_can_be_reached_and_can_end(status: RunStatus) -> None:
    def reachable(start: RunStatus) -> set[RunStatus]:
        seen: set[RunStatus] = {start}
        waiting = [start]
        while waiting:
            for following in TRANSITIONS[waiting.pop()]:
                if following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return seen

    assert status in reachable("queued")
    assert reachable(status) & set(TERMINAL)


@pytest.mark.parametrize("to", STATUSES)
def test_sources_are_the_table_read_backwards(to: RunStatus) -> None:
    assert set(sources(to)) == {status for status in STATUSES if to in TRANSITIONS[status]}


def test_every_active_run_can_be_cancelled() -> None:
    assert set(sources("cancelling")) == set(ACTIVE) - {"cancelling"}
    assert TRANSITIONS["cancelling"] == ("cancelled",)


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ("in_progress", "started_at"),
        ("completed", "completed_at"),
        ("failed", "failed_at"),
        ("cancelled", "cancelled_at"),
    ],
)
def test_a_change_keeps_its_time(status: RunStatus, field: str) -> None:
    patch = change(status)
    assert patch["status"] == status
    assert isinstance(patch[field], int)


def test_a_change_clears_what_the_run_waited_for() -> None:
    assert change("queued") == {"status": "queued", "required_action": None}
    assert change("requires_action", required_action={"type": "x"})["required_action"] == {"type": "x"}
