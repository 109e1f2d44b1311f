"""What is the same in all pieces of one answer."""

from __future__ import annotations

import time

from ..inference.chat import Json
from ..inference.models import ServedModel
from ..store.ids import new_id

#: What llama.cpp says of its own in answers and chunks.
_NOT_OFFICIAL = ("timings", "prompt_progress", "__verbose")


class Stamp:
    """An answer's id, time and model.

    Attributes:
        id: the answer's id.
    """

    def __init__(self, prefix: str, model: ServedModel) -> None:
        """Begin an answer of `model`, whose id begins with `prefix`."""
        self.id = new_id(prefix)
        self._created = int(time.time())
        self._name = model.name
        self._fingerprint = model.fingerprint

    def put(self, answer: Json, kind: str) -> None:
        """Stamp an answer, or a chunk of one, in place; `kind` is its `object`."""
        answer["id"] = self.id
        answer["object"] = kind
        answer["created"] = self._created
        name = answer.get("model")
        if not name or not isinstance(name, str):
            answer["model"] = self._name
        else:
            # A remote server tells the snapshot that it served; chunks of ours tell the same.
            self._name = name
        if self._fingerprint:
            answer["system_fingerprint"] = self._fingerprint
        elif answer.get("system_fingerprint", "") is None:
            del answer["system_fingerprint"]
        for field in _NOT_OFFICIAL:
            answer.pop(field, None)


def official_usage(usage: Json) -> Json:
    """What a server counted, with all numbers that the official object has."""
    prompt, completion = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    return {**usage, "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
