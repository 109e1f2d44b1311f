"""People, their invites and their places in projects: the official administration API, as its clients have it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from .common import Id, WireObject, WireRequest, is_none

#: How an email address is written, as far as it matters here.
EMAIL = r"^[^@\s\x00-\x20\x7f<>\"(),:;\\\[\]]{1,64}@[^@\s\x00-\x20\x7f<>\"(),:;\\\[\]]{1,189}$"
Email = Annotated[str, StringConstraints(pattern=EMAIL)]
OrganizationRole = Literal["owner", "reader"]
#: `viewer` is an extension.
ProjectRole = Literal["owner", "member", "viewer"]


class User(WireObject):
    """A person of the organization."""

    id: str
    object: Literal["organization.user"] = "organization.user"
    name: str
    email: str
    role: OrganizationRole
    added_at: int


class ProjectUser(WireObject):
    """A person in a project."""

    id: str
    object: Literal["organization.project.user"] = "organization.project.user"
    name: str
    email: str
    role: ProjectRole
    added_at: int


class InvitedProject(WireRequest):
    """A project that an invite leads to."""

    id: Id
    role: Literal["owner", "member"]


class Invite(WireObject):
    """That somebody may become a person of the organization."""

    id: str
    object: Literal["organization.invite"] = "organization.invite"
    email: str
    role: OrganizationRole
    status: Literal["pending", "accepted", "expired"]
    created_at: int
    expires_at: int
    accepted_at: int | None
    projects: list[InvitedProject]
    #: Where it is accepted; shown once, when it is new. An extension.
    accept_url: str | None = Field(default=None, exclude_if=is_none)


class UserModify(WireRequest):
    """`POST /v1/organization/users/{user_id}`"""

    role: OrganizationRole | None = None


class InviteCreate(WireRequest):
    """`POST /v1/organization/invites`"""

    email: Email
    role: OrganizationRole
    #: None: the default project, as a member.
    projects: Annotated[list[InvitedProject], Field(max_length=100)] | None = None


class ProjectUserCreate(WireRequest):
    """`POST …/users`"""

    role: ProjectRole
    user_id: Id | None = None
    email: Email | None = None


class ProjectUserModify(WireRequest):
    """`POST …/users/{user_id}`"""

    role: ProjectRole | None = None
