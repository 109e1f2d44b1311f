"""Passwords: hashed with Argon2id, in threads, at most two at once."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..errors import InvalidRequest, Unavailable

#: Characters of a password. Length is all that is asked for: NIST SP 800-63B.
SHORTEST, LONGEST = 12, 256
#: Passwords hashed at once; each takes 64 MiB for a moment. And those that may wait for it.
_AT_ONCE, _WAITING = 2, 64

#: The parameters are RFC 9106's for little memory.
_hasher = PasswordHasher()

T = TypeVar("T")


def hash_password(password: str) -> str:
    """What is kept of a password. Takes about 50 ms of every core.

    Raises:
        InvalidRequest: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidRequest(f"A password has {SHORTEST} to {LONGEST} characters.", param="password")
    return _hasher.hash(_normal(password))


def _verify(known: str, password: str) -> bool:
    if len(password) > LONGEST:
        return False
    try:
        return _hasher.verify(known, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> bytes:
    """The same bytes however a keyboard has put the characters together."""
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")


@cache
def _nobodys() -> str:
    return _hasher.hash(b"nobody has this password")


class Passwords:
    """Hashes and verifies, off the event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """What is kept of a password.

        Raises:
            InvalidRequest: it is too short or too long.
            Unavailable: too many passwords wait.
        """
        return await self._run(lambda: hash_password(password))

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether this is the password. Where none is known it is not, after the same time.

        Raises:
            Unavailable: too many passwords wait.
        """

        def work() -> bool:
            right = _verify(known or _nobodys(), password)
            return right and known is not None

        return await self._run(work)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._waiting >= _WAITING:
            raise Unavailable("Too many people sign in at the moment. Please try again.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1
