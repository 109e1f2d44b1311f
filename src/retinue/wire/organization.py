"""Projects, service accounts and API keys: the official administration API, as its clients have it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from .common import WireObject, WireRequest, is_none

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
#: How a scope is written: a level (`read`, `write`, `admin`), or a resource and a level (`threads:write`).
SCOPE = r"^([a-z_]{1,64}:)?(read|write|admin)$"
KeyScope = Annotated[str, StringConstraints(pattern=SCOPE)]
KeyScopes = Annotated[list[KeyScope], Field(min_length=1, max_length=64)]
#: Seconds that a key is good for: at most ten years.
ExpiresIn = Annotated[int, Field(ge=1, le=315_360_000)]


class Project(WireObject):
    """What owns every object."""

    id: str
    object: Literal["organization.project"] = "organization.project"
    name: str
    created_at: int
    archived_at: int | None
    status: Literal["active", "archived"]


class ServiceAccount(WireObject):
    """What a program is known as in a project."""

    id: str
    object: Literal["organization.project.service_account"] = "organization.project.service_account"
    name: str
    role: Literal["member"] = "member"
    created_at: int


class ServiceAccountKey(WireObject):
    """A key as it is shown once, when it is new. Scopes and expiry are extensions."""

    id: str
    object: Literal["organization.project.service_account.api_key"] = "organization.project.service_account.api_key"
    name: str
    value: str
    created_at: int
    scopes: list[str]
    expires_at: int | None


class ServiceAccountWithKey(ServiceAccount):
    """A service account that is new, with its first key."""

    api_key: ServiceAccountKey | None


class KeyOwner(WireObject):
    """Whose a key of a project is."""

    type: Literal["service_account"] = "service_account"
    service_account: ServiceAccount | None


class ProjectApiKey(WireObject):
    """A key of a project. Scopes and expiry are extensions."""

    id: str
    object: Literal["organization.project.api_key"] = "organization.project.api_key"
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    owner: KeyOwner
    owner_project_access: Literal["active"] = "active"
    scopes: list[str]
    expires_at: int | None


class AdminApiKey(WireObject):
    """A key that administers the organization."""

    id: str
    object: Literal["organization.admin_api_key"] = "organization.admin_api_key"
    name: str
    redacted_value: str
    created_at: int
    last_used_at: int | None
    expires_at: int | None
    #: Who made it is not known yet.
    owner: dict[str, Any] = Field(default_factory=dict[str, Any])
    #: The key; shown once, when it is new.
    value: str | None = Field(default=None, exclude_if=is_none)


class ProjectCreate(WireRequest):
    """`POST /v1/organization/projects`"""

    name: Name


class ProjectModify(WireRequest):
    """`POST /v1/organization/projects/{project_id}`"""

    name: Name


class ServiceAccountCreate(WireRequest):
    """`POST …/service_accounts`"""

    name: Name
    #: Make no key with it.
    create_service_account_only: bool | None = None


class ServiceAccountModify(WireRequest):
    """`POST …/service_accounts/{service_account_id}`"""

    name: Name


class ServiceAccountKeyCreate(WireRequest):
    """`POST …/service_accounts/{service_account_id}/api_keys`"""

    name: Name | None = None
    scopes: KeyScopes | None = None
    expires_in_seconds: ExpiresIn | None = None


class AdminApiKeyCreate(WireRequest):
    """`POST /v1/organization/admin_api_keys`"""

    name: Name
    expires_in_seconds: ExpiresIn | None = None
