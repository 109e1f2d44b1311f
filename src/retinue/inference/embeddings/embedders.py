"""The embedding model of a name."""

from __future__ import annotations

import os

from ...errors import InvalidRequest
from ...settings import Settings
from ..models import Models, ServedModel
from ..slots import FairSlots
from ..worker import Worker
from .embedder import Embedder
from .local import WEIGHTS, LocalEmbedder
from .remote import RemoteEmbedder

#: For bulk: how far local processes step back behind others, and seconds without work after which they are ended.
_NICE, _IDLE = 10, 60.0
#: For bulk: calls at once to the servers of a remote model.
_BULK_CALLS = 4


class Embedders:
    """The embedding models of one process.

    Each can be had twice: for queries, which should not wait, and in bulk for files, which come in any number. In bulk
    local models work in further processes, one for each core and at low priority, that are there while there is work;
    of remote ones a few calls are made at once.
    """

    def __init__(self, models: Models, settings: Settings) -> None:
        """`models`: the table of names. Nothing is started yet."""
        self._models = models
        self._bulk_workers = settings.embedding_workers or len(os.sched_getaffinity(0))
        #: By name, and whether it is for bulk.
        self._local: dict[tuple[str, bool], LocalEmbedder] = {}
        self._bulk_slots: dict[str, FairSlots] = {}

    async def close(self) -> None:
        """End the local models."""
        for embedder in self._local.values():
            await embedder.close()

    def find(self, name: str = "default-embedding", *, bulk: bool = False) -> Embedder:
        """The embedding model of a name; without one, the default.

        Args:
            name: a name of the table.
            bulk: whether it is for many texts that nobody waits for.

        Raises:
            ModelNotFound: there is no such model.
            InvalidRequest: it makes no embeddings.
        """
        model = self._models.resolve(name)
        if model.settings.backend == "openai":
            return RemoteEmbedder(model, self._slots(model) if bulk else None)
        if model.settings.backend != "embedder":
            raise InvalidRequest(
                f"The model `{model.name}` does not make embeddings.", param="model", code="unsupported_value"
            )
        key = model.name, bulk
        if key not in self._local:
            self._local[key] = _local(model, self._bulk_workers if bulk else None)
        return self._local[key]

    def _slots(self, model: ServedModel) -> FairSlots:
        if model.name not in self._bulk_slots:
            self._bulk_slots[model.name] = _fair_slots(model, _BULK_CALLS)
        return self._bulk_slots[model.name]


def _local(model: ServedModel, bulk_workers: int | None) -> LocalEmbedder:
    """A local model: in so many processes for bulk, or in one that stays."""
    settings = model.settings
    weights = WEIGHTS[settings.weights or ""]
    nice, idle = (_NICE, _IDLE) if bulk_workers else (0, None)
    workers = [
        Worker(
            weights.child,
            {"context_length": settings.context_length},
            name=model.name,
            timeout=settings.read_timeout,
            nice=nice,
            idle=idle,
        )
        for _ in range(bulk_workers or 1)
    ]
    return LocalEmbedder(
        model.name,
        weights,
        context_length=settings.context_length,
        workers=workers,
        slots=_fair_slots(model, len(workers)),
    )


def _fair_slots(model: ServedModel, slots: int) -> FairSlots:
    return FairSlots(slots, waiting=model.settings.max_waiting, timeout=model.settings.wait_timeout)
