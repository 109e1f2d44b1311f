"""Models as `GET /models` lists them."""

from __future__ import annotations

from typing import Literal

from .common import WireObject

#: What a model can be asked for.
Capability = Literal["chat", "tools", "vision", "embeddings", "reranking", "moderations", "images"]


class ModelDetails(WireObject):
    """What Retinue adds to a model; an extension."""

    #: The name of the model that answers: the model's own, or the one that the alias leads to.
    serves: str
    #: What answers behind that: the weights of a local model, or the name that its server is asked for.
    snapshot: str
    #: All names that lead to the model; one may end in `*`.
    aliases: list[str]
    backend: Literal["local", "openai", "embedder", "diffusion"]
    capabilities: list[Capability]
    #: Tokens that prompt and answer may fill together; None for models that do not chat.
    context_length: int | None


class Model(WireObject):
    """A name that requests may carry."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    retinue: ModelDetails


class ModelList(WireObject):
    """All of them."""

    object: Literal["list"] = "list"
    data: list[Model]
