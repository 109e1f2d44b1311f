"""`/v1/gpts/builder`: what an assistant needs that makes GPTs in conversation. An extension."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..gpts.builder import definition
from ..inference import listing
from ..wire.gpts_builder import BuilderLanguage, GptBuilder
from .http import JsonRoute, ProjectId, ok

router = APIRouter(prefix="/v1/gpts", tags=["Extensions"], route_class=JsonRoute)


@router.get("/builder", response_model=GptBuilder)
async def get_gpt_builder(
    request: Request, project: ProjectId, language: Annotated[BuilderLanguage, Query()] = "en"
) -> Response:
    """Retrieve the builder's instructions and functions."""
    models = request.app.state.models
    draws = next((one.id for one in listing.listed(models) if "images" in one.retinue.capabilities), None)
    return ok(definition(language, draws, led=models.resolve("default").prompted))
