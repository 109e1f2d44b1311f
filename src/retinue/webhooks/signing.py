"""Signatures by Standard Webhooks (https://www.standardwebhooks.com), which the official clients verify."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
#: Characters of a secret that anybody may see: 24 of its 256 bits.
_SHOWN = 4


def new_secret() -> str:
    """A signing secret: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def hint(secret: str) -> str:
    """What may be shown of a secret, to tell it from others: its end."""
    return f"{_PREFIX}...{secret[-_SHOWN:]}"


def signature(secret: str, identifier: str, timestamp: int, body: bytes) -> str:
    """One signature for the header `webhook-signature`.

    Args:
        secret: what `new_secret` made.
        identifier: the header `webhook-id`.
        timestamp: the header `webhook-timestamp`: seconds since 1970.
        body: the request's body.
    """
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.digest(key, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(digest).decode()
