"""Vectors from an OpenAI-compatible server."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from ...errors import ModelError
from ..chat import Json
from ..models import ServedModel
from ..slots import FairSlots
from ..tokens import estimate_tokens
from .embedder import Embedded, EncodingFormat, Inputs, InputType
from .inputs import as_texts

if TYPE_CHECKING:
    from .embedder import Vectors

#: Vectors that are read before others get their turn on the event loop: a millisecond or two.
_AT_ONCE = 32


class RemoteEmbedder:
    """A model that is asked over its route. An `Embedder`."""

    def __init__(self, model: ServedModel, slots: FairSlots | None = None) -> None:
        """Describe the way.

        Args:
            model: what is asked.
            slots: what a call takes one of before it takes the server's; None where there is no such limit.
        """
        self.name = model.name
        self._route = model.route
        self._slots = slots
        self._prefixes = {"query": model.settings.query_prefix, "document": model.settings.document_prefix}

    async def embed(
        self,
        inputs: Inputs,
        *,
        caller: str = "",
        input_type: InputType | None = None,
        dimensions: int | None = None,
        encoding_format: EncodingFormat = "float",
        user: str | None = None,
    ) -> Embedded:
        """See `Embedder.embed`."""
        if prefix := self._prefixes.get(input_type or ""):
            inputs = [prefix + text for text in await as_texts(inputs)]
        options = {"dimensions": dimensions, "encoding_format": encoding_format, "user": user}
        body = {"input": inputs, **{name: value for name, value in options.items() if value is not None}}
        if self._slots:
            await self._slots.acquire(caller)
        try:
            answer = await self._route.post("/embeddings", body, caller)
        finally:
            if self._slots:
                self._slots.release()
        try:
            return Embedded(await _vectors(answer, len(inputs)), _tokens(answer, inputs))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError("The model's server sent an answer that is not a list of embeddings.") from error


async def _vectors(answer: Json, count: int) -> Vectors:
    """The vectors of an answer, in the order of the inputs.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: there are not so many, or they are no vectors.
    """
    import numpy as np

    entries: list[Json] = sorted(answer["data"], key=lambda entry: entry["index"])
    if [entry["index"] for entry in entries] != list(range(count)):
        raise ValueError("not one for each input")
    rows: list[Any] = []
    for start in range(0, count, _AT_ONCE):
        for entry in entries[start : start + _AT_ONCE]:
            value = entry["embedding"]
            # Some servers send numbers whatever they were asked for.
            if isinstance(value, str):
                rows.append(np.frombuffer(b64decode(value, validate=True), dtype="<f4"))
            else:
                rows.append(np.array(value, dtype="<f4"))
        await asyncio.sleep(0)
    vectors = np.stack(rows)
    if vectors.ndim != 2 or not vectors.size or not np.isfinite(vectors).all():
        raise ValueError("not vectors of numbers")
    return vectors


def _tokens(answer: Json, inputs: Inputs) -> int:
    """What the server counted; an estimate where it does not tell."""
    count = (answer.get("usage") or {}).get("prompt_tokens")
    if count is not None:
        return int(count)
    return sum(estimate_tokens(given) if isinstance(given, str) else len(given) for given in inputs)
