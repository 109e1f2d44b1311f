"""Webhooks, and the events on their way to them. `publish_event` of the migrations writes the latter down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import InvalidRequest
from ..wire.webhooks import Webhook, WebhookDelivery
from .database import Database
from .objects import Objects

#: Notices on this channel say that there is something to deliver.
CHANNEL = "webhook_deliveries"

_ADD = """
    insert into webhooks (id, project_id, secret, body)
    select %(id)s, %(project)s, %(secret)s, %(body)s::jsonb
    where (select count(*) from webhooks where project_id = %(project)s) < %(most)s
    returning id
"""

_DELETE = """
    with gone as (
        delete from webhooks where id = %(id)s and project_id = %(project)s returning id
    ), forgotten as (
        delete from webhook_deliveries using gone where webhook_id = gone.id
    )
    select id from gone
"""

_ROTATE = """
    update webhooks set secret = %(secret)s,
        old_secret = case when %(keep)s > 0 then secret end,
        old_secret_until = now() + %(keep)s * interval '1 second'
    where id = %(id)s and project_id = %(project)s returning body
"""

#: Steps from one webhook to the next in the index of what waits, so that one with a long queue costs no more than
#: one with a short one, and takes nothing from the others.
_CLAIM = """
    with recursive waiting (webhook_id) as (
        select min(webhook_id) from webhook_deliveries where status = 'pending'
        union all
        select (select min(webhook_id) from webhook_deliveries
            where status = 'pending' and webhook_id > waiting.webhook_id)
        from waiting where waiting.webhook_id is not null
    ), due as (
        select delivery.id, body ->> 'url' as url, secret,
            case when old_secret_until > now() then old_secret end as old_secret
        from waiting join webhooks on webhooks.id = waiting.webhook_id
        cross join lateral (
            select id, next_attempt_at from webhook_deliveries
            where webhook_id = webhooks.id and status = 'pending'
                and next_attempt_at <= floor(extract(epoch from now()))::bigint
                and (lease_expires_at is null or lease_expires_at < now())
            order by next_attempt_at limit %(each)s for update skip locked
        ) as delivery
        where enabled and webhooks.id <> all(%(busy)s)
        order by next_attempt_at limit %(limit)s
    )
    update webhook_deliveries set
        lease_owner = %(owner)s, lease_expires_at = now() + %(lease)s * interval '1 second',
        body = body || jsonb_build_object(
            'attempts', (body ->> 'attempts')::int + 1, 'last_attempt_at', floor(extract(epoch from now()))
        )
    from due where webhook_deliveries.id = due.id
    returning due.id, webhook_id, (body ->> 'attempts')::int, body -> 'event', url, secret, old_secret
"""

_SETTLE = """
    with settled as (
        update webhook_deliveries set body = body || %(patch)s::jsonb, lease_owner = null, lease_expires_at = null
        where id = %(id)s and lease_owner = %(owner)s returning webhook_id
    )
    update webhooks set body = body || '{"enabled": false}' from settled where id = webhook_id and %(disable)s
"""

_RELEASE = """
    update webhook_deliveries set lease_owner = null, lease_expires_at = null
    where lease_owner = %(owner)s and status = 'pending'
"""

_RETRY = f"""
    with again as (
        update webhook_deliveries set body = body || %(patch)s::jsonb
        where id = %(id)s and webhook_id = %(parent)s and project_id = %(project)s returning body
    )
    select body, pg_notify('{CHANNEL}', '') from again
"""  # noqa: S608

_FORGET = "delete from webhook_deliveries where created_at < %(before)s"


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that the caller now has to make."""

    id: str
    webhook: str
    #: Which attempt this is; the first is 1.
    attempt: int
    #: The event in JSON, as it was written down.
    event: bytes
    url: str
    #: Signing secrets, encrypted: the new one, then the old one where it still counts.
    secrets: Sequence[bytes]


class Webhooks(Objects[Webhook]):
    """Webhooks of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "webhooks", Webhook, "webhook")
        self._delete = _DELETE

    async def add(self, project: str, webhook: Webhook, secret: bytes, most: int) -> None:
        """Keep a new webhook.

        Args:
            project: the caller's project.
            webhook: the webhook.
            secret: its signing secret, encrypted.
            most: how many webhooks a project may have.

        Raises:
            InvalidRequest: the project has that many.
        """
        values: dict[str, Any] = {
            "id": webhook.id,
            "project": project,
            "secret": secret,
            "body": webhook.model_dump_json(),
            "most": most,
        }
        if await self._database.row(_ADD, values) is None:
            raise InvalidRequest(f"The project has {most} webhooks, and may have no more. Delete one first.")

    async def rotate(self, project: str, identifier: str, secret: bytes, keep: float) -> Webhook:
        """Give a webhook a new signing secret.

        Args:
            project: the caller's project.
            identifier: the webhook's id.
            secret: the new secret, encrypted.
            keep: seconds for which the present one still counts.

        Raises:
            NotFound: the project has no such webhook.
        """
        values: dict[str, Any] = {"project": project, "id": identifier, "secret": secret, "keep": keep}
        row = await self._database.row(_ROTATE, values)
        if row is None:
            raise self.not_found(identifier)
        return Webhook.model_validate_json(row[0])


class Deliveries(Objects[WebhookDelivery]):
    """Deliveries to a webhook."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "webhook_deliveries", WebhookDelivery, "delivery", parent="webhook_id")

    async def retry(self, project: str, webhook: str, identifier: str) -> WebhookDelivery:
        """Have a delivery made again, now, whatever became of it.

        Raises:
            NotFound: the webhook has no such delivery.
        """
        patch = {"status": "pending", "next_attempt_at": int(time.time())}
        values = {"project": project, "parent": webhook, "id": identifier, "patch": orjson.dumps(patch).decode()}
        row = await self._database.row(_RETRY, values)
        if row is None:
            raise self.not_found(identifier)
        return WebhookDelivery.model_validate_json(row[0])

    async def claim(self, owner: str, *, lease: float, limit: int, each: int, busy: Sequence[str]) -> list[DueDelivery]:
        """Take deliveries, of any project, whose time has come and that nobody else has.

        Args:
            owner: who takes them.
            lease: seconds after which others may take them.
            limit: the most.
            each: the most of one webhook.
            busy: webhooks to leave alone.
        """
        values: dict[str, Any] = {"owner": owner, "lease": lease, "limit": limit, "each": each, "busy": list(busy)}
        return [
            DueDelivery(identifier, webhook, attempt, event, url, [secret, old] if old else [secret])
            for identifier, webhook, attempt, event, url, secret, old in await self._database.rows(_CLAIM, values)
        ]

    async def settle(self, identifier: str, owner: str, patch: dict[str, Any], *, disable: bool = False) -> None:
        """Write down what became of a claimed delivery, unless the claim was lost.

        Args:
            identifier: the delivery's id.
            owner: who claimed it.
            patch: fields to replace.
            disable: whether the webhook is to receive no more.
        """
        values = {"id": identifier, "owner": owner, "patch": orjson.dumps(patch).decode(), "disable": disable}
        await self._database.execute(_SETTLE, values)

    async def release(self, owner: str) -> None:
        """Let go of every claim of `owner`, so that others can go on at once."""
        await self._database.execute(_RELEASE, {"owner": owner})

    async def forget(self, before: float) -> None:
        """Delete what was created before this time, in seconds since 1970."""
        await self._database.execute(_FORGET, {"before": int(before)})
