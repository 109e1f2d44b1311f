"""Connections: made, changed, listed, deleted; and where their secrets do not show."""

from __future__ import annotations

import json
import logging
from contextlib import AsyncExitStack
from typing import Any

import psycopg
import pytest
from aiohttp import web

from ..harness import Api, Json
from ..scripted import Call, Reply, ScriptedUpstream
from ..services import CONNECTIONS, action, connect, document, service

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])

#: Nothing is sent there.
URL = "http://127.0.0.1:8123/v1"
PATHS: Json = {"/pets": {"get": {"operationId": "listPets", "parameters": [{"name": "key", "in": "query"}]}}}
PETS = document(PATHS, URL)
YAML = f"""
openapi: 3.0.3
info: {{title: Pets, version: 2020-01-01}}
servers: [{{url: "{URL}"}}]
paths:
  /pets:
    get: &get
      operationId: listPets
      responses: {{200: {{description: yes}}}}
  /cats:
    get:
      <<: *get
      operationId: listCats
"""
MCP: Json = {"type": "mcp", "url": URL}


async def change(api: Api, connection: Json, **fields: Any) -> Json:
    return await api.call("POST", f"{CONNECTIONS}/{connection['id']}", fields, extension=True)


async def tools(api: Api, connection: Json) -> list[str]:
    found = await api.call("GET", f"{CONNECTIONS}/{connection['id']}/tools", extension=True)
    return [tool["name"] for tool in found["data"]]


async def test_a_connection(api: Api, other: Api) -> None:
    made = await connect(api, document=PETS, description="Our pets.", metadata={"a": "b"})
    assert made == {
        "id": made["id"],
        "object": "connection",
        "created_at": made["created_at"],
        "type": "action",
        "name": "Pets",
        "description": "Our pets.",
        "url": URL,
        "document_url": None,
        "auth": {"type": "none"},
        "headers": [],
        "consent": "auto",
        "privacy_policy_url": None,
        "metadata": {"a": "b"},
    }
    path = f"{CONNECTIONS}/{made['id']}"
    assert await api.call("GET", path, extension=True) == made
    changed = await change(api, made, name="Animals", consent="always", document=YAML, headers={"X-Tenant": "t"})
    assert changed == made | {"name": "Animals", "consent": "always", "headers": ["X-Tenant"]}
    assert await tools(api, made) == ["listPets", "listCats"]
    second = await connect(api, **(MCP | {"name": "Tools"}))
    listed = await api.call("GET", f"{CONNECTIONS}?order=asc", extension=True)
    assert listed["data"] == [changed, second]
    assert (await other.call("GET", CONNECTIONS, extension=True))["data"] == []
    for method, of in (("GET", ""), ("POST", ""), ("DELETE", ""), ("GET", "/tools"), ("POST", "/sign_in")):
        await other.refused(method, path + of, {} if method == "POST" else None, status=404)
    for of in ("/consents", "/sign_in"):
        await other.refused("DELETE", path + of, status=404)
    deleted = await api.call("DELETE", path, extension=True)
    assert deleted == {"id": made["id"], "object": "connection.deleted", "deleted": True}
    await api.refused("GET", path, status=404)


async def test_another_project_cannot_call_it(api: Api, other: Api, upstream: ScriptedUpstream) -> None:
    made = await connect(api, document=PETS)
    run = await other.run("Hi", assistant=action(made))
    assert run["status"] == "completed"
    assert "tools" not in upstream.requests[-1]


