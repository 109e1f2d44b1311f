"""`/v1/webhook_endpoints`; their status and their deliveries are extensions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from ..webhooks.registry import WebhookRegistry
from ..wire.common import Deleted, ObjectList
from ..wire.webhooks import (
    EVENTS,
    SecretRotate,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointCreate,
    WebhookEndpointModify,
    WebhookEndpointStatus,
    WebhookEndpointStatusModify,
    WebhookEndpointTest,
    WebhookEndpointTestResult,
    WebhookEndpointWithSecret,
    WebhookEventTypeList,
)
from .http import JsonRoute, Page, ProjectId, TheStore, ok, ok_list

router = APIRouter(prefix="/v1", tags=["Webhooks"], route_class=JsonRoute)
_ENDPOINTS = "/webhook_endpoints"
_ENDPOINT = _ENDPOINTS + "/{webhook_endpoint_id}"


async def _registry(request: Request) -> WebhookRegistry:
    return request.app.state.webhooks


TheRegistry = Annotated[WebhookRegistry, Depends(_registry)]


@router.get("/webhook_event_types", response_model=WebhookEventTypeList)
async def list_webhook_event_types() -> Response:
    """List the types of events."""
    return ok(WebhookEventTypeList(data=list(EVENTS)))


@router.post(_ENDPOINTS, response_model=WebhookEndpointWithSecret)
async def create_webhook_endpoint(body: WebhookEndpointCreate, project: ProjectId, webhooks: TheRegistry) -> Response:
    """Create a webhook endpoint; the answer alone shows its signing secret."""
    return ok(await webhooks.create(project, body))


@router.get(_ENDPOINTS, response_model=ObjectList[WebhookEndpoint])
async def list_webhook_endpoints(page: Page, project: ProjectId, store: TheStore) -> Response:
    """List webhook endpoints."""
    return ok_list(await store.webhook_endpoints.page(project, page))


@router.get(_ENDPOINT, response_model=WebhookEndpoint)
async def get_webhook_endpoint(webhook_endpoint_id: str, project: ProjectId, store: TheStore) -> Response:
    """Retrieve a webhook endpoint."""
    return ok(await store.webhook_endpoints.get(project, webhook_endpoint_id))


@router.post(_ENDPOINT, response_model=WebhookEndpoint)
async def modify_webhook_endpoint(
    webhook_endpoint_id: str, body: WebhookEndpointModify, project: ProjectId, webhooks: TheRegistry
) -> Response:
    """Modify a webhook endpoint: fields that are not sent stay as they are."""
    return ok(await webhooks.modify(project, webhook_endpoint_id, body))


@router.delete(_ENDPOINT, response_model=Deleted)
async def delete_webhook_endpoint(webhook_endpoint_id: str, project: ProjectId, store: TheStore) -> Response:
    """Delete a webhook endpoint with its deliveries."""
    return ok(await store.webhook_endpoints.delete(project, webhook_endpoint_id, "webhook_endpoint.deleted"))


@router.post(_ENDPOINT + "/rotate_secret", response_model=WebhookEndpointWithSecret)
async def rotate_webhook_endpoint_secret(
    webhook_endpoint_id: str, project: ProjectId, webhooks: TheRegistry, body: SecretRotate | None = None
) -> Response:
    """Give a webhook endpoint a new signing secret; the answer alone shows it."""
    keep_old = body is not None and body.keep_old_secret_active_for_24_hours
    return ok(await webhooks.rotate_secret(project, webhook_endpoint_id, keep_old=keep_old))


@router.post(_ENDPOINT + "/test", response_model=WebhookEndpointTestResult)
async def test_webhook_endpoint(
    webhook_endpoint_id: str, body: WebhookEndpointTest, project: ProjectId, webhooks: TheRegistry
) -> Response:
    """Send a sample event to a webhook endpoint, now."""
    return ok(await webhooks.test(project, webhook_endpoint_id, body.event_type))


@router.get(_ENDPOINT + "/status", response_model=WebhookEndpointStatus)
async def get_webhook_endpoint_status(webhook_endpoint_id: str, project: ProjectId, store: TheStore) -> Response:
    """Tell whether events are sent to a webhook endpoint."""
    endpoint = await store.webhook_endpoints.get(project, webhook_endpoint_id)
    return ok(WebhookEndpointStatus(webhook_endpoint_id=endpoint.id, enabled=endpoint.enabled))


@router.post(_ENDPOINT + "/status", response_model=WebhookEndpointStatus)
async def modify_webhook_endpoint_status(
    webhook_endpoint_id: str, body: WebhookEndpointStatusModify, project: ProjectId, store: TheStore
) -> Response:
    """Have events sent to a webhook endpoint, or not."""
    endpoint = await store.webhook_endpoints.patch(project, webhook_endpoint_id, body.model_dump())
    return ok(WebhookEndpointStatus(webhook_endpoint_id=endpoint.id, enabled=endpoint.enabled))


@router.get(_ENDPOINT + "/deliveries", response_model=ObjectList[WebhookDelivery])
async def list_webhook_deliveries(
    webhook_endpoint_id: str, page: Page, project: ProjectId, store: TheStore
) -> Response:
    """List what was sent to a webhook endpoint, or is to be."""
    await store.webhook_endpoints.get(project, webhook_endpoint_id)
    return ok_list(await store.webhook_deliveries.page(project, page, webhook_endpoint_id))


@router.post(_ENDPOINT + "/deliveries/{delivery_id}/retry", response_model=WebhookDelivery)
async def retry_webhook_delivery(
    webhook_endpoint_id: str, delivery_id: str, project: ProjectId, webhooks: TheRegistry
) -> Response:
    """Send an event again, now."""
    return ok(await webhooks.retry(project, webhook_endpoint_id, delivery_id))
