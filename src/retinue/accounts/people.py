"""People: how they come, sign in and change their passwords."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..egress import Egress
from ..errors import AuthenticationFailed, Forbidden, InvalidRequest, RateLimited
from ..settings import Settings
from ..store.accounts import DEFAULT_PROJECT
from ..store.browser_sessions import FoundSession
from ..store.invites import InviteRow, NewInvite
from ..store.people import Membership, NewPerson
from ..store.store import Store
from ..wire.people import EMAIL
from .keys import token_hash
from .openid import Identity, OpenIdProvider
from .passwords import Passwords
from .sessions import Sessions, new_token

#: Seconds for which the link that makes the first owner is good.
_FIRST_LINK_TIME = 3600
#: Characters of a name.
_LONGEST_NAME = 256
#: Where people who are not told otherwise belong, as in the official API.
DEFAULT_PROJECTS = (Membership(DEFAULT_PROJECT, "member"),)


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a link is for: it makes the first owner, or accepts an invite."""

    #: None: the first owner.
    invite: InviteRow | None

    @property
    def email(self) -> str:
        """The address that the person will have; empty if they choose it."""
        return self.invite.email if self.invite else ""


def check_person(name: str, email: str) -> tuple[str, str]:
    """A name and an email address as they are kept.

    Raises:
        InvalidRequest: one of them is none.
    """
    name, email = name.strip(), email.strip()
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise InvalidRequest(f"A name has 1 to {_LONGEST_NAME} characters, none of them invisible.", param="name")
    if not re.fullmatch(EMAIL, email) or not email.isprintable():
        raise InvalidRequest("This is not an email address.", param="email")
    return name, email


