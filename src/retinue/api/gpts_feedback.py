"""`/v1/gpts/{gpt_id}/feedback` and `…/analytics`: what users say, and how a GPT is used. An extension."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from ..gpts.feedback import GptFeedbacks
from ..wire.common import Deleted, Id
from ..wire.gpts_feedback import GptAnalytics, GptFeedback, GptFeedbackCreate, GptFeedbackList
from .http import JsonRoute, Page, TheCaller, ok

router = APIRouter(prefix="/v1/gpts/{gpt_id}", tags=["Extensions"], route_class=JsonRoute)


async def _feedback(request: Request) -> GptFeedbacks:
    return GptFeedbacks(request.app.state.store, request.app.state.gpts)


TheFeedback = Annotated[GptFeedbacks, Depends(_feedback)]


@router.post("/feedback", response_model=GptFeedback)
async def create_gpt_feedback(
    gpt_id: str, body: GptFeedbackCreate, caller: TheCaller, feedback: TheFeedback
) -> Response:
    """Say something of an answer of a GPT, instead of what was said before."""
    return ok(await feedback.put(caller, gpt_id, body))


@router.get("/feedback", response_model=GptFeedbackList)
async def list_gpt_feedback(
    gpt_id: str,
    page: Page,
    caller: TheCaller,
    feedback: TheFeedback,
    scope: Annotated[Literal["all", "mine"], Query()] = "all",
    thread_id: Annotated[Id | None, Query()] = None,
) -> Response:
    """List what users said, for who may edit the GPT; or what the caller said."""
    return ok(await feedback.page(caller, gpt_id, page, own=scope == "mine", thread=thread_id))


@router.delete("/feedback/{feedback_id}", response_model=Deleted)
async def delete_gpt_feedback(gpt_id: str, feedback_id: str, caller: TheCaller, feedback: TheFeedback) -> Response:
    """Take back what was said."""
    return ok(await feedback.take_back(caller, gpt_id, feedback_id))


@router.get("/analytics", response_model=GptAnalytics)
async def get_gpt_analytics(
    gpt_id: str,
    caller: TheCaller,
    feedback: TheFeedback,
    first: Annotated[date | None, Query(alias="from")] = None,
    last: Annotated[date | None, Query(alias="to")] = None,
) -> Response:
    """How the published versions of a GPT were used, by day and version, for who may edit it."""
    return ok(await feedback.analytics(caller, gpt_id, first, last))
