"""Webhook endpoints, and the events on their way to them. `publish_event` of the migrations writes these down."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import InvalidRequest
from ..wire.webhooks import WebhookDelivery, WebhookEndpoint
from .audit import Act, perform
from .database import Database
from .objects import Objects

#: Notices on this channel say that there is something to deliver.
CHANNEL = "webhook_deliveries"

#: The secret before the present one, where it still counts.
_FORMER = "case when old_secret_until > now() then old_secret end"

_ADD = """
    insert into webhook_endpoints (id, project_id, secret, body)
    select %(id)s, %(project)s, %(secret)s, %(body)s::jsonb
    where (select count(*) from webhook_endpoints where project_id = %(project)s) < %(most)s
    returning id
"""

_DELETE = """
    with gone as (
        delete from webhook_endpoints where id = %(id)s and project_id = %(project)s returning id
    ), forgotten as (
        delete from webhook_deliveries using gone where endpoint_id = gone.id
    )
    select id from gone
"""

_ROTATE = """
    update webhook_endpoints set secret = %(secret)s,
        old_secret = case when %(keep)s > 0 then secret end,
        old_secret_until = now() + %(keep)s * interval '1 second',
        body = body || %(patch)s::jsonb
    where id = %(id)s and project_id = %(project)s returning body
"""

_RECEIVER = f"""
    select body ->> 'url', secret, {_FORMER} from webhook_endpoints
    where id = %(id)s and project_id = %(project)s
"""  # noqa: S608

#: Steps from one endpoint to the next in the index of what waits, so that one with a long queue costs no more than
#: one with a short one, and takes nothing from the others.
_CLAIM = f"""
    with recursive waiting (endpoint_id) as (
        select min(endpoint_id) from webhook_deliveries where status = 'pending'
        union all
        select (select min(endpoint_id) from webhook_deliveries
            where status = 'pending' and endpoint_id > waiting.endpoint_id)
        from waiting where waiting.endpoint_id is not null
    ), due as (
        select delivery.id, body ->> 'url' as url, secret,
            {_FORMER} as old_secret
        from waiting join webhook_endpoints on webhook_endpoints.id = waiting.endpoint_id
        cross join lateral (
            select id, next_attempt_at from webhook_deliveries
            where endpoint_id = webhook_endpoints.id and status = 'pending'
                and next_attempt_at <= floor(extract(epoch from now()))::bigint
                and (lease_expires_at is null or lease_expires_at < now())
            order by next_attempt_at limit %(each)s for update skip locked
        ) as delivery
        where enabled and webhook_endpoints.id <> all(%(busy)s)
        order by next_attempt_at limit %(limit)s
    )
    update webhook_deliveries set
        lease_owner = %(owner)s, lease_expires_at = now() + %(lease)s * interval '1 second',
        body = body || jsonb_build_object(
            'attempts', (body ->> 'attempts')::int + 1, 'last_attempt_at', floor(extract(epoch from now()))
        )
    from due where webhook_deliveries.id = due.id
    returning due.id, endpoint_id, (body ->> 'attempts')::int, body -> 'event', url, secret, old_secret
"""  # noqa: S608

_SETTLE = """
    with settled as (
        update webhook_deliveries set body = body || %(patch)s::jsonb, lease_owner = null, lease_expires_at = null
        where id = %(id)s and lease_owner = %(owner)s returning endpoint_id
    )
    update webhook_endpoints set body = body || '{"enabled": false}'
    from settled where id = endpoint_id and %(disable)s
    returning webhook_endpoints.id, project_id
"""

_RELEASE = """
    update webhook_deliveries set lease_owner = null, lease_expires_at = null
    where lease_owner = %(owner)s and status = 'pending'
"""

_RETRY = f"""
    with again as (
        update webhook_deliveries set body = body || %(patch)s::jsonb
        where id = %(id)s and endpoint_id = %(parent)s and project_id = %(project)s returning body
    )
    select body, pg_notify('{CHANNEL}', '') from again
"""  # noqa: S608

_FORGET = "delete from webhook_deliveries where created_at < %(before)s"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where events are sent, and how they are signed."""

    url: str
    #: Signing secrets, encrypted: the present one, then the one before where it still counts.
    secrets: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """A delivery that the caller now has to make."""

    id: str
    endpoint: str
    #: Which attempt this is; the first is 1.
    attempt: int
    #: The event in JSON, as it was written down.
    event: bytes
    receiver: Receiver


