"""Who is signed in to the pages: a random token in a cookie, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
from collections.abc import Mapping

from ..errors import AuthenticationFailed, Forbidden
from ..store.browser_sessions import SESSIONS_CHANGED, BrowserSessions, FoundSession
from ..store.notices import Notices
from .answers import Answers
from .keys import ORGANIZATION, Caller, token_hash
from .scopes import EVERYTHING

#: Bytes of a token.
_TOKEN_BYTES = 32
#: Characters of a cookie that may be a token of ours.
_LONGEST_TOKEN = 64
#: Methods that change nothing.
_SEEING = frozenset({"GET", "HEAD", "OPTIONS"})
#: What people may do in a project, by their role in it.
SCOPES: Mapping[str, tuple[str, ...]] = {"owner": EVERYTHING, "member": ("write",), "viewer": ("read",)}


def new_token() -> str:
    """A secret of 256 random bits, for a cookie or a link."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def csrf_token(token: str) -> str:
    """What a request that changes something has to bring beside the cookie `token`: pages of others cannot know it."""
    return hashlib.sha256(b"csrf:" + token.encode("utf-8", "surrogatepass")).hexdigest()


def is_csrf_token(token: str, sent: str) -> bool:
    """Whether `sent` is the `csrf_token` of the cookie `token`."""
    return hmac.compare_digest(csrf_token(token).encode(), sent.encode("utf-8", "surrogatepass"))


class Sessions:
    """Begins and ends sessions, and tells whose one is."""

    def __init__(self, rows: BrowserSessions, notices: Notices) -> None:
        """Before `notices` are opened: by them other processes tell that sessions have changed."""
        self._rows = rows
        self._answers = Answers(self._find, notices, SESSIONS_CHANGED)

    async def _find(self, digest: bytes) -> tuple[FoundSession | None, float]:
        session = await self._rows.find(digest)
        # Less than it has left: the use that prolongs it is noted where the database is asked.
        return session, session.expires_in / 2 if session else math.inf

    async def begin(self, person: str, password: str | None = None) -> str:
        """The token of a new session.

        Args:
            person: whose.
            password: the hash that the person's password was verified against, if it was.

        Raises:
            AuthenticationFailed: the person was deleted meanwhile, or the password changed.
        """
        token = new_token()
        if not await self._rows.add(person, token_hash(token), password):
            raise _not_signed_in()
        return token

    async def end(self, token: str) -> None:
        """End a session, at once on every process."""
        digest = token_hash(token)
        await self._rows.end(digest)
        self._answers.forget(digest)

    async def find(self, token: str) -> FoundSession:
        """Who is signed in.

        Raises:
            AuthenticationFailed: nobody, or no more.
            Unavailable: the database is away.
        """
        session = await self.look(token)
        if session is None:
            raise _not_signed_in()
        return session

    async def look(self, token: str) -> FoundSession | None:
        """Who is signed in, if anybody is; raises `Unavailable` as `find`."""
        return await self._answers.of(token_hash(token)) if 0 < len(token) <= _LONGEST_TOKEN else None

    async def caller_of(self, token: str, method: str, path: str, *, project: str, csrf: str) -> Caller:
        """Who asks, where a request under ``/v1`` comes with a session.

        Args:
            token: the cookie's.
            method: HTTP method.
            path: the request's path.
            project: the id of a project that the request names; "" for the person's first.
            csrf: what the request brings as its CSRF token; "" if nothing.

        Raises:
            AuthenticationFailed: nobody is signed in, or the person is not in the project.
            Forbidden: the CSRF token is missing or wrong, or the person is in no project.
        """
        session = await self.find(token)
        if method not in _SEEING and not is_csrf_token(token, csrf):
            raise Forbidden(
                "The request has no valid X-CSRF-Token, which requests that change something need beside a session.",
                code="invalid_csrf_token",
            )
        if path.startswith(ORGANIZATION) and session.role == "owner":
            return Caller("", scopes=EVERYTHING, user=session.person)
        named = project or next(iter(session.projects), "")
        if not named:
            raise Forbidden("You are in no project. An owner of the organization can let you into one.")
        if named not in session.projects:
            raise AuthenticationFailed(
                "OpenAI-Project header should match a project of the user", code="mismatched_project"
            )
        return Caller(named, scopes=SCOPES[session.projects[named]], user=session.person)


def _not_signed_in() -> AuthenticationFailed:
    return AuthenticationFailed("You are not signed in, or no more. Sign in at /sign-in.", code="invalid_session")
