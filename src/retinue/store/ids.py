"""Identifiers as OpenAI makes them: a prefix that tells the kind, and 24 random letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str, length: int = 24) -> str:
    """`prefix` (with its underscore) and `length` characters of 62: 143 bits at the default."""
    # One draw for all characters: a call of the system for each would cost more than the rest of a request.
    number = secrets.randbits(6 * length + 64)
    characters: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        characters.append(_ALPHABET[digit])
    return prefix + "".join(characters)
