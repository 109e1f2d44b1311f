"""The least a Python proxy can cost here: a bare ASGI app that forwards bytes.

    uvicorn floor:app --port 9150 --loop uvloop --http httptools \\
        --log-level error --no-access-log

It parses the request's JSON (as any real server must) and passes the answer through
unparsed.  Not a design proposal: a lower bound to compare real servers with.
"""

import json
import os

import aiohttp

UPSTREAM = os.environ.get("UPSTREAM", "http://127.0.0.1:9100")
JSON = {"content-type": "application/json"}
session = None


async def open_session() -> None:
    global session
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


async def read_body(receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def begin(send, status: int, content_type: str) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", content_type.encode())]})


async def app(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await open_session()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["method"] == "GET":
        await begin(send, 200, "application/json")
        await send({"type": "http.response.body", "body": b"{}"})
        return
    body = await read_body(receive)
    json.loads(body)
    url = UPSTREAM + scope["path"]
    async with session.post(url, data=body, headers=JSON) as answer:
        await begin(send, answer.status, answer.headers["content-type"])
        async for chunk in answer.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
