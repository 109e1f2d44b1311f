"""No secret stands anywhere in the database as it is: not where it is kept, nor in the audit log or a kept answer."""

from __future__ import annotations

from typing import Any

import pytest

from retinue.accounts.keys import Keys
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.store import Store

from ..dump import files_with, rows, tables_with
from ..harness import KEY, Api, Json, Server
from ..webhooks import Receiver

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])

#: What a secret of a connection is called in it, and the rest of its `auth`.
AUTHS: dict[str, Json] = {
    "key": {"type": "api_key"},
    "password": {"type": "basic", "username": "me"},
    "client_secret": {
        "type": "oauth",
        "client_id": "us",
        "authorization_url": "http://127.0.0.1:8999/authorize",
        "token_url": "http://127.0.0.1:8999/token",
    },
}


async def post(api: Api, path: str, body: Json, **headers: str) -> Json:
    """The answer to a POST that is sent with an idempotency key, so that it is kept."""
    headers = {"idempotency-key": f"once {path} {sorted(body)} {len(str(body))}"}
    answer = await api.request("POST", path, body, headers=headers, extension=True)
    assert answer.status == 200, answer.body
    return answer.body


async def connections(api: Api) -> tuple[list[str], str]:
    """The secrets of connections of every kind, new ones and replaced ones; and the id of the last."""
    secrets: list[str] = []
    made = ""
    for name, auth in AUTHS.items():
        for change in ("first", "second"):
            secret, header = f"secret-{name}-{change}-5d41", f"header-{name}-{change}-a5f3"
            secrets += [secret, header]
            body = {"auth": {**auth, name: secret}, "headers": {"x-more": header}}
            if change == "first":
                body |= {"type": "mcp", "url": "http://127.0.0.1:8999/mcp", "name": name}
                made = (await post(api, "/connections", body))["id"]
            else:
                await post(api, f"/connections/{made}", body)
    return secrets, made


async def test_no_secret_is_stored_as_it_is(
    server: Server, api: Api, receiver: Receiver, postgres: str, settings: Settings
) -> None:
    keys: Keys = server.app.state.keys
    store: Store = server.app.state.store
    secrets, connection = await connections(api)
    admin_key, _ = await keys.create("admin", project=None)
    secrets += [KEY, admin_key]
    admin = api.with_key(admin_key)
    secrets.append((await post(admin, "/organization/admin_api_keys", {"name": "second"}))["value"])
    accounts = f"/organization/projects/{DEFAULT_PROJECT}/service_accounts"
    account = await post(admin, accounts, {"name": "bot"})
    secrets.append(account["api_key"]["value"])
    secrets.append((await post(admin, f"{accounts}/{account['id']}/api_keys", {"name": "more"}))["value"])
    hook = {"name": "hook", "url": receiver.url, "event_types": ["*"]}
    endpoint = await post(api, "/webhook_endpoints", hook)
    rotated = await post(api, f"/webhook_endpoints/{endpoint['id']}/rotate_secret", {})
    for shown in (endpoint, rotated):
        secrets += [shown["signing_secret"], shown["signing_secret"].removeprefix("whsec_")]
    begun = await post(api, f"/connections/{connection}/sign_in", {"user": "somebody"})
    secrets += [part.partition("=")[2] for part in begun["authorize_url"].split("&") if part.startswith("state=")]
    token = "token-of-somebody-77c1"
    await store.connections.grant(DEFAULT_PROJECT, connection, "name:somebody", store.secrets.seal(token.encode()), 60)
    secrets.append(token)
    shared = await post(api, f"/threads/{await api.thread('Hello')}/shares", {})
    secrets.append(shared["url"].rpartition("/")[2])

    of_models = ["sk-of-the-model-91ce", "sk-of-its-server-4b0d"]
    upstreams = [{"base_url": "http://127.0.0.1:9/v1", "api_key": of_models[1]}, {"base_url": "http://127.0.0.1:8/v1"}]
    added = {"name": "added", "api_key": of_models[0], "upstreams": upstreams}
    await post(admin, "/organization/models", added)
    assert "[models.added]" in (settings.data / "retinue.toml").read_text("utf-8")
    secrets += of_models

    assert len(secrets) == 26
    assert all(len(secret) > 15 for secret in secrets)
    kept = {name for name, _ in rows(postgres)}
    assert kept >= {"connections", "grants", "sign_ins", "webhook_endpoints", "api_keys", "audit_log"}
    assert kept >= {"idempotency_keys", "service_accounts"}
    found = {secret: tables_with(postgres, secret) for secret in secrets}
    assert not any(found.values()), {secret: tables for secret, tables in found.items() if tables}
    assert not any(files_with(settings.data, secret) for secret in secrets)


async def test_the_search_for_secrets_finds_them(server: Server, postgres: str) -> None:
    database = server.app.state.store.database
    values: dict[str, Any] = {"bytes": b"\x00in the clear", "text": "legible"}
    await database.execute(
        "insert into webhook_endpoints (id, project_id, secret, body) "
        "values ('whe_x', %(text)s, %(bytes)s, '{\"enabled\": false}')",
        values,
    )
    assert tables_with(postgres, "in the clear") == tables_with(postgres, "legible") == {"webhook_endpoints"}
