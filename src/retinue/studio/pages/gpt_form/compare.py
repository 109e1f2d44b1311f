"""What differs between two contents of a GPT, field by field; texts line by line."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .draft import CONTENT

#: A line, or one of several values, behind what became of it: " " stays, "+" came, "-" went, "…" stands for those left
#: out.
Line = tuple[str, str]
_TEXTS = ("instructions", "description")
_LISTS = ("conversation_starters", "tags", "knowledge", "capabilities", "connections")
#: Lines around a change.
_AROUND = 2
#: Lines of a text that are compared one by one; of more, all of them went and came.
_MOST_LINES = 2_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that differs."""

    field: str
    #: What went and came, in order.
    lines: Sequence[Line]


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """The fields that differ, in the order in which people set them.

    Args:
        before: a content as the API has it; empty where there was none.
        after: another.
    """
    return [
        Difference(field, list(_lines(field, before.get(field), after.get(field))))
        for field in CONTENT
        if (before.get(field) or None) != (after.get(field) or None)
    ]


def _lines(field: str, before: Any, after: Any) -> Iterator[Line]:
    if field in _TEXTS:
        yield from _text(str(before or "").splitlines(), str(after or "").splitlines())
        return
    old, new = (before or [], after or []) if field in _LISTS else (_one(before), _one(after))
    yield from (("-", str(one)) for one in old if one not in new)
    came: list[Line] = [("+", str(one)) for one in new if one not in old]
    yield from came
    if field in _LISTS and not came and all(one in new for one in old):
        # Only their order is another.
        yield from (("-", str(one)) for one in old)
        yield from (("+", str(one)) for one in new)


def _one(value: Any) -> list[Any]:
    return [] if value in (None, "") else [value]


def _text(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    if max(len(before), len(after)) > _MOST_LINES:
        yield from (("-", line) for line in before)
        yield from (("+", line) for line in after)
        return
    # In long texts lines that come again and again, as empty ones, are no help, and take the square of their number.
    groups = difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(_AROUND)
    for number, group in enumerate(groups):
        if number or group[0][1] or group[0][3]:
            yield ("…", "")
        for kind, old, old_end, new, new_end in group:
            if kind == "equal":
                yield from ((" ", line) for line in before[old:old_end])
            else:
                yield from (("-", line) for line in before[old:old_end])
                yield from (("+", line) for line in after[new:new_end])
