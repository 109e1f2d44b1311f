"""The least that a run can cost with FastAPI, psycopg and aiohttp: a floor to measure against, not a design.

    PGDSN="host=/socket/folder user=postgres dbname=postgres" UPSTREAM=http://127.0.0.1:9100/v1 \\
        uvicorn floor_runs:app --port 8911 --loop uvloop --http httptools --no-access-log

It has no queue, no lease renewal, no tools, no validation of the wire and no authentication. The first delta goes out
before anything but the claim is written; the end of a run is one pipelined transaction.
"""

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson
from fastapi import FastAPI
from fastapi.responses import Response, StreamingResponse
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

UPSTREAM = os.environ.get("UPSTREAM", "http://127.0.0.1:9100/v1")
TABLES = """
create table if not exists assistants(id text primary key, project text, created bigint, body jsonb);
create table if not exists threads(id text primary key, project text, created bigint, body jsonb);
create table if not exists messages(
    seq bigserial, id text primary key, thread text, run text, created bigint, tokens int, body jsonb);
create index if not exists messages_of_thread on messages(thread, seq desc);
create table if not exists runs(
    seq bigserial, id text primary key, thread text, status text, lease timestamptz, owner text, created bigint,
    body jsonb);
create unique index if not exists active_run on runs(thread)
    where status in ('queued', 'in_progress', 'requires_action', 'cancelling');
create table if not exists steps(seq bigserial, id text primary key, run text, created bigint, body jsonb);
"""
NEW_MESSAGE = """
insert into messages(id, thread, created, tokens, body) select %s, id, %s, %s, %s from threads where id = %s
    and not exists(select 1 from runs where thread = %s
        and status in ('queued', 'in_progress', 'requires_action', 'cancelling'))
"""
CLAIM = """
update runs set status = 'in_progress', owner = 'me', lease = now() + interval '30s'
    where id = %s and status = 'queued'
"""
NEWEST_MESSAGES = "select body from messages where thread = %s order by seq desc limit 50"

Json = dict[str, Any]
Emit = Callable[[str | None, Json | None], None]

pool = AsyncConnectionPool(os.environ["PGDSN"], min_size=8, max_size=16, open=False, kwargs={"autocommit": True})
drivers: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with pool, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        app.state.http = session
        async with pool.connection() as connection:
            await connection.execute(TABLES)
        yield


app = FastAPI(lifespan=lifespan)


class AssistantIn(BaseModel):
    model: str
    name: str | None = None
    instructions: str | None = None
    tools: list = []


class MessageIn(BaseModel):
    role: str
    content: str | list


class RunIn(BaseModel):
    assistant_id: str
    model: str | None = None
    stream: bool = False


def answer(body: Json) -> Response:
    headers = {"x-request-id": "req_" + secrets.token_hex(12)}
    return Response(orjson.dumps(body), media_type="application/json", headers=headers)


def new(kind: str, prefix: str, **fields: Any) -> Json:
    return {"id": prefix + secrets.token_urlsafe(18), "object": kind, "created_at": int(time.time()), **fields}


def text_content(text: str) -> list[Json]:
    return [{"type": "text", "text": {"value": text, "annotations": []}}]


def dumped(body: Json) -> str:
    return orjson.dumps(body).decode()


async def ask(sql: str, *values: Any, one: bool = False) -> Any:
    async with pool.connection() as connection:
        cursor = await connection.execute(sql, values, prepare=True)
        return await cursor.fetchone() if one else None


@app.post("/v1/assistants")
async def create_assistant(body: AssistantIn) -> Response:
    assistant = new("assistant", "asst_", **body.model_dump())
    values = assistant["id"], assistant["created_at"], dumped(assistant)
    await ask("insert into assistants values(%s, 'p', %s, %s)", *values)
    return answer(assistant)


@app.post("/v1/threads")
async def create_thread() -> Response:
    thread = new("thread", "thread_", metadata={}, tool_resources={})
    await ask("insert into threads values(%s, 'p', %s, %s)", thread["id"], thread["created_at"], dumped(thread))
    return answer(thread)


@app.post("/v1/threads/{thread_id}/messages")
async def create_message(thread_id: str, body: MessageIn) -> Response:
    message = new("thread.message", "msg_", thread_id=thread_id, role=body.role, content=text_content(body.content))
    await ask(NEW_MESSAGE, message["id"], message["created_at"], 3, dumped(message), thread_id, thread_id)
    return answer(message)


