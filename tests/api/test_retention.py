"""Retention: what is deleted after days, and what is not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from retinue.accounts.keys import Keys
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.store import Store

from .. import webhooks
from ..harness import Api, Json, Server, function
from ..scripted import Call, Reply, ScriptedUpstream
from ..webhooks import Receiver
from . import test_agents as agents
from .test_agents import DONE, thinks

RULES = f"/organization/projects/{DEFAULT_PROJECT}/retention"
DAY = 86_400


@pytest.fixture
def store(server: Server) -> Store:
    return server.app.state.store


@pytest.fixture
async def admin(server: Server, api: Api) -> Api:
    keys: Keys = server.app.state.keys
    return api.with_key((await keys.create("admin", project=None))[0])


async def rules(admin: Api, **sent: Any) -> Json:
    return await admin.call("POST", RULES, sent, extension=True)


async def age(store: Store, table: str, identifier: str, days: float, *fields: str) -> None:
    """Make an object older than it is."""
    for name in fields or ("created_at",):
        await store.database.execute(
            f"update {table} set body = body || jsonb_build_object(%(name)s::text, "
            "(body ->> %(name)s)::bigint - %(by)s::bigint) where id = %(id)s",
            {"id": identifier, "name": name, "by": round(days * DAY)},
        )


async def sweep(store: Store) -> None:
    """A whole walk. The server's own sweep may do some of it."""
    await store.database.execute("update retention_walk set project_id = '', position = 0, due_at = now()", {})
    async with asyncio.timeout(20):
        while await store.database.row("select from retention_walk where due_at <= now()", {}) is not None:
            await store.retention.sweep()
            await asyncio.sleep(0.01)
    await store.files.sweep()


async def there(api: Api, path: str) -> bool:
    return (await api.request("GET", path)).status == 200


async def old_thread(api: Api, store: Store, days: float, *texts: str, **thread: Any) -> str:
    messages = [{"role": "user", "content": text} for text in texts]
    made = (await api.post("/threads", {"messages": messages, **thread}))["id"]
    await age(store, "threads", made, days)
    for message in await api.messages(made):
        await age(store, "messages", message["id"], days)
    return made


async def test_rules_are_shown_and_changed(api: Api, admin: Api) -> None:
    before = await admin.call("GET", RULES, extension=True)
    assert before == {
        "object": "organization.project.retention",
        "project_id": DEFAULT_PROJECT,
        "thread_idle_days": None,
        "file_days": None,
        "file_purposes": {},
        "completion_days": None,
        "agent_days": None,
    }
    assert await rules(admin, thread_idle_days=30, file_purposes={"vision": 7}) == {
        **before,
        "thread_idle_days": 30,
        "file_purposes": {"vision": 7},
    }
    await rules(admin, thread_idle_days=None, completion_days=3)
    assert await admin.call("GET", RULES, extension=True) == {
        **before,
        "file_purposes": {"vision": 7},
        "completion_days": 3,
    }
    log = await admin.call("GET", "/organization/audit_logs?event_types[]=retention.updated", extension=True)
    assert [entry["act"]["thread_idle_days"] for entry in log["data"]] == [None, 30]
    assert (await api.refused("GET", RULES, status=403))["code"] == "missing_scope"


@pytest.mark.parametrize(
    "body",
    [
        {"thread_idle_days": 0},
        {"thread_idle_days": 36_501},
        {"file_days": "7"},
        {"file_purposes": {"secrets": 7}},
        {"completion_days": 1.5},
        {"agent_days": 0},
        {"usage_days": 1},
    ],
)
async def test_rules_that_make_no_sense(admin: Api, body: Json) -> None:
    await admin.refused("POST", RULES, body)
    await admin.refused("POST", "/organization/projects/proj_x/retention", {}, status=404)
    await admin.refused("GET", "/organization/projects/proj_x/retention", status=404)


