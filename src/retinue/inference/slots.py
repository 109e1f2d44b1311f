"""Who may call a server next."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from ..errors import ModelBusy


class FairSlots:
    """At most so many calls at once. Those that wait are let in caller by caller: nobody's crowd holds others up.

    For one event loop.
    """

    def __init__(self, slots: int, *, waiting: int, timeout: float) -> None:
        """Make the slots.

        Args:
            slots: the most calls at once.
            waiting: the most calls that wait.
            timeout: seconds that a call waits.
        """
        self._free = slots
        self._waiting_limit = waiting
        self._timeout = timeout
        self._waiting = 0
        #: Who waits, by caller; the caller whose turn is next comes first.
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return self._waiting

    @property
    def free(self) -> bool:
        """Whether a call would be let in at once."""
        return self._free > 0

    @property
    def full(self) -> bool:
        """Whether a call would be refused."""
        return self._free == 0 and self._waiting >= self._waiting_limit

    async def acquire(self, caller: str) -> None:
        """Take a slot, waiting for it if need be.

        Raises:
            ModelBusy: too many wait already, or this call has waited too long.
        """
        if self._free > 0:
            # Nobody waits while a slot is free: `release` hands slots over.
            self._free -= 1
            return
        if self.full:
            raise ModelBusy(f"The model is busy, and {self._waiting} calls wait for it already. Please try again.")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(caller, deque()).append(turn)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._timeout):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.release()  # the slot had just been handed over
            else:
                self._leave(caller, turn)
            if isinstance(error, TimeoutError):
                raise ModelBusy("The model was busy with other calls for too long. Please try again.") from error
            raise

    def release(self) -> None:
        """Give a slot back: to the next caller in turn, if one waits."""
        while self._queues:
            caller, queue = self._queues.popitem(last=False)
            turn = queue.popleft()
            self._waiting -= 1
            if queue:
                self._queues[caller] = queue
            if not turn.done():
                turn.set_result(None)
                return
            if queue:
                # That call has been cancelled and could not yet say so: its caller's next one takes the turn.
                self._queues.move_to_end(caller, last=False)
        self._free += 1

    def _leave(self, caller: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(caller)
        if queue is None or turn not in queue:
            return
        queue.remove(turn)
        self._waiting -= 1
        if not queue:
            del self._queues[caller]
