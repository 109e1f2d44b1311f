"""The real application, as tests use it: served on loopback, with a client that holds every answer to the contract."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import aiohttp
import psycopg
import uvicorn
from fastapi import FastAPI
from psycopg.sql import SQL, Identifier

from retinue.api.app import create_app
from retinue.settings import Settings
from retinue.store.accounts import NewKey

from .contract.spec import DOCUMENTS, Version, load_document, validate, validate_event

Json = dict[str, Any]
T = TypeVar("T")

KEY = "sk-test-first-key"
OTHER_KEY = "sk-test-other-key"


@contextmanager
def in_thread(manager: AbstractAsyncContextManager[T]) -> Generator[T]:
    """What `manager` yields, entered on an event loop in a thread of its own: for tests that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        value = asyncio.run_coroutine_threadsafe(manager.__aenter__(), loop).result(timeout=120)
        try:
            yield value
        finally:
            asyncio.run_coroutine_threadsafe(manager.__aexit__(None, None, None), loop).result(timeout=120)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def empty(conninfo: str) -> None:
    """Forget all that earlier tests wrote. Rows are few, so deleting them is quicker than truncating the tables."""
    objects = (
        "projects",
        "api_keys",
        "gpts",
        "passing_threads",
        "agents",
        "assistants",
        "threads",
        "idempotency_keys",
        "webhook_endpoints",
        "webhook_deliveries",
    )
    completions = ("chat_completions", "usage_records", "code_sessions", "request_log")
    limits = ("spend_months", "spend_limits", "rate_buckets")
    outside = ("connections", "consents")
    knowledge = ("files", "uploads", "vector_stores", "loose_blobs")
    chunks = ("chunks", "chunk_vectors", "chunk_words", "word_lists", "gone_files")
    queue = ("procrastinate_periodic_defers", "procrastinate_jobs")
    administration = ("audit_log", "erasures", "retention_rules")
    people = ("people", "person_groups", "invites", "first_links", "sign_in_attempts")
    tables = (*objects, *people, *outside, *knowledge, *chunks, *completions, *limits, *queue, *administration)
    with psycopg.connect(conninfo) as connection:
        connection.execute("set local retinue.forget_audit_log = 'on'")
        connection.execute("update retention_walk set project_id = '', position = 0, due_at = now()")
        for table in tables:
            connection.execute(SQL("delete from {}").format(Identifier(table)))


@dataclass(frozen=True, slots=True)
class Server:
    """A running application."""

    app: FastAPI
    #: Without ``/v1``.
    url: str

    async def add_project(self, key: str) -> None:
        """A second project, which `key` opens."""
        accounts = self.app.state.store.accounts
        await accounts.ensure_project("proj_other", "Other")
        digest = hashlib.sha256(key.encode()).digest()
        await accounts.ensure_key("proj_other", NewKey("other", digest, "…", ("admin",), None))


@asynccontextmanager
async def serving(settings: Settings, conninfo: str) -> AsyncIterator[Server]:
    """The application on real uvicorn and a free port, with `KEY` as its first key."""
    app = create_app(settings, conninfo, first_key=KEY)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="on", log_config=None, timeout_graceful_shutdown=1)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # `serve` would do these two with a tick of 100 ms in between.
    await server.startup()
    assert server.started
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Server(app, f"http://127.0.0.1:{port}")
    finally:
        # Clients have hung up; uvicorn would wait 100 ms for any that it has not yet seen to do so.
        for _ in range(100):
            if not server.server_state.connections:
                break
            await asyncio.sleep(0.001)
        await server.shutdown()


# --- answers and their schemas


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    name: str
    #: Decoded JSON; the text ``[DONE]`` of `done`.
    data: Any
    id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request was answered with."""

    status: int
    headers: Mapping[str, str]
    #: Decoded JSON; of what is in a file, the bytes.
    body: Any


class Refused(AssertionError):
    """A stream was asked for, and an error came."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


@cache
def _schemas(version: Version) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, path and schema name of every operation that an official document answers with an object."""
    found: list[tuple[str, re.Pattern[str], str]] = []
    for path, operations in load_document(DOCUMENTS[version])["paths"].items():
        pattern = re.compile("/v1" + re.sub(r"\{[^}]+\}", "[^/]+", path) + "$")
        for method, operation in operations.items():
            if not isinstance(operation, dict):
                continue
            content = operation.get("responses", {}).get("200", {}).get("content", {})
            reference = content.get("application/json", {}).get("schema", {}).get("$ref", "")
            if reference:
                found.append((method.upper(), pattern, reference.rpartition("/")[2]))
    # Paths without parameters first: /threads/runs is no thread.
    return sorted(found, key=lambda entry: entry[1].pattern.count("[^/]+"))


def schema_of(method: str, path: str, version: Version = "v2") -> str | None:
    """The official schema of the answer to a request, None where the document has no such operation."""
    bare = path.partition("?")[0]
    return next((name for verb, pattern, name in _schemas(version) if verb == method and pattern.match(bare)), None)


def parse_events(text: str) -> list[Event]:
    """The events of a stream's text; comments are passed over."""
    events: list[Event] = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            data = fields["data"]
            decoded = data if data == "[DONE]" else json.loads(data)
            events.append(Event(fields["event"], decoded, fields.get("id", "")))
    return events


