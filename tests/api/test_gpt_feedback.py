"""What users say of the answers of GPTs, and what owners learn of how these are used."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ..harness import Api, Json, Server, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from .extensions import get, post
from .test_gpts import made
from .test_oauth import SignedIn


async def published(ada: Api, **fields: object) -> Json:
    gpt = await made(ada, **fields)
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    return gpt


async def answered(
    client: Api, upstream: ScriptedUpstream, gpt: Json, question: str, answer: str, thread: str = ""
) -> Json:
    """What was answered: the message."""
    upstream.script(Reply(text=answer))
    if thread:
        await client.post(f"/threads/{thread}/messages", {"role": "user", "content": question})
    else:
        thread = await client.thread(question)
    run = await client.until(await client.post(f"/threads/{thread}/runs", {"assistant_id": gpt["id"]}), "completed")
    return (await client.get(f"/threads/{thread}/messages?run_id={run['id']}"))["data"][0]


def said(message: Json, rating: str, **more: object) -> Json:
    return {"thread_id": message["thread_id"], "message_id": message["id"], "rating": rating, **more}


async def test_editors_read_what_users_agreed_to_share(ada: Api, bob: Api, upstream: ScriptedUpstream) -> None:
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}/feedback"
    first = await answered(bob, upstream, gpt, "What is 2 + 2?", "5")
    second = await answered(bob, upstream, gpt, "My secret is x.", "Fine.")
    given = await post(bob, path, said(first, "down", comment=" It is 4. ", share_conversation=True))
    assert (given["version"], given["comment"], given["question"]) == (1, "It is 4.", "What is 2 + 2?")
    await post(bob, path, said(second, "up"))
    shown = await get(ada, path)
    closed, shared = shown["data"]
    assert (shared["rating"], shared["comment"]) == ("down", "It is 4.")
    assert (shared["question"], shared["answer"]) == ("What is 2 + 2?", "5")
    assert (closed["rating"], closed["question"], closed["answer"]) == ("up", None, None)
    # Nor are editors told whose conversation it was.
    assert not {"thread_id", "message_id", "principal"} & (closed.keys() | shared.keys())
    assert shown["ratings"] == [{"version": 1, "up": 1, "down": 1}]

    # Said again, it counts once; and it can be taken back.
    again = await post(bob, path, said(first, "up"))
    assert again["id"] == given["id"]
    own = await get(bob, f"{path}?scope=mine&thread_id={first['thread_id']}")
    assert [(one["message_id"], one["rating"]) for one in own["data"]] == [(first["id"], "up")]
    assert own["ratings"] == [{"version": 1, "up": 1, "down": 0}]
    assert [one["question"] for one in (await get(ada, path))["data"]] == [None, None]
    await ada.refused("DELETE", f"{path}/{given['id']}", status=404)
    gone = await bob.call("DELETE", f"{path}/{given['id']}", extension=True)
    assert gone == {"id": given["id"], "object": "gpt.feedback.deleted", "deleted": True}
    assert (await get(ada, path))["ratings"] == [{"version": 1, "up": 1, "down": 0}]
    # What is deleted is nowhere any more.
    await bob.delete(f"/threads/{second['thread_id']}")
    assert (await get(ada, path))["data"] == []


async def test_only_of_answers_to_oneself(ada: Api, bob: Api, upstream: ScriptedUpstream, api: Api) -> None:
    gpt, other = await published(ada), await published(ada, name="Other")
    path = f"/gpts/{gpt['id']}/feedback"
    message = await answered(bob, upstream, gpt, "Hi", "Hello")
    for client in (ada, api):
        await client.refused("POST", path, said(message, "up"), status=404)
    thread = message["thread_id"]
    question = next(one["id"] for one in await bob.messages(thread) if one["role"] == "user")
    forged = (await bob.post(f"/threads/{thread}/messages", {"role": "assistant", "content": "x"}))["id"]
    for wrong in ({"message_id": question}, {"message_id": forged}, {"message_id": "msg_x"}, {"thread_id": "thread_x"}):
        error = await bob.refused("POST", path, {**said(message, "up"), **wrong}, status=404)
        assert error["param"] == "message_id"
    await bob.refused("POST", f"/gpts/{other['id']}/feedback", said(message, "up"), status=404)
    for wrong in ({"rating": "fine"}, {"comment": "x" * 2001}, {"share_conversation": "yes"}, {"message_id": None}):
        await bob.refused("POST", path, {**said(message, "up"), **wrong})
    # What others said is for editors.
    for way in (path, f"/gpts/{gpt['id']}/analytics"):
        assert (await bob.refused("GET", way, status=403))["code"] == "not_your_gpt"
    await ada.refused("GET", f"{path}?thread_id={thread}")
    # Administrators may take away what somebody said.
    given = await post(bob, path, said(message, "up", comment="Rude words."))
    await api.call("DELETE", f"{path}/{given['id']}", extension=True)
    assert (await get(bob, f"{path}?scope=mine"))["data"] == []


@pytest.mark.model_settings(input_price=Decimal("2.5"), output_price=Decimal(10))
async def test_figures_by_version_and_day(
    ada: Api, bob: Api, api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    began = datetime.now(UTC).date()
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}"
    eve = await SignedIn.of(api, server, "eve")
    # Trials of the draft do not count.
    await answered(ada, upstream, {"id": gpt["draft"]["assistant_id"]}, "Test", "Test")
    first = await answered(bob, upstream, gpt, "One?", "1")
    second = await answered(bob, upstream, gpt, "Two?", "2", first["thread_id"])
    await post(ada, path + "/publish", {"notes": "Better."})
    third = await answered(eve, upstream, gpt, "Three?", "3")
    upstream.script(Reply(status=400, text="no"))
    thread = await eve.thread("Four?")
    await eve.until(await eve.post(f"/threads/{thread}/runs", {"assistant_id": gpt["id"]}), "failed")
    await post(bob, path + "/feedback", said(first, "down", share_conversation=True, comment="Wrong."))
    await post(bob, path + "/feedback", said(second, "down"))
    await post(eve, path + "/feedback", said(third, "up", share_conversation=True))

    found = await get(ada, path + "/analytics")
    total, (newer, older) = found["total"], found["versions"]
    names = ("conversations", "users", "runs", "messages", "errors", "unanswered", "thumbs_up", "thumbs_down")
    assert [total[name] for name in names] == [3, 2, 4, 3, 1, 3, 1, 2]
    assert (newer["version"], [newer[name] for name in names]) == (2, [2, 1, 2, 1, 1, 1, 1, 0])
    assert (older["version"], [older[name] for name in names]) == (1, [1, 1, 2, 2, 0, 2, 0, 2])
    assert total["input_tokens"] > 0
    assert total["output_tokens"] > 0
    # In dollars a million tokens.
    spent = total["input_tokens"] * 2.5 + total["output_tokens"] * 10
    assert total["cost"]["value"] == pytest.approx(spent / 1_000_000)
    assert total["cost"]["value"] == pytest.approx(newer["cost"]["value"] + older["cost"]["value"])
    assert total["median_seconds"] >= 0
    today = datetime.now(UTC).date()
    # Midnight may have passed.
    days = [(one["date"], one["version"]) for one in found["days"]]
    assert days == sorted(set(days), reverse=True)
    assert {date for date, _ in days} <= {began.isoformat(), today.isoformat()}
    runs = Counter[int]()
    for one in found["days"]:
        runs[one["version"]] += one["runs"]
    assert runs == {1: 2, 2: 2}
    (question,) = found["questions"]
    assert (question["question"], question["reason"], question["comment"]) == ("One?", "disliked", "Wrong.")
    # How often it was used stays when the conversation is gone; words do not.
    await bob.delete(f"/threads/{first['thread_id']}")
    later = await get(ada, path + "/analytics")
    assert (later["total"]["runs"], later["total"]["thumbs_down"], later["questions"]) == (4, 0, [])
    before = (today - timedelta(days=40)).isoformat()
    none = await get(ada, f"{path}/analytics?from={before}&to={before}")
    assert (none["from"], none["to"], none["days"], none["total"]["runs"]) == (before, before, [], 0)
    assert none["total"]["median_seconds"] is None
    assert (await get(api, path + "/analytics"))["total"]["runs"] == 4


@pytest.mark.parametrize(
    "query",
    ["from=2026-02-02&to=2026-02-01", "from=2020-01-01&to=2026-02-01", "from=x", "from=0001-01-01", "to=2026-13-01"],
)
async def test_days_that_make_no_sense(ada: Api, query: str) -> None:
    gpt = await made(ada)
    await ada.refused("GET", f"/gpts/{gpt['id']}/analytics?{query}")


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [("to=0001-01-01", "0001-01-01", "0001-01-01"), ("from=9999-12-31&to=9999-12-31", "9999-12-31", "9999-12-31")],
)
async def test_the_first_and_last_days_there_are(ada: Api, query: str, first: str, last: str) -> None:
    gpt = await made(ada)
    told = await get(ada, f"/gpts/{gpt['id']}/analytics?{query}")
    assert (told["from"], told["to"], told["total"]["runs"]) == (first, last, 0)


async def test_a_search_that_found_nothing(ada: Api, bob: Api, api: Api, upstream: ScriptedUpstream) -> None:
    file = await ada.file("Whist is played by four people.")
    gpt = await published(ada, knowledge=[file])
    await ada.settled(f"/vector_stores/{await knowledge_of(api, gpt)}")
    upstream.script(Reply(tool_calls=[Call("file_search", {"query": "bridge"})]), Reply(text="I do not know."))
    run = await bob.post("/threads/runs", {"assistant_id": gpt["id"], "thread": {"messages": [_asked("Bridge?")]}})
    run = await bob.until(run, "completed")
    (step,) = [one for one in await bob.steps(run) if one["type"] == "tool_calls"]
    results = step["step_details"]["tool_calls"][0]["file_search"]["results"]
    total = (await get(ada, f"/gpts/{gpt['id']}/analytics"))["total"]
    assert len(results) == 1
    assert (total["found_nothing"], total["unanswered"]) == (0, 0)
    # Nothing is found in what was taken away.
    await ada.delete(f"/files/{file}")
    upstream.script(Reply(tool_calls=[Call("file_search", {"query": "whist"})]), Reply(text="I do not know."))
    again = await bob.until(
        await bob.post(f"{run_path(run).rpartition('/')[0]}", {"assistant_id": gpt["id"]}), "completed"
    )
    total = (await get(ada, f"/gpts/{gpt['id']}/analytics"))["total"]
    assert (total["runs"], total["found_nothing"], total["unanswered"], total["errors"]) == (2, 1, 1, 0)
    # Whoever likes the answer had one.
    message = (await bob.get(f"/threads/{again['thread_id']}/messages?run_id={again['id']}"))["data"][0]
    await post(bob, f"/gpts/{gpt['id']}/feedback", said(message, "up"))
    assert (await get(ada, f"/gpts/{gpt['id']}/analytics"))["total"]["unanswered"] == 0


async def knowledge_of(api: Api, gpt: Json) -> str:
    """The id of the vector store of a draft."""
    assistant = await api.get(f"/assistants/{gpt['draft']['assistant_id']}")
    return assistant["tool_resources"]["file_search"]["vector_store_ids"][0]


def _asked(question: str) -> Json:
    return {"role": "user", "content": question}
