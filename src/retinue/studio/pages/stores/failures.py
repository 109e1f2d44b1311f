"""What went wrong with a file, in words that say what to do."""

from __future__ import annotations

import re

from ...visitor import Visitor

#: Words by what the server's message says; the first that fits.
_BY_MESSAGE = (
    ("encrypted", re.compile(r"is encrypted")),
    ("damaged", re.compile(r"is damaged or incomplete")),
    ("scanned", re.compile(r"seems to be scanned")),
    ("empty", re.compile(r"no text in this file", re.I)),
    ("slow", re.compile(r"was given up|\(OCR\) failed")),
    ("large", re.compile(r"has more than")),
)


def told(visitor: Visitor, code: str, message: str) -> list[dict[str, str]]:
    """Notes below a file that say why it failed: `code` and `message` of its `last_error`.

    What the server says of the file itself is plain English, so there it is enough.
    """
    said = {"text": visitor.text("stores.server_said", message=message), "look": ""}
    if visitor.language == "en" and code != "server_error":
        return [{"text": message, "look": "wrong"}]
    return [{"text": visitor.text(_reason(code, message)), "look": "wrong"}, said]


def _reason(code: str, message: str) -> str:
    """Key of the words that explain a `last_error`."""
    if code == "invalid_file":
        for name, pattern in _BY_MESSAGE:
            if pattern.search(message):
                return f"stores.why_{name}"
    return {"unsupported_file": "stores.why_unsupported", "invalid_file": "stores.why_invalid_file"}.get(
        code, "stores.why_server_error"
    )
