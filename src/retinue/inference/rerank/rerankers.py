"""The reranking model of a name."""

from __future__ import annotations

from ...errors import InvalidRequest, ModelNotFound
from ..models import Models
from .remote import RemoteReranker
from .reranker import Reranker

_DEFAULT = "default-reranker"


class Rerankers:
    """The reranking models of one process."""

    def __init__(self, models: Models) -> None:
        """`models`: the table of names."""
        self._models = models

    def find(self) -> Reranker | None:
        """The model of the setting `default_reranker`; None where there is none.

        Raises:
            InvalidRequest: the setting names a model that does not rank.
        """
        try:
            return self.named(_DEFAULT)
        except ModelNotFound:
            return None

    def named(self, name: str) -> Reranker:
        """The reranking model of a name.

        Raises:
            ModelNotFound: there is no such model.
            InvalidRequest: it is none that ranks.
        """
        model = self._models.resolve(name)
        if model.settings.backend != "openai":
            raise InvalidRequest(
                f"The model `{model.name}` does not rank documents.", param="model", code="unsupported_value"
            )
        return RemoteReranker(model)
