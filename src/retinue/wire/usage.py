"""Usage, costs and spend limits: the official administration API, as its clients have it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import BaseModel, Field, StringConstraints

from .common import Id, ModelName, WireObject, WireRequest, is_none
from .runs import Amount

#: Unix seconds, before the year 9999.
Moment = Annotated[int, Field(ge=0, le=253_370_764_800)]
Ids = Annotated[Sequence[Id], Field(max_length=100)]
Names = Annotated[Sequence[ModelName], Field(max_length=100)]
#: Where a page begins: as `next_page` of the one before.
Cursor = Annotated[str, StringConstraints(pattern=r"^page_[0-9]{1,12}$")]
Width = Literal["1m", "1h", "1d"]


# --- what is asked for


class BucketParams(BaseModel, frozen=True, extra="forbid"):
    """What every request for buckets has."""

    #: Inclusive.
    start_time: Moment
    #: Exclusive; by default, the end of the present bucket.
    end_time: Moment | None = None
    bucket_width: str
    #: The most buckets.
    limit: Annotated[int, Field(ge=1)] | None = None
    page: Cursor | None = None
    project_ids: Ids = ()
    group_by: Sequence[str] = ()


class UsageParams(BucketParams, frozen=True):
    """What every request of the official API has."""

    bucket_width: Width = "1d"


class ProjectUsageParams(UsageParams, frozen=True):
    """Of vector stores and code interpreter sessions."""

    group_by: Sequence[Literal["project_id"]] = ()


class CallUsageParams(UsageParams, frozen=True):
    """Of searches in files."""

    user_ids: Ids = ()
    api_key_ids: Ids = ()
    group_by: Sequence[Literal["project_id", "user_id", "api_key_id"]] = ()


class ModelUsageParams(UsageParams, frozen=True):
    """Of models."""

    user_ids: Ids = ()
    api_key_ids: Ids = ()
    models: Names = ()
    group_by: Sequence[Literal["project_id", "user_id", "api_key_id", "model"]] = ()


class CompletionsUsageParams(UsageParams, frozen=True):
    """Of models that chat. There are no batches: `batch` selects everything or nothing."""

    user_ids: Ids = ()
    api_key_ids: Ids = ()
    models: Names = ()
    batch: bool | None = None
    group_by: Sequence[
        Literal["project_id", "user_id", "api_key_id", "assistant_id", "model", "batch", "service_tier", "api_source"]
    ] = ()


class CostsParams(UsageParams, frozen=True):
    """Of costs."""

    bucket_width: Literal["1d"] = "1d"
    api_key_ids: Ids = ()
    line_items: Names = ()
    group_by: Sequence[Literal["project_id", "user_id", "line_item", "api_key_id", "assistant_id", "api_source"]] = ()


# --- what is answered


class ProjectUsage(WireObject):
    """What was used in one bucket by one group. A field by which nothing is grouped is null."""

    project_id: str | None = None


class CallUsage(ProjectUsage):
    """The same, where keys ask."""

    user_id: str | None = None
    api_key_id: str | None = None


class ModelUsage(CallUsage):
    """The same, where models answer."""

    model: str | None = None
    num_model_requests: int


class CompletionsUsage(ModelUsage):
    """Of models that chat."""

    object: Literal["organization.usage.completions.result"] = "organization.usage.completions.result"
    #: Cached ones included.
    input_tokens: int
    input_cached_tokens: int
    input_uncached_tokens: int
    output_tokens: int
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0
    #: An extension, only where usage is grouped by it.
    assistant_id: str | None = Field(default=None, exclude_if=is_none)
    batch: bool | None = None
    service_tier: str | None = None
    api_source: str | None = None


class EmbeddingsUsage(ModelUsage):
    """Of embedding models and rerankers."""

    object: Literal["organization.usage.embeddings.result"] = "organization.usage.embeddings.result"
    input_tokens: int


class ModerationsUsage(ModelUsage):
    """Of models that moderate."""

    object: Literal["organization.usage.moderations.result"] = "organization.usage.moderations.result"
    input_tokens: int


class ImagesUsage(ModelUsage):
    """Of image models."""

    object: Literal["organization.usage.images.result"] = "organization.usage.images.result"
    images: int
    size: str | None = None
    source: str | None = None


class AudioSpeechesUsage(ModelUsage):
    """Of models that speak: there are none."""

    object: Literal["organization.usage.audio_speeches.result"] = "organization.usage.audio_speeches.result"
    characters: int


class AudioTranscriptionsUsage(ModelUsage):
    """Of models that listen: there are none."""

    object: Literal["organization.usage.audio_transcriptions.result"] = "organization.usage.audio_transcriptions.result"
    seconds: int


class VectorStoresUsage(ProjectUsage):
    """Of vector stores."""

    object: Literal["organization.usage.vector_stores.result"] = "organization.usage.vector_stores.result"
    #: On average of the bucket.
    usage_bytes: int


class CodeInterpreterSessionsUsage(ProjectUsage):
    """Of the code interpreter."""

    object: Literal["organization.usage.code_interpreter_sessions.result"] = (
        "organization.usage.code_interpreter_sessions.result"
    )
    num_sessions: int


class FileSearchesUsage(CallUsage):
    """Of searches in files."""

    object: Literal["organization.usage.file_searches.result"] = "organization.usage.file_searches.result"
    num_requests: int
    vector_store_id: str | None = None


class WebSearchesUsage(ModelUsage):
    """Of searches of the web."""

    object: Literal["organization.usage.web_searches.result"] = "organization.usage.web_searches.result"
    num_requests: int
    context_level: str | None = None


class Costs(CallUsage):
    """What a group cost in one bucket."""

    object: Literal["organization.costs.result"] = "organization.costs.result"
    amount: Amount
    line_item: str | None = None
    #: Of a line item, if one unit fits.
    quantity: float | None = None
    quantity_unit: str | None = None
    #: An extension, only where costs are grouped by it.
    assistant_id: str | None = Field(default=None, exclude_if=is_none)
    api_source: str | None = None


# --- spend limits


class SpendLimitSet(WireRequest):
    """`POST …/projects/{project_id}/spend_limit`"""

    #: In cents.
    threshold_amount: Annotated[int, Field(ge=0, le=100_000_000_000)]
    currency: Literal["USD"]
    interval: Literal["month"]


class SpendEnforcement(WireObject):
    """Whether calls of models are refused now."""

    status: Literal["inactive", "enforcing"]


class SpendLimit(WireObject):
    """What a project may cost in a month."""

    object: Literal["project.spend_limit"] = "project.spend_limit"
    #: In cents.
    threshold_amount: int
    currency: Literal["USD"] = "USD"
    interval: Literal["month"] = "month"
    enforcement: SpendEnforcement


class SpendLimitEvent(SpendLimit):
    """A limit that is reached, or nearly, as webhook endpoints are told of it: an extension."""

    project_id: str
    #: What the project has cost this month, in cents.
    spent_amount: int


class SpendLimitDeleted(WireObject):
    """A limit was lifted."""

    object: Literal["project.spend_limit.deleted"] = "project.spend_limit.deleted"
    deleted: Literal[True] = True


# --- buckets


T = TypeVar("T")


class Bucket(WireObject, Generic[T]):
    """A stretch of time."""

    object: Literal["bucket"] = "bucket"
    #: Inclusive.
    start_time: int
    #: Exclusive.
    end_time: int
    results: list[T]


class BucketPage(WireObject, Generic[T]):
    """Buckets, oldest first; those without use too."""

    object: Literal["page"] = "page"
    data: list[Bucket[T]]
    has_more: bool
    next_page: str | None
