"""Texts as vectors: from a remote server, or from a model in a process of its own."""

from .embedder import Embedded, Embedder, EncodingFormat, Inputs
from .embedders import Embedders

__all__ = ["Embedded", "Embedder", "Embedders", "EncodingFormat", "Inputs"]
