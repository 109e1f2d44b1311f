"""Settings of models and their servers, and the models that need none."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

DEFAULT_MODEL = "qwen2.5-coder-1.5b-instruct"
DEFAULT_EMBEDDING_MODEL = "universal-sentence-encoder-multilingual"
E5_EMBEDDING_MODEL = "multilingual-e5-small"
#: What `weights` of an `embedder` may name: models that come with a package.
EMBEDDING_WEIGHTS = (DEFAULT_EMBEDDING_MODEL, E5_EMBEDDING_MODEL)

#: Names that apps written for OpenAI carry. `*` stands for any ending. Each leads to the default model of its kind.
DEFAULT_ALIASES = {
    "gpt-3.5-turbo*": "default",
    "gpt-4*": "default",
    "gpt-5*": "default",
    "chatgpt-4o-latest": "default",
    "o1*": "default",
    "o3*": "default",
    "o4-mini*": "default",
    "davinci-002": "default",
    "babbage-002": "default",
    "text-embedding-*": "default-embedding",
    "omni-moderation-*": "default-moderation",
    "text-moderation-*": "default-moderation",
    "dall-e-*": "default-image",
    "gpt-image-*": "default-image",
    "chatgpt-image-latest": "default-image",
}

#: An amount of US dollars.
Price = Annotated[Decimal, Field(ge=0, le=1_000_000, max_digits=16, decimal_places=9)]

_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(:[0-9]{1,5})?"
_HTTP_URL = re.compile(rf"https?://{_HOST}(/[^\s?#]*)?")
_HTTP_PROXY = re.compile(rf"https?://([^\s/?#@]*@)?{_HOST}/?")


def http_url(name: str, value: str | None) -> str | None:
    """The value of the setting `name`, if it is an address or None; else raises `ValueError`."""
    if value is not None and not _HTTP_URL.fullmatch(value):
        raise ValueError(f"a {name} is http:// or https://, a host, and perhaps a port and a path")
    return value


def header_text(name: str, value: SecretStr | None) -> SecretStr | None:
    """The value of the setting `name`, if a header can carry it or it is None; else raises `ValueError`."""
    if value and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError(f"{name} must be of visible ASCII characters")
    return value


class UpstreamSettings(BaseModel):
    """One server that answers for a model."""

    model_config = ConfigDict(extra="forbid")

    #: The server's base URL, ending in `/v1`.
    base_url: str | None = None
    #: The key to send.
    api_key: SecretStr | None = None
    #: The name to send instead of the one that was asked for.
    served_name: str | None = None
    #: A proxy (`http://[user:password@]host:port`) for the way there. Unset: the environment's `http_proxy`,
    #: `https_proxy` and `no_proxy` decide; loopback addresses are always reached directly. Empty: none.
    proxy: SecretStr | None = None
    #: Its share of the calls, beside the other upstreams of its tier.
    weight: float = Field(default=1, gt=0)
    #: Upstreams of a higher tier are called only when none of a lower tier can answer.
    tier: int = Field(default=0, ge=0)
    #: Seconds to wait for a connection.
    connect_timeout: float = Field(default=10, gt=0)
    #: Seconds without a byte from the server before a call counts as broken.
    read_timeout: float = Field(default=300, gt=0)
    #: The most calls at once to this server; more wait their turn. Unset: `local` 2, `openai` 256.
    max_concurrency: int | None = Field(default=None, ge=1)
    #: The most calls that wait their turn; further ones are answered 503.
    max_waiting: int = Field(default=1000, ge=0)
    #: Seconds that a call waits for its turn before it is answered 503.
    wait_timeout: float = Field(default=300, gt=0)

    @field_validator("base_url", mode="after")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return http_url("base_url", value)

    @field_validator("proxy", mode="after")
    @classmethod
    def _is_http_proxy(cls, value: SecretStr | None) -> SecretStr | None:
        if value and value.get_secret_value() and not _HTTP_PROXY.fullmatch(value.get_secret_value()):
            raise ValueError("a proxy is http:// or https://, perhaps user:password@, a host, and perhaps a port")
        return value

    @field_validator("api_key", mode="after")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        return header_text("api_key", value)


class ModelSettings(UpstreamSettings):
    """One model name, and what serves it. The name may end in `*`: then it stands for every name that begins so."""

    #: `local`: a GGUF file in the llama.cpp child process. `openai`: any OpenAI-compatible server. `embedder`: a local
    #: embedding model. `diffusion`: a local image model.
    backend: Literal["local", "openai", "embedder", "diffusion"] = "openai"
    #: For `openai`: several servers, instead of the one `base_url`. What one of them leaves out is as for the model.
    upstreams: list[UpstreamSettings] = Field(default_factory=list[UpstreamSettings])
    #: For the local backends: a name in the catalogue, or the path of the weights.
    weights: str | None = None
    #: Tokens that prompt and answer may fill together.
    context_length: int = Field(default=8192, ge=512)
    #: `native`: the server takes `tools` and answers with calls. `prompted`: Retinue asks in the prompt and reads the
    #: answer. Unset: `native` for `openai`, `prompted` for `local`.
    tools: Literal["native", "prompted"] | None = None
    #: Whether the server takes a llama.cpp `grammar`, so that prompted calls cannot be malformed. Unset: only `local`.
    grammar: bool | None = None
    #: Whether the model sees images. Unset: `openai` does, `local` does not.
    vision: bool | None = None
    #: For `openai`: OpenAI's encoding that counts its tokens (`POST /v1/tokenize`). Unset: the one that its name tells.
    tokenizer: Literal["cl100k_base", "o200k_base"] | None = None
    #: For `openai`: what a query begins with when it is embedded, as the model's authors say.
    query_prefix: str | None = None
    #: For `openai`: what a text that is to be found begins with when it is embedded.
    document_prefix: str | None = None
    #: How often a call that has not yet answered anything is tried again, on the same server or another.
    retries: int = Field(default=2, ge=0, le=10)
    #: Parameters that the server would ignore: requests that carry one are refused. `n` alone is not refused:
    #: Retinue asks the server several times.
    unsupported: list[str] = Field(default_factory=list[str])
    #: For `diffusion`: steps from noise to image. Unset: what the model's kind takes (50 for Stable Diffusion).
    steps: int | None = Field(default=None, ge=1, le=1000)
    #: For `diffusion`: how closely the prompt is followed; distilled models want 0 or 1. Unset: what the kind takes.
    guidance_scale: float | None = Field(default=None, ge=0, le=50)
    #: Parameters beyond OpenAI's that requests may carry and that are passed on, such as `top_k`.
    pass_on: list[str] = Field(default_factory=list[str])
    #: US dollars for a million tokens of prompts.
    input_price: Price = Decimal(0)
    #: The same for tokens that the server had in its cache. Unset: `input_price`.
    cached_input_price: Price | None = None
    #: The same for tokens of answers.
    output_price: Price = Decimal(0)
    #: US dollars for a picture.
    image_price: Price = Decimal(0)

    @model_validator(mode="after")
    def _complete(self) -> ModelSettings:
        if self.backend == "openai" and not all(upstream.base_url for upstream in self.servers()):
            raise ValueError("a model with backend `openai` needs a base_url, or one for each of its upstreams")
        if self.backend != "openai" and not self.weights:
            raise ValueError(
                f"a model with backend `{self.backend}` needs weights: a catalogue name or the path of a file"
            )
        if self.backend == "embedder" and self.weights not in EMBEDDING_WEIGHTS:
            raise ValueError(f"a model with backend `embedder` has weights: {' or '.join(EMBEDDING_WEIGHTS)}")
        if self.backend != "openai" and self.upstreams:
            raise ValueError("only a model with backend `openai` has upstreams")
        return self

    def servers(self) -> list[UpstreamSettings]:
        """The servers of this model, each complete."""
        own = {name: getattr(self, name) for name in UpstreamSettings.model_fields if name in self.model_fields_set}
        return [
            upstream.model_copy(update={k: v for k, v in own.items() if k not in upstream.model_fields_set})
            for upstream in self.upstreams
        ] or [self]


#: The local models that need no configuration; weights of those that chat are fetched on first use.
BUILT_IN_MODELS = {
    DEFAULT_MODEL: ModelSettings(backend="local", weights=DEFAULT_MODEL, context_length=8192),
    "qwen2.5-coder-0.5b-instruct": ModelSettings(
        backend="local", weights="qwen2.5-coder-0.5b-instruct", context_length=8192
    ),
    DEFAULT_EMBEDDING_MODEL: ModelSettings(backend="embedder", weights=DEFAULT_EMBEDDING_MODEL, context_length=8192),
    E5_EMBEDDING_MODEL: ModelSettings(backend="embedder", weights=E5_EMBEDDING_MODEL, context_length=8192),
}
