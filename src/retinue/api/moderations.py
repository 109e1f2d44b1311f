"""`/v1/moderations`"""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from ..accounts.metering import Metering
from ..inference.moderation import Moderations
from ..inference.tokens import estimate_tokens
from ..wire.moderations import Moderation, ModerationCreate
from .http import ok
from .lean import LeanRoute

router = APIRouter(prefix="/v1/moderations", tags=["Moderations"], route_class=LeanRoute)


@router.post("", response_model=Moderation)
async def create_moderation(request: Request, body: ModerationCreate) -> Response:
    """Judge whether content is harmful."""
    moderations: Moderations = request.app.state.moderations
    metering: Metering = request.app.state.metering
    moderator = moderations.find(body.model)
    estimate = sum(map(estimate_tokens, body.texts))
    with await metering.call(request.scope["caller"], "moderations", moderator.model.name, estimate) as metered:
        moderation, usage = await moderations.judge(moderator, body, request.scope["project"])
        metered.usage = {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}
    return ok(moderation, {"openai-model": moderator.model.name})
