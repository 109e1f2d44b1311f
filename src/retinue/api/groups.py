"""`/v1/organization/groups`: groups of people, in the shapes of the official administration API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from ..store.groups import GroupRow, GroupUserRow
from ..wire.common import Deleted, Id
from ..wire.groups import (
    Group,
    GroupCreate,
    GroupList,
    GroupUser,
    GroupUserAdded,
    GroupUserCreate,
    GroupUserRemoved,
)
from .http import JsonRoute, ProjectId, TheStore, ok

router = APIRouter(tags=["Administration"], route_class=JsonRoute)
_GROUPS = "/v1/organization/groups"
_GROUP = _GROUPS + "/{group_id}"
_USERS = _GROUP + "/users"
_USER = _USERS + "/{user_id}"
#: As many as the official API gives by default, and at most.
Limit = Annotated[int, Query(ge=1, le=1000)]
Order = Literal["asc", "desc"]
After = Annotated[Id | None, Query()]


@router.post(_GROUPS, response_model=Group)
async def create_group(body: GroupCreate, store: TheStore) -> Response:
    """Make a group of people."""
    return ok(_shown(await store.groups.add(body.name)))


@router.get(_GROUPS, response_model=GroupList[Group])
async def list_groups(store: TheStore, limit: Limit = 100, order: Order = "asc", after: After = None) -> Response:
    """List the groups."""
    page = await store.groups.page(limit=limit, after=after, order=order)
    return _listed(list(map(_shown, page.rows)), more=page.has_more)


@router.get(_GROUP, response_model=Group)
async def get_group(group_id: str, store: TheStore) -> Response:
    """Retrieve a group."""
    return ok(_shown(await store.groups.get(group_id)))


@router.post(_GROUP, response_model=Group)
async def modify_group(group_id: str, body: GroupCreate, store: TheStore) -> Response:
    """Rename a group."""
    return ok(_shown(await store.groups.rename(group_id, body.name)))


@router.delete(_GROUP, response_model=Deleted)
async def delete_group(group_id: str, store: TheStore) -> Response:
    """Delete a group. Its people stay."""
    await store.groups.delete(group_id)
    return ok(Deleted(id=group_id, object="group.deleted"))


@router.post(_USERS, response_model=GroupUserAdded)
async def create_group_user(group_id: str, body: GroupUserCreate, store: TheStore) -> Response:
    """Put a person into a group, at once."""
    await store.groups.add_user(group_id, body.user_id)
    return ok(GroupUserAdded(user_id=body.user_id, group_id=group_id))


@router.get(_USERS, response_model=GroupList[GroupUser])
async def list_group_users(
    group_id: str, store: TheStore, limit: Limit = 100, order: Order = "asc", after: After = None
) -> Response:
    """List the people of a group."""
    page = await store.groups.users(group_id, limit=limit, after=after, order=order)
    return _listed(list(map(_user, page.rows)), more=page.has_more)


@router.get(_USER, response_model=GroupUser)
async def get_group_user(group_id: str, user_id: str, store: TheStore) -> Response:
    """Retrieve a person of a group."""
    found = _user(await store.groups.user(group_id, user_id))
    return ok(found.model_copy(update={"user_type": "user", "is_service_account": False}))


@router.delete(_USER, response_model=GroupUserRemoved)
async def delete_group_user(group_id: str, user_id: str, store: TheStore) -> Response:
    """Take a person out of a group, at once."""
    await store.groups.remove_user(group_id, user_id)
    return ok(GroupUserRemoved())


@router.get("/v1/gpts/groups", response_model=GroupList[Group], tags=["Extensions"])
async def list_gpt_groups(
    project: ProjectId, store: TheStore, limit: Limit = 100, order: Order = "asc", after: After = None
) -> Response:
    """List the groups that a GPT may be shared with: those in which there is somebody of the project."""
    page = await store.groups.page(limit=limit, after=after, order=order, project=project)
    return _listed(list(map(_shown, page.rows)), more=page.has_more)


def _shown(row: GroupRow) -> Group:
    return Group(id=row.id, name=row.name, created_at=row.created_at, users=row.users)


def _user(row: GroupUserRow) -> GroupUser:
    return GroupUser(id=row.id, name=row.name, email=row.email)


def _listed(found: Sequence[Group | GroupUser], *, more: bool) -> Response:
    last = found[-1].id if found and more else None
    return ok(GroupList[Any](data=list(found), has_more=more, next=last))
