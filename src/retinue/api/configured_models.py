"""`/v1/organization/models` and `/v1/organization/settings`: what administrators configure. Extensions."""

from __future__ import annotations

import asyncio
from dataclasses import asdict

from fastapi import APIRouter, Request, Response

from ..errors import Unavailable
from ..inference import configuring
from ..inference.models import Models
from ..inference.trial import try_model
from ..settings import config_file
from ..settings_file import names_in_file
from ..settings_shown import shown
from ..store.audit import Act
from ..wire.common import Deleted, ObjectList
from ..wire.configured_models import ConfiguredModel, ModelPut, ModelTest, ModelTestCreate, Setting, SettingList
from .http import JsonRoute, TheStore, ok
from .organization import listed

router = APIRouter(prefix="/v1/organization", tags=["Administration"], route_class=JsonRoute)
_MODEL = "/models/{model:path}"


@router.get("/models", response_model=ObjectList[ConfiguredModel])
async def list_configured_models(request: Request) -> Response:
    """List all models with what serves them, where they are configured, and how their servers fare."""
    return listed(configuring.configured(_models(request)), more=False)


@router.post("/models", response_model=ConfiguredModel)
async def put_configured_model(body: ModelPut, request: Request, store: TheStore) -> Response:
    """Add a model, or change one: what is not sent stays as it is. Every server takes it up within a second."""
    models = _models(request)
    kind = "model.updated" if body.name in models.settings.all_models() else "model.created"
    # Names only: a key is never noted, and an address may hold one.
    details = {"changes": sorted(body.model_fields_set - {"name"})}
    async with store.audit.noting(Act(kind, body.name, details=details)):
        await asyncio.to_thread(configuring.put, models.settings, body)
    models.follow()
    return ok(configuring.one(models, body.name))


@router.post(_MODEL + "/test", response_model=ModelTest)
async def check_configured_model(model: str, request: Request, body: ModelTestCreate | None = None) -> Response:
    """Ask each server of a model something short, and tell how long it took or what went wrong."""
    return ok(await try_model(_models(request), request.app.state.embedders, model, body.kind if body else None))


@router.get(_MODEL, response_model=ConfiguredModel)
async def get_configured_model(model: str, request: Request) -> Response:
    """Retrieve a model by the name or pattern that it is configured under."""
    return ok(configuring.one(_models(request), model))


@router.delete(_MODEL, response_model=Deleted)
async def delete_configured_model(model: str, request: Request, store: TheStore) -> Response:
    """Remove a model from the settings file. What leads to it by default, does not any more."""
    models = _models(request)
    async with store.audit.noting(Act("model.deleted", model)):
        await asyncio.to_thread(configuring.remove, models.settings, model)
    models.follow()
    return ok(Deleted(id=model, object="organization.model.deleted"))


@router.get("/settings", response_model=SettingList)
async def list_settings(request: Request) -> Response:
    """List the settings in force with what they mean and where they come from; secrets without their values."""
    settings = _models(request).settings
    try:
        in_file = await asyncio.to_thread(names_in_file, settings)
    except (OSError, ValueError) as error:
        raise Unavailable(f"The server's settings file cannot be read: {error}", retry_after=None) from None
    data = [Setting.model_validate(asdict(one)) for one in shown(settings, in_file)]
    return ok(SettingList(data=data, file=str(config_file(settings.data))))


def _models(request: Request) -> Models:
    return request.app.state.models
