"""The webhooks of a project: made, changed, given new secrets."""

from __future__ import annotations

import time

from ..egress import Egress
from ..errors import InvalidRequest
from ..settings import Settings
from ..store.ids import new_id
from ..store.store import Store
from ..wire.webhooks import Webhook, WebhookCreate, WebhookDelivery, WebhookModify, WebhookWithSecret
from .signing import new_secret

#: Seconds that a replaced secret still counts, where that is asked for.
_OLD_SECRET_COUNTS = 24 * 3600


class WebhookRegistry:
    """What clients may do with webhooks, beyond reading and deleting them."""

    def __init__(self, store: Store, egress: Egress, settings: Settings) -> None:
        self._store = store
        self._egress = egress
        self._most = settings.max_webhooks

    async def create(self, project: str, body: WebhookCreate) -> WebhookWithSecret:
        """Make a webhook; the answer is the only place where its secret is shown.

        Raises:
            EgressRefused: nothing may be sent to this address.
            EgressFailed: its host has no address.
            InvalidRequest: the project has as many webhooks as it may.
        """
        await self._check(body.url)
        webhook = Webhook(
            id=new_id("wh_"),
            created_at=int(time.time()),
            url=body.url,
            events=body.events,
            enabled=body.enabled,
            description=body.description,
            metadata=body.metadata or {},
        )
        secret = new_secret()
        await self._store.webhooks.add(project, webhook, self._store.secrets.seal(secret), self._most)
        return _with_secret(webhook, secret)

    async def modify(self, project: str, identifier: str, body: WebhookModify) -> Webhook:
        """Change a webhook: what is not sent stays as it is.

        Raises:
            NotFound: the project has no such webhook.
            EgressRefused: nothing may be sent to the new address.
            EgressFailed: its host has no address.
        """
        if body.url is not None:
            await self._check(body.url)
        patch = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
        if "description" in body.model_fields_set:
            patch["description"] = body.description
        if "metadata" in body.model_fields_set:
            patch["metadata"] = body.metadata or {}
        return await self._store.webhooks.patch(project, identifier, patch)

    async def rotate_secret(self, project: str, identifier: str, *, keep_old: bool) -> WebhookWithSecret:
        """Give a webhook a new secret. With `keep_old` events are signed with both for a day.

        Raises:
            NotFound: the project has no such webhook.
        """
        secret = new_secret()
        keep = _OLD_SECRET_COUNTS if keep_old else 0
        webhook = await self._store.webhooks.rotate(project, identifier, self._store.secrets.seal(secret), keep)
        return _with_secret(webhook, secret)

    async def retry(self, project: str, identifier: str, delivery: str) -> WebhookDelivery:
        """Send an event again, now, whatever became of it.

        Raises:
            NotFound: there is no such webhook or delivery.
            InvalidRequest: the webhook is disabled.
        """
        webhook = await self._store.webhooks.get(project, identifier)
        if not webhook.enabled:
            raise InvalidRequest(f"The webhook '{identifier}' is disabled. Enable it first.")
        return await self._store.deliveries.retry(project, identifier, delivery)

    async def _check(self, url: str) -> None:
        try:
            await self._egress.check(url)
        except InvalidRequest as error:
            error.param = "url"
            raise


def _with_secret(webhook: Webhook, secret: str) -> WebhookWithSecret:
    return WebhookWithSecret(**webhook.model_dump(), signing_secret=secret)
