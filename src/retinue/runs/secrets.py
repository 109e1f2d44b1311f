"""What a run of a protected assistant may not tell: its instructions, and long passages of the assistant's files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ..store.store import Store
from ..wire.runs import Run
from .leaks import Secret, secret


class Secrets:
    """The secrets of one run."""

    def __init__(self, store: Store, project: str, run: Run) -> None:
        """Nothing is looked up before it is asked for."""
        self._store = store
        self._project = project
        self._instructions = run.instructions[: run.confidential]
        #: How much was found when the files' texts were made ready, and these.
        self._found = 0
        self._files: Secret | None = None

    async def now(self, found: Sequence[tuple[str, str]]) -> list[Secret]:
        """The secrets as they are now.

        Args:
            found: what file search has found so far: ids of files, and passages. Those of the user's own files are no
                secret.
        """
        known = [await asyncio.to_thread(secret, self._instructions)] if self._instructions else []
        if len(found) > self._found:
            self._found = len(found)
            theirs = await self._store.assistants.files_of_any(
                self._project, {file for file, _ in found}, protected_only=True
            )
            texts = list(dict.fromkeys(text for file, text in found if file in theirs))
            self._files = await asyncio.to_thread(lambda: Secret(texts, quotable=True)) if texts else None
        return [*known, *([self._files] if self._files else [])]
