"""Erasing a person's data: nothing of them is left, and everything of others is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from retinue.accounts.erasing import Erasing
from retinue.accounts.keys import Keys
from retinue.errors import Unavailable
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.store import Store
from retinue.store.usage import UsageKey, Used

from ..dump import files_with, tables_with
from ..harness import Api, Json, Server, eventually, function, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from ..webhooks import Receiver

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"], webhook_retry_after=0.01)

ERASURES = "/organization/erasures"


@pytest.fixture
def store(server: Server) -> Store:
    return server.app.state.store


@pytest.fixture
async def admin(server: Server, api: Api) -> Api:
    keys: Keys = server.app.state.keys
    return api.with_key((await keys.create("admin", project=None))[0])


async def erase(admin: Api, **sent: Any) -> Json:
    """An erasure that is done."""
    made = await admin.call("POST", ERASURES, sent, extension=True)
    assert (made["status"], made["user"]) == ("in_progress", sent["user"])

    async def ask() -> Json:
        return await admin.call("GET", f"{ERASURES}/{made['id']}", extension=True)

    return await eventually(ask, lambda erasure: erasure["status"] == "completed")


async def plant(api: Api, store: Store, upstream: ScriptedUpstream, word: str) -> Json:
    """A person of this name, whose text stands wherever a user's text can go. Returns what was made."""
    user = {"user": f"person-{word}"}
    attached = await api.file(f"This is about {word}. " * 5, f"{word}.txt")
    picture = (await api.upload(f"{word}".encode(), ("purpose", "vision"), filename=f"{word}.png")).body["id"]
    upload = {"filename": f"{word}.txt", "purpose": "assistants", "bytes": len(word), "mime_type": "text/plain"}
    upload = await api.post("/uploads", upload)
    in_parts = await parts(api, upload["id"], word)
    stored = (await api.post("/vector_stores", {"name": word, "file_ids": [in_parts], "metadata": user}))["id"]
    await api.settled(f"/vector_stores/{stored}")
    message = {
        "role": "user",
        "content": [{"type": "text", "text": word}, {"type": "image_file", "image_file": {"file_id": picture}}],
        "attachments": [{"file_id": attached, "tools": [{"type": "code_interpreter"}, {"type": "file_search"}]}],
        "metadata": {"note": word},
    }
    thread = {
        "messages": [message],
        "metadata": {**user, "note": word},
        "tool_resources": {"file_search": {"vector_store_ids": [stored]}},
    }
    headers = {"idempotency-key": f"key-{len(word)}-{hash(word)}"}
    answer = await api.request("POST", "/threads", thread, headers=headers)
    made = answer.body["id"]
    await api.settled(f"/vector_stores/{stored}")
    assistant = await api.assistant(tools=[function("look")])
    call = Call("look", {"word": word})
    upstream.script(Reply(tool_calls=[call]), Reply(text=f"You said {word}."))
    run = {"assistant_id": assistant, "instructions": f"Talk of {word}", "metadata": {"note": word}}
    waiting = await api.until(
        await api.post(
            f"/threads/{made}/runs", {**run, "additional_messages": [{"role": "user", "content": f"And {word}!"}]}
        )
    )
    call_id = waiting["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    outputs = {"tool_outputs": [{"tool_call_id": call_id, "output": f"Found {word}"}]}
    ended = await api.until(await api.post(run_path(waiting) + "/submit_tool_outputs", outputs))
    assert ended["status"] == "completed"
    # A thread that does not say whose it is, with a run that does; and a copy of the first.
    unnamed = await api.thread(f"Once more {word}")
    upstream.script(Reply(text=f"Yes, {word}"))
    await api.until(await api.post(f"/threads/{unnamed}/runs", {"assistant_id": assistant, "metadata": user}))
    forked = (await api.call("POST", f"/threads/{made}/fork", {}, extension=True))["id"]
    for field in ({"user": user["user"]}, {"safety_identifier": user["user"]}, {"metadata": user}):
        upstream.script(Reply(text=f"Hello {word}"))
        request = {"model": "scripted", "store": True, "messages": [{"role": "user", "content": word}], **field}
        await api.request("POST", "/chat/completions", request, headers={"idempotency-key": f"{headers}{[*field]}"})
    await sign_in(api, store, user["user"], word)
    return {"threads": [made, unnamed, forked], "files": [attached, picture, in_parts], "store": stored}


async def parts(api: Api, upload: str, word: str) -> str:
    """The file that a word becomes."""
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("data", word.encode(), filename="part")
    payload = form()
    headers = {"content-type": payload.headers["content-type"]}
    part = (await api.request("POST", f"/uploads/{upload}/parts", data=payload, headers=headers)).body["id"]
    return (await api.post(f"/uploads/{upload}/complete", {"part_ids": [part]}))["file"]["id"]


async def sign_in(api: Api, store: Store, person: str, word: str) -> None:
    body = {"type": "mcp", "url": "http://127.0.0.1:8999/mcp", "name": "server"}
    connection = (await api.call("POST", "/connections", body, extension=True))["id"]
    await store.connections.grant(
        DEFAULT_PROJECT, connection, f"name:{person}", store.secrets.seal(word.encode()), None
    )
    await store.connections.begin_sign_in(DEFAULT_PROJECT, connection, f"name:{person}", word.encode(), b"sealed", 60)


async def test_nothing_of_the_person_is_left(
    api: Api,
    admin: Api,
    store: Store,
    upstream: ScriptedUpstream,
    receiver: Receiver,
    postgres: str,
    settings: Settings,
) -> None:
    hook = {"name": "hook", "url": receiver.url, "event_types": ["*"]}
    await api.call("POST", "/webhook_endpoints", hook, extension=True)
    theirs = await plant(api, store, upstream, "zorblat")
    others = await plant(api, store, upstream, "fleemtok")
    # The test can fail: both words are in all these places.
    for word in ("zorblat", "fleemtok"):
        planted = tables_with(postgres, word)
        assert planted >= {
            *("threads", "messages", "runs", "steps", "files", "uploads", "chunks", "chunk_words", "vector_stores"),
            *("chat_completions", "chat_completion_messages", "grants", "sign_ins", "webhook_deliveries"),
        }, planted
        assert len(files_with(settings.data, word)) >= 3
    before = tables_with(postgres, "fleemtok")
    answers = await store.database.rows("select count(*) from idempotency_keys where answer is not null", {})
    assert answers[0][0] == 8

    erasure = await erase(admin, user="person-zorblat")

    assert tables_with(postgres, "zorblat") == set()
    assert files_with(settings.data, "zorblat") == set()
    assert erasure["user"] is None
    assert erasure["completed_at"] >= erasure["created_at"]
    assert {kind: erasure["counts"][kind] for kind in ("threads", "files", "vector_stores", "chat_completions")} == {
        "threads": 3,
        "files": 3,
        "vector_stores": 1,
        "chat_completions": 3,
    }
    assert erasure["counts"]["runs"] == 2
    assert erasure["counts"]["sign_ins"] == erasure["counts"]["begun_sign_ins"] == 1
    for thread in theirs["threads"]:
        await api.refused("GET", f"/threads/{thread}", status=404)
    # Nothing of anybody else is touched, but for answers that say not whose they are.
    assert tables_with(postgres, "fleemtok") == before
    for thread in others["threads"]:
        await api.get(f"/threads/{thread}")
    for file in others["files"]:
        assert b"fleemtok" in await api.download(f"/files/{file}/content")
    answers = await store.database.rows("select count(*) from idempotency_keys where answer is not null", {})
    assert answers[0][0] == 0


async def test_in_the_threads_of_others_only_their_runs_go(api: Api, admin: Api, upstream: ScriptedUpstream) -> None:
    thread = (await api.post("/threads", {"metadata": {"user": "host"}}))["id"]
    kept = await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "Mine"})
    said = {"role": "user", "content": "Theirs", "metadata": {"user": "guest"}}
    await api.post(f"/threads/{thread}/messages", said)
    upstream.script(Reply(text="To the guest"), Reply(text="To the host"))
    assistant = await api.assistant()
    body = {"assistant_id": assistant, "metadata": {"user": "guest"}}
    theirs = await api.until(await api.post(f"/threads/{thread}/runs", body))
    own = await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))
    erasure = await erase(admin, user="guest")
    assert erasure["counts"] == {"messages": 2, "runs": 1, "run_steps": 1}
    assert [message["run_id"] or message["id"] for message in await api.messages(thread)] == [kept["id"], own["id"]]
    await api.refused("GET", run_path(theirs), status=404)
    # The thread is not locked, and goes on.
    upstream.script(Reply(text="On we go"))
    await api.until(await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))


