"""Groups of people: the official administration API, as its clients have it."""

from __future__ import annotations

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, StringConstraints

from .common import Id, WireObject, WireRequest, is_none

GroupName = Annotated[str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True)]

T = TypeVar("T")


class GroupList(WireObject, Generic[T]):
    """One page of a list of groups, or of people in one."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool
    #: The `after` of the next page; null: this is the last.
    next: str | None


class Group(WireObject):
    """A group of people."""

    id: str
    object: Literal["group"] = "group"
    name: str
    created_at: int
    group_type: Literal["group"] = "group"
    is_scim_managed: Literal[False] = False
    #: How many people are in it: an extension.
    users: int


class GroupUser(WireObject):
    """A person in a group, as the group lists them."""

    id: str
    object: Literal["organization.user"] = "organization.user"
    name: str
    email: str
    #: Where one person is asked for.
    user_type: Literal["user"] | None = Field(default=None, exclude_if=is_none)
    is_service_account: Literal[False] | None = Field(default=None, exclude_if=is_none)


class GroupUserAdded(WireObject):
    """That a person is in a group now."""

    object: Literal["group.user"] = "group.user"
    user_id: str
    group_id: str


class GroupUserRemoved(WireObject):
    """That a person is in a group no more."""

    object: Literal["group.user.deleted"] = "group.user.deleted"
    deleted: Literal[True] = True


class GroupCreate(WireRequest):
    """`POST /v1/organization/groups`, and to rename one."""

    name: GroupName


class GroupUserCreate(WireRequest):
    """`POST /v1/organization/groups/{group_id}/users`"""

    user_id: Id
