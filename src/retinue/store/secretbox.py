"""What the database holds encrypted, so that a copy of it does not give secrets away."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import secrets
from functools import cached_property
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from ..settings import Settings


class SecretUnreadable(Exception):
    """The secret was encrypted with another key."""


class SecretBox:
    """Encrypts with the setting `secret_key`, or with a key that is made when it is first needed.

    The cipher is Fernet: AES-128-CBC with HMAC-SHA-256 (https://github.com/fernet/spec).
    """

    def __init__(self, settings: Settings) -> None:
        self._file = settings.data / "secret_key"
        self._configured = settings.secret_key

    def seal(self, secret: bytes) -> bytes:
        """The secret, encrypted. Costs 0.1 ms for 10 kB and 10 ms for 1 MB."""
        return self._fernet.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """The secret that `seal` was given.

        Raises:
            SecretUnreadable: see there.
        """
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise SecretUnreadable(
                "the secret was encrypted with another key: is the setting `secret_key` the same in every process?"
            ) from error

    def signature(self, purpose: str, message: str) -> str:
        """What shows that this installation has written `message`: its HMAC-SHA-256, in hexadecimal digits.

        Args:
            purpose: what the message is; signatures of one purpose are none of another.
            message: what is signed.
        """
        return hmac.digest(self._key, f"{purpose}\0{message}".encode(), "sha256").hex()

    @cached_property
    def _key(self) -> bytes:
        # A key is long and random, so one hash makes it fit.
        key = self._configured.get_secret_value() if self._configured else _kept_key(self._file)
        return hashlib.sha256(key.encode()).digest()

    @cached_property
    def _fernet(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._key))


def _kept_key(path: Path) -> str:
    """The key in this file, which only its owner can read; made if there is none."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # Another process may be first: then its key is the one.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(draft)
        draft.unlink()
    return path.read_text(encoding="ascii").strip()
