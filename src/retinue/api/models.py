"""`/v1/models`"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..errors import Forbidden
from ..gpts.completions import GPT_NAMES
from ..gpts.models import GptModels
from ..inference import listing
from ..wire.common import Deleted
from ..wire.models import Model, ModelList
from .http import ProjectId, TheCaller, ok

router = APIRouter(prefix="/v1/models", tags=["Models"])


@router.get("", response_model=ModelList)
async def list_models(request: Request, caller: TheCaller, gpts: Annotated[bool, Query()] = False) -> Response:
    """List the models that are configured by name; with `gpts`, the newest GPTs in the store too."""
    found = listing.listed(request.app.state.models)
    return ok(ModelList(data=[*found, *(await _gpts(request).listed(caller) if gpts else ())]))


@router.get("/{model:path}", response_model=Model)
async def get_model(model: str, request: Request, caller: TheCaller) -> Response:
    """Retrieve a model by its name or an alias."""
    if model.startswith(GPT_NAMES):
        return ok(await _gpts(request).get(caller, model))
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


def _gpts(request: Request) -> GptModels:
    return request.app.state.gpt_models
