"""`/v1/organization/projects/{project_id}/rate_limits`: what a project may use, in the official shape and beyond it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..accounts.quotas import Quotas, Rates
from ..errors import InvalidRequest, ModelNotFound, NotFound
from ..inference.models import Models
from ..store.limits import ALL_MODELS
from ..wire import rate_limits as wire
from ..wire.common import Id, ObjectList
from .http import JsonRoute, TheStore, ok, ok_list

router = APIRouter(
    prefix="/v1/organization/projects/{project_id}/rate_limits", tags=["Administration"], route_class=JsonRoute
)


@router.get("", response_model=ObjectList[wire.RateLimit])
async def list_project_rate_limits(
    project_id: str,
    request: Request,
    store: TheStore,
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
    after: Annotated[Id | None, Query()] = None,
    before: Annotated[Id | None, Query()] = None,
) -> Response:
    """List a project's limits: those of all models together, then those of each model."""
    await store.accounts.project(project_id)
    quotas = await _quotas(request, store, project_id)
    models: Models = request.app.state.models
    names = [ALL_MODELS, *sorted({*models.names(), *quotas.models})]
    ids = [wire.PREFIX + name for name in names]
    for cursor in (after, before):
        if cursor is not None and cursor not in ids:
            raise NotFound(f"No rate limit found with id '{cursor}'.")
    names = names[ids.index(after) + 1 if after else 0 : ids.index(before) if before else None]
    # Before a cursor the page ends with what precedes it.
    page = names[-limit:] if before and not after else names[:limit]
    shown = [_limit(quotas, name) for name in page]
    first, last = (shown[0].id, shown[-1].id) if shown else ("", "")
    return ok_list(ObjectList(data=shown, first_id=first, last_id=last, has_more=len(names) > limit))


@router.post("/{rate_limit_id:path}", response_model=wire.RateLimit)
async def modify_project_rate_limit(
    project_id: str, rate_limit_id: str, body: wire.RateLimitUpdate, request: Request, store: TheStore
) -> Response:
    """Set limits of a project: for all models together (`rl-*`), or for one model. Null takes one back."""
    model = _model(request, rate_limit_id)
    if model != ALL_MODELS and (wrong := sorted(body.model_fields_set - wire.Rates.model_fields.keys())):
        raise InvalidRequest(
            f"Invalid '{wrong[0]}': this limit is for all models together. Set it on '{wire.PREFIX}{ALL_MODELS}'.",
            param=wrong[0],
        )
    await store.limit_rows.set(project_id, model, body.model_dump(exclude_unset=True))
    return ok(_limit(await _quotas(request, store, project_id), model))


def _model(request: Request, identifier: str) -> str:
    """The model that a limit is for.

    Raises:
        NotFound: there is no such limit.
    """
    name = identifier.removeprefix(wire.PREFIX)
    if name == ALL_MODELS:
        return name
    models: Models = request.app.state.models
    try:
        if name != identifier:
            return models.resolve(name).name
    except ModelNotFound:
        pass
    raise NotFound(f"No rate limit found with id '{identifier}'.")


async def _quotas(request: Request, store: TheStore, project: str) -> Quotas:
    return Quotas.of_settings(request.app.state.settings).changed(await store.limit_rows.of(project))


def _limit(quotas: Quotas, model: str) -> wire.RateLimit:
    """The limits for a model; where it has none of its own, those of all models."""
    identifier = wire.PREFIX + model
    if model != ALL_MODELS:
        own = {name: most for name, most in _shown(quotas.models.get(model, Rates())).items() if most is not None}
        return wire.RateLimit.model_validate({"id": identifier, "model": model, **_shown(quotas.project), **own})
    return wire.ProjectLimit.model_validate(
        {
            "id": identifier,
            "model": model,
            **_shown(quotas.project),
            "each_key": _shown(quotas.each_key),
            "each_user": _shown(quotas.each_user),
            "max_concurrent_runs": quotas.concurrent_runs,
            "max_sandbox_seconds_per_1_day": quotas.sandbox_seconds_per_day,
            "max_storage_bytes": quotas.storage_bytes,
        }
    )


def _shown(rates: Rates) -> dict[str, int | None]:
    """Rates by their names on the wire: ``requests_per_day`` is ``max_requests_per_1_day``."""
    return {f"max_{name.replace('_per_', '_per_1_')}": most for name, most in asdict(rates).items()}
