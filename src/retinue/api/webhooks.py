"""`/v1/webhooks` and their deliveries: an extension."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from ..webhooks.registry import WebhookRegistry
from ..wire.common import Deleted, ObjectList
from ..wire.webhooks import SecretRotate, Webhook, WebhookCreate, WebhookDelivery, WebhookModify, WebhookWithSecret
from .http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1/webhooks", tags=["Webhooks"], route_class=JsonRoute)


async def _registry(request: Request) -> WebhookRegistry:
    return request.app.state.webhooks


TheRegistry = Annotated[WebhookRegistry, Depends(_registry)]


@router.post("", response_model=WebhookWithSecret)
async def create_webhook(body: WebhookCreate, project: ProjectId, webhooks: TheRegistry) -> Response:
    """Create a webhook; the answer alone shows its signing secret."""
    return ok(await webhooks.create(project, body))


@router.get("", response_model=ObjectList[Webhook])
async def list_webhooks(page: Page, project: ProjectId, store: TheStore) -> Response:
    """List webhooks."""
    return ok_list(await store.webhooks.page(project, page))


@router.get("/{webhook_id}", response_model=Webhook)
async def get_webhook(webhook_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a webhook."""
    return ok(await store.webhooks.get(project, webhook_id))


@router.post("/{webhook_id}", response_model=Webhook)
async def modify_webhook(webhook_id: str, body: WebhookModify, project: ProjectId, webhooks: TheRegistry) -> Response:
    """Modify a webhook: fields that are not sent stay as they are."""
    return ok(await webhooks.modify(project, webhook_id, body))


@router.delete("/{webhook_id}", response_model=Deleted)
async def delete_webhook(webhook_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a webhook with its deliveries."""
    return ok(await store.webhooks.delete(project, webhook_id, "webhook.deleted"))


@router.post("/{webhook_id}/rotate_secret", response_model=WebhookWithSecret)
async def rotate_secret(
    webhook_id: str, project: ProjectId, webhooks: TheRegistry, body: SecretRotate | None = None
) -> Response:
    """Give a webhook a new signing secret; the answer alone shows it."""
    keep_old = body is not None and body.keep_old_secret_active_for_24_hours
    return ok(await webhooks.rotate_secret(project, webhook_id, keep_old=keep_old))


@router.get("/{webhook_id}/deliveries", response_model=ObjectList[WebhookDelivery])
async def list_deliveries(webhook_id: str, page: Page, project: ProjectId, store: TheStore) -> Response:
    """List what was sent to a webhook, or is to be."""
    await store.webhooks.get(project, webhook_id)
    return ok_list(await store.deliveries.page(project, page, webhook_id))


@router.post("/{webhook_id}/deliveries/{delivery_id}/retry", response_model=WebhookDelivery)
async def retry_delivery(webhook_id: str, delivery_id: str, project: ProjectId, webhooks: TheRegistry) -> Response:
    """Send an event again, now."""
    return ok(await webhooks.retry(project, webhook_id, delivery_id))
