"""The GPT that a page works on: every change of its draft is saved at once, and can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...visitor import Visitor
from ..playground.draft import Draft

#: What of a draft people set here.
CONTENT = (
    *("name", "description", "picture", "instructions", "conversation_starters", "category", "tags", "language"),
    *("model", "temperature", "reasoning_effort", "knowledge", "capabilities", "connections", "privacy_policy_url"),
)
FIELDS = (*CONTENT, "slug")


class GptDraft(Draft):
    """A GPT with the changes of its draft since the page was opened."""

    def __init__(self, visitor: Visitor, gpt: Mapping[str, Any]) -> None:
        """`gpt`: as the API shows it to those who may edit it."""
        super().__init__(visitor, _state(gpt), FIELDS)
        self.gpt = gpt

    @property
    def path(self) -> str:
        """Of the GPT, behind ``/v1``."""
        return f"/gpts/{self.id}"

    async def share(self, **fields: Any) -> None:
        """Save who may use it, which is no part of the draft. Raises `openai.APIError`."""
        self.gpt = await self._visitor.post(self.path, fields)

    async def refresh(self) -> None:
        """Ask how it is now, after something else has changed it. Raises `openai.APIError`."""
        self.gpt = await self._visitor.get(self.path)
        self.history.saved(_state(self.gpt))
        self._tell("saved")

    async def _save(self, changes: Mapping[str, Any]) -> Mapping[str, Any]:
        self._tell("saving")
        try:
            self.gpt = await self._visitor.post(self.path, changes)
        except Exception:
            self._tell("wrong")
            raise
        return _state(self.gpt)


def _state(gpt: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**gpt["draft"], "slug": gpt["slug"], "id": gpt["id"]}