class People:
    """The people who may sign in."""

    def __init__(self, store: Store, egress: Egress, settings: Settings) -> None:
        """Before the store is opened."""
        self._store = store
        self._settings = settings
        self._passwords = Passwords()
        self.sessions = Sessions(store.browser_sessions, store.notices)
        #: Where people sign in by OpenID; None if no provider is configured.
        self.provider = OpenIdProvider(settings, egress, store.secrets) if settings.oidc_issuer else None

    def close(self) -> None:
        """End the threads."""
        self._passwords.close()

    # --- how people come

    async def invite(self, email: str, role: str, projects: Sequence[Membership] | None) -> tuple[InviteRow, str]:
        """Invite somebody; also returns where the invite is accepted, which is not known again.

        Raises:
            InvalidRequest: somebody has this email address, or is invited by it already.
            NotFound: a project is not there, or archived.
        """
        token = new_token()
        wanted = DEFAULT_PROJECTS if projects is None else projects
        kept = NewInvite(email, role, wanted, token_hash(token), self._settings.invite_expiry)
        return await self._store.invites.add(kept), f"{self._settings.browser_url()}/welcome?token={token}"

    async def welcome(self, token: str) -> Welcome:
        """What a link is for.

        Raises:
            AuthenticationFailed: it is not good, or no more.
        """
        digest = token_hash(token)
        if await self._store.people.has_first_link(digest):
            return Welcome(None)
        if invite := await self._store.invites.of_token(digest):
            return Welcome(invite)
        raise _link_not_valid()

    async def accept(self, token: str, name: str, email: str, password: str) -> str:
        """Make the person whom a link is for, and sign them in; returns the session's token.

        Args:
            token: the link's.
            name: what the person is called.
            email: the person's email address; for an invite it is the invite's.
            password: the person's password from now on.

        Raises:
            AuthenticationFailed: the link is not good, or no more.
            InvalidRequest: name, address or password cannot be had.
        """
        welcome = await self.welcome(token)
        name, email = check_person(name, welcome.email or email)
        hashed = await self._passwords.hash(password)
        if welcome.invite:
            person = await self._store.invites.accept(welcome.invite, name, hashed)
        else:
            person = await self._store.people.add_first(token_hash(token), NewPerson(name, email, "owner", hashed))
        if person is None:
            raise _link_not_valid()
        return await self.sessions.begin(person.id)

    # --- signing in

    async def sign_in(self, email: str, password: str, address: str) -> str:
        """Sign in by password; returns the session's token.

        Args:
            email: whose.
            password: what the person says it is.
            address: the IP address from which the person asks.

        Raises:
            AuthenticationFailed: there is no such person, or this is not the password: which, is not told.
            RateLimited: it was tried too often.
        """
        account = _subject("account", email.strip().lower())
        await self._count(address, account)
        known = await self._store.people.password(email.strip()) if "\0" not in email else None
        if not await self._passwords.verify(known[1] if known else None, password) or known is None:
            if known:
                await self._store.browser_sessions.refused(known[0])
            raise AuthenticationFailed("Email address or password is wrong.", code="wrong_credentials")
        await self._store.sign_in_attempts.forget(account)
        return await self.sessions.begin(*known)

    async def sign_in_as(self, identity: Identity) -> str:
        """Sign in whom the provider has identified; returns the session's token.

        A person is known by the provider's subject, else by a verified email address. Whoever is invited, or has an
        address of an allowed domain, becomes a person now.

        Raises:
            Forbidden: nobody like this is to come in.
        """
        people = self._store.people
        person = await people.known_as(identity.issuer, identity.subject)
        if person is None:
            person = await self._person_of(identity)
            await people.identify(person, identity.issuer, identity.subject)
        return await self.sessions.begin(person)

    async def count_provider(self, address: str) -> None:
        """Count that somebody comes back from the provider. Raises `RateLimited`."""
        await self._count(address)

    async def _person_of(self, identity: Identity) -> str:
        """The id of the person with an identity's email address."""
        email, store = identity.email, self._store
        if email and re.fullmatch(EMAIL, email):
            if known := await store.people.by_email(email):
                return known.id
            name, _ = check_person(identity.name or email, email)
            if (invite := await store.invites.of_email(email)) and (
                made := await store.invites.accept(invite, name, None)
            ):
                return made.id
            if email.rpartition("@")[2].lower() in {domain.lower() for domain in self._settings.oidc_domains}:
                return (await store.people.add(NewPerson(name, email, "reader"), DEFAULT_PROJECTS)).id
        raise Forbidden(
            "You are not known here. An owner of the organization can invite you, by an email address that the "
            "provider has verified.",
            code="not_invited",
        )

    async def change_password(self, session: FoundSession, old: str, new: str, address: str) -> str:
        """Change a password, which ends all sessions of the person; returns the token of a new one.

        Args:
            session: of the person.
            old: the password so far; of no account for whoever has none.
            new: the password from now on.
            address: the IP address from which the person asks.

        Raises:
            AuthenticationFailed: the old password is wrong.
            InvalidRequest: the new one is too short or too long.
            RateLimited: it was tried too often.
        """
        account = _subject("account", session.email.lower())
        await self._count(address, account)
        known = await self._store.people.password_of(session.person)
        if known is not None and not await self._passwords.verify(known, old):
            await self._store.browser_sessions.refused(session.person)
            raise AuthenticationFailed("The password is wrong.", code="wrong_credentials")
        await self._store.people.set_password(session.person, await self._passwords.hash(new))
        await self._store.sign_in_attempts.forget(account)
        return await self.sessions.begin(session.person)

    async def _count(self, address: str, account: bytes | None = None) -> None:
        """Count a try before it is made, so that many at once are no more than allowed."""
        limits = {_subject("address", network(address)): self._settings.sign_in_address_attempts}
        if account is not None:
            limits[account] = self._settings.sign_in_attempts
        counted = await self._store.sign_in_attempts.count(list(limits))
        waits = [tries.ends_in for subject, tries in counted.items() if tries.number > limits[subject]]
        if waits:
            raise RateLimited("Too many tries to sign in. Please wait.", type="requests", retry_after=max(waits))


async def first_link(store: Store, settings: Settings) -> str | None:
    """Where the first owner signs up, good once and for an hour; None if there is somebody already.

    Args:
        store: its database is open.
        settings: all settings.
    """
    if not settings.pages or (await store.people.any())[0]:
        return None
    token = new_token()
    await store.people.add_first_link(token_hash(token), _FIRST_LINK_TIME)
    return f"/welcome?token={token}"


def _subject(kind: str, what: str) -> bytes:
    return hashlib.sha256(f"{kind}:{what}".encode("utf-8", "surrogatepass")).digest()


def network(address: str) -> str:
    """What counts as one address: of IPv6 the network that one customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((parsed, 64), strict=False)) if parsed.version == 6 else address


def _link_not_valid() -> AuthenticationFailed:
    return AuthenticationFailed("This link is not good, was used already, or is too old.", code="link_not_valid")
