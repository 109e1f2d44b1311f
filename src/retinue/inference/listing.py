"""Models as clients see them: names, what they lead to, and what that can do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..wire.models import Capability, Model, ModelDetails
from .models import Models, ServedModel

#: Models of ours have no date of birth that matters; clients want a number.
_CREATED = 1_704_067_200

#: What a model does that one of these names leads to.
_ROLES: dict[str, Capability] = {
    "default-embedding": "embeddings",
    "default-reranker": "reranking",
    "default-moderation": "moderations",
    "default-image": "images",
}


def listed(models: Models) -> list[Model]:
    """All models that are configured by name. Aliases are not among them; each model tells its own."""
    return [describe(models, name) for name in models.names()]


def describe(models: Models, name: str) -> Model:
    """The model that a name leads to, under that name: apps look for the `id` that they asked for.

    Raises:
        ModelNotFound: it leads nowhere.
    """
    served = models.resolve(name)
    aliases = models.aliases(served.name)
    capabilities = _capabilities(served, _roles(models, aliases), "default" in aliases)
    details = ModelDetails(
        serves=served.name,
        snapshot=_snapshot(served),
        aliases=aliases,
        backend=served.settings.backend,
        capabilities=capabilities,
        context_length=served.context_length if "chat" in capabilities else None,
    )
    return Model(id=name, created=_CREATED, owned_by="retinue", retinue=details)


def _snapshot(model: ServedModel) -> str:
    """The weights without their folder, or the name that the server that comes first is asked for."""
    if model.settings.backend != "openai":
        return Path(model.settings.weights or model.name).name
    first = min(model.settings.servers(), key=lambda server: server.tier)
    return first.served_name or model.name


def _roles(models: Models, aliases: Sequence[str]) -> list[Capability]:
    """What a model with these aliases does besides chatting."""
    roles: list[Capability] = [role for name, role in _ROLES.items() if name in aliases]
    if "default" in aliases and not models.knows("default-moderation"):
        roles.append("moderations")  # then it is the default model that is asked to judge
    return roles


def _capabilities(model: ServedModel, roles: list[Capability], default: bool) -> list[Capability]:
    """What the settings say. Whether a remote model that chats also embeds, only its server knows."""
    if model.settings.backend == "embedder":
        return ["embeddings"]
    if model.settings.backend == "diffusion":
        return ["images"]
    if roles and model.settings.backend == "openai" and not default:
        return roles
    capabilities: list[Capability] = ["chat", "tools"]
    if model.vision:
        capabilities.append("vision")
    return capabilities + roles
