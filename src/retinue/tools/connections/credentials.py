"""What a request to a connection authenticates with."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

from yarl import URL

from ...store.connections import Opened
from ...store.store import Store
from ...wire.connections import ApiKeyAuth, BasicAuth, OAuth
from .oauth import Tokens
from .secrets import Secrets

#: A shorter secret is not looked for in texts: it would be found everywhere.
_SHORTEST = 4
_HIDDEN = "[secret]"


@dataclass(frozen=True, slots=True, repr=False)
class Authentication:
    """What is added to a request.

    Attributes:
        headers: further headers.
        query: further parameters of the URL.
        cookies: further cookies.
        secrets: what must not be seen in any text.
        token: OAuth's, if there is one.
    """

    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    cookies: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: tuple[str, ...] = ()
    token: str | None = None

    def hide(self, text: str) -> str:
        """A text without the secrets, in the spellings in which a request has them: an answer may repeat them."""
        for secret in self.secrets:
            for spelling in _spellings(secret):
                text = text.replace(spelling, _HIDDEN)
        return text


class Credentials:
    """The credentials of all connections."""

    def __init__(self, store: Store, tokens: Tokens) -> None:
        self._store = store
        self._tokens = tokens

    async def of(
        self, project: str, opened: Opened, person: str, refused: Authentication | None = None
    ) -> Authentication:
        """What a request authenticates with.

        Args:
            project: the connection's project.
            opened: the connection.
            person: for whom; counts where each person signs in.
            refused: what the last request was refused with: OAuth's token is to be another.

        Raises:
            SignInNeeded: the person has to sign in first.
            InvalidRequest: secrets cannot be read, or no token can be had.
            EgressRefused, EgressFailed: the token's server cannot be reached.
        """
        auth = opened.connection.auth
        token = None
        kept = Secrets.of(opened, self._store.secrets)
        headers, query, cookies, hidden = dict(kept.headers), {}, {}, [*kept.headers.values(), kept.auth]
        if isinstance(auth, ApiKeyAuth):
            value = f"{auth.prefix} {kept.auth}" if auth.prefix else kept.auth
            {"header": headers, "query": query, "cookie": cookies}[auth.location][auth.name] = value
        elif isinstance(auth, BasicAuth):
            encoded = base64.b64encode(f"{auth.username}:{kept.auth}".encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
            hidden.append(encoded)
        elif isinstance(auth, OAuth):
            token = await self._tokens.of(
                project, opened.connection, auth, kept.auth, person, refused and refused.token
            )
            headers["Authorization"] = f"Bearer {token}"
            hidden.append(token)
        return Authentication(headers, query, cookies, tuple(hidden), token)


def _spellings(secret: str) -> Iterator[str]:
    if len(secret) >= _SHORTEST:
        in_query = URL("http://h").with_query(s=secret).raw_query_string[2:]
        yield from dict.fromkeys((secret, quote(secret, safe=""), quote(secret), quote_plus(secret), in_query))
