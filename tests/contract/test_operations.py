"""Every operation of the official documents, against the real server, with everything that each document says of it.

`bodies.py` is the table of what is sent. A documented operation, field or parameter that is not in it fails a test; so
does an answer or an event that the document does not allow (`tests.harness.Api` holds all of them to it).
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from urllib.parse import urlencode

import aiohttp
import pytest
import pytest_asyncio

from retinue.settings import Settings
from tests.harness import OTHER_KEY, Answer, Api, empty, parse_events, serving

from .bodies import BODIES, QUERIES
from .knowledge_bodies import KNOWLEDGE_BODIES
from .model_bodies import MODEL_BODIES, NOT_STREAMED, STREAMED
from .model_servers import model_servers
from .operations import Operation, operations, sent_properties
from .spec import Json, Version, validate
from .walker import Objects, filled, sent, until_free

#: Where the walk goes.
PREFIXES: dict[Version, tuple[str, ...]] = {
    "v1": ("/assistants", "/threads"),
    "v2": (
        *("/assistants", "/threads", "/models"),
        *("/chat/completions", "/completions", "/embeddings", "/moderations", "/images"),
        *("/files", "/uploads", "/vector_stores"),
    ),
}
VERSIONS: tuple[Version, ...] = ("v1", "v2")
WALKED = [
    operation
    for version in VERSIONS
    for operation in operations(version).values()
    if operation.path.startswith(PREFIXES[version])
]
TABLE: dict[Version, dict[str, list[Json]]] = {"v1": BODIES["v1"], "v2": BODIES["v2"] | MODEL_BODIES | KNOWLEDGE_BODIES}

#: Operations that are refused whatever is sent, and how: only models that were fine-tuned can be deleted.
ALWAYS_REFUSED = {"DELETE /models/{model}": 403}
#: Fields that are refused by name, because they would have no effect.
REFUSED_FIELDS = {"POST /completions": {"stream_options.include_obfuscation"}}

#: What belongs to no project.
SHARED = "/models"
#: The schemas of what streams are made of, beside those of assistants.
CHUNKS = {"/chat/completions": "CreateChatCompletionStreamResponse", "/completions": "CreateCompletionStreamResponse"}
EVENTS = {"/images/generations": "ImageGenStreamEvent", "/images/edits": "ImageEditStreamEvent"}

#: What the documents rule out and the server takes: no files, a `file_search` without stores, no texts to stop at,
#: null for no name, and what is inside fields that only the model's server understands.
TAKEN_ANYWAY = re.compile(
    r"(thread\.)?tool_resources\.file_search(: dict \{\}|\.vector_stores?(_ids)?: missing)|.*file_ids: list \[\]"
    r"|stop: list \[\]|messages\[\d\]\.name: null"
    r"|(.*\.)?(audio|custom|file|input_audio|moderation|prompt_cache_\w+|web_search_options)(\.[^:]*)?: .*"
)

each_operation = pytest.mark.parametrize(
    "operation", WALKED, ids=[f"{operation.version} {operation.name}" for operation in WALKED]
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Walk:
    """A server with objects of each version on it."""

    def __init__(self, api: Api, other: Api) -> None:
        self._api = api
        self._other = other
        self._objects: dict[Version, Objects] = {}

    def api(self, version: Version) -> Api:
        return self._api.with_version(version)

    def other(self, version: Version) -> Api:
        """A client of another project."""
        return self._other.with_version(version)

    async def objects(self, version: Version) -> Objects:
        if version not in self._objects:
            self._objects[version] = Objects(self.api(version))
            await self._objects[version].make()
        return self._objects[version]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def walk(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Walk]:
    empty(postgres)
    async with model_servers() as models:
        settings = Settings(
            data=tmp_path_factory.mktemp("walk"),
            models=models,
            default_model="scripted",
            default_image_model="painter",
        )
        async with serving(settings, postgres) as server, aiohttp.ClientSession() as session:
            await server.add_project(OTHER_KEY)
            api = Api(session, server.url)
            yield Walk(api, api.with_key(OTHER_KEY))


def bodies(operation: Operation) -> list[Json | None]:
    """What is sent to an operation; at least once."""
    return [*TABLE[operation.version].get(operation.name, [])] or [None]


def at(operation: Operation, values: dict[str, str]) -> str:
    return operation.path.format_map(values)


async def send(walk: Walk, operation: Operation, body: Json | None = None, query: str = "") -> Answer:
    """One request with everything in its place; a run that it starts is waited for."""
    api, objects = walk.api(operation.version), await walk.objects(operation.version)
    values = await objects.place(operation)
    answer = await sent(api, operation, at(operation, values) + query, filled(body, values))
    if answer.status == 200:
        await until_free(api, answer.body)
    return answer


@each_operation
async def test_every_documented_body_is_taken(walk: Walk, operation: Operation) -> None:
    """The least body, and others which together hold each documented field."""
    named: set[str] = set()
    for body in bodies(operation):
        answer = await send(walk, operation, body)
        assert answer.status == ALWAYS_REFUSED.get(operation.name, 200), (body, answer.body)
        named |= set(sent_properties(body))
        assert body is None or operation.allows(body)
    for body in STREAMED.get(operation.name, []):
        named |= {"stream", *sent_properties(body)}
    never = operation.properties() - named - REFUSED_FIELDS.get(operation.name, set())
    assert never == set(), "documented, and never sent"


@pytest.mark.parametrize(
    "operation", [one for one in WALKED if one.streams], ids=lambda one: f"{one.version} {one.name}"
)
async def test_every_body_can_be_answered_with_a_stream(walk: Walk, operation: Operation) -> None:
    api, objects = walk.api(operation.version), await walk.objects(operation.version)
    for body in [*bodies(operation), *STREAMED.get(operation.name, [])]:
        assert body is not None
        if any(name in body for name in NOT_STREAMED):
            continue
        values = await objects.place(operation)
        path, body = at(operation, values), filled(body, values)
        if path in CHUNKS:
            assert await api.chunks(path, body, CHUNKS[path])
        elif path in EVENTS:
            async with api.open_stream(path, body) as response:
                told = parse_events(await response.text())
            for event in told:
                validate(EVENTS[path], event.data)
            assert told[-1].name.endswith(".completed")
        else:
            events = await api.stream(path, body)
            assert events[-1].name == "done"
            assert "thread.run.completed" in [event.name for event in events], [event.name for event in events]


@each_operation
async def test_every_query_parameter(walk: Walk, operation: Operation) -> None:
    body = bodies(operation)[0]
    first = ""
    if any(parameter.name == "after" for parameter in operation.query):
        first = (await send(walk, operation)).body["data"][0]["id"]
    objects = await walk.objects(operation.version)
    for parameter in operation.query:
        good, bad = QUERIES.get(f"{operation.name} {parameter.name}") or QUERIES[parameter.name]
        for value, status in [*((value, 200) for value in good), *((value, 400) for value in bad)]:
            whole = value if isinstance(value, dict) else {parameter.name: value}
            query = urlencode(filled(whole, {**objects.values, "first": first}))
            answer = await send(walk, operation, body, "?" + query)
            assert answer.status == status, (query, answer.body)


@each_operation
async def test_every_wrong_value_is_refused(walk: Walk, operation: Operation) -> None:
    """Each value of each body, made wrong in every way that the document rules out."""
    api, objects = walk.api(operation.version), await walk.objects(operation.version)
    values = await objects.place(operation)
    taken: list[str] = []
    for body in TABLE[operation.version].get(operation.name, []):
        for what, broken in operation.wrong(filled(body, values), TAKEN_ANYWAY):
            answer = await sent(api, operation, at(operation, values), broken)
            if answer.status == 200:
                await until_free(api, answer.body)
                taken += [] if TAKEN_ANYWAY.fullmatch(what) else [what]
            else:
                assert answer.status == 400, (what, answer.body)
                assert answer.body["error"]["type"] == "invalid_request_error"
    assert not taken, "taken: " + "; ".join(taken)


@each_operation
async def test_objects_of_others_and_of_nobody_are_not_found(walk: Walk, operation: Operation) -> None:
    if not operation.path_parameters:
        return
    api, objects = walk.api(operation.version), await walk.objects(operation.version)
    values = await objects.place(operation)
    body = filled(bodies(operation)[0], values)
    if not operation.path.startswith(SHARED):
        answer = await sent(walk.other(operation.version), operation, at(operation, values), body)
        assert answer.status == 404, answer.body
    for name in operation.path_parameters:
        answer = await sent(api, operation, at(operation, {**values, name: "none_such"}), body)
        assert answer.status == 404, (name, answer.body)


@each_operation
async def test_a_key_is_needed(walk: Walk, operation: Operation) -> None:
    values = dict.fromkeys(operation.path_parameters, "none_such")
    stranger = walk.api(operation.version).with_key("sk-nobody")
    assert (await stranger.request(operation.method, at(operation, values))).status == 401


async def test_the_assistant_that_a_run_names_must_be_there(walk: Walk) -> None:
    for operation in WALKED:
        for body in TABLE[operation.version].get(operation.name, [])[:1]:
            if body.get("assistant_id"):
                answer = await send(walk, operation, {**body, "assistant_id": "none_such"})
                assert answer.status == 404, answer.body


async def test_the_table_has_no_operation_that_the_documents_lack() -> None:
    for version in VERSIONS:
        assert TABLE[version].keys() <= operations(version).keys()
