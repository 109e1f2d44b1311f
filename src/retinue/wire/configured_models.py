"""Models as administrators configure them: an extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .common import WireObject, WireRequest

#: What requests carry; it may end in `*`.
ModelKey = Annotated[str, StringConstraints(pattern=r"^[^\s\x00-\x1f\x7f*]+\*?$", min_length=1, max_length=256)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Price = Annotated[float, Field(ge=0, le=1_000_000)]
#: The names that lead to a model without naming it.
Role = Literal["default", "default-embedding", "default-reranker", "default-moderation", "default-image"]


#: What a model can be asked for to see whether it answers.
TrialKind = Literal["chat", "embeddings", "reranking", "moderations"]


class ServerPut(WireRequest):
    """One of several servers of a model."""

    base_url: Address
    #: Without: the key that is known for this address.
    api_key: Secret | None = None
    served_name: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    weight: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    tier: Annotated[int, Field(ge=0, le=1000)] | None = None


class ModelPut(WireRequest):
    """Body of `POST /v1/organization/models`. What is not sent stays as it is; null takes it back."""

    name: ModelKey
    backend: Literal["openai", "local", "embedder"] | None = None
    base_url: Address | None = None
    #: Instead of `base_url`.
    upstreams: Annotated[list[ServerPut], Field(max_length=32)] | None = None
    #: For the local backends: a name of the catalogue.
    weights: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    #: Written, and never shown.
    api_key: Secret | None = None
    served_name: Annotated[str, StringConstraints(min_length=1, max_length=256)] | None = None
    context_length: Annotated[int, Field(ge=512, le=2**31)] | None = None
    tools: Literal["native", "prompted"] | None = None
    vision: bool | None = None
    input_price: Price | None = None
    cached_input_price: Price | None = None
    output_price: Price | None = None
    #: What shall lead to it from now on.
    default_for: Annotated[list[Role], Field(max_length=5)] = Field(default_factory=list[Role])


class ModelServer(WireObject):
    """A server of a model, and how it fares as seen by the process that answers."""

    base_url: str
    served_name: str | None
    weight: float
    tier: int
    #: Whether a key is sent to it. The key itself is never shown.
    has_api_key: bool
    #: `resting`: it failed, and is left alone for a while. `failing`: the next call tries it again.
    health: Literal["well", "resting", "failing"]
    #: Failures in a row.
    failures: int
    #: Unix seconds.
    failed_at: int | None
    #: Unix seconds.
    rests_until: int | None


class ConfiguredModel(WireObject):
    """A model, what serves it, and how that fares."""

    object: Literal["organization.model"] = "organization.model"
    id: str
    backend: Literal["local", "openai", "embedder", "diffusion"]
    #: Where it is configured: only what stands in the settings file can be changed here.
    source: Literal["file", "built_in", "environment"]
    #: Names that lead to it without naming it, and further names.
    default_for: list[Role]
    aliases: list[str]
    servers: list[ModelServer]
    weights: str | None
    #: Of a local model that chats: its process.
    state: Literal["stopped", "loading", "ready", "failed"] | None
    served_name: str | None
    context_length: int
    tools: Literal["native", "prompted"]
    vision: bool
    #: US dollars for a million tokens.
    input_price: float
    cached_input_price: float | None
    output_price: float


class ModelTestCreate(WireRequest):
    """Body of `POST /v1/organization/models/{model}/test`."""

    #: None: what the settings say that the model does.
    kind: TrialKind | None = None


class ModelTrial(WireObject):
    """What came of asking one server."""

    base_url: str | None
    ok: bool
    #: Milliseconds until the whole answer was there, or the failure.
    latency_ms: int
    #: The beginning of what it said; for embeddings, how long its vectors are.
    answer: str | None
    #: What went wrong.
    error: str | None


class ModelTest(WireObject):
    """What came of asking each server of a model something short."""

    object: Literal["organization.model_test"] = "organization.model_test"
    model: str
    #: What was asked for.
    kind: TrialKind
    #: Whether every server answered.
    ok: bool
    results: list[ModelTrial]


class SettingList(WireObject):
    """All settings."""

    object: Literal["list"] = "list"
    data: list[Setting]
    #: The settings file in force.
    file: str


class Setting(WireObject):
    """A setting, and what is in force."""

    object: Literal["organization.setting"] = "organization.setting"
    #: Its name in the settings file.
    id: str
    group: str
    description: str
    environment: str
    #: As text; None: unset, or a secret.
    value: str | None
    default: str | None
    #: Where the value comes from.
    source: Literal["argument", "environment", "file", "default"]
    #: Secrets are never shown.
    secret: bool
    #: Whether it has a value.
    set: bool
