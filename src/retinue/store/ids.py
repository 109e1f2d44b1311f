"""Identifiers as OpenAI makes them: a prefix that tells the kind, and 24 random letters and digits."""

from __future__ import annotations

import os
import string

_ALPHABET = (string.ascii_letters + string.digits).encode()
#: A letter or digit for each byte. Eight of the 62 stand for five bytes, the others for four.
_OF_BYTE = bytes(_ALPHABET[byte % 62] for byte in range(256))


def new_id(prefix: str, length: int = 24) -> str:
    """`prefix` (with its underscore) and `length` characters of 62: 142 bits at the default."""
    # One draw for all characters: a call of the system for each would cost more than the rest of a request.
    return prefix + os.urandom(length).translate(_OF_BYTE).decode()
