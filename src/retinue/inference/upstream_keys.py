"""Keys of models' servers in the settings file: encrypted where Retinue has written them, legible where people have."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from ..settings import Settings
from ..store.secretbox import SecretBox, SecretUnreadable

#: How a value begins that is encrypted.
_MARK = "sealed:"


def sealed(model: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The settings of a model as the file is to hold them: its keys, and those of its servers, encrypted.

    Args:
        model: its settings as TOML has them.
        settings: those in force, which say what secrets are encrypted with.
    """
    box = SecretBox(settings)

    def seal(server: dict[str, Any]) -> dict[str, Any]:
        key: str | None = server.get("api_key")
        if not key or key.startswith(_MARK):
            return server
        return server | {"api_key": _MARK + box.seal(key.encode()).decode()}

    kept = seal(model)
    return kept | {"upstreams": list(map(seal, kept["upstreams"]))} if kept.get("upstreams") else kept


def opened(key: SecretStr | None, settings: Settings) -> str | None:
    """The key to send to a model's server; None if there is none.

    Args:
        key: as the settings have it.
        settings: those in force.

    Raises:
        SecretUnreadable: it was encrypted with another `secret_key`. The message says what to do.
    """
    value = key.get_secret_value() if key else None
    if value is None or not value.startswith(_MARK):
        return value
    try:
        return SecretBox(settings).open(value.removeprefix(_MARK).encode()).decode()
    except SecretUnreadable:
        raise SecretUnreadable(
            "its key was encrypted with another `secret_key`, which must be the same in every process; set the model's "
            "key anew, on the page Models or by `retinue models add`"
        ) from None
