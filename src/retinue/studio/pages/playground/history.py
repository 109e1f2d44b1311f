"""The versions of an assistant that a page has saved: undo, redo, and back to any of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: What of an assistant people set here.
FIELDS = (
    "name",
    "description",
    "model",
    "instructions",
    "tools",
    "tool_resources",
    "temperature",
    "top_p",
    "response_format",
)
#: Versions that are kept.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Version:
    """An assistant as it was saved once."""

    at: datetime
    #: The fields that differ from the version before; none in the first.
    changed: tuple[str, ...]
    #: All of `FIELDS`.
    state: Mapping[str, Any]


class History:
    """Versions, oldest first, and which of them holds now."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        """`state`: the assistant, of which `FIELDS` are kept."""
        self.versions = [Version(datetime.now(UTC), (), picked(state))]
        self.at = 0

    @property
    def state(self) -> Mapping[str, Any]:
        """The version that holds now."""
        return self.versions[self.at].state

    def saved(self, state: Mapping[str, Any]) -> None:
        """Note what was saved; versions that were undone before are gone then."""
        changed = tuple(difference(self.state, state))
        if changed:
            kept = self.versions[: self.at + 1][-_MOST + 1 :]
            self.versions = [*kept, Version(datetime.now(UTC), changed, picked(state))]
            self.at = len(self.versions) - 1

    def to(self, at: int) -> dict[str, Any]:
        """What has to be saved to make a version hold.

        Args:
            at: its place in `versions`.

        Raises:
            IndexError: there is none.
        """
        if not 0 <= at < len(self.versions):
            raise IndexError(at)
        return difference(self.state, self.versions[at].state)


def picked(state: Mapping[str, Any]) -> dict[str, Any]:
    """`FIELDS` of an assistant, as a copy."""
    return {field: copy.deepcopy(state.get(field)) for field in FIELDS}


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that differ, as they are afterwards."""
    return {field: after.get(field) for field in FIELDS if before.get(field) != after.get(field)}
