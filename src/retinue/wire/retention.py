"""How long a project keeps what it has: an extension."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from .common import WireObject, WireRequest
from .files import FilePurpose

#: At most a hundred years.
Days = Annotated[int, Field(ge=1, le=36_500)]


class Retention(WireObject):
    """The rules of a project. None: for ever."""

    object: Literal["organization.project.retention"] = "organization.project.retention"
    project_id: str
    #: Without a message and a run, after which a thread is deleted with all that only it has.
    thread_idle_days: int | None
    #: After which a file is deleted.
    file_days: int | None
    #: The same for files of a purpose, where it differs.
    file_purposes: dict[str, int | None] = Field(default_factory=dict[str, int | None])
    #: After which a stored chat completion is deleted.
    completion_days: int | None
    #: After which an agent that has ended is deleted, with its files and all that it has started.
    agent_days: int | None


class RetentionModify(WireRequest):
    """Body of `POST /v1/organization/projects/{project_id}/retention`: what is not sent stays as it is."""

    thread_idle_days: Days | None = None
    file_days: Days | None = None
    file_purposes: dict[FilePurpose, Days | None] = Field(default_factory=dict[FilePurpose, Days | None])
    completion_days: Days | None = None
    agent_days: Days | None = None