async def test_idle_threads_go_and_others_stay(api: Api, admin: Api, store: Store) -> None:
    await rules(admin, thread_idle_days=7)
    idle = await old_thread(api, store, 8, "Hello")
    empty = await old_thread(api, store, 8)
    fresh = await old_thread(api, store, 6.9, "Hello")
    written = await old_thread(api, store, 8, "Hello")
    await api.post(f"/threads/{written}/messages", {"role": "user", "content": "Again"})
    ran = await old_thread(api, store, 8, "Hello")
    assistant = await api.assistant()
    run = await api.until(await api.post(f"/threads/{ran}/runs", {"assistant_id": assistant}))
    for message in await api.messages(ran):
        await age(store, "messages", message["id"], 8)
    await sweep(store)
    found = [await there(api, f"/threads/{one}") for one in (idle, empty, fresh, written, ran)]
    assert found == [False, False, True, True, True]
    await age(store, "runs", run["id"], 8, "created_at", "started_at", "completed_at")
    await sweep(store)
    assert not await there(api, f"/threads/{ran}")


async def test_a_thread_with_an_active_run_stays(
    api: Api, admin: Api, store: Store, upstream: ScriptedUpstream
) -> None:
    await rules(admin, thread_idle_days=1)
    upstream.script(Reply(tool_calls=[Call("look", "{}")]))
    run = await api.run(assistant={"tools": [function("look")]})
    assert run["status"] == "requires_action"
    thread = run["thread_id"]
    await age(store, "threads", thread, 9)
    await age(store, "runs", run["id"], 9, "created_at", "started_at")
    for message in await api.messages(thread):
        await age(store, "messages", message["id"], 9)
    await sweep(store)
    assert await there(api, f"/threads/{thread}")


async def test_what_only_the_thread_had_goes_with_it(api: Api, admin: Api, store: Store) -> None:
    await rules(admin, thread_idle_days=7)
    own, in_store, shared, of_assistant, stored_elsewhere = [await api.file(f"Text {n}") for n in range(5)]
    loose = await api.file("Of nobody")
    await api.assistant(
        tools=[{"type": "code_interpreter"}], tool_resources={"code_interpreter": {"file_ids": [of_assistant]}}
    )
    kept_store = (await api.post("/vector_stores", {"file_ids": [stored_elsewhere]}))["id"]
    vector_store = (await api.post("/vector_stores", {"file_ids": [in_store, stored_elsewhere]}))["id"]

    def attached(*files: str) -> list[Json]:
        return [{"file_id": file, "tools": [{"type": "code_interpreter"}]} for file in files]

    await api.post("/threads", {"messages": [{"role": "user", "content": "x", "attachments": attached(shared)}]})
    message = {"role": "user", "content": "y", "attachments": attached(own, shared, of_assistant)}
    resources = {"file_search": {"vector_store_ids": [vector_store]}}
    thread = (await api.post("/threads", {"messages": [message], "tool_resources": resources}))["id"]
    await age(store, "threads", thread, 8)
    for one in await api.messages(thread):
        await age(store, "messages", one["id"], 8)
    await sweep(store)
    assert not await there(api, f"/threads/{thread}")
    assert not await there(api, f"/vector_stores/{vector_store}")
    assert await there(api, f"/vector_stores/{kept_store}")
    files = (own, in_store, shared, of_assistant, stored_elsewhere, loose)
    assert [await there(api, f"/files/{file}") for file in files] == [False, False, True, True, True, True]


async def test_files_go_by_age_and_purpose(api: Api, admin: Api, store: Store) -> None:
    await rules(admin, file_days=10, file_purposes={"vision": 5, "fine-tune": None})
    ages = {("assistants", 9): True, ("assistants", 11): False, ("vision", 4): True, ("vision", 6): False}
    ages |= {("fine-tune", 99): True}
    made = {}
    for purpose, days in ages:
        answer = await api.upload(b"{}", ("purpose", purpose), filename="a.jsonl")
        assert answer.status == 200, answer.body
        made[purpose, days] = answer.body["id"]
        await age(store, "files", made[purpose, days], days)
    await sweep(store)
    assert {key: await there(api, f"/files/{file}") for key, file in made.items()} == ages
    with pytest.raises(FileNotFoundError):
        await store.blobs.read_whole(f"files/{made['vision', 6]}")


async def test_stored_completions_go_and_usage_stays(api: Api, admin: Api, store: Store) -> None:
    await rules(admin, completion_days=2)
    body = {"model": "scripted", "messages": [{"role": "user", "content": "Hi"}], "store": True}
    old, new = [(await api.post("/chat/completions", body))["id"] for _ in range(2)]
    await store.database.execute(
        "update chat_completions set created_at = now() - interval '3 days' where id = %(id)s", {"id": old}
    )
    await sweep(store)
    assert [await there(api, f"/chat/completions/{one}") for one in (old, new)] == [False, True]


