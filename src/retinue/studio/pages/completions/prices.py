"""What answers cost, where the person may know the prices: owners of the organization."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import openai
from openai.types import CompletionUsage

from ...visitor import Visitor

#: Prices are for so many tokens.
_PER = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """Of a model, in US dollars for a million tokens."""

    prompt: float
    cached: float
    answer: float

    def of(self, usage: CompletionUsage) -> float:
        """What tokens cost, in US dollars."""
        details = usage.prompt_tokens_details
        cached = (details.cached_tokens or 0) if details else 0
        prompt = (usage.prompt_tokens - cached) * self.prompt + cached * self.cached
        return (prompt + usage.completion_tokens * self.answer) / _PER


async def prices(visitor: Visitor) -> Mapping[str, Price]:
    """Prices by all names that lead to models; models that cost nothing, or whose price is not told, are left out."""
    if not visitor.administers:
        return {}
    try:
        found = (await visitor.get("/organization/models"))["data"]
    except openai.APIStatusError:
        return {}
    known: dict[str, Price] = {}
    for one in found:
        cached = one["input_price"] if one["cached_input_price"] is None else one["cached_input_price"]
        price = Price(one["input_price"], cached, one["output_price"])
        if price.prompt or price.answer:
            known |= dict.fromkeys([one["id"], *one["aliases"], *one["default_for"]], price)
    return known
