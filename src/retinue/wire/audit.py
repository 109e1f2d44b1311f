"""The audit log, in the shape of the official administration API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field

from .common import WireObject, is_none

#: The official types of entries for what Retinue can do.
OFFICIAL = frozenset(
    {
        *("api_key.created", "api_key.updated", "api_key.deleted"),
        *("group.created", "group.updated", "group.deleted"),
        *("invite.sent", "invite.accepted", "invite.deleted"),
        *("login.succeeded", "login.failed", "logout.succeeded", "logout.failed"),
        "organization.updated",
        *("project.created", "project.updated", "project.archived", "project.deleted"),
        *("rate_limit.updated", "rate_limit.deleted"),
        *("role.created", "role.updated", "role.deleted", "role.assignment.created", "role.assignment.deleted"),
        *("service_account.created", "service_account.updated", "service_account.deleted"),
        *("user.added", "user.updated", "user.deleted"),
    }
)
#: Types of ours. Each is shown as a change of its project, or of the organization, and `act` says what it was.
EXTENSIONS = frozenset(
    {
        *("connection.created", "connection.updated", "connection.deleted"),
        *("webhook_endpoint.created", "webhook_endpoint.updated", "webhook_endpoint.deleted"),
        "webhook_endpoint.secret_rotated",
        *("import.created", "export.created"),
        *("spend_limit.updated", "spend_limit.deleted"),
        "password.updated",
        "retention.updated",
        "erasure.created",
        *("model.created", "model.updated", "model.deleted"),
        *("group.member_added", "group.member_removed"),
        *("gpt.created", "gpt.updated", "gpt.published", "gpt.deleted"),
        *("thread_share.created", "thread_share.deleted"),
        *("gpt.moderated", "gpt.review_deleted", "gpt.report_resolved"),
        *("gpt_link.created", "gpt_link.deleted"),
    }
)
#: Every type that an entry may have.
TYPES = OFFICIAL | EXTENSIONS


def shown_type(kind: str, project: str | None) -> str:
    """The official type that an act of type `kind` is shown as."""
    if kind in OFFICIAL:
        return kind
    return "project.updated" if project else "organization.updated"


class AuditUser(WireObject):
    """A person, or what stands in for one: `server`, or `command_line:` and the name of an account of the machine."""

    id: str
    email: str | None = Field(default=None, exclude_if=is_none)


class AuditServiceAccount(WireObject):
    """The service account that a key belongs, or belonged, to."""

    id: str


class AuditApiKey(WireObject):
    """The API key by which something was done."""

    id: str
    type: Literal["user", "service_account"]
    user: AuditUser | None = Field(default=None, exclude_if=is_none)
    service_account: AuditServiceAccount | None = Field(default=None, exclude_if=is_none)


class AuditSession(WireObject):
    """A person who did something without a key."""

    user: AuditUser
    ip_address: str | None = Field(default=None, exclude_if=is_none)


class AuditActor(WireObject):
    """Who did it. For API keys too, `ip_address` and `user_agent` are extensions."""

    type: Literal["api_key", "session"]
    api_key: AuditApiKey | None = Field(default=None, exclude_if=is_none)
    session: AuditSession | None = Field(default=None, exclude_if=is_none)
    ip_address: str | None = Field(default=None, exclude_if=is_none)
    user_agent: str | None = Field(default=None, exclude_if=is_none)


class AuditProject(WireObject):
    """The project in which it was done."""

    id: str
    name: str


class AuditLog(WireObject):
    """An entry: one act, told in the field that is named as its type."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["organization.audit_log"] = "organization.audit_log"
    type: str
    effective_at: int
    project: AuditProject | None = Field(default=None, exclude_if=is_none)
    actor: AuditActor
    #: What was done, where there is no official type for it: `type`, `id`, and more. An extension.
    act: dict[str, Any] | None = Field(default=None, exclude_if=is_none)

    @classmethod
    def of(
        cls,
        identifier: str,
        kind: str,
        act: str | None,
        at: int,
        project: tuple[str, str | None] | None,
        resource: str,
        actor: Sequence[str | None],
        details: dict[str, Any],
    ) -> AuditLog:
        """The entry of what is kept of an act.

        Args:
            identifier: its id.
            kind: one of `OFFICIAL`.
            act: one of `EXTENSIONS`, if it was one of these.
            at: Unix seconds.
            project: id and name.
            resource: the id of what was made, changed or ended.
            actor: key, service account, person, their e-mail address, IP address, user agent.
            details: what else is known of it.
        """
        told = {"id": resource, **details}
        of_ours = {"type": act, **told} if act else None
        if act:
            told = {"id": project[0] if project else "organization", "changes_requested": {}}
        whose = AuditProject(id=project[0], name=project[1] or "") if project else None
        return cls.model_validate(
            {
                "id": identifier,
                "type": kind,
                "effective_at": at,
                "project": whose,
                "actor": _actor(*actor),
                "act": of_ours,
                kind: told,
            }
        )


def _actor(
    key: str | None, account: str | None, user: str | None, email: str | None, address: str | None, agent: str | None
) -> AuditActor:
    person = AuditUser(id=user, email=email) if user else None
    if key is None:
        session = AuditSession(user=person or AuditUser(id=""), ip_address=address)
        return AuditActor(type="session", session=session, ip_address=address, user_agent=agent)
    owner = AuditServiceAccount(id=account) if account else None
    api_key = AuditApiKey(id=key, type="user" if person else "service_account", user=person, service_account=owner)
    return AuditActor(type="api_key", api_key=api_key, ip_address=address, user_agent=agent)
