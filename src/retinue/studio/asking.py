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


async def assistant_names(visitor: Visitor, identifiers: Iterable[str]) -> dict[str, str]:
    """Names of assistants and GPTs by their ids.

    Args:
        visitor: who asks.
        identifiers: the ids.

    Returns:
        names; the id for one that has none, is gone, or belongs to another project.
    """
    unknown = set(identifiers)

    async def name_of(identifier: str) -> str:
        try:
            found = await visitor.get(f"/assistants/{identifier}")
        except openai.APIStatusError:
            return identifier
        return found["name"] or identifier

    # A page of the newest knows many at once; GPTs and what is older are asked for one by one.
    listed = (await visitor.get("/assistants", limit=100, order="desc"))["data"] if unknown else []
    names = {one["id"]: one["name"] or one["id"] for one in listed if one["id"] in unknown}
    rest = sorted(unknown - set(names))
    return names | dict(zip(rest, await each(name_of, rest), strict=True))
