"""Asking the API many things at once, and not too many; and what several pages ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import openai

from .visitor import Visitor

Of = TypeVar("Of")
Answer = TypeVar("Answer")
#: Requests of one page that are under way together.
_AT_ONCE = 8


async def each(ask: Callable[[Of], Awaitable[Answer]], of: Iterable[Of]) -> list[Answer]:
    """Ask for each of these, some at once.

    Args:
        ask: asks for one. What it raises is raised here.
        of: what it is asked for.

    Returns:
        the answers, in the order of `of`.
    """
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(what: Of) -> Answer:
        async with turns:
            return await ask(what)

    return await asyncio.gather(*map(one, of))


async def assistant_name(visitor: Visitor, identifier: str) -> str:
    """An assistant's or a GPT's name; the id where it has none, is gone, or belongs to another project."""
    try:
        found = await visitor.get(f"/assistants/{identifier}")
    except openai.APIStatusError:
        return identifier
    return found["name"] or identifier
