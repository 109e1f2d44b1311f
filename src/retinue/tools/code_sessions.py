"""Sessions in which models' code runs: within what their project may use, and on its books."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ..accounts.keys import Caller
from ..accounts.limits import Admission
from ..accounts.metering import Metering
from ..errors import InvalidRequest, RateLimited
from ..sandbox.manager import Sandboxes
from ..sandbox.session import SandboxError, Session
from ..store.store import Store


class CodeSessions:
    """The way of all tools and agents to a sandbox."""

    def __init__(self, store: Store, sandboxes: Sandboxes, metering: Metering) -> None:
        self._store = store
        self._sandboxes = sandboxes
        self._usage, self._limits = metering.usage, metering.limits

    @asynccontextmanager
    async def session(self, caller: Caller, owner: str) -> AsyncGenerator[Session]:
        """The session of a thread or an agent, for one call; others wait meanwhile.

        Args:
            caller: whose time the call takes.
            owner: the id of the thread, or of the agent.

        Raises:
            InvalidRequest: the project's code has run long enough today, or no sandbox can be had. The message is for
                the model.
        """
        admission = await self._admit(caller.project)
        began = time.monotonic()
        try:
            await self._sandboxes.start()
            async with self._sandboxes.session(caller.project, owner) as session:
                if await self._store.usage.begin_session(caller.project, owner):
                    self._usage.record(caller, "code_interpreter")
                yield session
        except SandboxError as error:
            raise InvalidRequest(str(error)) from error
        finally:
            admission.settle(math.ceil(time.monotonic() - began))

    async def forget(self, project: str, owner: str) -> None:
        """A thread or an agent is no more: its session goes."""
        await self._sandboxes.forget(project, owner)

    async def _admit(self, project: str) -> Admission:
        try:
            return await self._limits.admit_code(project)
        except RateLimited as error:
            minutes = math.ceil((error.retry_after or 0) / 60)
            raise InvalidRequest(
                "The code was not run: this project has used up the time that its code may run in a day. There is time "
                f"again in about {minutes} min. Go on without code, and say so to the user."
            ) from error
