"""How requests and runs fared, in buckets of time: an extension, in the style of the official usage endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .common import WireObject
from .usage import BucketParams, Ids, Names, ProjectUsage

Routes = Annotated[Sequence[Annotated[str, StringConstraints(max_length=256)]], Field(max_length=100)]


class MeasureParams(BucketParams, frozen=True):
    """What every request has. With `all`, the whole time is one bucket."""

    bucket_width: Literal["1h", "1d", "all"] = "1d"
    user_ids: Ids = ()
    assistant_ids: Ids = ()
    models: Names = ()


class RequestsUsageParams(MeasureParams, frozen=True):
    """Of requests."""

    api_key_ids: Ids = ()
    routes: Routes = ()
    #: Only requests that came from pages, or only others.
    by_page: bool | None = None
    group_by: Sequence[Literal["project_id", "user_id", "api_key_id", "assistant_id", "model", "route"]] = ()


class RunsUsageParams(MeasureParams, frozen=True):
    """Of runs."""

    group_by: Sequence[Literal["project_id", "user_id", "assistant_id", "model"]] = ()


class Percentiles(WireObject):
    """Half took no longer than `p50`; of 20, 19 took no longer than `p95`."""

    p50: float
    p95: float


class RequestsUsage(ProjectUsage):
    """Requests of one bucket and group. A field by which nothing is grouped is null."""

    object: Literal["organization.usage.requests.result"] = "organization.usage.requests.result"
    user_id: str | None = None
    api_key_id: str | None = None
    assistant_id: str | None = None
    model: str | None = None
    route: str | None = None
    num_requests: int
    #: Answered with 4xx, but for 429.
    num_client_errors: int
    #: Answered with 429.
    num_rate_limited: int
    #: Answered with 5xx, or with a stream that ended in an error.
    num_server_errors: int
    #: Requests that called a model.
    num_model_requests: int
    #: Of all requests, in milliseconds.
    duration_ms: Percentiles | None
    #: Of those that called a model, and went well.
    model_first_byte_ms: Percentiles | None
    model_duration_ms: Percentiles | None


class RunsUsage(ProjectUsage):
    """Runs that were created in one bucket, of one group. A field by which nothing is grouped is null."""

    object: Literal["organization.usage.runs.result"] = "organization.usage.runs.result"
    user_id: str | None = None
    assistant_id: str | None = None
    model: str | None = None
    num_runs: int
    num_completed: int
    num_incomplete: int
    num_failed: int
    num_cancelled: int
    num_expired: int
    #: Of completed runs, from their creation on.
    duration_seconds: Percentiles | None
    #: Of runs that were started, from their creation to their start.
    queue_seconds: Percentiles | None