async def test_usage_is_kept_without_the_person(api: Api, store: Store) -> None:
    minute = int(time.time()) // 60

    def used(user: str) -> tuple[UsageKey, Used]:
        return UsageKey(DEFAULT_PROJECT, minute, "key_x", "runs", "m", user, "asst_x"), Used(requests=1, cost=5)

    await store.usage.add("writer", 1, [used("user-x"), used("user-y"), used("")])
    erasure = await store.erasures.add(None, "user-x")
    for _ in range(2):
        await Erasing(store).erase(erasure.id)
    rows = await store.database.rows("select user_id, requests, cost from usage_records order by 1", {})
    assert rows == [("", 2, 10), ("user-y", 1, 5)]
    assert (await store.erasures.get(erasure.id)).counts == {"usage_records": 1}


async def test_files_that_the_person_uploaded_stay_and_are_nobodys(api: Api, store: Store) -> None:
    file = await api.file("Notes.")
    await store.database.execute("update files set uploaded_by = 'user-x'", {})
    erasure = await store.erasures.add(None, "user-x")
    await Erasing(store).erase(erasure.id)
    assert await store.database.rows("select id, uploaded_by from files", {}) == [(file, "")]
    assert (await store.erasures.get(erasure.id)).counts == {"uploads": 1}