WRONG: list[tuple[Json, str | None, str]] = [
    ({}, "document", "either a 'document' or a 'document_url'"),
    ({"document": PETS, "document_url": URL}, "document", "either a 'document' or a 'document_url'"),
    ({"document": "Hello: ["}, "document", "neither JSON nor YAML"),
    ({"document": "[]"}, "document", "it is no object"),
    ({"document": {**PETS, "openapi": "2.0"}}, "document", "must be OpenAPI 3.0 or 3.1"),
    ({"document": {**PETS, "paths": {}}}, "document", "it has no operations"),
    ({"document": "x" * (1024 * 1024 + 1)}, "document", "larger than 1048576 bytes"),
    ({"document": document(PATHS)}, "url", "names no server with a whole address"),
    ({"document": document(PATHS, "http://10.0.0.1/")}, "url", "private or reserved"),
    ({"document_url": "http://10.0.0.1/openapi.json"}, "document_url", "private or reserved"),
    ({"document": PETS, "url": URL + "?key=1"}, "url", "must have no query"),
    ({"document": PETS, "url": "ftp://example.com"}, "url", "http://"),
    ({"document": PETS, "auth": {"type": "api_key"}}, "auth.key", "Missing required parameter"),
    ({"document": PETS, "auth": {"type": "api_key", "key": "a\nb"}}, "auth.key", "line break"),
    ({"document": PETS, "auth": {"type": "api_key", "key": "k", "name": "a b"}}, None, "Invalid"),
    ({"document": PETS, "auth": {"type": "magic"}}, "auth.type", "'magic'"),
    ({"document": PETS, "headers": {"x": "a\r\nhost: b"}}, "headers.x", "line break"),
    ({"document": PETS, "headers": {"Host": "b"}}, "headers", "may not be set"),
    ({"document": PETS, "headers": {"x": "1", "X": "2"}}, "headers", "there twice"),
    (
        {"document": PETS, "auth": {"type": "oauth", "client_id": "c", "token_url": "http://10.0.0.1/"}},
        None,
        "needs an authorization_url",
    ),
    (
        {
            "document": PETS,
            "auth": {
                "type": "oauth",
                "flow": "client_credentials",
                "client_id": "c",
                "token_url": "http://10.0.0.1/",
            },
        },
        "auth.token_url",
        "private or reserved",
    ),
    ({"type": "mcp"}, "url", "MCP needs one"),
    ({**MCP, "document": PETS}, "document", "has no 'document'"),
]


async def test_what_is_refused(api: Api) -> None:
    for fields, param, words in WRONG:
        error = await api.refused("POST", CONNECTIONS, {"type": "action", **fields})
        assert words in error["message"]
        if param:
            assert error["param"] == param
    assert (await api.call("GET", CONNECTIONS, extension=True))["data"] == []


async def test_a_document_from_an_address(api: Api) -> None:
    async with service() as host:
        host.answer = lambda got: web.Response(text=YAML.replace(URL, "/api"))
        made = await connect(api, document_url=host.url + "/specs/pets.yaml")
        assert made["url"] == host.url + "/api"
        assert made["document_url"] == host.url + "/specs/pets.yaml"
        host.answer = lambda got: web.Response(status=500)
        error = await api.refused("POST", CONNECTIONS, {"type": "action", "document_url": host.url})
        assert (error["param"], error["message"]) == ("document_url", "'document_url' was answered 500.")
        host.answer = lambda got: web.Response(body=b" " * (1024 * 1024 + 1))
        error = await api.refused("POST", CONNECTIONS, {"type": "action", "document_url": host.url})
        assert "larger than" in error["message"]


@pytest.mark.settings(max_connections=2)
async def test_a_project_has_so_many(api: Api, other: Api) -> None:
    for _ in range(2):
        await connect(api, document=PETS)
    error = await api.refused("POST", CONNECTIONS, {"type": "action", "document": PETS})
    assert "has 2 connections, and may have no more" in error["message"]
    await connect(other, document=PETS)


async def test_secrets_do_not_follow_to_another_server(api: Api) -> None:
    made = await connect(api, document=PETS, auth={"type": "api_key", "key": "k-123456"}, headers={"x-a": "b-123456"})
    path = f"{CONNECTIONS}/{made['id']}"
    for fields in ({}, {"auth": {"type": "none"}}, {"headers": {}}):
        error = await api.refused("POST", path, {"url": "http://127.0.0.1:8124", **fields})
        assert "Send 'auth' and 'headers' anew" in error["message"]
    changed = await change(api, made, url="http://127.0.0.1:8124", auth={"type": "none"}, headers={})
    assert (changed["url"], changed["auth"], changed["headers"]) == ("http://127.0.0.1:8124", {"type": "none"}, [])


# --- secrets

