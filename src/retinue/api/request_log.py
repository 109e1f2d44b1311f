"""`/v1/request_logs`: the requests of a project; for owners of the organization, of all. An extension."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StringConstraints

from ..store.request_log import RequestQuery
from ..wire.common import Id, ModelName, ObjectList
from ..wire.request_log import RequestLog
from ..wire.usage import Moment
from .http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1", tags=["Extensions"], route_class=JsonRoute)

_Status = Annotated[str, StringConstraints(pattern=r"^[1-5](xx|[0-9]{2})$")]
_Method = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,16}$")]
_Route = Annotated[str, StringConstraints(max_length=256)]


async def _wanted(
    status: Annotated[_Status | None, Query()] = None,
    method: Annotated[_Method | None, Query()] = None,
    route: Annotated[_Route | None, Query()] = None,
    model: Annotated[ModelName | None, Query()] = None,
    api_key_id: Annotated[Id | None, Query()] = None,
    user_id: Annotated[Id | None, Query()] = None,
    assistant_id: Annotated[Id | None, Query()] = None,
    by_page: Annotated[bool | None, Query()] = None,
    start_time: Annotated[Moment | None, Query()] = None,
    end_time: Annotated[Moment | None, Query()] = None,
) -> RequestQuery:
    return RequestQuery(
        status=status,
        method=method,
        route=route,
        model=model,
        api_key_id=api_key_id,
        user_id=user_id,
        assistant_id=assistant_id,
        by_page=by_page,
        start_time=start_time,
        end_time=end_time,
    )


Wanted = Annotated[RequestQuery, Depends(_wanted)]


def _within(request: Request) -> float:
    return request.app.state.settings.search_timeout


@router.get("/request_logs", response_model=ObjectList[RequestLog])
async def list_request_logs(
    request: Request, page: Page, wanted: Wanted, project: ProjectId, store: TheStore
) -> Response:
    """List the requests of the project."""
    return ok_list(await store.request_log.page(project, wanted, page, within=_within(request)))


@router.get("/request_logs/{request_id}", response_model=RequestLog)
async def get_request_log(request_id: Id, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a request of the project."""
    return ok(await store.request_log.get(project, request_id))


@router.get("/organization/request_logs", response_model=ObjectList[RequestLog])
async def list_organization_request_logs(
    request: Request,
    page: Page,
    wanted: Wanted,
    store: TheStore,
    project_id: Annotated[Id | None, Query()] = None,
    refused: Annotated[bool | None, Query()] = None,
) -> Response:
    """List the requests of all projects, and those that were refused because nobody knows who sent them."""
    chosen = replace(wanted, refused=refused)
    return ok_list(await store.request_log.page(project_id, chosen, page, within=_within(request)))


@router.get("/organization/request_logs/{request_id}", response_model=RequestLog)
async def get_organization_request_log(request_id: Id, store: TheStore) -> Response:
    """Retrieve a request of any project, or of none."""
    return ok(await store.request_log.get(None, request_id))
