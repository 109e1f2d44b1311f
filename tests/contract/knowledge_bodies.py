"""What the walker sends to files, uploads and vector stores: see `bodies.py`."""

from __future__ import annotations

import hashlib

from .bodies import METADATA, STATIC_CHUNKS
from .spec import Json

#: What is in the one part of an upload.
PART = "What was uploaded."
MD5 = hashlib.md5(PART.encode(), usedforsecurity=False).hexdigest()

AUTO: Json = {"type": "auto"}
ATTRIBUTES: Json = {"colour": "blue", "year": 2026, "share": 0.5, "draft": False}
FILE_EXPIRY: Json = {"anchor": "created_at", "seconds": 3600}
STORE: Json = {"name": "Birds", "expires_after": {"anchor": "last_active_at", "days": 7}, "metadata": METADATA}
UPLOAD: Json = {"filename": "a.txt", "purpose": "assistants", "bytes": len(PART), "mime_type": "text/plain"}
IN_STORE: list[Json] = [
    {"file_id": "$file", "chunking_strategy": AUTO, "attributes": None},
    {"file_id": "$file", "chunking_strategy": STATIC_CHUNKS, "attributes": ATTRIBUTES},
]

OF_2026: Json = {"type": "eq", "key": "year", "value": 2026}
SEARCHES: list[Json] = [
    {
        "query": ["Notes", "kestrels"],
        "rewrite_query": False,
        "max_num_results": 5,
        "filters": {"type": "and", "filters": [OF_2026, {"type": "or", "filters": [OF_2026, OF_2026]}]},
        "ranking_options": {"ranker": "auto", "score_threshold": 0.5},
    },
    {"query": "Notes", "filters": {"type": "in", "key": "colour", "value": ["blue", "red"]}},
]

#: By operation: bodies that must be taken, the least one first. Those of forms have the content of files as text.
KNOWLEDGE_BODIES: dict[str, list[Json]] = {
    "POST /files": [
        {"file": "Notes.", "purpose": "assistants"},
        {"file": "Notes.", "purpose": "user_data", "expires_after": FILE_EXPIRY},
    ],
    "POST /uploads": [UPLOAD, {**UPLOAD, "purpose": "vision", "expires_after": FILE_EXPIRY}],
    "POST /uploads/{upload_id}/parts": [{"data": PART}],
    "POST /uploads/{upload_id}/complete": [{"part_ids": ["$part"]}, {"part_ids": ["$part"], "md5": MD5}],
    "POST /vector_stores": [
        {},
        {**STORE, "description": "About birds.", "file_ids": ["$file"], "chunking_strategy": STATIC_CHUNKS},
        {"file_ids": ["$file"], "chunking_strategy": AUTO, "metadata": None},
    ],
    "POST /vector_stores/{vector_store_id}": [{}, STORE, {"name": None, "expires_after": None, "metadata": None}],
    "POST /vector_stores/{vector_store_id}/files": [{"file_id": "$file"}, *IN_STORE],
    "POST /vector_stores/{vector_store_id}/files/{file_id}": [{"attributes": None}, {"attributes": ATTRIBUTES}],
    "POST /vector_stores/{vector_store_id}/file_batches": [
        {"file_ids": ["$file"]},
        {"file_ids": ["$file"], "chunking_strategy": STATIC_CHUNKS, "attributes": ATTRIBUTES},
        {"files": IN_STORE[:1]},
        {"files": IN_STORE[1:]},
    ],
    "POST /vector_stores/{vector_store_id}/search": [{"query": "Notes"}, *SEARCHES],
}