async def model_text(run: Json, messages: list[Json]) -> AsyncIterator[str]:
    """The model's answer, piece by piece."""
    said = [{"role": one["role"], "content": one["content"][0]["text"]["value"]} for one in messages]
    request = orjson.dumps({"model": run["model"], "stream": True, "messages": said})
    headers = {"content-type": "application/json"}
    async with app.state.http.post(f"{UPSTREAM}/chat/completions", data=request, headers=headers) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                choices = orjson.loads(line[6:])["choices"]
                if choices and (piece := choices[0]["delta"].get("content")):
                    yield piece


async def drive(run: Json, emit: Emit = lambda name, data: None) -> None:
    await ask(CLAIM, run["id"])
    async with pool.connection() as connection:
        rows = await (await connection.execute(NEWEST_MESSAGES, (run["thread_id"],), prepare=True)).fetchall()
    message = new("thread.message", "msg_", thread_id=run["thread_id"], role="assistant")
    step = new("thread.run.step", "step_", run_id=run["id"])
    emit("thread.run.in_progress", run)
    emit("thread.run.step.created", step)
    emit("thread.message.created", message)
    pieces = []
    async for piece in model_text(run, [row[0] for row in reversed(rows)]):
        pieces.append(piece)
        content = [{"index": 0, "type": "text", "text": {"value": piece}}]
        delta = {"id": message["id"], "object": "thread.message.delta", "delta": {"content": content}}
        emit("thread.message.delta", delta)
    message["content"] = text_content("".join(pieces))
    run["status"] = "completed"
    await write_end(run, message, step)
    emit("thread.message.completed", message)
    emit("thread.run.step.completed", step)
    emit("thread.run.completed", run)
    emit(None, None)


async def write_end(run: Json, message: Json, step: Json) -> None:
    async with pool.connection() as connection, connection.pipeline(), connection.transaction():
        await connection.execute(
            "insert into messages(id, thread, run, created, tokens, body) values(%s, %s, %s, %s, %s, %s)",
            (message["id"], run["thread_id"], run["id"], message["created_at"], 100, dumped(message)),
        )
        await connection.execute(
            "insert into steps(id, run, created, body) values(%s, %s, %s, %s)",
            (step["id"], run["id"], step["created_at"], dumped(step)),
        )
        await connection.execute(
            "update runs set status = 'completed', body = %s where id = %s and owner = 'me'", (dumped(run), run["id"])
        )


def start(run: Json, *emit: Emit) -> None:
    task = asyncio.create_task(drive(run, *emit))
    drivers.add(task)
    task.add_done_callback(drivers.discard)


def encoded(name: str, data: Json) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(data))


async def events(queue: asyncio.Queue, run: Json) -> AsyncIterator[bytes]:
    """The run's events; those that wait together go out together."""
    yield encoded("thread.run.created", run)
    while True:
        name, data = await queue.get()
        out = []
        while name is not None:
            out.append(encoded(name, data))
            if queue.empty():
                break
            name, data = queue.get_nowait()
        else:
            yield b"".join([*out, b"event: done\ndata: [DONE]\n\n"])
            return
        yield b"".join(out)


@app.post("/v1/threads/{thread_id}/runs")
async def create_run(thread_id: str, body: RunIn) -> Response:
    (assistant,) = await ask("select body from assistants where id = %s", body.assistant_id, one=True)
    model = body.model or assistant["model"]
    run = new("thread.run", "run_", thread_id=thread_id, assistant_id=body.assistant_id, status="queued", model=model)
    await ask(
        "insert into runs(id, thread, status, created, body) values(%s, %s, 'queued', %s, %s)",
        *(run["id"], thread_id, run["created_at"], dumped(run)),
    )
    if not body.stream:
        created = answer(run)
        start(run)
        return created
    queue: asyncio.Queue = asyncio.Queue()
    start(run, lambda name, data: queue.put_nowait((name, data)))
    return StreamingResponse(events(queue, dict(run)), media_type="text/event-stream")


@app.get("/v1/threads/{thread_id}/runs/{run_id}")
async def get_run(thread_id: str, run_id: str) -> Response:
    sql = "select status, body from runs where id = %s and thread = %s"
    status, body = await ask(sql, run_id, thread_id, one=True)
    body["status"] = status
    return answer(body)


@app.get("/healthz")
async def health() -> Response:
    return answer({})
