"""Webhook endpoints: where events of a project are sent, and what was sent. Types of events are our own."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from .agents import Agent
from .common import Deleted, WireObject, WireRequest
from .files import FileObject
from .runs import Run, RunStatus
from .usage import SpendLimitEvent
from .vector_stores import VectorStoreFile

#: What is told of, and the object that an event of each type carries, official where there is an official one.
EVENTS: dict[str, type[WireObject]] = {
    **{f"thread.run.{status}": Run for status in get_args(RunStatus)},
    **{f"agent.{status}": Agent for status in ("requires_action", "completed", "incomplete", "failed", "cancelled")},
    "file.created": FileObject,
    "file.deleted": Deleted,
    "vector_store.file.completed": VectorStoreFile,
    "vector_store.file.failed": VectorStoreFile,
    "project.spend_limit.warned": SpendLimitEvent,
    "project.spend_limit.reached": SpendLimitEvent,
}


def _check_type(value: str) -> str:
    if value not in EVENTS:
        raise ValueError(f"there is no type of event '{value[:80]}'. Types are: {', '.join(EVENTS)}")
    return value


def _check_pattern(value: str) -> str:
    begins = value.removesuffix("*")
    if value not in EVENTS and not (begins != value and any(name.startswith(begins) for name in EVENTS)):
        raise ValueError(f"no type of event fits '{value[:80]}'. Types are: {', '.join(EVENTS)}")
    return value


EventType = Annotated[str, AfterValidator(_check_type)]
#: A type of event, or the beginning of some with `*` for the rest: `thread.run.*`, `*`.
EventPattern = Annotated[str, StringConstraints(pattern=r"^([a-z_]+\.)*([a-z_]+|\*)$"), AfterValidator(_check_pattern)]
EventPatterns = Annotated[list[EventPattern], Field(min_length=1, max_length=64)]
EndpointName = Annotated[str, StringConstraints(min_length=1, max_length=256)]
EndpointUrl = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


class WebhookEndpoint(WireObject):
    """An address to which events are sent."""

    internal: ClassVar[frozenset[str]] = frozenset({"enabled"})

    id: str
    object: Literal["webhook_endpoint"] = "webhook_endpoint"
    created_at: int
    #: When name, address, types of events or secret were last changed.
    updated_at: int
    name: str
    url: str
    event_types: list[str]
    #: The end of the signing secret, to tell it from others.
    signing_secret_hint: str
    #: Whether events are sent; seen and changed as `WebhookEndpointStatus`.
    enabled: bool = True


class WebhookEndpointWithSecret(WebhookEndpoint):
    """An endpoint as it is shown once, when its secret is new."""

    #: `whsec_` and the secret in base64, as Standard Webhooks has it.
    signing_secret: str


class WebhookEndpointStatus(WireObject):
    """Whether events are sent to an endpoint: an extension."""

    object: Literal["webhook_endpoint.status"] = "webhook_endpoint.status"
    webhook_endpoint_id: str
    enabled: bool


class WebhookEndpointTestResult(WireObject):
    """What a test was answered with."""

    object: Literal["webhook_endpoint.test"] = "webhook_endpoint.test"
    webhook_endpoint_id: str
    event_type: str
    #: HTTP status of the receiver's answer, whatever it is.
    status_code: int
    #: That there was an answer.
    success: Literal[True] = True


class WebhookEventTypeList(WireObject):
    """The types of events that there are."""

    object: Literal["list"] = "list"
    data: list[str]


class WebhookEvent(WireObject):
    """What an endpoint receives."""

    id: str
    object: Literal["event"] = "event"
    created_at: int
    type: str
    #: The official object, as it was at that moment.
    data: dict[str, Any]

    @field_validator("data")
    @classmethod
    def _as_clients_see_it(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        shape = EVENTS[info.data["type"]]
        return shape.model_validate(value).model_dump(mode="json", exclude=set(shape.internal))


class WebhookDelivery(WireObject):
    """One event on its way to one endpoint: an extension."""

    id: str
    object: Literal["webhook_endpoint.delivery"] = "webhook_endpoint.delivery"
    created_at: int
    webhook_endpoint_id: str
    #: `pending` until the receiver took the event or Retinue gave up.
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    last_attempt_at: int | None = None
    next_attempt_at: int | None = None
    #: HTTP status of the last answer, if there was one.
    response_status: int | None = None
    last_error: str | None = None
    event: WebhookEvent


class WebhookEndpointCreate(WireRequest):
    """Body of `POST /webhook_endpoints`."""

    name: EndpointName
    url: EndpointUrl
    event_types: EventPatterns


class WebhookEndpointModify(WireRequest):
    """Body of `POST /webhook_endpoints/{id}`: what is absent stays as it is."""

    name: EndpointName | None = None
    url: EndpointUrl | None = None
    event_types: EventPatterns | None = None


class WebhookEndpointStatusModify(WireRequest):
    """Body of `POST /webhook_endpoints/{id}/status`."""

    enabled: bool


class WebhookEndpointTest(WireRequest):
    """Body of `POST /webhook_endpoints/{id}/test`."""

    event_type: EventType


class SecretRotate(WireRequest):
    """Body of `POST /webhook_endpoints/{id}/rotate_secret`."""

    #: Whether events are signed with the old secret too, for a day.
    keep_old_secret_active_for_24_hours: bool = False
