"""Requests that may be sent twice: which keys are taken, and what their first requests were answered."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import structlog

from .database import Database
from .secretbox import SecretBox, SecretUnreadable

log = structlog.get_logger(__name__)

#: Takes a key that is free: unknown, too old, or left by a server that died while it worked on the request.
_CLAIM = """
    with claimed as (
        insert into idempotency_keys (project_id, key, request, owner, claim_ends)
        values (%(project)s, %(key)s, %(request)s, %(owner)s, now() + %(lease)s * interval '1 second')
        on conflict (project_id, key) do update set request = excluded.request, owner = excluded.owner,
            claim_ends = excluded.claim_ends, created_at = now(), body_hash = null, status = null, headers = null,
            answer = null
        where idempotency_keys.claim_ends < now() or (idempotency_keys.owner is null
            and idempotency_keys.created_at < now() - %(keep)s * interval '1 second')
        returning owner
    )
    select true, '', true, null::bytea, null::int, null::bytea, null::bytea from claimed
    union all
    select false, request, owner is not null, body_hash, status, headers, answer from idempotency_keys
    where project_id = %(project)s and key = %(key)s and not exists (select from claimed)
"""

_RENEW = """
    update idempotency_keys set claim_ends = now() + %(lease)s * interval '1 second'
    where project_id = %(project)s and key = %(key)s and owner = %(owner)s
"""

_ANSWER = """
    update idempotency_keys set owner = null, claim_ends = null, body_hash = %(body_hash)s, status = %(status)s,
        headers = %(headers)s, answer = %(answer)s
    where project_id = %(project)s and key = %(key)s and owner = %(owner)s
"""

_FREE = "delete from idempotency_keys where project_id = %(project)s and key = %(key)s and owner = %(owner)s"

_FORGET = """
    delete from idempotency_keys
    where created_at < now() - %(keep)s * interval '1 second' and (claim_ends is null or claim_ends < now())
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that the caller works on."""

    project: str
    key: str
    #: A name that no other claim has.
    owner: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a key that somebody has used.

    Attributes:
        request: method, address and API version of its first request.
        busy: whether that request is still being worked on.
        body_hash: hash of its body; None while it is busy.
        status: HTTP status of its answer; 0 while it is busy.
        headers: headers of its answer.
        answer: body of its answer; None if it was too long to be kept, was encrypted with another key, or
            was erased.
    """

    request: str
    busy: bool
    body_hash: bytes | None = None
    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    answer: bytes | None = None


class IdempotencyKeys:
    """Idempotency keys of projects. Answers are kept encrypted: some show a secret that is shown only once."""

    def __init__(self, database: Database, secrets: SecretBox, *, lease: float, keep: float) -> None:
        """Describe how long keys last.

        Args:
            database: where they are.
            secrets: what answers are encrypted with.
            lease: seconds for which a key stays taken by a server that no longer renews its claim.
            keep: seconds for which an answer is kept.
        """
        self._database = database
        self._secrets = secrets
        self._lease = lease
        self._keep = keep

    async def claim(self, claim: Claim, request: str) -> Kept | None:
        """Take a key for a request; None if it is the caller's now, else what is known of it."""
        values = {
            "project": claim.project,
            "key": claim.key,
            "owner": claim.owner,
            "request": request,
            "lease": self._lease,
            "keep": self._keep,
        }
        row = await self._database.row(_CLAIM, values)
        if row is None:
            # Taken in this very moment: this statement does not see the row yet.
            return Kept(request, busy=True)
        claimed, first_request, busy, body_hash, status, headers, answer = row
        if claimed:
            return None
        pairs = orjson.loads(headers) if headers else []
        return Kept(
            request=first_request,
            busy=busy,
            body_hash=body_hash,
            status=status or 0,
            headers=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs),
            answer=self._open(answer),
        )

    async def renew(self, claim: Claim) -> None:
        """Keep a claim for another lease."""
        await self._database.execute(_RENEW, {**_identity(claim), "lease": self._lease})

    async def answer(
        self,
        claim: Claim,
        body_hash: bytes,
        status: int,
        headers: tuple[tuple[bytes, bytes], ...],
        answer: bytes | None,
    ) -> None:
        """Keep what the request was answered; see `Kept` for the arguments. Nothing if the claim was lost."""
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        sealed = None if answer is None else self._secrets.seal(answer)
        values = {"body_hash": body_hash, "status": status, "headers": orjson.dumps(pairs), "answer": sealed}
        await self._database.execute(_ANSWER, {**_identity(claim), **values})

    async def free(self, claim: Claim) -> None:
        """Forget the request: its key may be used again."""
        await self._database.execute(_FREE, _identity(claim))

    async def forget_old(self) -> None:
        """Delete answers that need no longer be kept."""
        await self._database.execute(_FORGET, {"keep": self._keep})

    def _open(self, sealed: bytes | None) -> bytes | None:
        try:
            return None if sealed is None else self._secrets.open(sealed)
        except SecretUnreadable as error:
            log.warning("a kept answer cannot be read", error=str(error))
            return None


def _identity(claim: Claim) -> dict[str, str]:
    return {"project": claim.project, "key": claim.key, "owner": claim.owner}
