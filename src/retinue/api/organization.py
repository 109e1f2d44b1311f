"""`/v1/organization`: projects, service accounts and API keys, in the shapes of the official administration API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ..accounts.keys import Keys
from ..accounts.scopes import EVERYTHING
from ..errors import NotFound
from ..store.accounts import AccountRow, Accounts, KeyRow, ProjectRow
from ..wire.common import Deleted, Id, ObjectList, WireObject
from ..wire.organization import (
    AdminApiKey,
    AdminApiKeyCreate,
    KeyOwner,
    Project,
    ProjectApiKey,
    ProjectCreate,
    ProjectModify,
    ServiceAccount,
    ServiceAccountCreate,
    ServiceAccountKey,
    ServiceAccountKeyCreate,
    ServiceAccountModify,
    ServiceAccountWithKey,
)
from .http import JsonRoute, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/organization", tags=["Administration"], route_class=JsonRoute)
_PROJECT = "/projects/{project_id}"
_ACCOUNTS = _PROJECT + "/service_accounts"
_ACCOUNT = _ACCOUNTS + "/{service_account_id}"


async def _keys(request: Request) -> Keys:
    return request.app.state.keys


async def _accounts(store: TheStore) -> Accounts:
    return store.accounts


TheKeys = Annotated[Keys, Depends(_keys)]
TheAccounts = Annotated[Accounts, Depends(_accounts)]
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[Id | None, Query()]


# --- admin keys


@router.post("/admin_api_keys", response_model=AdminApiKey)
async def create_admin_api_key(body: AdminApiKeyCreate, keys: TheKeys) -> Response:
    """Make an admin key; the answer alone shows it."""
    value, row = await keys.create(body.name, project=None, expires_in=body.expires_in_seconds)
    return ok(_admin_key(row, value))


@router.get("/admin_api_keys", response_model=ObjectList[AdminApiKey])
async def list_admin_api_keys(accounts: TheAccounts, limit: Limit = 20, after: After = None) -> Response:
    """List the admin keys."""
    page = await accounts.keys(None, limit=limit, after=after)
    return listed([_admin_key(row) for row in page.rows], more=page.has_more)


@router.get("/admin_api_keys/{key_id}", response_model=AdminApiKey)
async def get_admin_api_key(key_id: str, accounts: TheAccounts) -> Response:
    """Retrieve an admin key."""
    return ok(_admin_key(await accounts.key(None, key_id)))


@router.delete("/admin_api_keys/{key_id}", response_model=Deleted)
async def delete_admin_api_key(key_id: str, accounts: TheAccounts) -> Response:
    """Revoke an admin key, at once."""
    return await _revoked(accounts, None, key_id, "organization.admin_api_key.deleted")


# --- projects


@router.post("/projects", response_model=Project)
async def create_project(body: ProjectCreate, accounts: TheAccounts) -> Response:
    """Make a project."""
    return ok(_project(await accounts.add_project(body.name)))


@router.get("/projects", response_model=ObjectList[Project])
async def list_projects(
    accounts: TheAccounts, limit: Limit = 20, after: After = None, include_archived: bool = False
) -> Response:
    """List the projects."""
    page = await accounts.projects(limit=limit, after=after, archived=include_archived)
    return listed([_project(row) for row in page.rows], more=page.has_more)


@router.get(_PROJECT, response_model=Project)
async def get_project(project_id: str, accounts: TheAccounts) -> Response:
    """Retrieve a project."""
    return ok(_project(await accounts.project(project_id)))


@router.post(_PROJECT, response_model=Project)
async def modify_project(project_id: str, body: ProjectModify, accounts: TheAccounts) -> Response:
    """Rename a project."""
    return ok(_project(await accounts.rename_project(project_id, body.name)))


@router.post(_PROJECT + "/archive", response_model=Project)
async def archive_project(project_id: str, accounts: TheAccounts) -> Response:
    """Archive a project: its keys open it no more, at once. What it has stays."""
    return ok(_project(await accounts.archive_project(project_id)))


# --- service accounts


@router.post(_ACCOUNTS, response_model=ServiceAccountWithKey)
async def create_project_service_account(
    project_id: str, body: ServiceAccountCreate, accounts: TheAccounts, keys: TheKeys
) -> Response:
    """Make a service account with a key that may do everything in the project; the answer alone shows the key."""
    row = await accounts.add_service_account(project_id, body.name)
    key = None
    if not body.create_service_account_only:
        value, made = await keys.create("Secret Key", project=project_id, service_account=row.id)
        key = _new_key(made, value)
    return ok(ServiceAccountWithKey(id=row.id, name=row.name, created_at=row.created_at, api_key=key))


@router.get(_ACCOUNTS, response_model=ObjectList[ServiceAccount])
async def list_project_service_accounts(
    project_id: str, accounts: TheAccounts, limit: Limit = 20, after: After = None
) -> Response:
    """List the service accounts of a project."""
    await accounts.project(project_id)
    page = await accounts.service_accounts(project_id, limit=limit, after=after)
    return listed([_account(row) for row in page.rows], more=page.has_more)


@router.get(_ACCOUNT, response_model=ServiceAccount)
async def get_project_service_account(project_id: str, service_account_id: str, accounts: TheAccounts) -> Response:
    """Retrieve a service account."""
    return ok(_account(await accounts.service_account(project_id, service_account_id)))


@router.post(_ACCOUNT, response_model=ServiceAccount)
async def modify_project_service_account(
    project_id: str, service_account_id: str, body: ServiceAccountModify, accounts: TheAccounts
) -> Response:
    """Rename a service account."""
    return ok(_account(await accounts.rename_service_account(project_id, service_account_id, body.name)))


@router.delete(_ACCOUNT, response_model=Deleted)
async def delete_project_service_account(project_id: str, service_account_id: str, accounts: TheAccounts) -> Response:
    """Delete a service account; its keys open nothing any more, at once."""
    await accounts.delete_service_account(project_id, service_account_id)
    return ok(Deleted(id=service_account_id, object="organization.project.service_account.deleted"))


@router.post(_ACCOUNT + "/api_keys", response_model=ServiceAccountKey)
async def create_project_service_account_api_key(
    project_id: str, service_account_id: str, body: ServiceAccountKeyCreate, keys: TheKeys
) -> Response:
    """Make a further key of a service account, for some things or some time only; the answer alone shows it."""
    value, row = await keys.create(
        body.name or "Secret Key",
        project=project_id,
        service_account=service_account_id,
        scopes=body.scopes or EVERYTHING,
        expires_in=body.expires_in_seconds,
    )
    return ok(_new_key(row, value))


# --- keys of projects


@router.get(_PROJECT + "/api_keys", response_model=ObjectList[ProjectApiKey])
async def list_project_api_keys(
    project_id: str, accounts: TheAccounts, limit: Limit = 20, after: After = None
) -> Response:
    """List the keys of a project."""
    await accounts.project(project_id)
    page = await accounts.keys(project_id, limit=limit, after=after)
    return listed(list(map(_project_key, page.rows)), more=page.has_more)


@router.get(_PROJECT + "/api_keys/{key_id}", response_model=ProjectApiKey)
async def get_project_api_key(project_id: str, key_id: str, accounts: TheAccounts) -> Response:
    """Retrieve a key of a project."""
    return ok(_project_key(await accounts.key(project_id, key_id)))


@router.delete(_PROJECT + "/api_keys/{key_id}", response_model=Deleted)
async def delete_project_api_key(project_id: str, key_id: str, accounts: TheAccounts) -> Response:
    """Revoke a key of a project, at once."""
    return await _revoked(accounts, project_id, key_id, "organization.project.api_key.deleted")


# --- rows as objects


async def _revoked(accounts: Accounts, project: str | None, identifier: str, kind: str) -> Response:
    if not await accounts.revoke(project, identifier):
        raise NotFound(f"No API key found with id '{identifier}'.")
    return ok(Deleted(id=identifier, object=kind))


def _project(row: ProjectRow) -> Project:
    status = "active" if row.archived_at is None else "archived"
    return Project(id=row.id, name=row.name, created_at=row.created_at, archived_at=row.archived_at, status=status)


def _account(row: AccountRow) -> ServiceAccount:
    return ServiceAccount(id=row.id, name=row.name, created_at=row.created_at)


def _new_key(row: KeyRow, value: str) -> ServiceAccountKey:
    return ServiceAccountKey(
        id=row.id,
        name=row.name,
        value=value,
        created_at=row.created_at,
        scopes=list(row.scopes),
        expires_at=row.expires_at,
    )


def _project_key(row: KeyRow) -> ProjectApiKey:
    return ProjectApiKey(
        id=row.id,
        name=row.name,
        redacted_value=row.hint,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        owner=KeyOwner(service_account=_account(row.service_account) if row.service_account else None),
        scopes=list(row.scopes),
        expires_at=row.expires_at,
    )


def _admin_key(row: KeyRow, value: str | None = None) -> AdminApiKey:
    return AdminApiKey(
        id=row.id,
        name=row.name,
        redacted_value=row.hint,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
        expires_at=row.expires_at,
        value=value,
    )


def listed(objects: Sequence[WireObject], *, more: bool) -> Response:
    """A page of a list."""
    ids = [str(getattr(one, "id", "")) for one in objects]
    first, last = (ids[0], ids[-1]) if ids else ("", "")
    return ok_list(ObjectList[WireObject](data=list(objects), first_id=first, last_id=last, has_more=more))
