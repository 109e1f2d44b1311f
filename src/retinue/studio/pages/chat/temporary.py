"""Chats that are not kept: what they have made, and how it goes when they end."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

import openai
from nicegui import Client
from openai.types.beta.threads import Message

from ...visitor import Visitor
from .threads import Threads

#: Seconds without use after which a chat has been left for certain, whatever became of its page.
_LEFT = 86_400
#: Deletes a thread as soon as its page goes, from the browser; the server follows when it has missed the page a while.
_AS_IT_GOES = """addEventListener("pagehide", () => {
  const headers = %s;
  fetch(`${window.path_prefix ?? ""}/v1/threads/%s`, { method: "DELETE", keepalive: true, headers });
});"""


class Temporary:
    """What is deleted with a chat: its threads, and the files and vector stores that were made for it."""

    def __init__(self, visitor: Visitor) -> None:
        """Nothing so far."""
        self._visitor = visitor
        self._threads: dict[str, None] = {}
        self._files: dict[str, None] = {}
        self._stores: dict[str, None] = {}
        self._ended = False

    def follow(self, thread: str, client: Client) -> None:
        """Delete it all as soon as a page is gone.

        Args:
            thread: a thread of the chat.
            client: the page.
        """
        if not self._threads:
            client.on_delete(self.end)
        if thread not in self._threads:
            self._threads[thread] = None
            headers = {"X-CSRF-Token": self._visitor.me["csrf_token"] or "", "OpenAI-Project": self._visitor.project}
            client.run_javascript(_AS_IT_GOES % (json.dumps(headers), thread))

    async def note(self, thread: str, messages: Sequence[Message]) -> None:
        """Note what a thread has made; what comes after the end goes at once. Raises `openai.APIError`."""
        self._threads[thread] = None
        found = {file: None for message in messages for file in _files_of(message)}
        if found.keys() - self._files.keys():
            self._files |= found
            with suppress(openai.NotFoundError):
                resources: Any = (await self._visitor.get(f"/threads/{thread}"))["tool_resources"] or {}
                self._stores |= dict.fromkeys((resources.get("file_search") or {}).get("vector_store_ids") or ())
            if self._ended:
                await self.end()

    async def end(self) -> None:
        """Delete everything; what is gone already is no mistake."""
        client, self._ended = self._visitor.client, True
        for thread in self._threads:
            await _gone(self._visitor.delete(f"/threads/{thread}"))
        for store in self._stores:
            await _gone(client.vector_stores.delete(store))
        for file in self._files:
            await _gone(client.files.delete(file))


async def sweep(visitor: Visitor, threads: Threads) -> None:
    """Delete a person's temporary chats whose pages ended without doing so, as with a server that was stopped.

    Raises:
        openai.APIError: they cannot be listed.
    """
    for thread in await threads.temporary():
        if threads.used(thread) < time.time() - _LEFT:
            left = Temporary(visitor)
            messages = await visitor.client.beta.threads.messages.list(thread["id"], limit=100)
            await left.note(thread["id"], messages.data)
            await left.end()


async def _gone(deleted: Awaitable[object]) -> None:
    try:
        await deleted
    except openai.APIError:
        # Gone already, or the person was signed out: `sweep` comes back to the threads.
        return


def _files_of(message: Message) -> list[str]:
    """Files that belong to a message: cited ones belong to the assistant."""
    found = [one.file_id for one in message.attachments or [] if one.file_id]
    for part in message.content:
        if part.type == "image_file":
            found.append(part.image_file.file_id)
        elif part.type == "text":
            found += [one.file_path.file_id for one in part.text.annotations if one.type == "file_path"]
    return found
