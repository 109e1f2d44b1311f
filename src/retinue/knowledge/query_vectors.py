"""The vectors of queries, those of late remembered."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from ..accounts.keys import Caller
from ..accounts.usage import UsageMeter
from ..errors import ApiError
from ..inference.embeddings import Embedders

if TYPE_CHECKING:  # numpy takes 20 MiB: the first vectors load it
    import numpy as np
    from numpy.typing import NDArray

log = structlog.get_logger(__name__)

#: Vectors that are remembered: 2 MB of 512 dimensions.
_MOST = 1_000
#: Seconds that a search waits for an embedding model; it may have to be started first.
_WAIT = 30


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query, embedded."""

    #: Of length 1.
    vector: NDArray[np.float32]
    #: The cosine that it has with texts it has nothing to do with.
    background: float


class QueryVectors:
    """Embeds queries by the models that their stores' vectors are of."""

    def __init__(self, embedders: Embedders, usage: UsageMeter) -> None:
        self._embedders = embedders
        self._usage = usage
        #: By model and query, those used last at the end.
        self._known: OrderedDict[tuple[str, str], QueryVector] = OrderedDict()
        #: By model, the vectors of texts that have to do with no query.
        self._unrelated: dict[str, NDArray[np.float32]] = {}

    async def of(self, model: str, queries: Sequence[str], caller: Caller) -> list[QueryVector] | None:
        """Queries, embedded, in their order; None if the model cannot be had now.

        Args:
            model: the name of an embedding model.
            queries: each once.
            caller: whose search it is: it waits in the fair queue, and the tokens are on its books.
        """
        wanted = [query for query in queries if (model, query) not in self._known]
        made: list[QueryVector] = []
        if wanted:
            try:
                async with asyncio.timeout(_WAIT):
                    made = await self._embed(model, wanted, caller)
            except (ApiError, TimeoutError) as error:
                log.warning("a search goes by words alone", embedding_model=model, error=str(error) or "no answer")
                return None
        fresh = dict(zip(wanted, made, strict=True))
        vectors = [fresh.get(query) or self._known[model, query] for query in queries]
        for query, vector in zip(queries, vectors, strict=True):
            self._known[model, query] = vector
            self._known.move_to_end((model, query))
        while len(self._known) > _MOST:
            self._known.popitem(last=False)
        return vectors

    async def _embed(self, model: str, queries: Sequence[str], caller: Caller) -> list[QueryVector]:
        embedder = self._embedders.find(model)
        if model not in self._unrelated:
            texts = await asyncio.to_thread(_unrelated_texts)
            # Once for all projects, so on nobody's books.
            unrelated = await embedder.embed(texts, caller=caller.project, input_type="document")
            self._unrelated[model] = unrelated.vectors
        made = await embedder.embed(queries, caller=caller.project, input_type="query")
        self._usage.record(caller, "embeddings", embedder.name, prompt_tokens=made.tokens)
        return await asyncio.to_thread(_with_background, made.vectors, self._unrelated[model])


def _unrelated_texts() -> Sequence[str]:
    # In a thread: the first import takes a moment.
    from .ranking import UNRELATED

    return UNRELATED


def _with_background(vectors: NDArray[np.float32], unrelated: NDArray[np.float32]) -> list[QueryVector]:
    from .ranking import background

    vectors, unrelated = _unit(vectors), _unit(unrelated)
    return [QueryVector(vector, background(vector, unrelated)) for vector in vectors]


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The vectors, each of length 1."""
    import numpy as np

    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
