"""`/v1/organization/audit_logs`: who did what, in the shape of the official administration API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from pydantic import StringConstraints

from ..errors import InvalidRequest
from ..store.audit import AuditQuery
from ..wire.audit import TYPES, AuditLog
from ..wire.common import Id, ObjectList
from .http import JsonRoute, TheStore, ok_list

router = APIRouter(prefix="/v1/organization", tags=["Administration"], route_class=JsonRoute)

#: Most values of one filter.
_MOST = 100
#: Unix seconds; what is larger is no number that the database knows.
_Moment = Annotated[int | None, Query(ge=0, le=2**53)]
_Names = Annotated[list[Annotated[str, StringConstraints(max_length=320)]], Query(max_length=_MOST)]


def _times(
    gt: Annotated[_Moment, Query(alias="effective_at[gt]")] = None,
    gte: Annotated[_Moment, Query(alias="effective_at[gte]")] = None,
    lt: Annotated[_Moment, Query(alias="effective_at[lt]")] = None,
    lte: Annotated[_Moment, Query(alias="effective_at[lte]")] = None,
) -> dict[str, int | None]:
    return {"gt": gt, "gte": gte, "lt": lt, "lte": lte}


@router.get("/audit_logs", response_model=ObjectList[AuditLog])
async def list_audit_logs(
    store: TheStore,
    times: Annotated[dict[str, int | None], Depends(_times)],
    project_ids: Annotated[_Names, Query(alias="project_ids[]")] = [],  # noqa: B006 (FastAPI copies it)
    event_types: Annotated[_Names, Query(alias="event_types[]")] = [],  # noqa: B006
    actor_ids: Annotated[_Names, Query(alias="actor_ids[]")] = [],  # noqa: B006
    actor_emails: Annotated[_Names, Query(alias="actor_emails[]")] = [],  # noqa: B006
    resource_ids: Annotated[_Names, Query(alias="resource_ids[]")] = [],  # noqa: B006
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[Id | None, Query()] = None,
    before: Annotated[Id | None, Query()] = None,
) -> Response:
    """List administrative acts, newest first."""
    for kind in event_types:
        if kind not in TYPES:
            raise InvalidRequest(
                f"Invalid value: '{kind[:64]}'. Supported values are: {', '.join(sorted(TYPES))}.",
                param="event_types",
                code="invalid_value",
            )
    query = AuditQuery(
        limit=limit,
        after=after,
        before=before,
        projects=project_ids,
        types=event_types,
        actors=actor_ids,
        emails=actor_emails,
        resources=resource_ids,
        **times,
    )
    entries, more = await store.audit.page(query)
    first, last = (entries[0].id, entries[-1].id) if entries else ("", "")
    return ok_list(ObjectList[AuditLog](data=entries, first_id=first, last_id=last, has_more=more))
