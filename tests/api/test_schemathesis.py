"""Schemathesis: requests made from the official document, and from our own, are answered without a defect and as said.

Each operation gets requests that the document allows and such as it rules out, half of them on objects that are there.
The examples are the same every time; `SCHEMATHESIS_EXAMPLES=200` plays that many new ones of each kind.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeAlias, cast
from urllib.parse import quote

import aiohttp
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance
from yarl import URL

from retinue.settings import Settings

from ..contract.model_servers import model_servers
from ..contract.operations import document
from ..contract.spec import validate
from ..contract.walker import Objects
from ..harness import KEY, Api, Json, check_events, empty, parse_chunks, parse_events, serving

Case: TypeAlias = "schemathesis.Case[Any]"
Operation: TypeAlias = "schemathesis.APIOperation[Any, Any, Any, Any]"

#: The resources of the official document that are held to it.
RESOURCES = (
    *("/assistants", "/threads", "/models", "/chat", "/completions", "/embeddings", "/moderations", "/images"),
    *("/files", "/uploads", "/vector_stores"),
)

_EXPLORE = os.environ.get("SCHEMATHESIS_EXAMPLES")
PROFILE = settings(
    max_examples=int(_EXPLORE or 8),
    deadline=None,
    database=None,
    derandomize=not _EXPLORE,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
MODES = (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE)


class Caller:
    """The application, on a loop that turns only while a request is under way.

    Nothing runs beside Hypothesis, which objects to code that uses `random` while it draws.
    """

    def __init__(self, settings: Settings, conninfo: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        #: Ids of objects by the names of path parameters.
        self.ids: Json = {}
        self.own_document: Json = {}
        self.url = ""
        self._loop.run_until_complete(self._open(settings, conninfo))

    async def _open(self, settings: Settings, conninfo: str) -> None:
        defaults = {"embedding": "embedder", "moderation": "moderator", "image": "painter"}
        update: Json = {f"default_{kind}_model": name for kind, name in defaults.items()}
        update["models"] = await self._stack.enter_async_context(model_servers())
        settings = settings.model_copy(update=update)
        server = await self._stack.enter_async_context(serving(settings, conninfo))
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        self.url = server.url
        self.own_document = server.app.openapi()
        objects = Objects(Api(self._session, server.url))
        await objects.make()
        self.ids = {**objects.values, "model": "scripted"}

    def send(self, request: requests.PreparedRequest) -> schemathesis.Response:
        """The answer to a request."""
        return self._loop.run_until_complete(self._send(request))

    async def _send(self, request: requests.PreparedRequest) -> schemathesis.Response:
        assert request.method
        assert request.url
        body: Any = request.body
        url, sent = URL(request.url, encoded=True), cast(Any, request.headers)
        async with self._session.request(request.method, url, data=body, headers=sent) as answer:
            headers = {name.lower(): [value] for name, value in answer.headers.items()}
            return schemathesis.Response(answer.status, headers, await answer.read(), request, elapsed=0, verify=False)

    def close(self) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()


@pytest.fixture(scope="module")
def caller(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    empty(postgres)
    caller = Caller(Settings(data=tmp_path_factory.mktemp("schemathesis"), default_model="scripted"), postgres)
    yield caller
    caller.close()


def operations(described: Json) -> dict[str, Operation]:
    """The operations of an OpenAPI document by name."""
    found: list[Operation] = [
        cast(Any, result).ok() for result in schemathesis.openapi.from_dict(described).get_all_operations()
    ]
    return {f"{operation.method.upper()} {operation.path}": operation for operation in found}


def official() -> dict[str, Operation]:
    return {
        name: operation
        for name, operation in operations(document("v2")).items()
        if operation.path.startswith(RESOURCES)
    }


def play(operation: Operation, mode: Any, check: Callable[[Case, bool], None]) -> None:
    """Call `check` with requests of this operation; the flag says whether objects that exist are meant."""

    @PROFILE
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def example(case: Case, real: bool) -> None:
        # What comes before a body may have 64 KiB; more never reaches the application.
        if len(quote(str(case.query))) < 60_000:
            check(case, real)

    example()


def ask(caller: Caller, case: Case, real: bool, base_url: str) -> schemathesis.Response:
    """Send a request."""
    if real and case.method != "DELETE":
        names = {name: caller.ids[name] for name in case.path_parameters or {} if name in caller.ids}
        case.path_parameters = {**(case.path_parameters or {}), **names}
        if isinstance(case.body, dict) and "assistant_id" in case.body:
            case.body["assistant_id"] = caller.ids["assistant"]
    arguments = case.as_transport_kwargs(base_url=base_url, headers={"Authorization": f"Bearer {KEY}"})
    known = {"method", "url", "headers", "files", "data", "json", "params", "auth", "cookies"}
    request = requests.Request(**{name: value for name, value in arguments.items() if name in known})
    return caller.send(request.prepare())


def check_answer(case: Case, response: schemathesis.Response) -> None:
    if response.headers["content-type"][0].startswith("text/html"):
        assert response.status_code < 500  # a page for people
        return
    if response.headers["content-type"][0].startswith("text/event-stream"):
        text = response.content.decode()
        if "/chat/completions" in case.path:
            parse_chunks(text)
        elif "/completions" in case.path:
            parse_chunks(text, "CreateCompletionStreamResponse")
        else:
            check_events(parse_events(text))
        return
    if response.status_code != 200:
        validate("ErrorResponse", json.loads(response.content))
    case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", sorted(official()))
def test_the_official_document(caller: Caller, name: str, mode: Any) -> None:
    def check(case: Case, real: bool) -> None:
        check_answer(case, ask(caller, case, real, caller.url + "/v1"))

    play(official()[name], mode, check)


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.value)
def test_our_own_document(caller: Caller, mode: Any) -> None:
    for operation in operations(caller.own_document).values():
        if mode is schemathesis.GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue  # A path can hold any text: there is nothing to get wrong.

        def check(case: Case, real: bool) -> None:
            check_answer(case, ask(caller, case, real, caller.url))

        play(operation, mode, check)
