"""The life of a run: one table of allowed transitions, which everything that changes a status asks.

Source: the run lifecycle in OpenAI's Assistants documentation.
"""

from __future__ import annotations

import time
from typing import Any

from ..wire.runs import RunStatus

#: From each status, the ones that may follow.
TRANSITIONS: dict[RunStatus, tuple[RunStatus, ...]] = {
    "queued": ("in_progress", "cancelling", "cancelled", "failed", "expired"),
    "in_progress": ("requires_action", "cancelling", "completed", "incomplete", "failed", "expired"),
    "requires_action": ("queued", "cancelling", "cancelled", "expired"),
    "cancelling": ("cancelled",),
    "completed": (),
    "incomplete": (),
    "failed": (),
    "cancelled": (),
    "expired": (),
}

#: The field that keeps the time of a status, where the API has one.
_TIMES: dict[RunStatus, str] = {
    "in_progress": "started_at",
    "completed": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
}


def sources(to: RunStatus) -> list[RunStatus]:
    """The statuses from which a run may come to `to`."""
    return [status for status, following in TRANSITIONS.items() if to in following]


def change(to: RunStatus, **fields: Any) -> dict[str, Any]:
    """The fields of a run that a transition to `to` replaces, with its time, beside the given ones."""
    patch: dict[str, Any] = {"status": to, "required_action": None, **fields}
    if field := _TIMES.get(to):
        patch[field] = int(time.time())
    return patch
