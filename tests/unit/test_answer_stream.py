"""The events of an answer, sent with comments into silence."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from starlette.types import Message

from retinue.api.chat import AnswerStream

KEEP_ALIVE = 0.01


async def test_no_comment_follows_the_end() -> None:
    """The time for another comment has come just as the last events come."""
    loop = asyncio.get_running_loop()
    sent: list[Message] = []

    async def events() -> AsyncGenerator[bytes, None]:
        await asyncio.sleep(2 * KEEP_ALIVE)
        more = loop.create_future()
        loop.call_later(0, more.set_result, b"data: [DONE]\n\n")
        time.sleep(2 * KEEP_ALIVE)  # noqa: ASYNC251 (both timers are due when the loop goes on)
        yield await more

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    await AnswerStream(b"data: {}\n\n", events(), {}, KEEP_ALIVE)({"type": "http"}, receive, send)
    # Whatever was begun is done.
    await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
    assert [message["body"] for message in sent[-2:]] == [b"data: [DONE]\n\n", b""]
