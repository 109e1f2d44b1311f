"""`/v1/organization`: how long projects keep what they have, and the erasing of a person's data. Extensions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from ..wire.common import Id, ObjectList
from ..wire.erasures import Erasure, ErasureCreate
from ..wire.retention import Retention, RetentionModify
from .http import JsonRoute, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/organization", tags=["Data controls"], route_class=JsonRoute)
_RETENTION = "/projects/{project_id}/retention"


@router.get(_RETENTION, response_model=Retention)
async def get_project_retention(project_id: str, store: TheStore) -> Response:
    """Retrieve what a project keeps for how long."""
    return ok(await store.retention.get(project_id))


@router.post(_RETENTION, response_model=Retention)
async def modify_project_retention(project_id: str, body: RetentionModify, store: TheStore) -> Response:
    """Change what a project keeps for how long: what is not sent stays as it is, null keeps for ever."""
    sent = body.model_dump(exclude_unset=True)
    return ok(await store.retention.revise(project_id, lambda rules: rules.model_copy(update=sent)))


@router.post("/erasures", response_model=Erasure)
async def create_erasure(body: ErasureCreate, store: TheStore) -> Response:
    """Have everything erased that a person has left. It goes on until all is gone, whatever happens meanwhile."""
    return ok(await store.erasures.add(body.project_id, body.user))


@router.get("/erasures", response_model=ObjectList[Erasure])
async def list_erasures(
    store: TheStore,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[Id | None, Query()] = None,
) -> Response:
    """List erasures, newest first."""
    found, more = await store.erasures.page(limit, after)
    first, last = (found[0].id, found[-1].id) if found else ("", "")
    return ok_list(ObjectList[Erasure](data=found, first_id=first, last_id=last, has_more=more))


@router.get("/erasures/{erasure_id}", response_model=Erasure)
async def get_erasure(erasure_id: str, store: TheStore) -> Response:
    """Retrieve an erasure: whether it is done, and how much is gone."""
    return ok(await store.erasures.get(erasure_id))
