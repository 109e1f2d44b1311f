"""The webhook endpoints of a project: made, changed, given new secrets, tried out."""

from __future__ import annotations

import time
from typing import Any

from ..egress import Egress
from ..errors import InvalidRequest
from ..settings import Settings
from ..store.ids import new_id
from ..store.secretbox import SecretUnreadable
from ..store.store import Store
from ..wire.webhooks import (
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointModify,
    WebhookEndpointTestResult,
    WebhookEndpointWithSecret,
)
from .samples import sample_event
from .sender import Sender
from .signing import hint, new_secret

#: Seconds that a replaced secret still counts, where that is asked for.
_OLD_SECRET_COUNTS = 24 * 3600


class WebhookRegistry:
    """What clients may do with webhook endpoints, beyond reading and deleting them."""

    def __init__(self, store: Store, egress: Egress, settings: Settings) -> None:
        self._store = store
        self._egress = egress
        self._most = settings.max_webhooks
        self._sender = Sender(egress, store.secrets, settings.webhook_timeout)

    async def create(self, project: str, body: WebhookEndpointCreate) -> WebhookEndpointWithSecret:
        """Make an endpoint; the answer is the only place where its secret is shown.

        Raises:
            EgressRefused: nothing may be sent to this address.
            EgressFailed: its host has no address.
            InvalidRequest: the project has as many endpoints as it may.
        """
        await self._check(body.url)
        secret, now = new_secret(), int(time.time())
        endpoint = WebhookEndpoint(
            id=new_id("whe_"),
            created_at=now,
            updated_at=now,
            name=body.name,
            url=body.url,
            event_types=body.event_types,
            signing_secret_hint=hint(secret),
        )
        await self._store.webhook_endpoints.add(project, endpoint, self._seal(secret), self._most)
        return _with_secret(endpoint, secret)

    async def modify(self, project: str, identifier: str, body: WebhookEndpointModify) -> WebhookEndpoint:
        """Change an endpoint: what is not sent stays as it is.

        Raises:
            NotFound: the project has no such endpoint.
            EgressRefused: nothing may be sent to the new address.
            EgressFailed: its host has no address.
        """
        if body.url is not None:
            await self._check(body.url)
        sent = body.model_dump(exclude_none=True)

        def change(endpoint: WebhookEndpoint) -> dict[str, Any]:
            new = {name: value for name, value in sent.items() if getattr(endpoint, name) != value}
            return {**new, "updated_at": int(time.time())} if new else {}

        return await self._store.webhook_endpoints.revise(project, identifier, change)

    async def rotate_secret(self, project: str, identifier: str, *, keep_old: bool) -> WebhookEndpointWithSecret:
        """Give an endpoint a new secret. With `keep_old` events are signed with both for a day.

        Raises:
            NotFound: the project has no such endpoint.
        """
        secret = new_secret()
        endpoint = await self._store.webhook_endpoints.rotate(
            project,
            identifier,
            self._seal(secret),
            {"signing_secret_hint": hint(secret), "updated_at": int(time.time())},
            keep=_OLD_SECRET_COUNTS if keep_old else 0,
        )
        return _with_secret(endpoint, secret)

    async def test(self, project: str, identifier: str, event_type: str) -> WebhookEndpointTestResult:
        """Send an endpoint a sample event, once, whether it is enabled or not. No delivery comes of it.

        Args:
            project: the caller's project.
            identifier: the endpoint's id.
            event_type: one of `EVENTS`.

        Raises:
            NotFound: the project has no such endpoint.
            EgressRefused: nothing may be sent to its address any more.
            EgressFailed: there was no answer.
            InvalidRequest: its secret cannot be read.
        """
        receiver = await self._store.webhook_endpoints.receiver(project, identifier)
        try:
            status = await self._sender.send(sample_event(event_type), receiver)
        except SecretUnreadable as error:
            raise InvalidRequest(
                f"The signing secret of the webhook endpoint '{identifier}' cannot be read: {error} "
                "A new secret helps (rotate_secret)."
            ) from error
        return WebhookEndpointTestResult(webhook_endpoint_id=identifier, event_type=event_type, status_code=status)

    async def retry(self, project: str, identifier: str, delivery: str) -> WebhookDelivery:
        """Send an event again, now, whatever became of it.

        Raises:
            NotFound: there is no such endpoint or delivery.
            InvalidRequest: the endpoint is disabled.
        """
        endpoint = await self._store.webhook_endpoints.get(project, identifier)
        if not endpoint.enabled:
            raise InvalidRequest(f"The webhook endpoint '{identifier}' is disabled. Enable it first.")
        return await self._store.webhook_deliveries.retry(project, identifier, delivery)

    def _seal(self, secret: str) -> bytes:
        return self._store.secrets.seal(secret.encode())

    async def _check(self, url: str) -> None:
        try:
            await self._egress.check(url)
        except InvalidRequest as error:
            error.param = "url"
            raise


def _with_secret(endpoint: WebhookEndpoint, secret: str) -> WebhookEndpointWithSecret:
    return WebhookEndpointWithSecret(**endpoint.model_dump(), signing_secret=secret)
