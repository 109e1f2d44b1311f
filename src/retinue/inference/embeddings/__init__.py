"""Texts as vectors: from a remote server, or from a model in a process of its own."""

from .embedder import Embedded, Embedder, EncodingFormat, Inputs, InputType
from .embedders import Embedders

__all__ = ["Embedded", "Embedder", "Embedders", "EncodingFormat", "InputType", "Inputs"]