SECRET = "s3cr3t-Value/+=x"
#: From the way a connection authenticates to what its service gets.
WAYS: list[tuple[Json, str, str]] = [
    ({"auth": {"type": "api_key", "prefix": "Bearer", "key": SECRET}}, "authorization", f"Bearer {SECRET}"),
    ({"auth": {"type": "api_key", "in": "header", "name": "X-Key", "key": SECRET}}, "x-key", SECRET),
    ({"auth": {"type": "api_key", "in": "query", "name": "key", "key": SECRET}}, "", "key=s3cr3t-Value/%2B%3Dx"),
    ({"auth": {"type": "api_key", "in": "cookie", "name": "sid", "key": SECRET}}, "cookie", f"sid={SECRET}"),
    (
        {"auth": {"type": "basic", "username": "ann", "password": SECRET}},
        "authorization",
        "Basic YW5uOnMzY3IzdC1WYWx1ZS8rPXg=",
    ),
    ({"headers": {"X-Tenant": SECRET}}, "x-tenant", SECRET),
]


async def test_secrets_are_sent_and_never_seen(
    api: Api, upstream: ScriptedUpstream, postgres: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    seen: list[Any] = []
    async with AsyncExitStack() as services:
        for fields, header, expected in WAYS:
            pets = await services.enter_async_context(service())
            # A service may say all that it was told, and refuse.
            pets.answer = lambda got: web.json_response({"headers": got.headers, "target": got.target}, status=400)
            made = await connect(api, document=document(PATHS, pets.url), **fields)
            seen += [made, await api.call("GET", f"{CONNECTIONS}/{made['id']}", extension=True)]
            seen += await what_a_run_shows(api, upstream, made)
            (got,) = pets.got
            assert expected in (got.headers[header] if header else got.target)
            assert "[secret]" in json.dumps(upstream.requests[-1])
    made = (await api.call("GET", f"{CONNECTIONS}?order=asc", extension=True))["data"]
    for connection in made:
        # Its service has gone: what fails then may name the URL.
        seen += await what_a_run_shows(api, upstream, connection)
    seen += [made, (await api.download("/export")).decode(), upstream.requests]
    # The services of the test have a log of their own.
    seen += [record.getMessage() for record in caplog.records if record.name != "aiohttp.access"]
    with psycopg.connect(postgres) as database:
        for table in ("connections", "runs", "steps", "messages"):
            seen.append(str(database.execute(f"select t::text from {table} t").fetchall()))
    whole = json.dumps(seen)
    for spelling in (SECRET, SECRET.replace("/", "%2F"), "s3cr3t-Value", "YW5uOnMzY3IzdC1WYWx1ZS8rPXg="):
        assert spelling not in whole


async def what_a_run_shows(api: Api, upstream: ScriptedUpstream, connection: Json) -> list[Any]:
    upstream.script(Reply(tool_calls=[Call("listPets", {"key": "mine"})]), Reply(text="Done."))
    run = await api.run("Hi", assistant=action(connection))
    assert run["status"] == "completed"
    exported = await api.download(f"/threads/{run['thread_id']}/export")
    return [run, await api.steps(run), await api.messages(run["thread_id"]), exported.decode()]


async def test_secrets_of_another_key_are_told_of(api: Api, upstream: ScriptedUpstream, postgres: str) -> None:
    made = await connect(api, document=PETS, auth={"type": "api_key", "key": SECRET})
    with psycopg.connect(postgres) as connection:
        connection.execute("update connections set secrets = %s", (b"sealed by another",))
    upstream.script(Reply(tool_calls=[Call("listPets")]), Reply(text="Done."))
    run = await api.run("Hi", assistant=action(made))
    assert run["status"] == "completed"
    (told,) = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    assert "cannot be read" in told


async def test_validation_tells_no_secret(api: Api) -> None:
    for auth in (
        {"type": "api_key", "key": [SECRET]},
        {"type": "api_key", "key": SECRET * 1000},
        {"type": "basic", "username": 1, "password": SECRET},
    ):
        error = await api.refused("POST", CONNECTIONS, {"type": "action", "document": PETS, "auth": auth})
        assert SECRET not in json.dumps(error)
