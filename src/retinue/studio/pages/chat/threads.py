"""Chats are threads whose metadata says whose they are; a chat with branches is several."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import openai

from ...visitor import Visitor
from .branches import AT, PARENT, ROOT

#: Keys of a thread's metadata: the person's id, the title, and the assistant that answered last.
USER, TITLE, ASSISTANT = "user", "title", "assistant"
#: Characters of a title, at most; of a title that nobody wrote, fewer.
LONGEST_TITLE, _SHORT_TITLE = 200, 60
#: Threads of a page of the history, and branches of a chat, at most.
PAGE, MOST_BRANCHES = 50, 100


def title_of(text: str) -> str:
    """A title for a chat that begins with this text: its first words."""
    line = " ".join(re.sub(r"[`#*_>|\[\]]+", " ", text).split())
    if len(line) <= _SHORT_TITLE:
        return line
    cut = line[:_SHORT_TITLE]
    # Chinese has no blanks to cut at.
    return (cut.rpartition(" ")[0] if " " in cut[20:] else cut).rstrip(" ,.;:，。；：") + "…"


class Threads:
    """A person's chats."""

    def __init__(self, visitor: Visitor) -> None:
        """`visitor`: whose they are."""
        self._visitor = visitor
        self.user: str = visitor.me["user"]["id"]

    def is_mine(self, thread: Mapping[str, Any]) -> bool:
        """Whether this person began it."""
        return (thread.get("metadata") or {}).get(USER) == self.user

    async def get(self, thread: str) -> dict[str, Any]:
        """A thread as JSON. Raises `openai.APIError`."""
        return await self._visitor.get(f"/threads/{thread}")

    async def create(self, title: str, assistant: str) -> dict[str, Any]:
        """A new chat of this person."""
        return await self._visitor.post("/threads", {"metadata": {USER: self.user, TITLE: title, ASSISTANT: assistant}})

    async def list(self, query: str = "", after: str = "") -> dict[str, Any]:
        """A page of this person's threads, newest first; those with all words of `query`, if there is one."""
        found = {"query": query[:256] or None, "after": after or None, "limit": PAGE}
        return await self._visitor.get("/threads", **{f"metadata[{USER}]": self.user}, **found)

    async def branches(self, thread: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All threads of a chat, itself among them."""
        root = (thread.get("metadata") or {}).get(ROOT)
        if not root:
            return [dict(thread)]
        chosen = {f"metadata[{ROOT}]": root, f"metadata[{USER}]": self.user}
        found = (await self._visitor.get("/threads", **chosen, limit=MOST_BRANCHES))["data"]
        return found if any(one["id"] == thread["id"] for one in found) else [dict(thread), *found]

    async def fork(self, thread: Mapping[str, Any], owner: str, at: int, message: str) -> dict[str, Any]:
        """A branch of a chat.

        Args:
            thread: which has the messages.
            owner: the thread that the message behind them belongs to: `branches.owner_of`.
            at: how many messages the branch has at first.
            message: the id of the last of them; "" for none.
        """
        metadata = dict(thread["metadata"] or {})
        if ROOT not in metadata:
            metadata[ROOT] = thread["id"]
            await self._visitor.post(f"/threads/{thread['id']}", {"metadata": metadata})
        metadata |= {USER: self.user, PARENT: owner, AT: str(at)}
        if message:
            body = {"message_id": message, "metadata": metadata}
            return await self._visitor.post(f"/threads/{thread['id']}/fork", body)
        return await self._visitor.post("/threads", {"metadata": metadata})

    async def copy(self, thread: Mapping[str, Any]) -> dict[str, Any]:
        """A whole copy that is this person's own, of somebody else's chat."""
        kept = {key: value for key, value in (thread["metadata"] or {}).items() if key in (TITLE, ASSISTANT)}
        return await self._visitor.post(f"/threads/{thread['id']}/fork", {"metadata": {**kept, USER: self.user}})

    async def note(self, thread: dict[str, Any], **metadata: str) -> None:
        """Change some of a thread's metadata, here and there."""
        changed = {**(thread["metadata"] or {}), **metadata}
        if changed != thread["metadata"]:
            thread["metadata"] = changed
            await self._visitor.post(f"/threads/{thread['id']}", {"metadata": changed})

    async def rename(self, thread: str, title: str) -> None:
        """Give a chat, with all its branches, another title."""
        for one in await self.branches(await self.get(thread)):
            await self.note(one, **{TITLE: title[:LONGEST_TITLE]})

    async def delete(self, thread: str) -> None:
        """Delete a chat with all its branches."""
        for one in await self.branches(await self.get(thread)):
            try:
                await self._visitor.delete(f"/threads/{one['id']}")
            except openai.NotFoundError:
                continue
