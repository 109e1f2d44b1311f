"""What GPTs are about."""

from __future__ import annotations

from ...visitor import Visitor
from ...words.gpt_categories import WORDS


def categories(visitor: Visitor) -> dict[str, str]:
    """Names of all categories by the API's words for them, in the order in which they are offered."""
    return {one: visitor.text(f"gpt_categories.{one}") for one in WORDS}
