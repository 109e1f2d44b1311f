"""The files that agents work with, as rows: one workspace for an agent and all that it starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InvalidRequest, NotFound
from ..wire.agents import Agent, AgentFile
from .database import Connection, Database
from .objects import Objects
from .storage import Storage

#: Bytes of a file that commands write.
MOST_FILE_BYTES = 2 * 1024 * 1024

_ADD_FILE = """
    insert into agent_files (project_id, agent_id, path, content, made_by)
    values (%(project)s, %(root)s, %(path)s, %(content)s, %(maker)s)
    on conflict (agent_id, path) do update set content = excluded.content, modified_at = now(),
        made_by = excluded.made_by
"""
_APPEND = """
    insert into agent_files (project_id, agent_id, path, content, made_by)
    values (%(project)s, %(root)s, %(path)s, %(content)s, %(maker)s)
    on conflict (agent_id, path) do update set content = agent_files.content || excluded.content, modified_at = now(),
        made_by = case when agent_files.made_by = excluded.made_by then excluded.made_by else '' end
    returning octet_length(content)
"""
_DROP_FILE = "delete from agent_files where agent_id = %(root)s and path = %(path)s"
_SIZE = "select count(*), coalesce(sum(octet_length(content)), 0) from agent_files where agent_id = %(root)s"


@dataclass(frozen=True, slots=True)
class FileChanges:
    """What becomes of a workspace, by the paths of its files: all of it, or nothing."""

    #: What is in files now; None: the file is gone.
    written: Mapping[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    #: What stands at the end of files now, whatever others have added meanwhile.
    appended: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


class Workspaces(Objects[Agent]):
    """The workspaces of projects' agents."""

    def __init__(self, database: Database, storage: Storage, *, most_files: int, most_bytes: int) -> None:
        """Describe them.

        Args:
            database: where they are.
            storage: what projects may store.
            most_files: files in a workspace.
            most_bytes: bytes in a workspace, all files together.
        """
        super().__init__(database, "agents", Agent, "agent")
        self._storage = storage
        self._most_files, self._most_bytes = most_files, most_bytes

    async def root_of(self, project: str, identifier: str) -> str:
        """The agent in whose workspace an agent works: the first of its line. Raises `NotFound`."""
        sql = "select root_id from agents where project_id = %(project)s and id = %(id)s"
        row = await self._database.row(sql, {"project": project, "id": identifier})
        if row is None:
            raise self.not_found(identifier)
        return row[0]

    async def files(self, project: str, root: str) -> list[AgentFile]:
        """The files of a workspace, by path."""
        sql = """
            select path, octet_length(content), extract(epoch from modified_at)::bigint from agent_files
            where project_id = %(project)s and agent_id = %(root)s order by path
        """
        rows = await self._database.rows(sql, {"project": project, "root": root})
        return [AgentFile(path=row[0], bytes=row[1], modified_at=row[2]) for row in rows]

    async def read_file(self, project: str, root: str, path: str) -> bytes:
        """What is in a file. Raises `NotFound`."""
        sql = (
            "select content from agent_files where project_id = %(project)s and agent_id = %(root)s and path = %(path)s"
        )
        row = await self._database.row(sql, {"project": project, "root": root, "path": path})
        if row is None:
            raise NotFound(f"There is no file '{path}'.")
        return bytes(row[0])

    async def files_of_others(self, project: str, root: str, identifier: str) -> set[str]:
        """The paths of those files that an agent has not written, or not alone: people gave them, or other agents."""
        sql = """
            select path from agent_files
            where project_id = %(project)s and agent_id = %(root)s and made_by <> %(id)s
        """
        return {row[0] for row in await self._database.rows(sql, {"project": project, "root": root, "id": identifier})}

    async def _change_files(
        self, connection: Connection, project: str, root: str, changes: FileChanges, maker: str = ""
    ) -> None:
        """Write, append and delete.

        Args:
            connection: a transaction.
            project: the agents'.
            root: the agent whose workspace it is.
            changes: what becomes of it.
            maker: the id of the agent that does it; "": a person.

        Raises:
            InvalidRequest: a file or the workspace would be too large, or the project has no room.
        """
        written = sum(len(content) for content in (*changes.written.values(), *changes.appended.values()) if content)
        if written:
            await self._storage.require(project, written, connection)
        of_workspace: dict[str, Any] = {"project": project, "root": root, "maker": maker}
        for path, content in changes.written.items():
            values = {**of_workspace, "path": path, "content": content}
            await connection.execute(_DROP_FILE if content is None else _ADD_FILE, values)
        for path, content in changes.appended.items():
            values = {**of_workspace, "path": path, "content": content}
            row = await (await connection.execute(_APPEND, values)).fetchone()
            if row and row[0] > MOST_FILE_BYTES:
                raise too_large()
        if changes.appended or any(content is not None for content in changes.written.values()):
            row = await (await connection.execute(_SIZE, {"root": root})).fetchone()
            if row and (row[0] > self._most_files or row[1] > self._most_bytes):
                most = f"{self._most_files} files and {self._most_bytes // 1024 // 1024} MiB"
                raise InvalidRequest(f"A workspace has at most {most}.", code="workspace_full")


def too_large() -> InvalidRequest:
    """A file would be larger than commands may write."""
    return InvalidRequest(f"A file has at most {MOST_FILE_BYTES // 1024} KiB. Write it in parts.")
