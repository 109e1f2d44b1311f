"""Pages of lists that are short and at hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ...errors import InvalidRequest
from ...store.objects import PageQuery
from ...wire.common import ObjectList, WireObject

T = TypeVar("T", bound=WireObject)


def page_of(items: Sequence[T], query: PageQuery, noun: str) -> ObjectList[T]:
    """One page of `items`, as `Objects.page` makes one of a table.

    Args:
        items: objects with an `id` each, oldest first.
        query: which page.
        noun: what an item is called in errors.

    Raises:
        InvalidRequest: a cursor names none of the items.
    """
    ordered: list[Any] = list(items) if query.order == "asc" else list(reversed(items))
    ids: list[str] = [item.id for item in ordered]

    def position(name: str, identifier: str) -> int:
        if identifier not in ids:
            raise InvalidRequest(f"Invalid '{name}': no {noun} found with id '{identifier}'.", param=name)
        return ids.index(identifier)

    start = position("after", query.after) + 1 if query.after else 0
    end = position("before", query.before) if query.before else len(ordered)
    found = ordered[start:end]
    data = found[-query.limit :] if query.before and not query.after else found[: query.limit]
    return ObjectList[T](
        data=data,
        first_id=data[0].id if data else "",
        last_id=data[-1].id if data else "",
        has_more=len(found) > len(data),
    )
