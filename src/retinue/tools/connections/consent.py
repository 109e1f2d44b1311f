"""Which calls of a connection a person is asked for."""

from __future__ import annotations

from collections.abc import Container

from ...wire.connections import Connection
from ...wire.steps import CallConsent

#: Characters of a reason.
_LONGEST = 300
#: Stands behind a connection's id in the key of a call that waits for a sign-in.
_SIGN_IN = ".:sign_in"


def sign_in_to(key: str) -> str | None:
    """The id of the connection to which a person has to sign in before a call; None: they have not to.

    `key`: what the call waits for, as `Consents.of` has said.
    """
    return key.removesuffix(_SIGN_IN) if key.endswith(_SIGN_IN) else None


class Consents:
    """What calls of a connection wait for, for one person."""

    def __init__(
        self, connection: Connection, allowed: Container[str], *, sign_in: bool, authorize_url: str | None
    ) -> None:
        """Describe it.

        Args:
            connection: the connection.
            allowed: keys of calls that were allowed for ever.
            sign_in: whether the person has to sign in first.
            authorize_url: where; None: they are told when they ask.
        """
        self._connection = connection
        self._allowed = allowed
        self._sign_in = sign_in
        self._authorize_url = authorize_url

    def of(self, name: str, title: str, *, changes: bool) -> CallConsent | None:
        """What a call waits for; None: nothing.

        Args:
            name: of the operation.
            title: the operation in words.
            changes: whether it may change something, as far as is known.
        """
        connection = self._connection
        if self._sign_in:
            reason = f"{connection.name}: {title}. It needs you to sign in first."
            # Signing in is not to be remembered as consent: this key is asked for by nobody.
            key = connection.id + _SIGN_IN
            return CallConsent(key=key, reason=reason[:_LONGEST], authorize_url=self._authorize_url)
        key = f"{connection.id}.{name}"
        asked = changes if connection.consent == "auto" else connection.consent == "always"
        if not asked or key in self._allowed:
            return None
        return CallConsent(key=key, reason=f"{connection.name}: {title}"[:_LONGEST])
