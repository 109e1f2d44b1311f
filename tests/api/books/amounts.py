"""Prices of the models, what calls cost by them, and what the books say."""

from __future__ import annotations

import asyncio
import time
from fractions import Fraction
from typing import Any

from ...harness import Server, eventually

NANO = 10**9
DAY = 86_400
#: Dollars for a million tokens in and out.
PRICES = {"scripted": ("0.137", "1.9991"), "dear": ("13.000000007", "77.77777"), "vectors": ("0.0213", "0")}
#: The same for tokens of prompts that were cached.
CACHED = {"scripted": "0.0411", "dear": "1.3"}
SESSION, FILE_SEARCH = "0.0333", "0.002500001"


def nano(price: str, count: int = 1) -> Fraction:
    """The price of so much, in nano-dollars."""
    return Fraction(price) * NANO * count


def priced(model: str, prompt: int, completion: int, cached: int = 0) -> int:
    """What one call costs; `cached`: tokens of the prompt."""
    into, out = PRICES[model]
    of_cached = nano(CACHED.get(model, into), cached)
    return int((nano(into, prompt - cached) + of_cached + nano(out, completion)) / 10**6 + Fraction(1, 2))


async def written(server: Server) -> None:
    """Everything that was used is in the database."""
    usage = server.app.state.metering.usage
    await eventually(lambda: asyncio.sleep(0, usage.written))


def today() -> int:
    """Some time before all tests, that is early enough whatever midnight does meanwhile."""
    return int(time.time()) // DAY * DAY - DAY


def exact(value: Any) -> int:
    """An amount in nano-dollars."""
    assert value.currency == "usd"
    return round(value.value * NANO)


async def call(method: Any, **params: Any) -> list[Any]:
    """All results of all buckets since yesterday."""
    page = await method(start_time=today(), **params)
    assert not page.has_more
    return [result for bucket in page.data for result in bucket.results]