async def test_one_project_or_all(api: Api, other: Api, admin: Api) -> None:
    body = {"metadata": {"user": "x"}}
    threads = [(await client.post("/threads", body))["id"] for client in (api, other)]
    assert (await erase(admin, user="x", project_id="proj_other"))["counts"] == {"threads": 1}
    await api.get(f"/threads/{threads[0]}")
    assert (await erase(admin, user="x"))["counts"] == {"threads": 1}
    assert (await erase(admin, user="x"))["counts"] == {}
    listed = await admin.call("GET", f"{ERASURES}?limit=2", extension=True)
    assert (len(listed["data"]), listed["has_more"]) == (2, True)
    rest = await admin.call("GET", f"{ERASURES}?after={listed['last_id']}", extension=True)
    assert [one["project_id"] for one in rest["data"]] == ["proj_other"]
    log = await admin.call("GET", "/organization/audit_logs?event_types[]=erasure.created", extension=True)
    assert [entry["act"]["id"] for entry in log["data"]] == [one["id"] for one in [*listed["data"], *rest["data"]]]


async def test_a_thread_whose_run_is_active_goes_too(api: Api, admin: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("look", {})]))
    run = await api.run(assistant={"tools": [function("look")]}, metadata={"user": "x"})
    assert run["status"] == "requires_action"
    assert (await erase(admin, user="x"))["counts"]["runs"] == 1
    await api.refused("GET", run_path(run), status=404)


async def test_an_erasure_goes_on_after_a_failure(
    api: Api, admin: Api, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.post("/threads", {"metadata": {"user": "x"}})
    erasing, failed = Erasing(store), []
    complete = store.erasures.complete

    async def fail_once(erasure: Any) -> None:
        if not failed:
            failed.append(erasure.id)
            raise Unavailable("The database cannot be reached at the moment.")
        await complete(erasure)

    monkeypatch.setattr(store.erasures, "complete", fail_once)
    done = await erase(admin, user="x")
    assert (failed, done["counts"]) == ([done["id"]], {"threads": 1})
    # Whoever else still works on it finds nothing to do.
    await erasing.erase(done["id"])
    assert (await store.erasures.get(done["id"])).counts == {"threads": 1}


@pytest.mark.parametrize("body", [{}, {"user": ""}, {"user": "x" * 513}, {"user": 1}, {"user": "x", "all": True}])
async def test_orders_that_make_no_sense(api: Api, admin: Api, body: Json) -> None:
    await admin.refused("POST", ERASURES, body)
    await admin.refused("POST", ERASURES, {"user": "x", "project_id": "proj_x"}, status=404)
    await admin.refused("GET", f"{ERASURES}/erasure_x", status=404)
    assert (await api.refused("POST", ERASURES, {"user": "x"}, status=403))["code"] == "missing_scope"


def test_where_files_lie(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("some words")
    assert files_with(tmp_path, "words") == {tmp_path / "a"}
    assert files_with(tmp_path, "nothing") == set()
