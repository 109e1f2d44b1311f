"""The secrets of a connection, as one sealed text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson
from pydantic import SecretStr

from ...errors import InvalidRequest
from ...store.connections import Opened
from ...store.secretbox import SecretBox, SecretUnreadable
from ...wire.connections import ApiKeyAuth, Auth, BasicAuth, OAuth

#: What a header may hold: no line breaks, which would begin another one.
_HEADER_VALUE = re.compile(r"[\x20-\x7e\x80-\xff]*")
#: Headers that belong to the connection itself, not to who uses it.
_RESERVED = frozenset(
    {"connection", "content-length", "content-type", "cookie", "expect", "host", "te", "trailer", "transfer-encoding"}
    | {"upgrade"}
)


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What is not shown of a connection.

    Attributes:
        auth: key, password or client secret, by which of them its `auth` has; "" if it has none.
        headers: values of its headers by name.
    """

    auth: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def __bool__(self) -> bool:
        return bool(self.auth or self.headers)

    def sealed(self, box: SecretBox) -> bytes | None:
        """Encrypted, to be stored; None if there is nothing to hide."""
        return box.seal(orjson.dumps({"auth": self.auth, "headers": dict(self.headers)})) if self else None

    @classmethod
    def of(cls, opened: Opened, box: SecretBox) -> Secrets:
        """The secrets of a stored connection.

        Raises:
            InvalidRequest: they were encrypted with another key.
        """
        if opened.secrets is None:
            return cls()
        try:
            return cls(**orjson.loads(box.open(opened.secrets)))
        except SecretUnreadable as error:
            raise InvalidRequest(
                f"The secrets of the connection '{opened.connection.id}' cannot be read: {error}"
            ) from error


def secret_of(auth: Auth) -> str:
    """The secret that a request brought with its `auth`.

    Raises:
        InvalidRequest: it is missing, or no header can carry it.
    """
    if isinstance(auth, ApiKeyAuth):
        if auth.key is None:
            raise InvalidRequest(
                "Missing required parameter: 'auth.key'.", param="auth.key", code="missing_required_parameter"
            )
        return _fitting(auth.key, "auth.key")
    if isinstance(auth, BasicAuth):
        return auth.password.get_secret_value() if auth.password else ""
    if isinstance(auth, OAuth):
        return auth.client_secret.get_secret_value() if auth.client_secret else ""
    return ""


def header_values(headers: Mapping[str, SecretStr]) -> dict[str, str]:
    """The headers that a request wants sent.

    Raises:
        InvalidRequest: a name is reserved or there twice, or a value has line breaks or the like.
    """
    lower = [name.lower() for name in headers]
    for name in lower:
        if name in _RESERVED or lower.count(name) > 1:
            raise InvalidRequest(f"Invalid 'headers': '{name}' may not be set, or is there twice.", param="headers")
    return {name: _fitting(value, f"headers.{name}") for name, value in headers.items()}


def _fitting(secret: SecretStr, param: str) -> str:
    value = secret.get_secret_value()
    if not _HEADER_VALUE.fullmatch(value):
        raise InvalidRequest(
            f"Invalid '{param}': it holds a line break, or a character that headers cannot carry.", param=param
        )
    return value