# The worker of the server would sweep at the same time, and only one does.
@pytest.mark.settings(retention_thread_idle_days=7, serve_worker=False)
async def test_settings_count_where_a_project_has_no_rules(
    server: Server, api: Api, other: Api, admin: Api, store: Store
) -> None:
    assert (await admin.call("GET", RULES, extension=True))["thread_idle_days"] == 7
    first, second = await old_thread(api, store, 8, "x"), await old_thread(other, store, 8, "x")
    await admin.call("POST", "/organization/projects/proj_other/retention", {"thread_idle_days": None}, extension=True)
    await sweep(store)
    assert not await there(api, f"/threads/{first}")
    assert await there(other, f"/threads/{second}")


@pytest.mark.settings(serve_worker=False)
async def test_many_threads_go_in_several_steps(api: Api, admin: Api, store: Store) -> None:
    await rules(admin, thread_idle_days=7)
    await store.database.execute(
        """
        insert into threads (id, project_id, body) select 'thread_' || number, 'proj_default', jsonb_build_object(
            'id', 'thread_' || number, 'object', 'thread', 'created_at', 1000, 'metadata', '{}'::jsonb,
            'tool_resources', '{}'::jsonb) from generate_series(1, 120) as number
        """,
        {},
    )
    await store.retention.sweep()
    rows = await store.database.rows("select count(*) from threads", {})
    assert rows[0][0] == 70
    await sweep(store)
    assert (await store.database.rows("select count(*) from threads", {}))[0][0] == 0


@pytest.mark.settings(egress_allow=["127.0.0.1"])
async def test_agents_that_have_ended_go_and_others_stay(
    api: Api, admin: Api, store: Store, upstream: ScriptedUpstream, receiver: Receiver
) -> None:
    endpoint = await webhooks.create(api, receiver.url, ["agent.completed"])

    def decide(request: Json) -> Reply:
        said = "".join(message["content"] for message in request["messages"])
        if "1. Ask." in said:
            return thinks("delete_file", file="a")
        return DONE if "Result of" in said else thinks("write_to_file", file="a", text="x")

    upstream.default = decide

    async def made(days: float, *statuses: str, **fields: Any) -> str:
        agent = await agents.until(api, await agents.begin(api, **fields), *statuses)
        for cycle in await agents.cycles(api, agent):
            if cycle["completed_at"]:
                await age(store, "agent_cycles", cycle["id"], days, "completed_at")
        ended = ("completed_at",) if agent["completed_at"] else ()
        await age(store, "agents", agent["id"], days, "created_at", *ended)
        return agent["id"]

    old = await made(8, "completed")
    spent = await made(8, "incomplete", limits={"cycles": 1})
    fresh = await made(6.9, "completed")
    waiting = await made(8, "requires_action", goals=["Ask."])
    # Somebody asked it to go on not long ago.
    resumed = await made(8, "incomplete", limits={"cycles": 1})
    await agents.post(api, f"/agents/{resumed}", {"limits": {}})
    await agents.post(api, f"/agents/{resumed}/resume")
    await agents.until(api, {"id": resumed}, "completed")
    # It has ended, but not what it has started.
    parent = await made(8, "completed")
    await store.database.execute(
        "update agents set parent_id = %(parent)s, root_id = %(parent)s where id = %(id)s",
        {"parent": parent, "id": await made(8, "requires_action", goals=["Ask."])},
    )
    await webhooks.settled(api, endpoint, 4)
    await rules(admin, agent_days=7)
    await sweep(store)
    left = {one["id"] for one in (await agents.get(api, "/agents"))["data"]}
    assert {fresh, waiting, resumed, parent} <= left
    assert {old, spent}.isdisjoint(left)
    assert (
        await store.database.rows("select from agent_files where agent_id = any(%(ids)s)", {"ids": [old, spent]}) == []
    )
    told = {one["event"]["data"]["id"] for one in await webhooks.deliveries(api, endpoint)}
    assert told == {fresh, resumed, parent}
