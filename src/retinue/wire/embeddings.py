"""Embeddings: the request and the answer of `POST /embeddings`."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticKnownError

from .common import ModelName, WireObject, WireRequest

#: Most inputs of one request.
MOST_INPUTS = 2048


def _check_input(value: Any, _: ValidatorFunctionWrapHandler) -> Any:
    """Looks at what is there, once: pydantic would try each shape, and list an error for each of 300,000 tokens."""
    if isinstance(value, list):
        items = cast("list[Any]", value)
        tokens = all(type(item) is int for item in items)
        if not items:
            raise PydanticKnownError("too_short", {"field_type": "List", "min_length": 1, "actual_length": 0})
        if len(items) > MOST_INPUTS and not tokens:
            length = {"max_length": MOST_INPUTS, "actual_length": len(items)}
            raise PydanticKnownError("too_long", {"field_type": "List", **length})
        if not (tokens or all(type(item) is str for item in items) or all(_is_tokens(item) for item in items)):
            raise ValueError("expected a string, an array of strings, an array of tokens, or an array of such arrays")
    elif not isinstance(value, str):
        raise PydanticKnownError("string_type")
    if value == "" or (isinstance(value, list) and "" in value):
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return value


def _is_tokens(value: Any) -> bool:
    return type(value) is list and bool(value) and all(type(token) is int for token in cast("list[Any]", value))


EmbeddingInput = Annotated[
    str
    | Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]
    | Annotated[list[int], Field(min_length=1)]
    | Annotated[list[Annotated[list[int], Field(min_length=1)]], Field(min_length=1, max_length=MOST_INPUTS)],
    WrapValidator(_check_input),
]


class EmbeddingCreate(WireRequest):
    """What is to be embedded."""

    input: EmbeddingInput
    model: ModelName
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None
    #: What the texts are in a search; an extension.
    input_type: Literal["query", "document"] | None = None
    user: str | None = None

    @property
    def inputs(self) -> list[str] | list[list[int]]:
        """The inputs, each by itself."""
        given: Any = self.input
        return given if isinstance(given, list) and not isinstance(given[0], int) else [given]


class Embedding(WireObject):
    """One input as a vector."""

    object: Literal["embedding"] = "embedding"
    index: int
    #: The numbers, or with `base64` their bytes (32-bit floating-point, little-endian).
    embedding: list[float] | str


class EmbeddingUsage(WireObject):
    """Tokens, as the model counted them."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(WireObject):
    """The vectors, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
