"""The store as one thing: a database, its queue, and the objects in it."""

from __future__ import annotations

from .accounts import Accounts
from .conversations import Assistants, Messages, Threads
from .database import Database
from .queue import Queue
from .runs import Runs, Steps


class Store:
    """Everything that Retinue remembers."""

    def __init__(self, conninfo: str, *, connections: int, timeout: float, lease: float) -> None:
        """Describe the store; nothing is opened yet.

        Args:
            conninfo: a psycopg connection string.
            connections: the most database connections at once.
            timeout: seconds to wait for one.
            lease: seconds that the lease on a run lasts.
        """
        self.database = Database(conninfo, connections=connections, timeout=timeout)
        self.queue = Queue(conninfo)
        self.accounts = Accounts(self.database)
        self.assistants = Assistants(self.database)
        self.threads = Threads(self.database)
        self.messages = Messages(self.database, self.threads)
        self.runs = Runs(self.database, self.threads, self.queue, lease=lease)
        self.steps = Steps(self.database)

    async def open(self) -> None:
        """Open the connections. The database must have been migrated (`migrate.migrate`)."""
        await self.database.open()
        await self.queue.open()

    async def close(self) -> None:
        """Close them."""
        await self.queue.close()
        await self.database.close()
