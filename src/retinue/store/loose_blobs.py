"""Loose blobs: what belongs to nothing yet, or no longer.

Blobs and database cannot change in one transaction. So a blob stands in the table `loose_blobs` before it can be in the
blob store, and until it has left it; what uses a blob takes its row out in the transaction that begins to name it.
What a process that died has left is deleted by a sweep.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterable, Iterable, Sequence

from ..errors import Unavailable
from .blobs import Blobs, Written
from .database import Database, Row

_HOLD = "insert into loose_blobs (key, due_at) values (%(key)s, now() + %(within)s * interval '1 second')"

#: Dooms loose blobs: nothing takes them over any more, so that they can be deleted.
_DOOM = "update loose_blobs set due_at = '-infinity' where key = any(%(keys)s) returning key"

_DOOM_DUE = """
    update loose_blobs set due_at = '-infinity' where key in (
        select key from loose_blobs where due_at <= now() order by due_at limit %(limit)s for update skip locked
    )
    returning key
"""

_PURGED = "delete from loose_blobs where key = %(key)s"

#: A condition on the row that must be deleted to take a blob over: it is there, and not doomed.
TAKEN = "key = %(key)s and due_at > '-infinity'"


class LooseBlobs:
    """The blobs that a sweep may delete."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    async def write(self, key: str, content: AsyncIterable[bytes], *, within: float) -> Written:
        """Write a blob that is loose until something takes it. If `content` raises, nothing is kept.

        Args:
            key: its key.
            content: the bytes.
            within: seconds after which a sweep deletes it if nothing has taken it.

        Raises:
            psycopg.errors.UniqueViolation: there is a loose blob of this key.
            Unavailable: database or blob store do not answer.
        """
        await self._database.execute(_HOLD, {"key": key, "within": within})
        try:
            return await self._blobs.write(key, content)
        except BaseException:
            await self.purge([key])
            raise

    async def purge(self, keys: Sequence[str]) -> None:
        """Delete those of these blobs that are loose. What cannot be deleted now is left to the sweep."""
        with contextlib.suppress(Unavailable):
            await self._delete(await self._database.rows(_DOOM, {"keys": list(keys)}) if keys else [])

    async def sweep(self, limit: int = 100) -> None:
        """Delete loose blobs that are due."""
        await self._delete(await self._database.rows(_DOOM_DUE, {"limit": limit}))

    async def _delete(self, doomed: Iterable[Row]) -> None:
        for row in doomed:
            with contextlib.suppress(Unavailable):
                await self._blobs.delete(str(row[0]))
                await self._database.execute(_PURGED, {"key": str(row[0])})
