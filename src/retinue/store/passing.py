"""Threads that are there for a while only: of one answer of a GPT, or of a guest."""

from __future__ import annotations

from typing import LiteralString

from .database import Database
from .removal import Doomed, lock, remove

#: Threads that one sweep deletes.
_MOST = 50

_ADD = """
    insert into passing_threads (thread_id, project_id, due_at)
    values (%(thread)s, %(project)s, now() + %(seconds)s::float8 * interval '1 second')
    on conflict (thread_id) do update set due_at = excluded.due_at
"""
_DUE = "select thread_id, project_id from passing_threads where due_at <= now() order by due_at limit %(most)s"
_FORGET: LiteralString = "delete from passing_threads where thread_id = %(thread)s"
#: A thread with a run that is stuck must not hold up the others.
_LATER = "update passing_threads set due_at = now() + interval '1 minute' where thread_id = %(thread)s"


class PassingThreads:
    """Which threads go, and when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, project: str, thread: str, seconds: float) -> None:
        """Write down that a thread goes in so many seconds; it need not be there yet. Said again, the time is anew."""
        await self._database.execute(_ADD, {"thread": thread, "project": project, "seconds": seconds})

    async def remove(self, project: str, thread: str) -> bool:
        """Delete a thread with all that only it has, unless a run is active on it; says whether it is gone."""
        async with self._database.transaction() as connection:
            active = await lock(connection, project, thread)
            if active:
                return False
            if active is not None:
                await remove(connection, project, Doomed(threads=[thread]))
            await connection.execute(_FORGET, {"thread": thread})
        return True

    async def sweep(self) -> None:
        """Delete some of the threads whose time has come."""
        for thread, project in await self._database.rows(_DUE, {"most": _MOST}):
            if not await self.remove(project, thread):
                await self._database.execute(_LATER, {"thread": thread})
