"""Chats are threads whose metadata says whose they are; a chat with branches is several."""

# pyright: reportDeprecated=false
from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import openai

from ...asking import each
from ...visitor import Visitor
from .branches import AT, PARENT, ROOT

#: Keys of a thread's metadata: the person's id, the title, and the assistant that answered last.
USER, TITLE, ASSISTANT = "user", "title", "assistant"
#: Key of the metadata of chats that are not kept, in the place of `USER`: so that no list of chats has them.
TEMPORARY = "temporary"
#: Keys of the metadata of chats that stand above all others, and of those that were put away: `_YES`.
_PINNED, _ARCHIVED, _YES = "pinned", "archived", "yes"
#: Characters of a title, at most; of a title that nobody wrote, fewer.
LONGEST_TITLE, _SHORT_TITLE = 200, 60
#: Threads of a page of the history, and branches of a chat, at most.
PAGE, MOST_BRANCHES = 50, 100
#: Chats that a page of the history has at least, if there are so many, and requests that are made to find them.
_LEAST, _MOST_REQUESTS = 20, 10


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
        metadata = thread.get("metadata") or {}
        return self.user in (metadata.get(USER), metadata.get(TEMPORARY))

    @staticmethod
    def used(thread: Mapping[str, Any]) -> int:
        """When a thread was used last, as far as it is known here: seconds since 1970."""
        return thread.get("last_used_at") or thread["created_at"]

    async def get(self, thread: str) -> dict[str, Any]:
        """A thread as JSON. Raises `openai.APIError`."""
        return await self._visitor.get(f"/threads/{thread}")

    async def create(self, title: str, assistant: str, *, temporary: bool = False) -> dict[str, Any]:
        """A new chat of this person; one that is `temporary` stands in no list."""
        whose = {TEMPORARY: self.user} if temporary else {USER: self.user}
        return await self._visitor.post("/threads", {"metadata": {**whose, TITLE: title, ASSISTANT: assistant}})

    async def list(self, query: str = "", after: str = "", *, archived: bool = False) -> dict[str, Any]:
        """A page of this person's threads, last used first.

        Args:
            query: only those with all of its words, archived ones too.
            after: the last thread of the page before.
            archived: those that were put away, instead of all others; not with `query`.
        """
        chosen = {f"metadata[{USER}]": self.user, "query": query[:256] or None, "sort": "last_used_at"}
        if archived and not query:
            chosen |= {f"metadata[{_ARCHIVED}]": _YES}
        page = await self._visitor.get("/threads", **chosen, after=after or None, limit=PAGE)
        if query or archived:
            return page
        kept = [one for one in page["data"] if not self.is_archived(one)]
        for _ in range(_MOST_REQUESTS):
            if len(kept) >= _LEAST or not page["has_more"]:
                break
            page = await self._visitor.get("/threads", **chosen, after=page["last_id"], limit=2 * PAGE)
            kept += [one for one in page["data"] if not self.is_archived(one)]
        return {**page, "data": kept}

    async def temporary(self) -> list[dict[str, Any]]:
        """Threads of this person's chats that are not kept."""
        chosen = {f"metadata[{TEMPORARY}]": self.user}
        return (await self._visitor.get("/threads", **chosen, limit=MOST_BRANCHES, sort="last_used_at"))["data"]

    async def pinned(self) -> list[dict[str, Any]]:
        """Those of this person's threads that stand above all others, last used first."""
        chosen = {f"metadata[{USER}]": self.user, f"metadata[{_PINNED}]": _YES}
        return (await self._visitor.get("/threads", **chosen, limit=MOST_BRANCHES, sort="last_used_at"))["data"]

    @staticmethod
    def is_pinned(thread: Mapping[str, Any]) -> bool:
        """Whether a thread stands above all others."""
        return (thread["metadata"] or {}).get(_PINNED) == _YES

    async def pin(self, thread: str, *, pinned: bool) -> None:
        """Let a chat, with all its branches, stand above all others, or no more."""
        await each(partial(self.note, **{_PINNED: _YES if pinned else ""}), await self.branches(await self.get(thread)))

    @staticmethod
    def is_archived(thread: Mapping[str, Any]) -> bool:
        """Whether a thread was put away."""
        return (thread["metadata"] or {}).get(_ARCHIVED) == _YES

    async def archive(self, thread: str, *, archived: bool) -> None:
        """Put a chat away, with all its branches, or back into the list."""
        changed = {_ARCHIVED: _YES, _PINNED: ""} if archived else {_ARCHIVED: ""}
        await each(partial(self.note, **changed), await self.branches(await self.get(thread)))

    async def branches(self, thread: Mapping[str, Any]) -> list[dict[str, Any]]:
        """All threads of a chat, itself among them."""
        root = (thread.get("metadata") or {}).get(ROOT)
        if not root:
            return [dict(thread)]
        whose = TEMPORARY if TEMPORARY in thread["metadata"] else USER
        chosen = {f"metadata[{ROOT}]": root, f"metadata[{whose}]": self.user}
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
        metadata = dict((await self.get(thread["id"]))["metadata"] or {})
        if ROOT not in metadata:
            metadata[ROOT] = thread["id"]
            await self._visitor.post(f"/threads/{thread['id']}", {"metadata": metadata})
        metadata |= {PARENT: owner, AT: str(at)}
        if message:
            body = {"message_id": message, "metadata": metadata}
            return await self._visitor.post(f"/threads/{thread['id']}/fork", body)
        return await self._visitor.post("/threads", {"metadata": metadata})

    async def copy(self, thread: Mapping[str, Any]) -> dict[str, Any]:
        """A whole copy that is this person's own, of somebody else's chat."""
        kept = {key: value for key, value in (thread["metadata"] or {}).items() if key in (TITLE, ASSISTANT)}
        return await self._visitor.post(f"/threads/{thread['id']}/fork", {"metadata": {**kept, USER: self.user}})

    async def note(self, thread: dict[str, Any], **metadata: str) -> None:
        """Change some of a thread's metadata, here and there; the rest becomes what it is there."""
        if {**(thread["metadata"] or {}), **metadata} != thread["metadata"]:
            now = (await self.get(thread["id"]))["metadata"] or {}
            thread["metadata"] = {**now, **metadata}
            await self._visitor.post(f"/threads/{thread['id']}", {"metadata": thread["metadata"]})

    async def rename(self, thread: str, title: str) -> None:
        """Give a chat, with all its branches, another title."""
        called = {TITLE: title[:LONGEST_TITLE]}
        await each(partial(self.note, **called), await self.branches(await self.get(thread)))

    async def rename_from(self, thread: dict[str, Any], old: str, new: str) -> bool:
        """Give a chat another title where it still has the one that it had; whether it got it."""
        renamed = False
        for one in await self.branches(await self.get(thread["id"])):
            if (one["metadata"] or {}).get(TITLE) == old:
                await self.note(one, **{TITLE: new[:LONGEST_TITLE]})
                renamed = renamed or one["id"] == thread["id"]
        if renamed:
            thread["metadata"] = {**(thread["metadata"] or {}), TITLE: new[:LONGEST_TITLE]}
        return renamed

    async def delete(self, thread: str) -> None:
        """Delete a chat with all its branches."""
        for one in await self.branches(await self.get(thread)):
            try:
                await self._visitor.delete(f"/threads/{one['id']}")
            except openai.NotFoundError:
                continue
