"""Who asks: an extension, for pages and other clients that act for a person."""

from __future__ import annotations

from typing import Literal

from .common import WireObject
from .people import ProjectRole, User


class MyProject(WireObject):
    """A project that the caller may act in."""

    id: str
    object: Literal["organization.project"] = "organization.project"
    name: str
    #: None for an API key, which has scopes instead.
    role: ProjectRole | None


class Me(WireObject):
    """Who the caller is, and what they may do where."""

    object: Literal["me"] = "me"
    #: None for an API key.
    user: User | None
    #: What an API key may do; of a person, what their role in `project` allows.
    scopes: list[str]
    #: The project that the request acts in.
    project: str
    #: All projects that the caller may name in `OpenAI-Project`, oldest first, 100 at most.
    projects: list[MyProject]
    #: Of a session: what requests that change something bring as `X-CSRF-Token`.
    csrf_token: str | None
