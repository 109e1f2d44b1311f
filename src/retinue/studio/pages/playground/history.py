"""The versions of an assistant that a page has saved: undo, redo, and back to any of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
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
    "metadata",
    "protected",
)
#: What the API leaves out where it is so.
_USUAL: Mapping[str, Any] = {"protected": False}
#: Versions that are kept.
_MOST = 200


@dataclass(frozen=True, slots=True)
class Version:
    """An assistant as it was saved once."""

    at: datetime
    #: The fields that differ from the version before; none in the first.
    changed: tuple[str, ...]
    #: All fields that are kept.
    state: Mapping[str, Any]


class History:
    """Versions, oldest first, and which of them holds now."""

    def __init__(self, state: Mapping[str, Any], fields: Sequence[str] = FIELDS) -> None:
        """`state`: the assistant, or something else, of which `fields` are kept."""
        self._fields = fields
        self.versions = [Version(datetime.now(UTC), (), picked(state, fields))]
        self.at = 0

    @property
    def state(self) -> Mapping[str, Any]:
        """The version that holds now."""
        return self.versions[self.at].state

    def saved(self, state: Mapping[str, Any]) -> None:
        """Note what was saved; versions that were undone before are gone then."""
        now = picked(state, self._fields)
        changed = tuple(self.difference(now))
        if changed:
            kept = self.versions[: self.at + 1][-_MOST + 1 :]
            self.versions = [*kept, Version(datetime.now(UTC), changed, now)]
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
        return self.difference(self.versions[at].state)

    def difference(self, after: Mapping[str, Any]) -> dict[str, Any]:
        """The fields in which something differs from what holds now, as it has them."""
        return {field: after.get(field) for field in self._fields if self.state.get(field) != after.get(field)}


def picked(state: Mapping[str, Any], fields: Sequence[str] = FIELDS) -> dict[str, Any]:
    """Fields of an assistant, as a copy."""
    return {field: copy.deepcopy(state.get(field, _USUAL.get(field))) for field in fields}
