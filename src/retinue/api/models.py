"""`/v1/models`"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..errors import Forbidden
from ..inference import listing
from ..wire.common import Deleted
from ..wire.models import Model, ModelList
from .http import ProjectId, ok

router = APIRouter(prefix="/v1/models", tags=["Models"])


@router.get("", response_model=ModelList)
async def list_models(request: Request, project: ProjectId) -> Response:
    """List the models that are configured by name."""
    return ok(ModelList(data=listing.listed(request.app.state.models)))


@router.get("/{model:path}", response_model=Model)
async def get_model(model: str, request: Request, project: ProjectId) -> Response:
    """Retrieve a model by its name or an alias."""
    found = listing.describe(request.app.state.models, model)
    return ok(found, {"openai-model": found.retinue.serves})


@router.delete("/{model:path}", response_model=Deleted)
async def delete_model(model: str, request: Request, project: ProjectId) -> Response:
    """Refused: only fine-tuned models can be deleted, and there are none."""
    request.app.state.models.resolve(model)
    raise Forbidden(
        f"The model `{model}` cannot be deleted: only fine-tuned models can. It stands in the server's settings; "
        "`retinue models remove` takes it out.",
        param="model",
        code="model_not_deletable",
    )
