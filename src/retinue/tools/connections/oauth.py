"""OAuth 2.0 for connections: people sign in by authorisation code with PKCE, connections by client credentials.

Sources: RFC 6749 (OAuth 2.0), RFC 7636 (PKCE), RFC 9700 (best current practice).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from weakref import WeakValueDictionary

import orjson
from yarl import URL

from ...egress import Egress
from ...errors import InvalidRequest
from ...settings import Settings
from ...store.connections import Grant
from ...store.secretbox import SecretUnreadable
from ...store.store import Store
from ...wire.connections import Connection, OAuth, SignIn
from .secrets import Secrets

#: Where the browser comes back to.
CALLBACK_PATH = "/v1/oauth/callback"
#: Seconds that a person has to sign in.
_SIGN_IN_TIME = 600
#: Seconds before its end at which a token counts as expired.
_MARGIN = 30
#: Seconds that a token without an end is kept of client credentials.
_UNSAID_LIFE = 3600
#: Most bytes of a token server's answer, and most characters of its error that are told.
_MOST_ANSWER, _MOST_ERROR = 65536, 300


class SignInNeeded(InvalidRequest):
    """400: the person has not signed in, or no more."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(f"the user has to sign in to '{connection.name}' first.", code="sign_in_needed")


class _TokenRefused(InvalidRequest):
    """400: the token server answered with an error."""


