"""The store as one thing: a database, its queue, and the objects in it."""

from __future__ import annotations

from ..settings import Settings
from .accounts import Accounts
from .conversations import Assistants, Messages, Threads
from .database import Database
from .queue import Queue
from .runs import Runs, Steps


class Store:
    """Everything that Retinue remembers."""

    def __init__(self, conninfo: str, settings: Settings) -> None:
        """Describe the store; nothing is opened yet. `conninfo` is a psycopg connection string."""
        self.database = Database(conninfo, connections=settings.database_connections, timeout=settings.database_timeout)
        self.queue = Queue(conninfo)
        self.accounts = Accounts(self.database)
        self.assistants = Assistants(self.database)
        self.threads = Threads(self.database)
        self.messages = Messages(self.database, self.threads)
        self.runs = Runs(self.database, self.threads, self.queue, lease=settings.run_lease)
        self.steps = Steps(self.database)

    async def open(self) -> None:
        """Open the connections. The database must have been migrated (`migrate.migrate`)."""
        await self.database.open()
        await self.queue.open()

    async def close(self) -> None:
        """Close them."""
        await self.queue.close()
        await self.database.close()
