"""`/v1/runs`: the runs of all threads. An extension."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..wire.common import Id, ModelName, ObjectList
from ..wire.runs import Run, RunStatus
from .http import JsonRoute, Page, ProjectId, TheStore, ok_list

router = APIRouter(prefix="/v1/runs", tags=["Runs"], route_class=JsonRoute)


@router.get("", response_model=ObjectList[Run])
async def list_all_runs(
    page: Page,
    request: Request,
    project: ProjectId,
    store: TheStore,
    status: Annotated[RunStatus | None, Query()] = None,
    assistant_id: Annotated[Id | None, Query()] = None,
    model: Annotated[ModelName | None, Query()] = None,
) -> Response:
    """List the runs of all threads: of all, those with this status, assistant and model."""
    wanted = {"status": status, "assistant_id": assistant_id, "model": model}
    within: float = request.app.state.settings.search_timeout
    return ok_list(await store.runs.search(project, page, within=within, **wanted))
