"""From filters on the attributes of files to conditions in SQL."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InvalidRequest
from ..wire.vector_search import ComparisonFilter, CompoundFilter

#: Comparisons in one filter.
_MOST = 256

_ORDER = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def condition(filter: ComparisonFilter | CompoundFilter, column: str) -> tuple[str, dict[str, Any]]:
    """A condition that holds for the files that fit, and its parameters.

    Values are equal when they are of one kind and equal; numbers are one kind. Only texts and numbers have an order:
    texts that of their code points.

    Args:
        filter: the filter.
        column: an expression in SQL: the attributes, as `jsonb`.

    Raises:
        InvalidRequest: a comparison does not go with its value, or there are too many.
    """
    values: dict[str, Any] = {}
    return _condition(filter, column, values), values


def _condition(filter: ComparisonFilter | CompoundFilter, column: str, values: dict[str, Any]) -> str:
    if isinstance(filter, ComparisonFilter):
        return _comparison(filter, column, values)
    parts = [_condition(one, column, values) for one in filter.filters]
    return f"({f' {filter.type} '.join(parts)})" if parts else str(filter.type == "and").lower()


def _comparison(filter: ComparisonFilter, column: str, values: dict[str, Any]) -> str:
    number = len(values) // 2
    if number >= _MOST:
        raise InvalidRequest(f"Invalid 'filters': at most {_MOST} comparisons are allowed.", param="filters")
    key, value = f"filter_key_{number}", f"filter_value_{number}"
    values[key] = filter.key
    values[value] = json.dumps(filter.value)
    attribute, given = f"{column} -> %({key})s", f"%({value})s::jsonb"
    many = isinstance(filter.value, list)
    if many != (filter.type in ("in", "nin")):
        raise InvalidRequest(
            f"Invalid 'filters': '{filter.type}' compares '{filter.key}' with {'one value' if many else 'a list'}.",
            param="filters",
        )
    if filter.type == "eq":
        return f"({attribute} = {given}) is true"
    if filter.type == "ne":
        return f"({attribute} = {given}) is not true"
    if filter.type in ("in", "nin"):
        among = f"({attribute} in (select jsonb_array_elements({given}))) is"
        return f"{among} true" if filter.type == "in" else f"{among} not true"
    if isinstance(filter.value, bool):
        raise InvalidRequest(
            f"Invalid 'filters': '{filter.type}' compares '{filter.key}' with a boolean, and these have no order.",
            param="filters",
        )
    sign = _ORDER[filter.type]
    if isinstance(filter.value, str):
        ordered = f"({attribute} #>> '{{}}') collate \"C\" {sign} ({given} #>> '{{}}') collate \"C\""
    else:
        ordered = f"{attribute} {sign} {given}"
    return f"(jsonb_typeof({attribute}) = jsonb_typeof({given}) and {ordered}) is true"
