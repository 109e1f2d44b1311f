"""Sizes, times and money as people read them: one way on all pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..visitor import Visitor


def duration(visitor: Visitor, taken: int | None) -> str:
    """A duration in words; `""` where it is not known. The API counts in whole seconds."""
    if taken is None:
        return ""
    if taken == 0:
        return visitor.text("runs.less_than_second")
    minutes, rest = divmod(taken, 60)
    return (
        visitor.text("runs.minutes", minutes=minutes, seconds=rest)
        if minutes
        else visitor.text("runs.seconds", seconds=rest)
    )


def milliseconds(visitor: Visitor, taken: int | None) -> str:
    """A duration as people read it; `""` where there is none."""
    if taken is None:
        return ""
    if taken < 1000:
        return visitor.text("logs.milliseconds", count=taken)
    if taken < 100_000:
        return visitor.text("runs.seconds", seconds=f"{taken / 1000:.2f}" if taken < 10_000 else f"{taken / 1000:.1f}")
    minutes, rest = divmod(round(taken / 1000), 60)
    return visitor.text("runs.minutes", minutes=minutes, seconds=rest)


def money(amount: Mapping[str, Any] | None) -> str:
    """An amount of money; `""` where there is none."""
    if not amount:
        return ""
    value = float(amount["value"])
    return "$0" if value == 0 else f"${value:.6f}".rstrip("0").rstrip(".") if value >= 0.000001 else f"${value:.9f}"


def dollars(amount: float) -> str:
    """An amount as people read it: cents where there are dollars, more of small amounts."""
    if amount >= 1 or not amount:
        return f"{amount:,.2f}"
    return f"{amount:.4f}" if amount >= 0.01 else f"{amount:.9f}".rstrip("0")


def counted(visitor: Visitor, count: int, size: float) -> str:
    """How many files there are, and how large they are together."""
    return visitor.text("files.count_one" if count == 1 else "files.count", count=count, size=in_bytes(size))


def in_bytes(count: float) -> str:
    """A size as people read it."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
