"""The audit log: every administrative act has its entry, written with it; nobody changes it; no secret is in it."""

from __future__ import annotations

from typing import Any

import openai
import psycopg
import pytest

from retinue.accounts.keys import Keys
from retinue.store.accounts import DEFAULT_PROJECT, Accounts
from retinue.store.audit import Act, record
from retinue.store.database import Database

from ..harness import KEY, Api, Json, Server, eventually
from ..webhooks import Receiver
from .extensions import post

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])

LOG = "/organization/audit_logs"


@pytest.fixture
async def admin_key(keys: Keys) -> tuple[str, str]:
    """An admin key, and its id."""
    value, row = await keys.create("admin", project=None)
    return value, row.id


@pytest.fixture
def admin(api: Api, admin_key: tuple[str, str]) -> Api:
    return api.with_key(admin_key[0])


async def entries(admin: Api, query: str = "") -> list[Json]:
    """The entries of the log, oldest first."""
    answer = await admin.call("GET", f"{LOG}?limit=100{query}", extension=True)
    return answer["data"][::-1]


def types(found: list[Json]) -> list[str]:
    """What was done: by types of ours, where there is no official one."""
    return [entry["act"]["type"] if "act" in entry else entry["type"] for entry in found]


async def test_the_log_by_the_strict_official_client(
    server: Server, admin_key: tuple[str, str], receiver: Receiver
) -> None:
    options: dict[str, Any] = {
        "base_url": server.url + "/v1",
        "max_retries": 0,
        "_strict_response_validation": True,
        "default_headers": {"user-agent": "auditor/1"},
    }
    client = openai.AsyncOpenAI(api_key=KEY, admin_api_key=admin_key[0], **options)
    organization = client.admin.organization
    project = await organization.projects.create(name="Team A")
    await organization.projects.update(project.id, name="Team B")
    account = await organization.projects.service_accounts.create(project.id, name="bot")
    assert account.api_key
    member = openai.AsyncOpenAI(api_key=account.api_key.value, **options)
    await member.post(
        "/webhook_endpoints",
        body={"name": "hook", "url": receiver.url, "event_types": ["file.created"]},
        cast_to=object,
    )
    await organization.projects.service_accounts.delete(account.id, project_id=project.id)
    await organization.projects.archive(project.id)
    await organization.projects.archive(project.id)
    found = [entry async for entry in await organization.audit_logs.list(limit=2, project_ids=[project.id])][::-1]
    assert [entry.type for entry in found] == [
        "project.created",
        "project.updated",
        "service_account.created",
        "api_key.created",
        "project.updated",
        "service_account.deleted",
        "project.archived",
    ]
    assert found[1].project_updated
    assert found[1].project_updated.changes_requested
    assert found[1].project_updated.changes_requested.title == "Team B"
    for entry in found:
        assert entry.actor
        assert entry.actor.api_key
        assert entry.project
        assert (entry.project.id, entry.project.name) == (project.id, "Team B")
        extra = entry.actor.to_dict()
        assert (extra["ip_address"], extra["user_agent"]) == ("127.0.0.1", "auditor/1")
    by_member = [e for e in found if e.actor and e.actor.api_key and e.actor.api_key.id == account.api_key.id]
    assert [entry.to_dict()["act"]["type"] for entry in by_member] == ["webhook_endpoint.created"]  # pyright: ignore
    # The account is known to have done it after it is gone.
    assert by_member[0].actor
    assert by_member[0].actor.api_key
    assert by_member[0].actor.api_key.service_account
    assert by_member[0].actor.api_key.service_account.id == account.id
    of_account = await organization.audit_logs.list(actor_ids=[account.id])
    assert [entry.id for entry in of_account.data] == [by_member[0].id]
    newest = (await organization.audit_logs.list(limit=1)).data[0]
    assert not (await organization.audit_logs.list(effective_at={"gt": newest.effective_at})).data
    assert (await organization.audit_logs.list(effective_at={"gte": newest.effective_at, "lte": 2**40})).data
    assert not (await organization.audit_logs.list(effective_at={"lt": found[0].effective_at - 60})).data
    chosen = await organization.audit_logs.list(event_types=["project.created"], resource_ids=[project.id])
    assert [entry.id for entry in chosen.data] == [found[0].id]
    assert not (await organization.audit_logs.list(actor_emails=["nobody@example.com"])).data


async def test_pages_go_both_ways(admin: Api, keys: Keys) -> None:
    for number in range(5):
        await keys.create(f"key {number}")
    every = [entry["id"] for entry in await entries(admin)][::-1]
    page = await admin.call("GET", f"{LOG}?limit=2&after={every[1]}", extension=True)
    assert [entry["id"] for entry in page["data"]] == every[2:4]
    assert page["has_more"]
    page = await admin.call("GET", f"{LOG}?limit=2&before={every[3]}", extension=True)
    assert [entry["id"] for entry in page["data"]] == every[1:3]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (every[1], every[2], True)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "after=audit_log-x",
        "event_types[]=project.made",
        "effective_at[gt]=soon",
        "effective_at[lt]=-1",
        "effective_at[lt]=99999999999999999999999",
        "&".join(["actor_ids[]=x"] * 101),
        "project_ids[]=" + "x" * 321,
    ],
)
async def test_queries_that_make_no_sense(admin: Api, query: str) -> None:
    await admin.refused("GET", f"{LOG}?{query}")


