"""`/v1/organization`: people, invites and people in projects, in the shapes of the official administration API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StringConstraints

from ..accounts.people import People
from ..errors import InvalidRequest, NotFound
from ..store.invites import InviteRow
from ..store.people import MemberRow, Membership, PersonRow
from ..wire.common import Deleted, ObjectList
from ..wire.people import (
    Invite,
    InviteCreate,
    InvitedProject,
    ProjectUser,
    ProjectUserCreate,
    ProjectUserModify,
    User,
    UserModify,
)
from .http import JsonRoute, TheStore, ok
from .organization import After, Limit, listed

router = APIRouter(prefix="/v1/organization", tags=["Administration"], route_class=JsonRoute)
_USER, _INVITE = "/users/{user_id}", "/invites/{invite_id}"
_MEMBERS = "/projects/{project_id}/users"
_MEMBER = _MEMBERS + "/{user_id}"


async def _people(request: Request) -> People:
    return request.app.state.people


ThePeople = Annotated[People, Depends(_people)]
Emails = Annotated[
    list[Annotated[str, StringConstraints(max_length=254)]] | None, Query(alias="emails[]", max_length=100)
]


# --- users


@router.get("/users", response_model=ObjectList[User])
async def list_users(store: TheStore, limit: Limit = 20, after: After = None, emails: Emails = None) -> Response:
    """List the people of the organization."""
    page = await store.people.page(limit=limit, after=after, emails=emails)
    return listed(list(map(shown_user, page.rows)), more=page.has_more)


@router.get(_USER, response_model=User)
async def get_user(user_id: str, store: TheStore) -> Response:
    """Retrieve a person."""
    return ok(shown_user(await store.people.get(user_id)))


@router.post(_USER, response_model=User)
async def modify_user(user_id: str, body: UserModify, store: TheStore) -> Response:
    """Change the role of a person in the organization, at once."""
    if body.role is None:
        return ok(shown_user(await store.people.get(user_id)))
    return ok(shown_user(await store.people.set_role(user_id, body.role)))


@router.delete(_USER, response_model=Deleted)
async def delete_user(user_id: str, store: TheStore) -> Response:
    """Delete a person, who is signed out at once. What they made stays in its projects."""
    await store.people.delete(user_id)
    return ok(Deleted(id=user_id, object="organization.user.deleted"))


# --- invites


@router.post("/invites", response_model=Invite)
async def create_invite(body: InviteCreate, people: ThePeople) -> Response:
    """Invite somebody; the answer alone shows the link by which the invite is accepted. No mail is sent."""
    wanted = [Membership(one.id, one.role) for one in body.projects] if body.projects is not None else None
    row, url = await people.invite(body.email, body.role, wanted)
    return ok(_invite(row, url))


@router.get("/invites", response_model=ObjectList[Invite])
async def list_invites(store: TheStore, limit: Limit = 20, after: After = None) -> Response:
    """List the invites."""
    page = await store.invites.page(limit=limit, after=after)
    return listed([_invite(row) for row in page.rows], more=page.has_more)


@router.get(_INVITE, response_model=Invite)
async def get_invite(invite_id: str, store: TheStore) -> Response:
    """Retrieve an invite."""
    return ok(_invite(await store.invites.get(invite_id)))


@router.delete(_INVITE, response_model=Deleted)
async def delete_invite(invite_id: str, store: TheStore) -> Response:
    """Withdraw an invite that was not accepted."""
    await store.invites.delete(invite_id)
    return ok(Deleted(id=invite_id, object="organization.invite.deleted"))


# --- people in projects


@router.post(_MEMBERS, response_model=ProjectUser)
async def create_project_user(project_id: str, body: ProjectUserCreate, store: TheStore) -> Response:
    """Let a person into a project."""
    if (body.user_id is None) == (body.email is None):
        raise InvalidRequest("Name the user either by 'user_id' or by 'email'.", param="user_id")
    person = body.user_id
    if body.email is not None:
        known = await store.people.by_email(body.email)
        if known is None:
            raise NotFound(f"No user found with the email '{body.email}'. Create an invite first.", param="email")
        person = known.id
    return ok(_member(await store.members.add(project_id, person or "", body.role)))


@router.get(_MEMBERS, response_model=ObjectList[ProjectUser])
async def list_project_users(project_id: str, store: TheStore, limit: Limit = 20, after: After = None) -> Response:
    """List the people of a project: those who were let in, not the owners of the organization."""
    await store.accounts.project(project_id)
    page = await store.members.page(project_id, limit=limit, after=after)
    return listed(list(map(_member, page.rows)), more=page.has_more)


@router.get(_MEMBER, response_model=ProjectUser)
async def get_project_user(project_id: str, user_id: str, store: TheStore) -> Response:
    """Retrieve a person in a project."""
    return ok(_member(await store.members.get(project_id, user_id)))


@router.post(_MEMBER, response_model=ProjectUser)
async def modify_project_user(project_id: str, user_id: str, body: ProjectUserModify, store: TheStore) -> Response:
    """Change the role of a person in a project, at once."""
    if body.role is None:
        return ok(_member(await store.members.get(project_id, user_id)))
    return ok(_member(await store.members.set_role(project_id, user_id, body.role)))


@router.delete(_MEMBER, response_model=Deleted)
async def delete_project_user(project_id: str, user_id: str, store: TheStore) -> Response:
    """Let a person no more into a project, at once."""
    await store.members.remove(project_id, user_id)
    return ok(Deleted(id=user_id, object="organization.project.user.deleted"))


# --- rows as objects


def shown_user(row: PersonRow) -> User:
    """A person as the API shows them."""
    return User.model_validate(
        {"id": row.id, "name": row.name, "email": row.email, "role": row.role, "added_at": row.created_at}
    )


def _member(row: MemberRow) -> ProjectUser:
    return ProjectUser.model_validate(
        {"id": row.id, "name": row.name, "email": row.email, "role": row.role, "added_at": row.added_at}
    )


def _invite(row: InviteRow, url: str | None = None) -> Invite:
    return Invite.model_validate(
        {
            "id": row.id,
            "email": row.email,
            "role": row.role,
            "status": row.status,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
            "accepted_at": row.accepted_at,
            "projects": [InvitedProject.model_validate({"id": one.id, "role": one.role}) for one in row.projects],
            "accept_url": url,
        }
    )
