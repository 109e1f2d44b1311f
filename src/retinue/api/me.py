"""`/v1/me`: who asks."""

from __future__ import annotations

from itertools import islice
from typing import cast

from fastapi import APIRouter, Request, Response

from ..accounts.sessions import csrf_token
from ..wire.me import Me, MyProject
from ..wire.people import ProjectRole
from .cookies import SESSION
from .http import JsonRoute, TheCaller, TheStore, ok
from .people import shown_user

router = APIRouter(prefix="/v1/me", tags=["Extensions"], route_class=JsonRoute)
_MOST_PROJECTS = 100


@router.get("", response_model=Me)
async def get_me(request: Request, caller: TheCaller, store: TheStore) -> Response:
    """Who the caller is, and what they may do where."""
    user, roles, csrf = None, {caller.project: None}, None
    if caller.user:
        token = request.cookies[SESSION]
        session = await request.app.state.people.sessions.find(token)
        user, csrf = await store.people.get(session.person), csrf_token(token)
        roles = dict(islice(session.projects.items(), _MOST_PROJECTS))
    names = await store.accounts.project_names(list(roles))
    projects = [
        MyProject(id=id, name=names[id], role=cast(ProjectRole | None, role))
        for id, role in roles.items()
        if id in names
    ]
    me = Me(
        user=shown_user(user) if user else None,
        scopes=list(caller.scopes),
        project=caller.project,
        projects=projects,
        csrf_token=csrf,
    )
    return ok(me)
