"""How well texts answer a query, judged by a model that reads both together."""

from .reranker import Reranker
from .rerankers import Rerankers

__all__ = ["Reranker", "Rerankers"]
