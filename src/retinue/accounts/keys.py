"""API keys: made here, shown once, kept as hashes."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import AuthenticationFailed, Forbidden, NotFound
from ..store.accounts import DEFAULT_PROJECT, KEYS_CHANGED, Accounts, KeyRow, NewKey
from ..store.ids import new_id
from ..store.notices import Notices
from .answers import BELIEVED, MOST_KNOWN, Answers
from .scopes import EVERYTHING, allowed, need

#: Characters of an id of ours.
_LONGEST_ID = 64
#: What only admin keys and owners of the organization may ask for, and all that admin keys may.
ORGANIZATION = "/v1/organization/"


def new_key(*, admin: bool = False) -> str:
    """A key: `sk-retinue-`, or `sk-admin-retinue-`, and 48 random letters and digits."""
    return new_id("sk-admin-retinue-" if admin else "sk-retinue-", 48)


def hint(key: str) -> str:
    """The ends of a key, by which people recognise it."""
    return f"{key[:10]}…{key[-4:]}" if len(key) > 20 else "…" + key[-2:]


def token_hash(token: str) -> bytes:
    """What is kept of a key, or of another token: they are long and random."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(slots=True, eq=False)
class Origin:
    """The run for which something is asked."""

    assistant: str
    thread: str
    run: str
    #: Nano-dollars that what was asked for it has cost so far.
    spent: int = 0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a project, and the API key or the person by which."""

    #: Empty for an admin key, which is of the organization, and for an owner who administers it.
    project: str
    #: The key's id; empty where a person asks, or the server itself for the project. Of a run, the key that created it.
    key: str = ""
    scopes: Sequence[str] = EVERYTHING
    #: The id of the person who is signed in; empty where a key asks.
    user: str = ""
    #: None outside runs.
    origin: Origin | None = None

    def require(self, method: str, path: str) -> None:
        """See to it that the caller may send such a request.

        Raises:
            Forbidden: it may not.
        """
        if path.startswith(ORGANIZATION):
            if self.project:
                raise Forbidden(
                    "You have insufficient permissions for this operation. The organization is administered by its "
                    "owners, or with an admin key: `retinue keys create --admin` makes one.",
                    code="missing_scope",
                )
        elif not self.project:
            raise Forbidden("An admin key administers the organization; it is of no project.", code="missing_scope")
        elif not allowed(self.scopes, needed := need(method, path)):
            raise Forbidden(
                f"You have insufficient permissions for this operation. Missing scopes: {needed}.",
                code="missing_scope",
            )


class Keys:
    """Makes keys, and tells whose one is."""

    def __init__(self, accounts: Accounts, notices: Notices | None = None) -> None:
        """Before `notices` are opened.

        Args:
            accounts: where keys are kept.
            notices: how other processes tell that keys have changed; None where none is looked up here.
        """
        self._accounts = accounts
        self._answers = Answers(self._find, notices, KEYS_CHANGED)
        #: Names of projects that are not here, and until when that is believed.
        self._elsewhere: dict[str, float] = {}

    async def _find(self, digest: bytes) -> tuple[Caller | None, float]:
        found = await self._accounts.find_key(digest)
        if found is None:
            return None, math.inf
        expires_in = math.inf if found.expires_in is None else found.expires_in
        return Caller(found.project, found.id, tuple(found.scopes)), expires_in

    async def caller_of(self, key: str) -> Caller:
        """The key's id, its project and its scopes.

        Raises:
            AuthenticationFailed: there is no such key, or it was revoked or has expired.
            Unavailable: the database is away.
        """
        caller = await self._answers.of(token_hash(key))
        if caller is None:
            raise AuthenticationFailed(
                f"Incorrect API key provided: {hint(key)}. `retinue keys create` makes a new one.",
                code="invalid_api_key",
            )
        return caller

    async def check_project(self, caller: Caller, named: str) -> None:
        """See to it that a request does not name another project than the key's.

        A project that is not here is passed over: clients that were set up for OpenAI name theirs.

        Raises:
            AuthenticationFailed: it does.
        """
        now = time.monotonic()
        if named == caller.project or len(named) > _LONGEST_ID or self._elsewhere.get(named, 0.0) > now:
            return
        if await self._accounts.has_project(named):
            raise AuthenticationFailed(
                "OpenAI-Project header should match project for API key", code="mismatched_project"
            )
        if len(self._elsewhere) >= MOST_KNOWN:
            self._elsewhere.clear()
        self._elsewhere[named] = now + BELIEVED

    async def create(
        self,
        name: str,
        *,
        project: str | None = DEFAULT_PROJECT,
        service_account: str | None = None,
        scopes: Sequence[str] = EVERYTHING,
        expires_in: int | None = None,
    ) -> tuple[str, KeyRow]:
        """Make a key; returns it, the only time that it can be seen, and what is kept of it.

        Args:
            name: what it is for.
            project: whose it is; None makes an admin key.
            service_account: of the project, to which it belongs; None makes one of the same name.
            scopes: see `scopes`; of no account for an admin key.
            expires_in: seconds for which it is good; None: until it is revoked.

        Raises:
            NotFound: there is no such project or service account.
        """
        key = new_key(admin=project is None)
        wanted = NewKey(name, token_hash(key), hint(key), tuple(scopes), expires_in)
        if project is None:
            return key, await self._accounts.add_admin_key(wanted)
        if project == DEFAULT_PROJECT:
            await self._ensure_project()
        if service_account is None:
            service_account = (await self._accounts.add_service_account(project, name)).id
        row = await self._accounts.add_key(project, service_account, wanted)
        if row is None:
            raise NotFound(f"No service account found with id '{service_account}'.")
        return key, row

    async def ensure(self, key: str, name: str) -> None:
        """See to it that this key opens the default project."""
        await self._ensure_project()
        await self._accounts.ensure_key(DEFAULT_PROJECT, NewKey(name, token_hash(key), hint(key), EVERYTHING, None))

    async def _ensure_project(self) -> None:
        await self._accounts.ensure_project(DEFAULT_PROJECT, "Default project")
