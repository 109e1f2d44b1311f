"""`/v1/gpts`: reviews, reports, what administrators decide, and templates. An extension."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ..gpts.storefront import Storefront
from ..gpts.templates import Language, install, templates
from ..wire.common import Deleted, Id, ObjectList
from ..wire.gpts import Gpt
from ..wire.gpts_store import (
    GptInstall,
    GptModerate,
    GptReport,
    GptReportCreate,
    GptReportResolve,
    GptReview,
    GptReviewPut,
    GptTemplates,
    ReportStatus,
)
from .http import JsonRoute, Page, TheCaller, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/gpts", tags=["Extensions"], route_class=JsonRoute)


async def _storefront(request: Request) -> Storefront:
    return Storefront(request.app.state.store, request.app.state.gpts)


TheStorefront = Annotated[Storefront, Depends(_storefront)]


@router.get("/templates", response_model=GptTemplates)
async def list_gpt_templates(language: Annotated[Language, Query()] = "en") -> Response:
    """List the templates in a language."""
    return ok(GptTemplates(data=[one.shown() for one in templates(language).values()]))


@router.post("/templates/{template_id}/install", response_model=Gpt)
async def install_gpt_template(
    template_id: str, body: GptInstall, request: Request, caller: TheCaller, store: TheStore
) -> Response:
    """Make a GPT of a template."""
    return ok(await install(store, request.app.state.gpts, caller, template_id, body.language))


@router.get("/reports", response_model=ObjectList[GptReport])
async def list_gpt_reports(
    page: Page,
    caller: TheCaller,
    storefront: TheStorefront,
    status: Annotated[ReportStatus | None, Query()] = None,
    gpt_id: Annotated[Id | None, Query()] = None,
) -> Response:
    """List what was reported."""
    return ok_list(await storefront.reports(caller, page, status, gpt_id))


@router.post("/reports/{report_id}/resolve", response_model=GptReport)
async def resolve_gpt_report(
    report_id: str, body: GptReportResolve, caller: TheCaller, storefront: TheStorefront
) -> Response:
    """Close a report."""
    return ok(await storefront.resolve(caller, report_id, body.resolution))


@router.post("/{gpt_id}/reports", response_model=GptReport)
async def report_gpt(gpt_id: str, body: GptReportCreate, caller: TheCaller, storefront: TheStorefront) -> Response:
    """Report a GPT to the administrators."""
    return ok(await storefront.report(caller, gpt_id, body))


@router.post("/{gpt_id}/moderation", response_model=Gpt)
async def moderate_gpt(gpt_id: str, body: GptModerate, caller: TheCaller, storefront: TheStorefront) -> Response:
    """Feature, hide or approve a GPT, or the opposite."""
    return ok(await storefront.moderate(caller, gpt_id, body))


@router.post("/{gpt_id}/reviews", response_model=GptReview)
async def review_gpt(gpt_id: str, body: GptReviewPut, caller: TheCaller, storefront: TheStorefront) -> Response:
    """Review a GPT; again replaces it."""
    return ok(await storefront.review(caller, gpt_id, body))


@router.get("/{gpt_id}/reviews", response_model=ObjectList[GptReview])
async def list_gpt_reviews(
    gpt_id: str, page: Page, caller: TheCaller, storefront: TheStorefront, mine: Annotated[bool, Query()] = False
) -> Response:
    """List the reviews of a GPT, or the caller's."""
    return ok_list(await storefront.reviews(caller, gpt_id, page, mine=mine))


@router.delete("/{gpt_id}/reviews/{review_id}", response_model=Deleted)
async def delete_gpt_review(gpt_id: str, review_id: str, caller: TheCaller, storefront: TheStorefront) -> Response:
    """Delete the caller's review, or, by administrators, anybody's."""
    return ok(await storefront.delete_review(caller, gpt_id, review_id))
