"""What every reranking model does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """A reranking model."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    async def rank(self, query: str, texts: Sequence[str], *, caller: str = "") -> list[float]:
        """How well each text answers a query, from 0 to 1.

        Args:
            query: what is asked.
            texts: at least one.
            caller: whose call it is, for the fair queue.

        Returns:
            A score for each text, in the order of the texts.

        Raises:
            ModelBusy: too many calls wait.
            ModelError: the model failed, or its server refused.
        """
        ...