class Tokens:
    """The tokens of people and of connections."""

    def __init__(self, store: Store, egress: Egress, settings: Settings) -> None:
        self._store = store
        self._egress = egress
        self._timeout = settings.action_timeout
        self._redirect_uri = settings.browser_url() + CALLBACK_PATH
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        #: Of client credentials, by connection: what they were got with, the token, and its end (monotonic seconds).
        self._of_connections: dict[str, tuple[str, str, float]] = {}

    # --- signing in

    async def begin(self, project: str, connection: Connection, person: str) -> SignIn:
        """Where a person signs in.

        Raises:
            InvalidRequest: people do not sign in to this connection.
            NotFound: the project has no such connection any more.
        """
        auth = connection.auth
        if not isinstance(auth, OAuth) or auth.flow != "authorization_code" or not auth.authorization_url:
            raise InvalidRequest(f"The connection '{connection.id}' has no sign-in: its 'auth' says so.")
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        sealed = self._store.secrets.seal(verifier.encode())
        await self._store.connections.begin_sign_in(
            project, connection.id, person, _hash(state), sealed, keep=_SIGN_IN_TIME
        )
        asked = {
            "response_type": "code",
            "client_id": auth.client_id,
            "redirect_uri": self._redirect_uri,
            "state": state,
            "code_challenge": _base64url(_hash(verifier)),
            "code_challenge_method": "S256",
            **({"scope": auth.scope} if auth.scope else {}),
        }
        url = str(URL(auth.authorization_url).update_query(asked))
        return SignIn(connection_id=connection.id, authorize_url=url, expires_at=int(time.time()) + _SIGN_IN_TIME)

    async def finish(self, state: str, code: str, error: str, person: str | None) -> str:
        """Take what a person comes back with; returns the connection's name.

        Args:
            state: what the sign-in was begun with.
            code: the authorisation code; "" if there is none.
            error: the provider's error; "" if there is none.
            person: who is signed in to Retinue in this browser: nobody else gets what is granted here. None: nobody.

        Raises:
            InvalidRequest: nobody went to sign in with this state, or too long ago; or no tokens were given.
            EgressRefused, EgressFailed: the token's server cannot be reached.
        """
        begun = await self._store.connections.end_sign_in(_hash(state), person, _SIGN_IN_TIME)
        if begun is None:
            raise InvalidRequest(
                "This sign-in is not known, was used already, has taken too long, or was begun by somebody else than "
                "who is signed in to Retinue in this browser. Begin anew, here."
            )
        if error or not code:
            raise InvalidRequest(f"The sign-in was not finished: {(error or 'there is no code')[:_MOST_ERROR]}.")
        opened = await self._store.connections.open(begun.project, begun.connection)
        connection, auth = opened.connection, opened.connection.auth
        if not isinstance(auth, OAuth):
            raise InvalidRequest("The connection was changed meanwhile, and has no sign-in any more.")
        try:
            verifier = self._store.secrets.open(begun.verifier).decode()
        except SecretUnreadable as unreadable:
            raise InvalidRequest(f"The sign-in cannot be finished: {unreadable}") from unreadable
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": verifier,
        }
        answer = await self._ask(auth, Secrets.of(opened, self._store.secrets).auth, asked)
        await self._keep(begun.project, connection.id, begun.person, answer)
        return connection.name

    # --- tokens

    async def of(
        self, project: str, connection: Connection, auth: OAuth, secret: str, person: str, refused: str | None
    ) -> str:
        """The access token for a request.

        Args:
            project: the connection's project.
            connection: the connection.
            auth: its OAuth.
            secret: the client secret.
            person: who calls.
            refused: the token that the last request was refused with, which is to be another now.

        Raises:
            SignInNeeded: the person has none, or it has expired and cannot be renewed.
            InvalidRequest: the token server refuses.
            EgressRefused, EgressFailed: it cannot be reached.
        """
        # Two calls at once must not both renew: many servers take a refresh token only once.
        lock = self._locks.setdefault((connection.id, person), asyncio.Lock())
        async with lock:
            if auth.flow == "client_credentials":
                return await self._of_connection(connection, auth, secret, refused)
            grant = await self._store.connections.granted(project, connection.id, person)
            if grant is None:
                raise SignInNeeded(connection)
            return await self._of_person(project, connection, auth, secret, person, grant, refused)

    async def _of_person(
        self,
        project: str,
        connection: Connection,
        auth: OAuth,
        secret: str,
        person: str,
        grant: Grant,
        refused: str | None,
    ) -> str:
        tokens = self._opened(grant)
        fresh = grant.expires_at is None or grant.expires_at > time.time() + _MARGIN
        if fresh and tokens["access_token"] != refused:
            return tokens["access_token"]
        if "refresh_token" not in tokens:
            await self._store.connections.revoke(project, connection.id, person)
            raise SignInNeeded(connection)
        try:
            answer = await self._ask(
                auth, secret, {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
            )
        except _TokenRefused as error:
            # Another process may have renewed it.
            now = await self._store.connections.granted(project, connection.id, person)
            if now is not None and now.tokens != grant.tokens:
                return self._opened(now)["access_token"]
            await self._store.connections.revoke(project, connection.id, person)
            raise SignInNeeded(connection) from error
        await self._keep(project, connection.id, person, {**tokens, "expires_in": None, **answer})
        return answer["access_token"]

    async def _of_connection(self, connection: Connection, auth: OAuth, secret: str, refused: str | None) -> str:
        asked = {"grant_type": "client_credentials", **({"scope": auth.scope} if auth.scope else {})}
        made_of = hashlib.sha256(f"{auth.model_dump_json()}\0{secret}".encode()).hexdigest()
        before, token, end = self._of_connections.get(connection.id, ("", "", 0.0))
        if before == made_of and time.monotonic() < end and token != refused:
            return token
        answer = await self._ask(auth, secret, asked)
        life = answer["expires_in"] or _UNSAID_LIFE
        token = answer["access_token"]
        self._of_connections[connection.id] = (made_of, token, time.monotonic() + life - _MARGIN)
        return token

    def _opened(self, grant: Grant) -> dict[str, Any]:
        try:
            return orjson.loads(self._store.secrets.open(grant.tokens))
        except SecretUnreadable as error:
            raise InvalidRequest(f"The user's sign-in cannot be read: {error}") from error

    async def _keep(self, project: str, identifier: str, person: str, answer: Mapping[str, Any]) -> None:
        kept = {name: answer[name] for name in ("access_token", "refresh_token") if answer.get(name)}
        sealed = self._store.secrets.seal(orjson.dumps(kept))
        await self._store.connections.grant(project, identifier, person, sealed, answer.get("expires_in"))

    async def _ask(self, auth: OAuth, secret: str, asked: Mapping[str, str]) -> dict[str, Any]:
        """What the token server answers: `access_token`, `expires_in` (seconds or None), maybe `refresh_token`."""
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        fields = {**asked, "client_id": auth.client_id}
        if secret and auth.token_endpoint_auth_method == "client_secret_basic":  # noqa: S105 (a name)
            del fields["client_id"]
            # The parts are form-encoded first: RFC 6749, 2.3.1.
            pair = urlencode({auth.client_id: secret}).replace("=", ":", 1)
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret:
            fields["client_secret"] = secret
        async with self._egress.request(
            "POST",
            auth.token_url,
            headers=headers,
            body=urlencode(fields).encode(),
            max_bytes=_MOST_ANSWER,
            timeout=self._timeout,
        ) as response:
            content = await response.read()
        return _read_answer(content, response.status)


def _read_answer(content: bytes, status: int) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise _TokenRefused(f"The token server answered {status} without JSON.")
    token, error = answer.get("access_token"), answer.get("error")
    if status != 200 or error or not isinstance(token, str) or not token.isascii() or not token.isprintable():
        # Of its words only the code is told: a description may repeat what was sent.
        said = error if isinstance(error, str) and error.replace("_", "").isalnum() else "no token"
        raise _TokenRefused(f"The token server answered {status}: {said[:_MOST_ERROR]}.")
    life, renewing = answer.get("expires_in"), answer.get("refresh_token")
    if isinstance(life, str) and life.isdecimal():
        life = int(life)
    said_life = float(life) if isinstance(life, int | float) and 0 <= life < 1e10 else None
    return {
        "access_token": token,
        "expires_in": said_life,
        **({"refresh_token": renewing} if isinstance(renewing, str) and renewing else {}),
    }


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
