"""Limits of projects: the official rate limits of the administration API, and what Retinue adds to them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .common import WireObject, WireRequest, is_none

#: How the id of a limit begins; the model's name follows.
PREFIX = "rl-"
#: Requests, tokens or seconds.
Most = Annotated[int, Field(ge=1, le=10**12)]
Bytes = Annotated[int, Field(ge=1, le=2**53)]


class Rates(WireRequest):
    """How much may be asked for. None: as the settings say."""

    max_requests_per_1_minute: Most | None = None
    max_tokens_per_1_minute: Most | None = None
    max_requests_per_1_day: Most | None = None
    max_tokens_per_1_day: Most | None = None


class RateLimitUpdate(Rates):
    """`POST …/rate_limits/{rate_limit_id}`; what is null is taken back. All but rates is for all models together."""

    each_key: Rates | None = None
    each_user: Rates | None = None
    max_concurrent_runs: Most | None = None
    max_sandbox_seconds_per_1_day: Most | None = None
    max_storage_bytes: Bytes | None = None


class RateLimit(WireObject):
    """A project's limits for a model. Tokens a day are an extension."""

    object: Literal["project.rate_limit"] = "project.rate_limit"
    id: str
    #: `*`: all models together.
    model: str
    max_requests_per_1_minute: int
    max_tokens_per_1_minute: int
    max_requests_per_1_day: int | None = Field(default=None, exclude_if=is_none)
    max_tokens_per_1_day: int | None = Field(default=None, exclude_if=is_none)


class ShownRates(WireObject):
    """Limits of each key or user; what is absent is unlimited."""

    max_requests_per_1_minute: int | None = Field(default=None, exclude_if=is_none)
    max_tokens_per_1_minute: int | None = Field(default=None, exclude_if=is_none)
    max_requests_per_1_day: int | None = Field(default=None, exclude_if=is_none)
    max_tokens_per_1_day: int | None = Field(default=None, exclude_if=is_none)


class ProjectLimit(RateLimit):
    """A project's limits for all models together, and those that are about no model. Extensions but for the first."""

    each_key: ShownRates
    each_user: ShownRates
    max_concurrent_runs: int | None = Field(default=None, exclude_if=is_none)
    max_sandbox_seconds_per_1_day: int | None = Field(default=None, exclude_if=is_none)
    max_storage_bytes: int | None = Field(default=None, exclude_if=is_none)
