"""The log of requests: an extension."""

from __future__ import annotations

from typing import Literal

from .common import WireObject


class RequestError(WireObject):
    """What a request was refused with, or broke off with."""

    type: str
    code: str | None


class RequestLog(WireObject):
    """One request, without what it said and what it was answered."""

    #: As in `x-request-id`.
    id: str
    object: Literal["request_log"] = "request_log"
    #: When it began.
    created_at: int
    #: Null: of the organization, or of nobody whom the server knows.
    project_id: str | None
    api_key_id: str | None
    user_id: str | None
    #: Whether it came with a session: from a page.
    by_page: bool
    method: str
    #: The route's template; null where there is none, or the request did not come so far.
    route: str | None
    #: Without the query.
    path: str
    #: The model that was called, or asked for; or the run's.
    model: str | None
    assistant_id: str | None
    thread_id: str | None
    run_id: str | None
    #: 499 where the client went away before it was answered.
    status: int
    error: RequestError | None
    #: Until the first byte of the answer's body; null if it had none.
    first_byte_ms: int | None
    #: Until the end of the answer.
    duration_ms: int
    response_bytes: int
