"""Vectors from a model in a process of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

from ...errors import InvalidRequest, ModelError
from ..frames import Frame
from ..slots import FairSlots
from ..tokenizers import decode
from ..tokens import estimate_tokens
from ..worker import Died, Worker
from .embedder import Embedded, EncodingFormat, Inputs

if TYPE_CHECKING:
    from .embedder import Vectors

#: Tokens, by estimate, and texts that the model works on before the next caller gets its turn: 0.1 to 0.3 s.
_PART_TOKENS, _PART_TEXTS = 2048, 64
#: How often a part is tried whose process dies.
_TRIES = 2


class LocalEmbedder:
    """An embedding model that runs here. An `Embedder`.

    Its process is started by the first call, and again by the next one when it has died.
    """

    def __init__(self, name: str, *, context_length: int, timeout: float, slots: FairSlots) -> None:
        """Describe the model; nothing is started yet.

        Args:
            name: what to call it.
            context_length: the most tokens of one text.
            timeout: seconds that a part of a call may take.
            slots: one slot, and how many calls may wait for it.
        """
        self.name = name
        self._context_length = context_length
        self._slots = slots
        config = {"context_length": context_length}
        self._worker = Worker("retinue.inference.embeddings.child", config, name=name, timeout=timeout)

    @property
    def pid(self) -> int | None:
        """The id of its process, while there is one."""
        return self._worker.pid

    async def close(self) -> None:
        """End the process."""
        await self._worker.close()

    async def embed(
        self,
        inputs: Inputs,
        *,
        caller: str = "",
        dimensions: int | None = None,
        encoding_format: EncodingFormat = "float",
        user: str | None = None,
    ) -> Embedded:
        """See `Embedder.embed`. Tokens are the model's own, those for beginning and end of each text included."""
        import numpy as np

        texts = await _texts(inputs)
        rows: list[Vectors] = []
        tokens = 0
        for start, part in _parts(texts):
            await self._slots.acquire(caller)
            try:
                answer = await self._ask(Frame({"texts": part}))
            finally:
                self._slots.release()
            if "too_long" in answer.head:
                raise self._too_long(start + answer.head["too_long"], answer.head["tokens"], len(texts))
            tokens += answer.head["tokens"]
            rows.append(np.frombuffer(answer.parts[0], dtype="<f4").reshape(len(part), -1))
        return Embedded(_shortened(np.concatenate(rows), dimensions), tokens)

    async def _ask(self, frame: Frame) -> Frame:
        for last in [False] * (_TRIES - 1) + [True]:
            try:
                return await self._worker.ask(frame)
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


async def _texts(inputs: Inputs) -> Sequence[str]:
    """The inputs as texts.

    Raises:
        InvalidRequest: a token does not exist.
    """
    if isinstance(inputs[0], str):
        return cast("Sequence[str]", inputs)
    try:
        return [await decode("cl100k_base", tokens) for tokens in cast("Sequence[list[int]]", inputs)]
    except InvalidRequest as error:
        raise InvalidRequest(
            f"Invalid 'input': {error.message} Tokens must be those of cl100k_base.",
            param="input",
            code="invalid_value",
        ) from error


def _parts(texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The texts in parts, each with the index of its first text."""
    part: list[str] = []
    size = 0
    for index, text in enumerate(texts):
        tokens = estimate_tokens(text)
        if part and (size + tokens > _PART_TOKENS or len(part) == _PART_TEXTS):
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
