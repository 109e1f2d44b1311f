"""What every embedding model does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:  # numpy takes 20 MiB: the first vectors load it
    import numpy as np
    from numpy.typing import NDArray

    Vectors: TypeAlias = NDArray[np.float32]

EncodingFormat = Literal["float", "base64"]

#: What a text is in a search. Some models embed what is asked otherwise than what is to be found.
InputType = Literal["query", "document"]

#: Texts, or texts as tokens of OpenAI's encoding for embeddings (`cl100k_base`).
Inputs = Sequence[str] | Sequence[list[int]]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Texts as vectors."""

    #: One row for each input, in their order.
    vectors: Vectors
    #: Tokens of all inputs, as the model counted them.
    tokens: int


class Embedder(Protocol):
    """An embedding model, local or remote."""

    @property
    def name(self) -> str:
        """The model's name."""
        ...

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
        """The vectors of texts.

        Long batches and short ones may be under way at once: a local model works on each in turn, a part at a time, so
        that a query does not wait for a batch to end.

        Args:
            inputs: at least one; none is empty.
            caller: whose call it is, for the fair queue.
            input_type: what the texts are in a search; None where they are compared without one. Models that make no
                difference ignore it.
            dimensions: shorten the vectors to so many; None leaves them as they are.
            encoding_format: how a remote server is asked to send them. Not every server knows `base64`.
            user: passed on to a remote server.

        Raises:
            InvalidRequest: an input is too long, holds tokens that do not exist, or has fewer dimensions.
            ModelBusy: too many calls wait.
            ModelError: the model failed, or its server refused.
        """
        ...
