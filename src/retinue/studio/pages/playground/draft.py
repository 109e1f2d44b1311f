"""The assistant that a page works on: every change is saved at once, and is a version."""

# pyright: reportDeprecated=false
from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ...visitor import Visitor
from .history import FIELDS, History

Saving = Literal["saving", "saved", "wrong"]


class Draft:
    """An assistant and its versions."""

    def __init__(self, visitor: Visitor, assistant: Mapping[str, Any], fields: Sequence[str] = FIELDS) -> None:
        """`assistant`: as the API shows it; `fields`: what of it people change."""
        self._visitor = visitor
        self.id: str = assistant["id"]
        self.history = History(assistant, fields)
        #: Told how saving goes.
        self.listeners: list[Callable[[Saving], Any]] = []
        self._lock = asyncio.Lock()

    @property
    def state(self) -> Mapping[str, Any]:
        """The assistant's fields as they are saved."""
        return self.history.state

    @property
    def name(self) -> str:
        """What the assistant is called; "" if nothing."""
        return self.state["name"] or ""

    @property
    def hidden(self) -> bool:
        """Whether it is protected, and the visitor is not told what it is made of."""
        return bool(self.state["protected"]) and not self._visitor.sees_protected

    @property
    def may_change(self) -> bool:
        """Whether the visitor may change it."""
        return self._visitor.may_write and not self.hidden

    async def change(self, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        """Save a change.

        Args:
            change: gets a copy of the fields, and answers with those that are to be different.

        Raises:
            openai.APIError: it was not saved.
        """
        async with self._lock:
            wanted = {**self.state, **change(dict(copy.deepcopy(self.state)))}
            if changes := self.history.difference(wanted):
                self.history.saved(await self._save(changes))
                self._tell("saved")

    async def set(self, **fields: Any) -> None:
        """Save fields. Raises `openai.APIError`: they were not saved."""
        await self.change(lambda _: fields)

    async def settled(self) -> None:
        """Wait until what was to be saved by now is saved, or was refused."""
        async with self._lock:
            pass

    async def go(self, at: int) -> None:
        """Make a version hold again.

        Args:
            at: its place in the history; places that are not there change nothing.

        Raises:
            openai.APIError: it was not saved.
        """
        async with self._lock:
            await self._hold(at)

    async def step(self, by: int) -> None:
        """As `go`, so many versions later, or earlier where it is negative: from what holds once all is saved."""
        async with self._lock:
            await self._hold(self.history.at + by)

    async def _hold(self, at: int) -> None:
        if 0 <= at < len(self.history.versions):
            if changes := self.history.to(at):
                await self._save(changes)
            self.history.at = at
            self._tell("saved")

    def _tell(self, how: Saving) -> None:
        for told in self.listeners:
            told(how)

    async def _save(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        self._tell("saving")
        assistants: Any = self._visitor.client.beta.assistants
        try:
            saved = await assistants.update(self.id, **sent(changes))
        except Exception:
            self._tell("wrong")
            raise
        return saved.to_dict(warnings=False)


def sent(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of an assistant as the client's methods take them: it does not know ours."""
    own = {name: value for name, value in fields.items() if name == "protected"}
    return {**{name: value for name, value in fields.items() if name not in own}, "extra_body": own}