class WebhookEndpoints(Objects[WebhookEndpoint]):
    """Webhook endpoints of a project."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "webhook_endpoints", WebhookEndpoint, "webhook endpoint", audited="webhook_endpoint")
        self._delete = _DELETE

    async def add(self, project: str, endpoint: WebhookEndpoint, secret: bytes, most: int) -> None:
        """Keep a new endpoint.

        Args:
            project: the caller's project.
            endpoint: the endpoint.
            secret: its signing secret, encrypted.
            most: how many endpoints a project may have.

        Raises:
            InvalidRequest: the project has that many.
        """
        values: dict[str, Any] = {
            "id": endpoint.id,
            "project": project,
            "secret": secret,
            "body": endpoint.model_dump_json(),
            "most": most,
        }
        details = {"name": endpoint.name, "event_types": list(endpoint.event_types)}
        if await self._change(_ADD, values, "created", details) is None:
            raise InvalidRequest(f"The project has {most} webhook endpoints, and may have no more. Delete one first.")

    async def rotate(
        self, project: str, identifier: str, secret: bytes, patch: dict[str, Any], *, keep: float
    ) -> WebhookEndpoint:
        """Give an endpoint a new signing secret.

        Args:
            project: the caller's project.
            identifier: the endpoint's id.
            secret: the new secret, encrypted.
            patch: fields to replace with it.
            keep: seconds for which the present one still counts.

        Raises:
            NotFound: the project has no such endpoint.
        """
        values: dict[str, Any] = {
            "project": project,
            "id": identifier,
            "secret": secret,
            "patch": orjson.dumps(patch).decode(),
            "keep": keep,
        }
        row = await self._change(_ROTATE, values, "secret_rotated")
        if row is None:
            raise self.not_found(identifier)
        return WebhookEndpoint.model_validate_json(row[0])

    async def receiver(self, project: str, identifier: str) -> Receiver:
        """Where the events of an endpoint are sent.

        Raises:
            NotFound: the project has no such endpoint.
        """
        row = await self._database.row(_RECEIVER, {"project": project, "id": identifier})
        if row is None:
            raise self.not_found(identifier)
        return _receiver(*row)


class WebhookDeliveries(Objects[WebhookDelivery]):
    """Deliveries to a webhook endpoint."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, "webhook_deliveries", WebhookDelivery, "delivery", parent="endpoint_id")

    async def retry(self, project: str, endpoint: str, identifier: str) -> WebhookDelivery:
        """Have a delivery made again, now, whatever became of it.

        Raises:
            NotFound: the endpoint has no such delivery.
        """
        patch = {"status": "pending", "next_attempt_at": int(time.time())}
        values = {"project": project, "parent": endpoint, "id": identifier, "patch": orjson.dumps(patch).decode()}
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
            each: the most of one endpoint.
            busy: endpoints to leave alone.
        """
        values: dict[str, Any] = {"owner": owner, "lease": lease, "limit": limit, "each": each, "busy": list(busy)}
        return [
            DueDelivery(identifier, endpoint, attempt, event, _receiver(url, secret, old))
            for identifier, endpoint, attempt, event, url, secret, old in await self._database.rows(_CLAIM, values)
        ]

    async def settle(self, identifier: str, owner: str, patch: dict[str, Any], *, disable: bool = False) -> None:
        """Write down what became of a claimed delivery, unless the claim was lost.

        Args:
            identifier: the delivery's id.
            owner: who claimed it.
            patch: fields to replace.
            disable: whether the endpoint is to receive no more.
        """
        values = {"id": identifier, "owner": owner, "patch": orjson.dumps(patch).decode(), "disable": disable}
        if disable:
            details = {"fields": ["enabled"]}
            await perform(
                self._database, _SETTLE, values, lambda row: Act("webhook_endpoint.updated", row[0], row[1], details)
            )
        else:
            await self._database.execute(_SETTLE, values)

    async def release(self, owner: str) -> None:
        """Let go of every claim of `owner`, so that others can go on at once."""
        await self._database.execute(_RELEASE, {"owner": owner})

    async def forget(self, before: float) -> None:
        """Delete what was created before this time, in seconds since 1970."""
        await self._database.execute(_FORGET, {"before": int(before)})


def _receiver(url: str, secret: bytes, old_secret: bytes | None) -> Receiver:
    return Receiver(url, [secret, old_secret] if old_secret else [secret])
