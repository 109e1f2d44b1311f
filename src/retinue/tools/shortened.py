"""Long texts as a model is told them."""

from __future__ import annotations

from collections.abc import Callable

from ..inference.tokens import beginning, estimate_tokens
from .orders import without_orders

#: The most that the model reads of what a call answers, in characters.
MOST_TOLD = 16_000


def shortened(text: str, tokens: int) -> str:
    """A text, or its beginning and its end, which often says what went wrong.

    Args:
        text: of any length.
        tokens: the most that is told, by estimate; besides, `MOST_TOLD` characters.
    """
    if len(text) <= MOST_TOLD and estimate_tokens(text) <= tokens:
        return text
    half = min(MOST_TOLD, len(text)) // 2
    first = beginning(text[:half], tokens // 2)
    # The estimate does not depend on the order of the characters.
    last = beginning(text[: -half - 1 : -1], tokens // 2)[::-1]
    return f"{first}\n[… {len(text) - len(first) - len(last)} characters left out …]\n{last}"


def from_outside(text: str, tokens: int, hide: Callable[[str], str]) -> str:
    """What a server has answered, as a model is told it: shortened, and without secrets and orders.

    Args:
        text: of any length. Orders are looked for only in what is left of it: in megabytes that would take seconds.
        tokens: the most that is told, by estimate.
        hide: leaves secrets out of a text; before it is cut, so that no piece of one is left.
    """
    return without_orders(shortened(hide(text).replace("\x00", "\ufffd"), tokens))
