"""API keys: made here, shown once, kept as hashes."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from ..errors import AuthenticationFailed
from ..store.accounts import DEFAULT_PROJECT, Accounts
from ..store.ids import new_id

#: Seconds that an answer of the database about a key is believed.
_BELIEVED = 5.0
#: Keys whose answers are kept at most; then all are forgotten. Wrong keys are kept too, so that they cost no query.
_MOST_KNOWN = 10_000


def new_key() -> str:
    """A key: `sk-retinue-` and 48 random letters and digits."""
    return new_id("sk-retinue-", 48)


def hint(key: str) -> str:
    """The ends of a key, by which people recognise it."""
    return f"{key[:10]}…{key[-4:]}" if len(key) > 20 else "…" + key[-2:]


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a project, and the API key by which."""

    project: str
    #: The key's id; empty where the server itself asks for the project.
    key: str = ""


class Keys:
    """Tells whose a key is."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._known: dict[bytes, tuple[float, Caller | None]] = {}

    async def caller_of(self, key: str) -> Caller:
        """The key's id and its project.

        Raises:
            AuthenticationFailed: there is no such key, or it was revoked.
            Unavailable: the database is away.
        """
        digest = _hash(key)
        now = time.monotonic()
        until, caller = self._known.get(digest, (0.0, None))
        if until <= now:
            found = await self._accounts.find_key(digest)
            caller = Caller(*found) if found else None
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[digest] = (now + _BELIEVED, caller)
        if caller is None:
            raise AuthenticationFailed(
                f"Incorrect API key provided: {hint(key)}. `retinue keys create` makes a new one.",
                code="invalid_api_key",
            )
        return caller

    async def create(self, name: str) -> str:
        """Make a key of the default project; returns it, the only time that it can be seen."""
        key = new_key()
        await self.ensure(key, name)
        return key

    async def ensure(self, key: str, name: str) -> None:
        """See to it that this key opens the default project."""
        await self._accounts.ensure_project(DEFAULT_PROJECT, "Default project")
        await self._accounts.add_key(DEFAULT_PROJECT, name, _hash(key), hint(key))
