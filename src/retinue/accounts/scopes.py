"""Scopes of keys: what a request needs, and whether a key has it.

A scope is a level, or a resource and a level: ``read``, ``write``, ``threads:write``. Levels include those before them:
`read` sees, `write` changes things and asks models, `admin` also deals with secrets and with whole projects. A resource
is what paths begin with: ``assistants``, ``threads``, ``chat``, ``files``, ….
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

Level = Literal["read", "write", "admin"]

#: What keys may do that were made without scopes: everything in their project.
EVERYTHING = ("admin",)

_LEVELS: dict[str, int] = {"read": 0, "write": 1, "admin": 2}
_SEEING = frozenset({"GET", "HEAD", "OPTIONS"})
#: Requests that change nothing although their method may.
_HARMLESS = re.compile(r"/v1/(tokenize|vector_stores/[^/]+/search)")
#: What is for administrators of a project to change: where its data go, and the secrets of other services.
_ADMINISTERED = re.compile(r"/v1/(connections(/[^/]+)?|webhook_endpoints(/.*)?|import)")


class Need(NamedTuple):
    """What a request needs."""

    resource: str
    level: Level

    def __str__(self) -> str:
        return f"{self.resource}:{self.level}"


def need(method: str, path: str) -> Need:
    """What a request of the API needs; `path` begins with ``/v1/``."""
    resource = path.split("/", 3)[2]
    if resource == "runs":
        # They are their threads'.
        resource = "threads"
    if method in _SEEING or (method == "POST" and _HARMLESS.fullmatch(path)):
        return Need(resource, "read")
    return Need(resource, "admin" if _ADMINISTERED.fullmatch(path) else "write")


def allowed(scopes: Sequence[str], needed: Need) -> bool:
    """Whether a key with these scopes may send such a request."""
    for scope in scopes:
        resource, _, level = scope.rpartition(":")
        if resource in ("", needed.resource) and _LEVELS[level] >= _LEVELS[needed.level]:
            return True
    return False
