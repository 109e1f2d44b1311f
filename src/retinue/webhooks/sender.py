"""Sends one event to one receiver, signed."""

from __future__ import annotations

import time

from ..egress import Egress
from ..store.secretbox import SecretBox
from ..store.webhooks import Receiver
from ..wire.common import to_json
from ..wire.webhooks import WebhookEvent
from .signing import signature


class Sender:
    """Sends events, through the one way out."""

    def __init__(self, egress: Egress, secrets: SecretBox, timeout: float) -> None:
        """`secrets` opens signing secrets; `timeout`: seconds that a receiver has to answer."""
        self._egress = egress
        self._secrets = secrets
        self._timeout = timeout

    async def send(self, event: WebhookEvent, receiver: Receiver) -> int:
        """Send an event; returns the HTTP status that it was answered with.

        Raises:
            EgressRefused: nothing may be sent to this address.
            EgressFailed: there was no answer.
            SecretUnreadable: a signing secret was encrypted with another key.
        """
        body = to_json(event)
        timestamp = int(time.time())
        secrets = [self._secrets.open(secret).decode() for secret in receiver.secrets]
        headers = {
            "content-type": "application/json",
            "webhook-id": event.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(secret, event.id, timestamp, body) for secret in secrets),
        }
        async with self._egress.request(
            "POST", receiver.url, headers=headers, body=body, timeout=self._timeout
        ) as response:
            return response.status
