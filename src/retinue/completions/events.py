"""Answers as server-sent events."""

from __future__ import annotations

import orjson

from ..inference.chat import Json

#: After everything.
DONE = b"data: [DONE]\n\n"


def encoded(chunks: list[Json]) -> bytes:
    """Chunks as events."""
    return b"".join([b"data: %b\n\n" % orjson.dumps(chunk) for chunk in chunks])