def check_events(events: list[Event], version: Version = "v2") -> None:
    """Hold every event to the official document."""
    for event in events:
        validate_event(event.name, event.data, version=version)


def parse_chunks(text: str, schema: str = "CreateChatCompletionStreamResponse") -> list[Json]:
    """The chunks of a streamed completion's text, each held to the official document; an error ends them."""
    told = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    found = [json.loads(line) for line in told if line != "[DONE]"]
    if "error" in found[-1]:
        validate("ErrorResponse", found[-1])
        assert "[DONE]" not in told
    else:
        assert told.index("[DONE]") == len(told) - 1
    for chunk in found:
        if "error" not in chunk:
            validate(schema, chunk)
    return found


class Api:
    """A client of the application that holds every answer to the official document."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, key: str = KEY, version: Version | None = None
    ) -> None:
        """`version`: of the Assistants API, to ask for in the header; None asks for none."""
        self._session = session
        self._url = url
        self._key = key
        self._version: Version | None = version

    def with_version(self, version: Version) -> Api:
        """The same client, which asks for this version of the Assistants API."""
        return Api(self._session, self._url, self._key, version)

    def _headers(self) -> dict[str, str]:
        """What every request carries."""
        beta = {"openai-beta": f"assistants={self._version}"} if self._version else {}
        return {"authorization": f"Bearer {self._key}", **beta}

    def _document(self, path: str) -> Version:
        """Whose document describes the answer: only assistants and threads have versions."""
        return self._version or "v2" if path.startswith(("/assistants", "/threads")) else "v2"

    def with_key(self, key: str) -> Api:
        """The same client with another key."""
        return Api(self._session, self._url, key, self._version)

    def at(self, url: str) -> Api:
        """The same client of another application, at `url` without ``/v1``."""
        return Api(self._session, url, self._key, self._version)

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        extension: bool = False,
    ) -> Answer:
        """Send a request with a JSON body, or with exactly `data`; `path` is relative to ``/v1``.

        Args:
            method: GET, POST or DELETE.
            path: where to.
            body: what to send, encoded as JSON.
            data: what to send as it is, instead.
            headers: further headers.
            extension: whether this is an operation of ours, whose answer the official document does not describe.
        """
        sent = {**self._headers(), "content-type": "application/json", **(headers or {})}
        if data is None and body is not None:
            data = json.dumps(body).encode()
        async with self._session.request(method, self._url + "/v1" + path, data=data, headers=sent) as response:
            raw = await response.read()
            content = response.status == 200 and re.fullmatch(r"/files/[^/]+/content", path)
            answer = Answer(response.status, response.headers, raw if content else json.loads(raw))
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["openai-version"] == "2020-10-01"
        assert answer.headers["openai-processing-ms"].isdigit()
        if content:
            assert answer.headers["content-type"] == "application/octet-stream"
        elif answer.status == 200:
            document = self._document(path)
            name = schema_of(method, "/v1" + path, document)
            assert bool(name) != extension, f"is {method} {path} in the official document?"
            if name:
                validate(name, answer.body, version=document)
        else:
            validate("ErrorResponse", answer.body)
            # A 500 may only be that of a model's server.
            assert answer.status != 500 or "The model's server" in answer.body["error"]["message"], answer.body
        return answer

    async def chunks(self, path: str, body: Json, schema: str = "CreateChatCompletionStreamResponse") -> list[Json]:
        """The chunks of a streamed completion, each held to the official document; an error ends them."""
        async with self.open_stream(path, body) as response:
            text = await response.text()
        return parse_chunks(text, schema)

    async def call(self, method: str, path: str, body: Any = None, *, extension: bool = False) -> Json:
        """The body of an answer that must be 200."""
        answer = await self.request(method, path, body, extension=extension)
        assert answer.status == 200, answer.body
        return answer.body

    async def get(self, path: str) -> Json:
        """GET, which must succeed."""
        return await self.call("GET", path)

    async def post(self, path: str, body: Any = None) -> Json:
        """POST, which must succeed."""
        return await self.call("POST", path, {} if body is None else body)

    async def delete(self, path: str) -> Json:
        """DELETE, which must succeed."""
        return await self.call("DELETE", path)

    async def refused(self, method: str, path: str, body: Any = None, *, status: int = 400) -> Json:
        """The error object of an answer that must be `status`."""
        answer = await self.request(method, path, body)
        assert answer.status == status, answer.body
        return answer.body["error"]

    @asynccontextmanager
    async def open_stream(self, path: str, body: Json) -> AsyncIterator[aiohttp.ClientResponse]:
        """A streamed answer, to be read piece by piece; leaving hangs up."""
        headers = self._headers()
        async with self._session.post(
            self._url + "/v1" + path, json={**body, "stream": True}, headers=headers
        ) as response:
            if response.status != 200:
                raise Refused(Answer(response.status, response.headers, json.loads(await response.read())))
            assert response.headers["content-type"].startswith("text/event-stream")
            yield response

    @asynccontextmanager
    async def open_get_stream(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A stream that is asked for by GET, to be read piece by piece; leaving hangs up."""
        sent = {"authorization": f"Bearer {self._key}", **(headers or {})}
        async with self._session.get(self._url + "/v1" + path, headers=sent) as response:
            assert response.status == 200, await response.text()
            assert response.headers["content-type"].startswith("text/event-stream")
            yield response

    async def stream(self, path: str, body: Json | None = None) -> list[Event]:
        """All events of a streamed answer."""
        async with self.open_stream(path, body or {}) as response:
            events = parse_events(await response.text())
        check_events(events, self._document(path))
        return events

    async def upload(self, content: Any, *fields: tuple[str, str], filename: str = "notes.txt") -> Answer:
        """Upload `content` (bytes, or pieces of them as they come) as a file; `fields` are the others of the form."""
        form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
        for name, value in fields or (("purpose", "assistants"),):
            form.add_field(name, value)
        form.add_field("file", content, filename=filename, content_type="application/octet-stream")
        payload = form()
        headers = {"content-type": payload.headers["content-type"]}
        return await self.request("POST", "/files", data=payload, headers=headers)

    async def download(self, path: str) -> bytes:
        """What a GET is answered with, which must succeed: for what is not JSON."""
        async with self._session.get(self._url + "/v1" + path, headers=self._headers()) as response:
            assert response.status == 200, await response.text()
            return await response.read()

    # --- common steps

    async def file(self, content: str | bytes = "Some text.", filename: str = "notes.txt") -> str:
        """The id of a new file."""
        answer = await self.upload(content.encode() if isinstance(content, str) else content, filename=filename)
        assert answer.status == 200, answer.body
        return answer.body["id"]

    async def settled(self, path: str) -> Json:
        """A vector store, a file in one or a batch, as soon as nothing in it is in progress."""
        # Reading and embedding step back behind whatever else the machine does.
        async with asyncio.timeout(60):
            while (found := await self.get(path))["status"] == "in_progress":  # noqa: ASYNC110 (it is another program)
                await asyncio.sleep(0.01)
        return found

    async def assistant(self, **fields: Any) -> str:
        """The id of a new assistant."""
        return (await self.post("/assistants", {"model": "scripted", **fields}))["id"]

    async def thread(self, *texts: str) -> str:
        """The id of a new thread with user messages."""
        messages = [{"role": "user", "content": text} for text in texts]
        return (await self.post("/threads", {"messages": messages}))["id"]

    async def start(self, *texts: str, assistant: Json | None = None, **run: Any) -> Json:
        """A new run of a new assistant on a new thread."""
        made = await self.assistant(**(assistant or {}))
        thread = await self.thread(*(texts or ("Hello",)))
        return await self.post(f"/threads/{thread}/runs", {"assistant_id": made, **run})

    async def until(self, run: Json, *statuses: str) -> Json:
        """The run, as soon as it is in one of these statuses, by default a terminal one or `requires_action`."""
        wanted = statuses or ("completed", "incomplete", "failed", "cancelled", "expired", "requires_action")
        # Code's first session starts slowly where the machine has much to do.
        async with asyncio.timeout(60):
            while (run := await self.get(run_path(run)))["status"] not in wanted:
                assert run["status"] in ("queued", "in_progress", "cancelling", "requires_action"), run
                await asyncio.sleep(0.01)
        return run

    async def run(self, *texts: str, assistant: Json | None = None, **run: Any) -> Json:
        """A new run, once it has ended or waits for outputs."""
        return await self.until(await self.start(*texts, assistant=assistant, **run))

    async def messages(self, thread: str, query: str = "") -> list[Json]:
        """The messages of a thread, oldest first."""
        return (await self.get(f"/threads/{thread}/messages?order=asc&limit=100{query}"))["data"]

    async def steps(self, run: Json) -> list[Json]:
        """The steps of a run, oldest first."""
        return (await self.get(run_path(run) + "/steps?order=asc&limit=100"))["data"]


async def eventually(ask: Callable[[], Awaitable[T]], accepted: Callable[[T], Any] = bool) -> T:
    """What `ask` answers, asked again and again until it is `accepted`."""
    async with asyncio.timeout(20):
        while True:
            value = await ask()
            if accepted(value):
                return value
            await asyncio.sleep(0.01)


async def read_until(content: aiohttp.StreamReader, words: bytes) -> bytes:
    """What comes of a stream, up to and with `words`, which must come."""
    text = b""
    async with asyncio.timeout(20):
        while words not in text:
            piece = await content.readany()
            assert piece, text
            text += piece
    return text


def run_path(run: Json) -> str:
    """Where a run is."""
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def text(message: Json) -> str:
    """All text of a message."""
    return "".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")


def function(name: str, **properties: Any) -> Json:
    """A function tool whose parameters are `properties`."""
    parameters = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}
