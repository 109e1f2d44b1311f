"""The embedding model of a name."""

from __future__ import annotations

from ...errors import InvalidRequest
from ..models import Models
from ..slots import FairSlots
from .embedder import Embedder
from .local import LocalEmbedder
from .remote import RemoteEmbedder


class Embedders:
    """The embedding models of one process."""

    def __init__(self, models: Models) -> None:
        """`models`: the table of names. Nothing is started yet."""
        self._models = models
        self._local: dict[str, LocalEmbedder] = {}

    async def close(self) -> None:
        """End the local models."""
        for embedder in self._local.values():
            await embedder.close()

    def find(self, name: str = "default-embedding") -> Embedder:
        """The embedding model of a name; without one, the default.

        Raises:
            ModelNotFound: there is no such model.
            InvalidRequest: it makes no embeddings.
        """
        model = self._models.resolve(name)
        if model.settings.backend == "openai":
            return RemoteEmbedder(model)
        if model.settings.backend != "embedder":
            raise InvalidRequest(
                f"The model `{model.name}` does not make embeddings.", param="model", code="unsupported_value"
            )
        if model.name not in self._local:
            settings = model.settings
            self._local[model.name] = LocalEmbedder(
                model.name,
                context_length=settings.context_length,
                timeout=settings.read_timeout,
                slots=FairSlots(1, waiting=settings.max_waiting, timeout=settings.wait_timeout),
            )
        return self._local[model.name]
