"""Erasing what a person has left: an extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from .common import Id, WireObject, WireRequest


class ErasureCreate(WireRequest):
    """Body of `POST /v1/organization/erasures`."""

    #: Unset: in all projects.
    project_id: Id | None = None
    #: What threads, runs and messages have as `metadata.user`, requests as `user` or `safety_identifier`, and who has
    #: signed in to connections.
    user: Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Erasure(WireObject):
    """An order to erase, and what has come of it."""

    id: str
    object: Literal["organization.erasure"] = "organization.erasure"
    status: Literal["in_progress", "completed"]
    project_id: str | None
    #: None once the data are gone.
    user: str | None
    #: How many objects of each kind are gone.
    counts: dict[str, int]
    created_at: int
    completed_at: int | None
