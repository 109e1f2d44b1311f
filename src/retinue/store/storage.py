"""How much projects may store: files, vector stores and workspaces together."""

from __future__ import annotations

from ..errors import InvalidRequest
from .database import Connection, Database

_LEFT = "select storage_left(%(project)s, %(most)s::bigint)"


class Storage:
    """The limits of all projects."""

    def __init__(self, database: Database, *, most: int | None) -> None:
        """`most`: bytes that each project may store unless it has a limit of its own; None: as much as it likes."""
        self._database = database
        self.most = most

    async def require(self, project: str, more: int, connection: Connection | None = None) -> None:
        """See that a project may store so many bytes more.

        Args:
            project: the project.
            more: bytes.
            connection: the transaction that this belongs to, if to one: until it ends no other comes between.

        Raises:
            InvalidRequest: it may not.
        """
        values = {"project": project, "most": self.most}
        if connection:
            row = await (await connection.execute(_LEFT, values)).fetchone()
        else:
            row = await self._database.row(_LEFT, values)
        left: int | None = row[0] if row else None
        if left is not None and left < more:
            raise InvalidRequest(
                f"The project has reached its storage limit: {max(0, left)} bytes are left, and {more} are needed. "
                "Delete files or vector stores, or have an administrator raise the limit.",
                code="storage_limit_exceeded",
            )
