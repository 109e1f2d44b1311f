"""What the chat page deletes with a chat that is not kept: what the page does, without the page."""

# pyright: reportDeprecated=false
from __future__ import annotations

from collections.abc import AsyncIterator

import openai
import pytest

from retinue.studio.pages.chat import temporary
from retinue.studio.pages.chat.temporary import Temporary, sweep
from retinue.studio.pages.chat.threads import Threads
from retinue.studio.visitor import Visitor
from tests.harness import KEY, Server
from tests.scripted import ScriptedUpstream

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
async def visitor(server: Server) -> AsyncIterator[Visitor]:
    """Somebody at the chat page."""
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield Visitor(client, "en", {"user": {"id": "user-ada"}})


async def begun(visitor: Visitor) -> tuple[str, str, str]:
    """A temporary chat with a file: ids of the thread, the file and the vector store that was made for it."""
    client = visitor.client
    thread: str = (await Threads(visitor).create("Secret", "asst_x", temporary=True))["id"]
    file = (await client.files.create(file=("a.txt", b"A secret."), purpose="assistants")).id
    attachments = [{"file_id": file, "tools": [{"type": "file_search"}]}]
    await client.beta.threads.messages.create(thread, role="user", content="Read it", attachments=attachments)  # pyright: ignore[reportArgumentType]
    resources = (await client.beta.threads.retrieve(thread)).tool_resources
    assert resources
    assert resources.file_search
    (store,) = resources.file_search.vector_store_ids or []
    return thread, file, store


async def is_there(visitor: Visitor, thread: str, file: str, store: str) -> list[bool]:
    client, found = visitor.client, list[bool]()
    for asked in (
        client.beta.threads.retrieve(thread),
        client.files.retrieve(file),
        client.vector_stores.retrieve(store),
    ):
        try:
            found.append(bool(await asked))
        except openai.NotFoundError:
            found.append(False)
    return found


async def test_thread_file_and_store_go_and_what_is_others_stays(visitor: Visitor, upstream: ScriptedUpstream) -> None:
    thread, file, store = await begun(visitor)
    others = (await visitor.client.files.create(file=("b.txt", b"Not of the chat."), purpose="assistants")).id
    chat = Temporary(visitor)
    await chat.note(thread, (await visitor.client.beta.threads.messages.list(thread)).data)
    # The browser was faster.
    await visitor.client.beta.threads.delete(thread)
    await chat.end()
    assert await is_there(visitor, thread, file, store) == [False, False, False]
    assert (await visitor.client.files.retrieve(others)).id == others


async def test_what_comes_after_the_end_goes_too(visitor: Visitor, upstream: ScriptedUpstream) -> None:
    thread, file, store = await begun(visitor)
    chat = Temporary(visitor)
    await chat.end()
    await chat.note(thread, (await visitor.client.beta.threads.messages.list(thread)).data)
    assert await is_there(visitor, thread, file, store) == [False, False, False]


async def test_chats_that_nobody_ended_go_a_day_later(
    visitor: Visitor, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = await begun(visitor)
    kept = (await Threads(visitor).create("Kept", "asst_x"))["id"]
    await sweep(visitor, Threads(visitor))
    assert await is_there(visitor, *left) == [True, True, True]
    monkeypatch.setattr(temporary, "_LEFT", -60)
    # Somebody else's are not theirs to delete.
    bob = Visitor(visitor.client, "en", {"user": {"id": "user-bob"}})
    await sweep(bob, Threads(bob))
    assert await is_there(visitor, *left) == [True, True, True]
    await sweep(visitor, Threads(visitor))
    assert await is_there(visitor, *left) == [False, False, False]
    assert (await visitor.client.beta.threads.retrieve(kept)).id == kept
