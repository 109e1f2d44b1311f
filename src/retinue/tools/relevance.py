"""Which of many functions a model is told of: those that fit what the user asks about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from pydantic_core import to_json

from ..inference.tokens import estimate_tokens

if TYPE_CHECKING:
    from .tool import ServerFunction

#: Tells what the user asks about: the last messages. Only called where functions have to be left out.
Topic = Callable[[], Awaitable[str]]

#: The most functions that a model is told of: what the API allows of tools.
MOST = 128


async def chosen(functions: Sequence[ServerFunction], room: int, topic: Topic) -> list[ServerFunction]:
    """As many functions as there is room for, in their order.

    Args:
        functions: all of them. Those that are not `optional` stay, whatever they take.
        room: tokens for the definitions of them all.
        topic: see there.
    """
    sizes = [estimate_tokens(to_json(one.told).decode()) for one in functions]
    if sum(sizes) <= room and len(functions) <= MOST:
        return list(functions)
    kept = {index for index, one in enumerate(functions) if not one.optional}
    left = room - sum(sizes[index] for index in kept)
    for index in _ranked(functions, await topic()):
        if index not in kept and len(kept) < MOST and sizes[index] <= left:
            kept.add(index)
            left -= sizes[index]
    return [functions[index] for index in sorted(kept)]


def _ranked(functions: Sequence[ServerFunction], topic: str) -> list[int]:
    """The places of functions, those first that share rare words with the topic; else as they are."""
    from ..knowledge.words import words  # loads what cuts languages into words, which takes a moment

    of_topic = set(words(topic))
    texts = [set(words(_in_words(one))) for one in functions]
    having = Counter(word for text in texts for word in text)

    def score(index: int) -> float:
        return sum(math.log(1 + len(texts) / having[word]) for word in texts[index] & of_topic)

    return sorted(range(len(functions)), key=lambda index: -score(index))


def _in_words(function: ServerFunction) -> str:
    """Name and description; `listOpenPets` and `list_open_pets` are three words."""
    apart = "".join(f" {letter}" if letter.isupper() else letter for letter in function.name)
    return f"{function.name} {apart} {function.definition.get('description', '')}"
