"""Branches of a chat: threads that were forked from one another, and where they part.

A fork has in its metadata the ids of the thread that the chat began with (``root``) and of the thread that it left
(``parent``), and the number of messages that it shares with that one (``at``). `owner_of` finds the parent so that
``at`` of a fork is always more than that of its parent: all branches that part at the same place have the same parent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

ROOT, PARENT, AT = "root", "parent", "at"


@dataclass(frozen=True, slots=True)
class Branch:
    """A thread of a chat with branches."""

    id: str
    #: The thread that it left; "" for the first.
    parent: str = ""
    #: How many messages it shares with `parent`.
    at: int = -1
    #: Orders branches: seconds since 1970.
    created_at: int = 0


def branch_of(thread: Mapping[str, object]) -> Branch:
    """A thread of the API as a branch; metadata that makes no sense makes it one without a parent."""
    metadata = thread.get("metadata")
    known: Mapping[str, str] = metadata if isinstance(metadata, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]
    created = thread.get("created_at")
    at = known.get(AT, "")
    whole = bool(known.get(PARENT)) and at.isdecimal() and len(at) < 8
    return Branch(
        id=str(thread["id"]),
        parent=known[PARENT] if whole else "",
        at=int(at) if whole else -1,
        created_at=created if isinstance(created, int) else 0,
    )


def owner_of(branches: Mapping[str, Branch], thread: str, at: int) -> str:
    """The thread that a fork of `thread` behind `at` messages leaves: the one that the message there belongs to."""
    seen: set[str] = set()
    while thread in branches and thread not in seen:
        seen.add(thread)
        one = branches[thread]
        if not one.parent or at > one.at:
            break
        thread = one.parent
    return thread


def partings(branches: Iterable[Branch], current: str) -> dict[int, list[str]]:
    """Where the branches part along the current one.

    Args:
        branches: all of the chat.
        current: the id of the one that is shown.

    Returns:
        by the number of the message (from 0): the threads that one can go on with there, oldest first.
    """
    by_id = {one.id: one for one in branches}
    found: dict[int, list[str]] = {}
    end, thread, seen = 10**9, current, set[str]()
    while thread and thread not in seen:
        seen.add(thread)
        for fork in sorted(by_id.values(), key=lambda one: (one.created_at, one.id)):
            if fork.parent == thread and fork.at <= end:
                found.setdefault(fork.at, [thread]).append(fork.id)
        own = by_id.get(thread, Branch(thread))
        end, thread = own.at, own.parent
    return found


def chosen(branches: Mapping[str, Branch], current: str, at: int) -> str:
    """Which of the threads of `partings` at this place the current one goes on with."""
    thread, seen = current, set[str]()
    while thread not in seen and thread in branches and branches[thread].at > at:
        seen.add(thread)
        thread = branches[thread].parent
    return thread
