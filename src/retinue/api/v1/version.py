"""Which version of the Assistants API a request speaks, and the way to version 1."""

from __future__ import annotations

from typing import Literal

from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import InvalidRequest

_FEATURE = "assistants="


def asked_version(scope: Scope) -> Literal["v1", "v2"]:
    """The version that the header `OpenAI-Beta` asks for; version 2 without one.

    The header may be repeated, and each may hold several values: other features than `assistants` are not ours.

    Raises:
        InvalidRequest: it asks for another version, or for both.
    """
    lines = [value.decode("latin-1") for name, value in scope["headers"] if name == b"openai-beta"]
    features = [feature.strip().lower() for line in lines for feature in line.split(",")]
    asked = {feature.removeprefix(_FEATURE) for feature in features if feature.startswith(_FEATURE)}
    match sorted(asked):
        case [] | ["v2"]:
            return "v2"
        case ["v1"]:
            return "v1"
        case ["v1", "v2"]:
            message = "The header `OpenAI-Beta` asks for two versions of the Assistants API. Send one."
        case _:
            message = (
                "This server speaks versions 1 and 2 of the Assistants API. Send the header "
                "`OpenAI-Beta: assistants=v2`, `OpenAI-Beta: assistants=v1`, or none, which means version 2."
            )
    raise InvalidRequest(message, code="invalid_beta")


class VersionOne(BaseRoute):
    """The route of all requests of the Assistants API that ask for version 1: it comes before those of version 2."""

    def __init__(self, app: ASGIApp) -> None:
        """`app`: what answers them."""
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether this is such a request. The files, models and other APIs are the same in both versions."""
        if scope["type"] == "http" and scope["path"].split("/", 3)[1:3] in (["v1", "assistants"], ["v1", "threads"]):
            return (Match.FULL if asked_version(scope) == "v1" else Match.NONE), {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""
        await self._app(scope, receive, send)
