"""`/v1/models`"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..inference.models import Models
from ..wire.models import Model, ModelList
from .http import ProjectId, ok

router = APIRouter(prefix="/v1/models", tags=["Models"])

#: Models of ours have no date of birth that matters; clients want a number.
_CREATED = 1_704_067_200


def _model(name: str) -> Model:
    return Model(id=name, created=_CREATED, owned_by="retinue")


@router.get("", response_model=ModelList)
async def list_models(request: Request, project: ProjectId) -> Response:
    """List the models that are configured."""
    models: Models = request.app.state.models
    return ok(ModelList(data=[_model(name) for name in models.names()]))


@router.get("/{model:path}", response_model=Model)
async def get_model(model: str, request: Request, project: ProjectId) -> Response:
    """Retrieve a model. An alias is answered with the model that serves it."""
    models: Models = request.app.state.models
    return ok(_model(models.resolve(model).name))
