"""Any body at all, on every route that takes one: refused or taken, never a defect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..contract.spec import validate
from ..harness import KEY, empty, serving

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "\x00", "a\x00b", "auto", "required", "function", "user", "text", "scripted", "\U0010ffff"]),
    st.sampled_from(["retrieval", "file_search", "code_interpreter", "last_messages", "json_schema", "x" * 300]),
)
NAMES = st.sampled_from(
    [
        "model",
        "name",
        "tools",
        "type",
        "function",
        "parameters",
        "metadata",
        "messages",
        "role",
        "content",
        "text",
        "image_url",
        "url",
        "file_id",
        "attachments",
        "assistant_id",
        "thread",
        "stream",
        "tool_choice",
        "response_format",
        "json_schema",
        "schema",
        "truncation_strategy",
        "last_messages",
        "tool_outputs",
        "tool_call_id",
        "output",
        "additional_messages",
        "instructions",
        "temperature",
        "max_prompt_tokens",
        "tool_resources",
        "file_search",
        "vector_store_ids",
        "code_interpreter",
        "file_ids",
        "strict",
        "description",
    ]
)
KEYS = st.one_of(NAMES, NAMES, NAMES, st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=12,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=6)
PATHS = [
    "/assistants",
    "/assistants/{assistant}",
    "/threads",
    "/threads/{thread}",
    "/threads/{thread}/messages",
    "/threads/{thread}/messages/{message}",
    "/threads/{thread}/runs",
    "/threads/runs",
    "/threads/{thread}/runs/{run}",
    "/threads/{thread}/runs/{run}/submit_tool_outputs",
    "/threads/{thread}/runs/{run}/cancel",
]
#: Those that only version 1 has.
FILE_PATHS = ["/assistants/{assistant}/files"]
#: What each route needs before it looks at the rest.
BASES: dict[str, dict[str, Any]] = {
    "/assistants": {"model": "scripted"},
    "/threads/{thread}/messages": {"role": "user", "content": "x"},
    "/threads/{thread}/runs": {"assistant_id": "asst_none"},
    "/threads/runs": {"assistant_id": "asst_none"},
}


class Caller:
    """The application with a client, on a loop that turns only while a request is under way.

    Nothing runs beside hypothesis, which objects to code that uses `random` while it draws.
    """

    def __init__(self, settings: Settings, conninfo: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._loop.run_until_complete(self._open(settings, conninfo))

    async def _open(self, settings: Settings, conninfo: str) -> None:
        server = await self._stack.enter_async_context(serving(settings, conninfo))
        self._url = server.url
        headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession(headers=headers))

    def post(self, path: str, data: bytes, version: str = "v2") -> tuple[int, Any]:
        """Status and JSON body of the answer."""
        headers = {"openai-beta": f"assistants={version}"}

        async def send() -> tuple[int, Any]:
            async with self._session.post(f"{self._url}/v1{path}", data=data, headers=headers) as response:
                return response.status, json.loads(await response.read())

        return self._loop.run_until_complete(send())

    def close(self) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()


@pytest.fixture(scope="module")
def caller(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    empty(postgres)
    models = {"scripted": ModelSettings(base_url="http://127.0.0.1:9/v1", retries=0)}
    caller = Caller(Settings(data=tmp_path_factory.mktemp("fuzz"), models=models, default_model="scripted"), postgres)
    yield caller
    caller.close()


@pytest.fixture(scope="module")
def ids(caller: Caller) -> dict[str, str]:
    """The ids of one object of each kind."""
    _, assistant = caller.post("/assistants", b'{"model": "scripted"}')
    _, thread = caller.post("/threads", b"{}")
    _, message = caller.post(f"/threads/{thread['id']}/messages", b'{"role": "user", "content": "x"}')
    body = json.dumps({"assistant_id": assistant["id"]}).encode()
    _, run = caller.post(f"/threads/{thread['id']}/runs", body)
    return {"assistant": assistant["id"], "thread": thread["id"], "message": message["id"], "run": run["id"]}


def check(caller: Caller, path: str, data: bytes, version: str = "v2") -> None:
    status, answer = caller.post(path, data, version)
    if status != 200:
        assert 400 <= status < 500, (path, data, answer)
        validate("ErrorResponse", answer)


@pytest.mark.parametrize(
    ("path", "version"), [*((path, "v2") for path in PATHS), *((path, "v1") for path in PATHS + FILE_PATHS)]
)
def test_any_json(caller: Caller, ids: dict[str, str], path: str, version: str) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(BODIES, st.booleans())
    def fuzz(body: dict[str, Any], with_base: bool) -> None:
        sent = {**body, **BASES.get(path, {})} if with_base else body
        check(caller, path.format(**ids), json.dumps(sent).encode(), version)

    fuzz()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(data=st.one_of(st.binary(max_size=40), VALUES.map(lambda value: json.dumps(value).encode())))
def test_any_bytes(caller: Caller, data: bytes) -> None:
    check(caller, "/assistants", data)
