"""Links by which people outside read a thread: what they show, what they never show, and when they end."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest
from psycopg.types.json import Json as AsJson

from retinue.accounts.keys import Keys
from retinue.store.accounts import DEFAULT_PROJECT

from ..harness import Api, Json, Server, eventually, text
from ..scripted import Reply, ScriptedUpstream
from .test_audit import admin, admin_key, entries, types

__all__ = ["admin", "admin_key"]

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4ISeBFwACtgEFNKZ1qgAAAABJRU5ErkJggg=="
)


async def share(api: Api, thread: str, **body: Any) -> Json:
    return await api.call("POST", f"/threads/{thread}/shares", body, extension=True)


async def shares(api: Api, thread: str) -> list[Json]:
    return (await api.call("GET", f"/threads/{thread}/shares", extension=True))["data"]


def token(made: Json) -> str:
    return made["url"].rpartition("/s/")[2]


async def public(api: Api, path: str, status: int = 200) -> Any:
    """What somebody without a key gets."""
    answer = await api.request("GET", path, headers={"authorization": ""}, extension=True)
    assert answer.status == status, answer.body
    return answer


async def content(server: Server, path: str) -> tuple[bytes, Mapping[str, str]]:
    """What is in a file that somebody without a key gets, and how it is sent."""
    async with aiohttp.ClientSession() as session, session.get(server.url + path) as answer:
        assert answer.status == 200
        return await answer.read(), answer.headers


async def seen(api: Api, made: Json) -> list[str]:
    """The texts that a link shows."""
    found = (await public(api, f"/shares/{token(made)}/messages?limit=100")).body["data"]
    return [part["text"] for message in found for part in message["content"] if part["type"] == "text"]


async def test_a_link_shows_what_was_said_until_it_was_made(api: Api) -> None:
    thread = (await api.post("/threads", {"metadata": {"user": "ann-secret", "title": "Tea"}}))["id"]
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "one", "metadata": {"who": "ann-secret"}})
    assistant = await api.assistant(instructions="the secret instructions", name="the secret name")
    run = await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant})
    await api.until(run, "completed")
    made = await share(api, thread, title="About tea")
    assert made["id"].startswith("share_")
    assert made["object"] == "thread.share"
    assert (made["thread_id"], made["title"], made["message_count"], made["expires_at"]) == (
        thread,
        "About tea",
        2,
        None,
    )
    assert len(token(made)) >= 43
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "later"})
    about = (await public(api, f"/shares/{token(made)}")).body
    assert about == {
        "object": "shared_thread",
        "title": "About tea",
        "created_at": made["created_at"],
        "expires_at": None,
    }
    answer = await public(api, f"/shares/{token(made)}/messages")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    assert answer.headers["cache-control"] == "no-store"
    assert [(one["role"], one["content"]) for one in answer.body["data"]] == [
        ("user", [{"type": "text", "text": "one"}]),
        ("assistant", [{"type": "text", "text": "one"}]),
    ]
    assert "secret" not in str(answer.body)
    assert {"assistant_id", "run_id", "thread_id", "metadata"} & set(answer.body["data"][0]) == set()
    # A second link has what came meanwhile; both are listed, with their addresses.
    second = await share(api, thread)
    assert await seen(api, second) == ["one", "one", "later"]
    assert await shares(api, thread) == [second, made]


async def test_pages_of_messages(api: Api) -> None:
    said = [{"role": "user", "content": f"number {number}"} for number in range(5)]
    thread = (await api.post("/threads", {"messages": said}))["id"]
    made = await share(api, thread)
    first = (await public(api, f"/shares/{token(made)}/messages?limit=3")).body
    assert first["has_more"]
    rest = (await public(api, f"/shares/{token(made)}/messages?limit=3&after={first['last_id']}")).body
    texts = [one["content"][0]["text"] for one in first["data"] + rest["data"]]
    assert texts == [one["content"] for one in said]
    assert not rest["has_more"]
    # A cursor of another thread leads nowhere.
    other = await api.thread("elsewhere")
    foreign = (await api.messages(other))[0]["id"]
    assert (await public(api, f"/shares/{token(made)}/messages?after={foreign}")).body["data"] == []


async def test_a_link_ends(server: Server, api: Api) -> None:
    thread = await api.thread("Hello")
    kept, revoked = await share(api, thread), await share(api, thread)
    over = await share(api, thread, expires_in=60)
    assert 55 <= over["expires_at"] - time.time() <= 61
    await public(api, f"/shares/{token(over)}")
    async with server.app.state.store.database.connection() as connection:
        await connection.execute(
            "update thread_shares set expires_at = now() - interval '1 second' where id = %s", (over["id"],)
        )
    gone = await api.call("DELETE", f"/threads/{thread}/shares/{revoked['id']}", extension=True)
    assert gone == {"id": revoked["id"], "object": "thread.share.deleted", "deleted": True}
    answers = [
        (await public(api, f"/shares/{one}{path}", 404)).body["error"]
        for one in (token(over), token(revoked), "x" * 43, "x" * 2000, "%F0%9F")
        for path in ("", "/messages", "/files/file-x/content")
    ]
    # Nobody is told which of these it was.
    assert {answer["code"] for answer in answers} == {"share_not_found"}
    assert len({answer["message"] for answer in answers}) == 1
    assert await shares(api, thread) == [kept]
    await api.refused("DELETE", f"/threads/{thread}/shares/{revoked['id']}", status=404)
    await api.call("DELETE", f"/threads/{thread}")
    await public(api, f"/shares/{token(kept)}", 404)


async def test_a_message_that_takes_the_place_of_a_deleted_one_is_not_shown(api: Api) -> None:
    thread = await api.thread("first")
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "second"})
    made = await share(api, thread)
    last = (await api.messages(thread))[-1]
    assert text(last) == "second"
    await api.call("DELETE", f"/threads/{thread}/messages/{last['id']}")
    assert await seen(api, made) == ["first"]
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": "later"})
    assert await seen(api, made) == ["first"]


async def test_pictures_are_served_by_the_link_and_nothing_else_is(server: Server, api: Api) -> None:
    picture = (await api.upload(PIXEL, ("purpose", "vision"), filename="dot.png")).body["id"]
    attached, later = await api.file("secret numbers", "a.txt"), await api.file("for later", "b.txt")
    parts = [{"type": "text", "text": "look"}, {"type": "image_file", "image_file": {"file_id": picture}}]
    tools = [{"type": "file_search"}]
    message = {"role": "user", "content": parts, "attachments": [{"file_id": attached, "tools": tools}]}
    thread = (await api.post("/threads", {"messages": [message]}))["id"]
    made = await share(api, thread)
    shown = (await public(api, f"/shares/{token(made)}/messages")).body["data"][0]["content"]
    assert shown[1]["type"] == "image"
    found, headers = await content(server, shown[1]["url"])
    assert (found, headers["content-type"]) == (PIXEL, "image/png")
    assert "sandbox" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    second = [{"type": "image_file", "image_file": {"file_id": later}}]
    for file in (attached, later, "file-nothing", "%00"):
        await public(api, f"/shares/{token(made)}/files/{file}/content", 404)
    await api.post(f"/threads/{thread}/messages", {"role": "user", "content": second})
    await public(api, f"/shares/{token(made)}/files/{later}/content", 404)
    # By the id alone nothing is to be had.
    await public(api, f"/files/{picture}/content", 401)


async def test_marks_of_sources_are_left_out_and_files_of_code_can_be_had(server: Server, api: Api) -> None:
    file, source = await api.file("a,b", "result.csv"), await api.file("source", "secret.txt")
    thread = await api.thread("x")
    value = "As told【0:0†secret.txt】: [result](sandbox:/mnt/data/result.csv)."
    mark, path = "【0:0†secret.txt】", "sandbox:/mnt/data/result.csv"
    annotations: list[Json] = [
        {"type": "file_citation", "text": mark, "file_citation": {"file_id": source}},
        {"type": "file_path", "text": path, "file_path": {"file_id": file}},
    ]
    for one in annotations:
        one |= {"start_index": value.index(one["text"]), "end_index": value.index(one["text"]) + len(one["text"])}
    part = {"type": "text", "text": {"value": value, "annotations": annotations}}
    async with server.app.state.store.database.connection() as connection:
        await connection.execute(
            "update messages set body = body || jsonb_build_object('content', %s::jsonb) where thread_id = %s",
            (AsJson([part]), thread),
        )
    made = await share(api, thread)
    address = f"/v1/shares/{token(made)}/files/{file}/content"
    assert await seen(api, made) == [f"As told: [result]({address})."]
    found, headers = await content(server, address)
    assert (found, headers["content-type"]) == (b"a,b", "application/octet-stream")
    assert headers["content-disposition"].startswith("attachment")
    await public(api, f"/shares/{token(made)}/files/{source}/content", 404)


async def test_what_is_still_being_written_is_not_shown(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(chunks=["Half ", "of it"], hang=True))
    thread, assistant = await api.thread("Go on"), await api.assistant()
    run = await api.post(f"/threads/{thread}/runs", {"assistant_id": assistant})
    await api.until(run, "in_progress")
    made = await share(api, thread)
    assert await seen(api, made) == ["Go on"]
    await api.post(f"/threads/{thread}/runs/{run['id']}/cancel")
    await api.until(run, "cancelled")
    assert await seen(api, made) == ["Go on"]


async def test_bad_requests(api: Api, other: Api) -> None:
    thread, empty = await api.thread("Hello"), (await api.post("/threads", {}))["id"]
    assert "no messages" in (await api.refused("POST", f"/threads/{empty}/shares", {}))["message"]
    for body in ({"expires_in": 5}, {"expires_in": "60"}, {"title": "x" * 201}, {"up_to": 1}):
        await api.refused("POST", f"/threads/{thread}/shares", body)
    made = await share(api, thread)
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", f"/{made['id']}")):
        body = {} if method == "POST" else None
        await other.refused(method, f"/threads/{thread}/shares{path}", body, status=404)
    await public(api, f"/shares/{token(made)}")


async def test_a_thread_has_a_hundred_links_at_most(api: Api) -> None:
    thread = await api.thread("Hello")
    made = await share(api, thread)
    for _ in range(99):
        await share(api, thread)
    assert "Revoke" in (await api.refused("POST", f"/threads/{thread}/shares", {}))["message"]
    await api.call("DELETE", f"/threads/{thread}/shares/{made['id']}", extension=True)
    await share(api, thread)


async def test_keys_that_may_not_have_files_share_none(api: Api, keys: Keys) -> None:
    picture = (await api.upload(PIXEL, ("purpose", "vision"), filename="dot.png")).body["id"]
    parts = [{"type": "image_file", "image_file": {"file_id": picture}}]
    thread = (await api.post("/threads", {"messages": [{"role": "user", "content": parts}]}))["id"]
    plain = await api.thread("Hello")

    async def key(*scopes: str) -> Api:
        return api.with_key((await keys.create("narrow", project=DEFAULT_PROJECT, scopes=scopes))[0])

    narrow, wide, reader = await key("threads:write"), await key("write"), await key("read")
    await share(narrow, plain)
    assert (await narrow.refused("POST", f"/threads/{thread}/shares", {}, status=403))["code"] == "confidential"
    await share(wide, thread)
    await reader.refused("POST", f"/threads/{plain}/shares", {}, status=403)
    assert len(await shares(reader, plain)) == 1


@pytest.mark.settings(share_links=False)
async def test_links_can_be_switched_off(api: Api) -> None:
    thread = await api.thread("Hello")
    refusal = await api.refused("POST", f"/threads/{thread}/shares", {}, status=403)
    assert refusal["code"] == "share_links_off"
    assert await shares(api, thread) == []


async def test_the_token_is_kept_as_a_hash_and_encrypted_and_acts_are_in_the_audit_log(
    server: Server, api: Api, admin: Api
) -> None:
    thread = await api.thread("Hello")
    made = await share(api, thread)
    await api.call("DELETE", f"/threads/{thread}/shares/{made['id']}", extension=True)
    again = await share(api, thread)
    found = [entry for entry in await entries(admin) if "thread_share" in str(entry)]
    assert types(found) == ["thread_share.created", "thread_share.deleted", "thread_share.created"]
    assert found[0]["act"]["thread_id"] == thread
    assert token(again) not in str(found)
    async with server.app.state.store.database.connection() as connection:
        rows = await (await connection.execute("select thread_shares::text from thread_shares")).fetchall()
    assert len(rows) == 1
    assert token(again) not in str(rows)
    assert token(again).encode().hex() not in str(rows)


async def test_erasing_a_person_takes_their_threads_links_and_those_they_made(
    server: Server, api: Api, admin: Api
) -> None:
    theirs = (await api.post("/threads", {"metadata": {"user": "ann"}}))["id"]
    await api.post(f"/threads/{theirs}/messages", {"role": "user", "content": "of ann"})
    mine = await api.thread("Hello")
    gone, made_by_ann, kept = await share(api, theirs), await share(api, mine), await share(api, mine)
    async with server.app.state.store.database.connection() as connection:
        await connection.execute("update thread_shares set created_by = 'ann' where id = %s", (made_by_ann["id"],))
    erasure = await admin.call("POST", "/organization/erasures", {"user": "ann"}, extension=True)

    async def ask() -> Json:
        return await admin.call("GET", f"/organization/erasures/{erasure['id']}", extension=True)

    done = await eventually(ask, lambda one: one["status"] == "completed")
    assert done["counts"] == {"threads": 1, "messages": 1, "thread_shares": 2}
    for one in (gone, made_by_ann):
        await public(api, f"/shares/{token(one)}", 404)
    await public(api, f"/shares/{token(kept)}")