async def test_every_kind_of_act_has_its_entry(api: Api, admin: Api, keys: Keys, receiver: Receiver) -> None:
    start = len(await entries(admin))
    hook = {"name": "hook", "url": receiver.url, "event_types": ["file.created"]}
    endpoint = (await post(api, "/webhook_endpoints", hook))["id"]
    await post(api, f"/webhook_endpoints/{endpoint}", {"name": "other"})
    await post(api, f"/webhook_endpoints/{endpoint}", {"name": "other"})  # nothing is changed
    await post(api, f"/webhook_endpoints/{endpoint}/rotate_secret")
    await api.call("DELETE", f"/webhook_endpoints/{endpoint}", extension=True)
    body = {"type": "mcp", "url": receiver.url, "name": "server", "auth": {"type": "none"}}
    connection = (await post(api, "/connections", body))["id"]
    await post(api, f"/connections/{connection}", {"name": "renamed"})
    await api.call("DELETE", f"/connections/{connection}", extension=True)
    await api.request("DELETE", f"/connections/{connection}")
    exported = await api.download("/export")
    answer = await api.request("POST", "/import", data=exported, extension=True)
    assert answer.status == 200, answer.body
    made = (await post(admin, "/organization/admin_api_keys", {"name": "second"}))["id"]
    await admin.call("DELETE", f"/organization/admin_api_keys/{made}", extension=True)
    found = (await entries(admin))[start:]
    assert types(found) == [
        *(f"webhook_endpoint.{verb}" for verb in ("created", "updated", "secret_rotated", "deleted")),
        *(f"connection.{verb}" for verb in ("created", "updated", "deleted")),
        *("export.created", "import.created", "api_key.created", "api_key.deleted"),
    ]
    assert {entry["actor"]["type"] for entry in found} == {"api_key"}
    assert types(await entries(admin, "&event_types[]=connection.deleted")) == ["connection.deleted"]
    assert len(await entries(admin, f"&resource_ids[]={connection}")) == 3


async def test_what_is_refused_leaves_no_entry(api: Api, admin: Api) -> None:
    before = await entries(admin)
    await admin.refused("POST", "/organization/projects/proj_x", {"name": "x"}, status=404)
    await admin.refused("DELETE", "/organization/admin_api_keys/key_x", status=404)
    await api.refused("DELETE", "/webhook_endpoints/whe_x", status=404)
    answer = await api.request("POST", "/import", data=b"{}\n", extension=True)
    assert answer.status == 400
    assert await entries(admin) == before


async def test_an_act_whose_entry_fails_is_not_done(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts: Accounts = server.app.state.store.accounts
    monkeypatch.setattr("retinue.store.audit._RECORD", "select 1 / 0")
    with pytest.raises(psycopg.errors.DivisionByZero):
        await accounts.add_project("Never")
    assert "Never" not in [row.name for row in (await accounts.projects(limit=100, after=None, archived=True)).rows]


async def test_nobody_changes_the_log(server: Server, admin: Api) -> None:
    database: Database = server.app.state.store.database
    for statement in (
        "update audit_log set type = 'project.deleted'",
        "delete from audit_log",
        "truncate audit_log",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="cannot be changed"):
            await database.execute(statement, {})
    await admin.refused("DELETE", LOG, status=405)
    await admin.refused("POST", LOG, {}, status=405)


@pytest.mark.settings(audit_log_keep_days=30)
async def test_old_entries_are_forgotten(server: Server, admin: Api) -> None:
    store = server.app.state.store
    async with store.database.transaction() as connection:
        await record(connection, Act("project.updated", "proj_old", "proj_old"))
        await connection.execute("set local session_replication_role = replica")
        await connection.execute(
            "update audit_log set effective_at = effective_at - 31 * 86400 where resource_id = 'proj_old'"
        )
    assert len(await entries(admin, "&resource_ids[]=proj_old")) == 1
    count = len(await entries(admin))
    await store.audit.sweep()
    assert len(await entries(admin)) == count - 1


async def test_an_unknown_type_is_a_defect(server: Server) -> None:
    async with server.app.state.store.database.transaction() as connection:
        with pytest.raises(ValueError, match=r"project\.made"):
            await record(connection, Act("project.made", "x"))


async def test_what_a_server_does_by_itself(admin: Api) -> None:
    made = next(e for e in await entries(admin) if e["type"] == "project.created")
    assert made["actor"] == {"type": "session", "session": {"user": {"id": "server"}}}
    assert made["project"]["id"] == DEFAULT_PROJECT


@pytest.mark.settings(egress_allow=["127.0.0.1"], webhook_retry_after=0.01)
async def test_an_endpoint_that_the_server_disables(api: Api, admin: Api, receiver: Receiver) -> None:
    receiver.statuses += [410]
    hook = {"name": "hook", "url": receiver.url, "event_types": ["file.created"]}
    endpoint = (await post(api, "/webhook_endpoints", hook))["id"]
    await api.file()
    query = "&event_types[]=webhook_endpoint.updated"
    (entry,) = await eventually(lambda: entries(admin, query))
    assert (entry["act"]["id"], entry["act"]["fields"]) == (endpoint, ["enabled"])
    assert entry["actor"]["session"]["user"]["id"] == "server"
