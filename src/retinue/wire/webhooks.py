"""Webhooks: where events of a project are sent, and what was sent. An extension; the event is in OpenAI's shape."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from .common import Deleted, Metadata, WireObject, WireRequest
from .files import FileObject
from .runs import Run, RunStatus
from .vector_stores import VectorStoreFile

#: What is told of, and the official object that an event of each type carries.
EVENTS: dict[str, type[WireObject]] = {
    **{f"thread.run.{status}": Run for status in get_args(RunStatus)},
    "file.created": FileObject,
    "file.deleted": Deleted,
    "vector_store.file.completed": VectorStoreFile,
    "vector_store.file.failed": VectorStoreFile,
}


def _check_pattern(value: str) -> str:
    begins = value.removesuffix("*")
    if value not in EVENTS and not (begins != value and any(name.startswith(begins) for name in EVENTS)):
        raise ValueError(f"no type of event fits '{value[:80]}'. Types are: {', '.join(EVENTS)}")
    return value


#: A type of event, or the beginning of some with `*` for the rest: `thread.run.*`, `*`.
EventPattern = Annotated[str, StringConstraints(pattern=r"^([a-z_]+\.)*([a-z_]+|\*)$"), AfterValidator(_check_pattern)]
EventPatterns = Annotated[list[EventPattern], Field(min_length=1, max_length=64)]
WebhookUrl = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Description = Annotated[str, StringConstraints(max_length=512)]


class Webhook(WireObject):
    """An address to which events are sent."""

    id: str
    object: Literal["webhook"] = "webhook"
    created_at: int
    url: str
    events: list[str]
    enabled: bool = True
    description: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class WebhookWithSecret(Webhook):
    """A webhook as it is shown once, when its secret is new."""

    #: `whsec_` and the secret in base64, as Standard Webhooks has it.
    signing_secret: str


class WebhookEvent(WireObject):
    """What a webhook receives."""

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
    """One event on its way to one webhook."""

    id: str
    object: Literal["webhook.delivery"] = "webhook.delivery"
    created_at: int
    webhook_id: str
    #: `pending` until the receiver took the event or Retinue gave up.
    status: Literal["pending", "delivered", "failed"]
    attempts: int
    last_attempt_at: int | None = None
    next_attempt_at: int | None = None
    #: HTTP status of the last answer, if there was one.
    response_status: int | None = None
    last_error: str | None = None
    event: WebhookEvent


class WebhookCreate(WireRequest):
    """Body of `POST /webhooks`."""

    url: WebhookUrl
    events: EventPatterns
    enabled: bool = True
    description: Description | None = None
    metadata: Metadata | None = None


class WebhookModify(WireRequest):
    """Body of `POST /webhooks/{id}`."""

    url: WebhookUrl | None = None
    events: EventPatterns | None = None
    enabled: bool | None = None
    description: Description | None = None
    metadata: Metadata | None = None


class SecretRotate(WireRequest):
    """Body of `POST /webhooks/{id}/rotate_secret`."""

    #: Whether events are signed with the old secret too, for a day.
    keep_old_secret_active_for_24_hours: bool = False
