"""`/v1/organization/projects/{project_id}/spend_limit`: what a project may cost in a month."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ..errors import NotFound
from ..wire.usage import SpendLimit, SpendLimitDeleted, SpendLimitSet
from .http import JsonRoute, TheStore, ok

router = APIRouter(
    prefix="/v1/organization/projects/{project_id}/spend_limit", tags=["Administration"], route_class=JsonRoute
)


@router.post("", response_model=SpendLimit)
async def set_project_spend_limit(project_id: str, body: SpendLimitSet, store: TheStore) -> Response:
    """Limit what a project may cost in a month, or change its limit."""
    await store.accounts.project(project_id)
    return ok((await store.spend_limits.set(project_id, body.threshold_amount)).shown)


@router.get("", response_model=SpendLimit)
async def get_project_spend_limit(project_id: str, store: TheStore) -> Response:
    """Retrieve a project's limit."""
    limit = await store.spend_limits.get(project_id)
    if limit is None:
        raise _missing(project_id)
    return ok(limit.shown)


@router.delete("", response_model=SpendLimitDeleted)
async def delete_project_spend_limit(project_id: str, store: TheStore) -> Response:
    """Lift a project's limit."""
    if not await store.spend_limits.delete(project_id):
        raise _missing(project_id)
    return ok(SpendLimitDeleted())


def _missing(project: str) -> NotFound:
    return NotFound(f"No spend limit found for project '{project}'.")
