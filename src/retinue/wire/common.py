"""What all objects and requests have in common."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StrictStr,
    StringConstraints,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class WireObject(BaseModel):
    """Something that the API answers. Fields that the official schema requires have no default that hides them."""

    model_config = ConfigDict(extra="ignore")

    #: Fields that are kept with the object and never sent, because the official object has no such field.
    internal: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of the object as clients see it."""
        schema = handler(core_schema)
        seen = handler.resolve_ref_schema(schema)
        for name in cls.internal:
            seen.get("properties", {}).pop(name, None)
        if "required" in seen:
            seen["required"] = [name for name in seen["required"] if name not in cls.internal]
        return schema


class WireRequest(BaseModel):
    """Something that a client sends: exact types, no unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


def to_json(value: WireObject) -> bytes:
    """The object as clients see it."""
    return value.__pydantic_serializer__.to_json(value, exclude=set(value.internal) or None)


def is_none(value: object) -> bool:
    """Whether a field stays away from the answer: for fields that the schema lets be absent but not null."""
    return value is None


def is_false(value: object) -> bool:
    """Whether a field stays away from the answer: for fields of ours in official objects."""
    return value is False


def each_once(values: list[str]) -> list[str]:
    """The values in their order, each once: for `AfterValidator`."""
    return list(dict.fromkeys(values))


def _check_metadata(value: dict[str, str]) -> dict[str, str]:
    if len(value) > 16:
        raise ValueError(f"too many pairs: at most 16 are allowed, got {len(value)}")
    for key, text in value.items():
        if len(key) > 64:
            raise ValueError(f"key too long: at most 64 characters are allowed, '{key[:20]}…' has {len(key)}")
        if len(text) > 512:
            raise ValueError(f"value too long: at most 512 characters are allowed, '{key}' has {len(text)}")
    return value


#: At most 16 pairs, keys of 64 characters, values of 512.
Metadata = Annotated[dict[StrictStr, StrictStr], AfterValidator(_check_metadata)]

Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(ge=0, le=1)]
Instructions = Annotated[str, StringConstraints(max_length=256_000)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
#: An id in a request: no id of ours is longer.
Id = Annotated[str, StringConstraints(max_length=128)]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]

T = TypeVar("T")


class ObjectList(WireObject, Generic[T]):
    """One page of objects."""

    object: Literal["list"] = "list"
    data: list[T]
    #: Ids of the page's ends: `""` in an empty list, because the official schema requires a string.
    first_id: str
    last_id: str
    #: Whether there are more in the direction of travel.
    has_more: bool


class Deleted(WireObject):
    """The answer to a deletion."""

    id: str
    object: str
    deleted: Literal[True] = True


class JsonSchemaFormat(WireRequest):
    """A JSON schema that the answer must fit."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    description: str | None = Field(default=None, exclude_if=is_none)
    schema_: dict[str, Any] | None = Field(default=None, alias="schema", exclude_if=is_none)
    strict: bool | None = Field(default=None, exclude_if=is_none)

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True, serialize_by_alias=True)


class TextFormat(WireRequest):
    """Plain text."""

    type: Literal["text"]


class JsonObjectFormat(WireRequest):
    """Any JSON object."""

    type: Literal["json_object"]


class JsonSchemaResponseFormat(WireRequest):
    """A JSON value that fits a schema."""

    type: Literal["json_schema"]
    json_schema: JsonSchemaFormat


ResponseFormat = (
    Literal["auto"] | Annotated[TextFormat | JsonObjectFormat | JsonSchemaResponseFormat, Field(discriminator="type")]
)
