"""What a tool asks before it calls a connection: with what, and whether a person has to allow it."""

from __future__ import annotations

from collections.abc import Sequence

from ...egress import Egress
from ...settings import Settings
from ...store.connections import Opened
from ...store.store import Store
from ...wire.connections import OAuth
from .consent import Consents
from .credentials import Credentials
from .oauth import Tokens
from .people import is_signed_in, whose_consent


class Access:
    """The access to all connections."""

    def __init__(self, store: Store, egress: Egress, settings: Settings) -> None:
        self._store = store
        self.tokens = Tokens(store, egress, settings)
        self.credentials = Credentials(store, self.tokens)

    async def consents(self, project: str, opened: Opened, person: str | None, names: Sequence[str]) -> Consents:
        """What calls of a connection wait for.

        Args:
            project: the connection's project.
            opened: the connection.
            person: who is asked; None: nobody in particular, so that nobody has to sign in.
            names: of the operations that there are.
        """
        connection = opened.connection
        sign_in, url = person is not None and await self._wants_sign_in(project, opened, person), None
        # Where somebody is signed in goes on, only they are to know: they are told when they ask.
        if person is not None and sign_in and not is_signed_in(person):
            url = (await self.tokens.begin(project, connection, person)).authorize_url
        keys = [f"{connection.id}.{name}" for name in names]
        allowed = await self._store.connections.allowed(project, keys, whose_consent(person or ""))
        return Consents(connection, allowed, sign_in=sign_in, authorize_url=url)

    async def _wants_sign_in(self, project: str, opened: Opened, person: str) -> bool:
        auth = opened.connection.auth
        if not isinstance(auth, OAuth) or auth.flow != "authorization_code":
            return False
        return await self._store.connections.granted(project, opened.connection.id, person) is None
