"""The store of GPTs: what is counted, found, reviewed, reported and moderated."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from retinue.accounts.keys import Keys

from ..harness import Api, Json, Server
from ..scripted import Reply, ScriptedUpstream
from .conftest import member
from .extensions import get, post


async def published(api: Api, name: str = "Math Tutor", **fields: object) -> Json:
    """A GPT that is in the store."""
    gpt = await post(api, "/gpts", {"name": name, "instructions": "Teach.", **fields})
    await post(api, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    return await get(api, f"/gpts/{gpt['id']}")


async def used(api: Api, upstream: ScriptedUpstream, gpt: Json, thread: str | None = None, draft: bool = False) -> str:
    """A run of a GPT, to its end; returns its thread."""
    upstream.script(Reply(text="OK"))
    assistant = gpt["draft"]["assistant_id"] if draft else f"gpt:{gpt['slug']}"
    path = f"/threads/{thread}/runs" if thread else "/threads/runs"
    run = await api.until(await api.post(path, {"assistant_id": assistant}), "completed")
    return run["thread_id"]


def names(page: Json) -> list[str]:
    return [one["name"] for one in page["data"]]


# --- what is counted


async def test_a_conversation_is_counted_once(ada: Api, bob: Api, server: Server, upstream: ScriptedUpstream) -> None:
    gpt = await published(ada)
    thread = await used(bob, upstream, gpt)
    await used(bob, upstream, gpt, thread)
    await used(bob, upstream, gpt, await bob.thread("Hi"))
    await used(ada, upstream, gpt)
    # Trials of the draft are nobody's use.
    await used(ada, upstream, gpt, draft=True)
    await post(ada, f"/gpts/{gpt['id']}/publish")
    await used(bob, upstream, gpt, thread)
    rows = await server.app.state.store.database.rows(
        "select thread_id, version, runs, principal from gpt_conversations where gpt_id = %(id)s order by created_at",
        {"id": gpt["id"]},
    )
    assert [(version, runs) for _, version, runs, _ in rows] == [(2, 3), (1, 1), (1, 1)]
    assert rows[0][0] == thread
    assert rows[0][3] == rows[1][3] != rows[2][3] == gpt["owner"]


async def test_counts_are_exact_when_all_come_at_once(
    ada: Api, api: Api, keys: Keys, upstream: ScriptedUpstream
) -> None:
    gpt = await published(ada)
    people = [await member(api, keys, f"P{number}") for number in range(4)]
    upstream.script(*(Reply(text="OK") for _ in range(24)))
    threads = [await people[0].thread("Hi") for _ in range(4)]
    asked = [one.post("/threads/runs", {"assistant_id": gpt["id"]}) for one in people for _ in range(5)]
    asked += [people[0].post(f"/threads/{one}/runs", {"assistant_id": gpt["id"]}) for one in threads]
    asked += [post(one, f"/gpts/{gpt['id']}/reviews", {"rating": stars}) for one in people for stars in (2, 4)]
    runs = await asyncio.gather(*asked)
    for run in runs[:24]:
        await api.until(run, "completed")
    statistics = (await get(people[0], f"/gpts/{gpt['id']}"))["statistics"]
    assert (statistics["conversations"], statistics["users"], statistics["reviews"]) == (24, 4, 4)
    assert sum(statistics["ratings"]) == 4


async def test_what_was_counted_stays_without_the_person(
    ada: Api, bob: Api, api: Api, server: Server, upstream: ScriptedUpstream
) -> None:
    gpt = await published(ada)
    thread = await used(bob, upstream, gpt)
    await post(bob, f"/gpts/{gpt['id']}/reviews", {"rating": 3, "text": "By Bob"})
    await post(bob, f"/gpts/{gpt['id']}/reports", {"reason": "other"})
    await bob.call("DELETE", f"/threads/{thread}")
    assert (await get(ada, f"/gpts/{gpt['id']}"))["statistics"]["conversations"] == 1
    erasures = server.app.state.store.erasures
    rows = await server.app.state.store.database.rows("select principal from gpt_reviews", {})
    erasure = await erasures.add(None, rows[0][0])
    while await erasures.step(erasure):
        pass
    assert (await erasures.get(erasure.id)).counts.items() >= {
        ("gpt_conversations", 1),
        ("gpt_reviews", 1),
        ("gpt_reports", 1),
    }
    statistics = (await get(ada, f"/gpts/{gpt['id']}"))["statistics"]
    assert (statistics["conversations"], statistics["users"], statistics["reviews"]) == (1, 0, 0)
    (report,) = (await get(api, "/gpts/reports"))["data"]
    assert report["author"] is None


# --- what is found


async def test_words_find_it(ada: Api, bob: Api) -> None:
    await published(ada, "Game Time", description="Explains the rules of card games.", tags=["whist"])
    await published(ada, "数据分析师", description="上传表格，它会编写代码并画图。", language="zh", category="data")
    await post(ada, "/gpts", {"name": "Game of drafts"})
    for words, found in {
        "game": ["Game Time"],
        "GAM ti": ["Game Time"],
        "rules card": ["Game Time"],
        "whis": ["Game Time"],
        "分析": ["数据分析师"],
        "表格": ["数据分析师"],
        "析师 代码": ["数据分析师"],
        "ada": ["数据分析师", "Game Time"],
        "game 分析": [],
        "100%": [],
        "!?": [],
    }.items():
        page = await get(bob, f"/gpts?q={quote(words)}")
        assert names(page) == found, words
    assert names(await get(ada, "/gpts?scope=mine&q=draft")) == ["Game of drafts"]
    assert names(await get(bob, "/gpts?category=data")) == ["数据分析师"]
    assert names(await get(bob, "/gpts?tag=Whist")) == ["Game Time"]
    # What has no language is for everybody.
    assert names(await get(bob, "/gpts?language=zh-CN")) == ["数据分析师", "Game Time"]
    assert names(await get(bob, "/gpts?language=en")) == ["Game Time"]
    await bob.refused("GET", "/gpts?category=nothing")
    await bob.refused("GET", "/gpts?sort=oldest")
    await bob.refused("GET", f"/gpts?q={'x' * 257}")


async def test_drafts_change_nothing_of_what_is_found(ada: Api, bob: Api) -> None:
    gpt = await published(ada, "Old name")
    await post(ada, f"/gpts/{gpt['id']}", {"name": "New name"})
    assert names(await get(bob, "/gpts?q=new")) == []
    assert names(await get(bob, "/gpts?q=old")) == ["Old name"]


async def test_the_best_and_most_used_come_first(
    ada: Api, bob: Api, api: Api, keys: Keys, upstream: ScriptedUpstream
) -> None:
    gpts = [await published(ada, name) for name in ("A", "B", "C", "D", "E")]
    a, b, c, d, _ = gpts
    for gpt, times in ((c, 2), (a, 1), (b, 1)):
        for _ in range(times):
            await used(bob, upstream, gpt)
    await post(bob, f"/gpts/{d['id']}/reviews", {"rating": 5})
    for number in range(4):
        reader = await member(api, keys, f"R{number}")
        await post(reader, f"/gpts/{b['id']}/reviews", {"rating": 5 if number else 4})
    await post(bob, f"/gpts/{a['id']}/reviews", {"rating": 1})
    for gpt in (a, c):
        await post(api, f"/gpts/{gpt['id']}/moderation", {"featured": True})
    # Featuring again does not put it first.
    await post(api, f"/gpts/{a['id']}/moderation", {"featured": True})
    orders = {
        "newest": ["E", "D", "C", "B", "A"],
        "most_used": ["C", "B", "A", "E", "D"],
        "top_rated": ["B", "D", "E", "C", "A"],
        "featured": ["C", "A", "E", "D", "B"],
    }
    for sort, order in orders.items():
        assert names(await get(bob, f"/gpts?sort={sort}")) == order
        assert names(await get(bob, f"/gpts?sort={sort}&order=asc")) == order[::-1]
        seen: list[str] = []
        after = ""
        for _ in range(3):
            page = await get(bob, f"/gpts?sort={sort}&limit=2{after}")
            seen += names(page)
            after = f"&after={page['last_id']}"
        assert (seen, page["has_more"]) == (order, False)
        back = await get(bob, f"/gpts?sort={sort}&limit=2&before={page['first_id']}")
        assert (names(back), back["has_more"]) == (order[2:4], True)
    first = (await get(bob, "/gpts?sort=top_rated&limit=1"))["data"][0]
    assert first["statistics"] == {
        "conversations": 1,
        "users": 1,
        "reviews": 4,
        "rating": 4.75,
        "ratings": [0, 0, 0, 1, 3],
    }


# --- reviews


async def test_everybody_has_one_review(ada: Api, bob: Api, api: Api, keys: Keys) -> None:
    gpt = await published(ada)
    path = f"/gpts/{gpt['slug']}/reviews"
    first = await post(bob, path, {"rating": 2, "text": "  Slow.  "})
    assert (first["text"], first["author"], first["mine"], first["version"]) == ("Slow.", "Bob", True, 1)
    again = await post(bob, path, {"rating": 4, "text": "Better."})
    assert again["id"] == first["id"]
    cy = await member(api, keys, "Cy")
    other = await post(cy, path, {"rating": 5})
    page = (await get(bob, path))["data"]
    assert [(one["author"], one["rating"], one["mine"]) for one in page] == [("Cy", 5, False), ("Bob", 4, True)]
    assert [one["id"] for one in (await get(bob, path + "?mine=true"))["data"]] == [again["id"]]
    page = await get(bob, path + f"?limit=1&after={other['id']}")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([again["id"]], False)
    elsewhere = await post(bob, f"/gpts/{(await published(ada, name='Other'))['id']}/reviews", {"rating": 1})
    error = await bob.refused("GET", path + f"?after={elsewhere['id']}")
    assert error["param"] == "after"
    # One's own; administrators delete all, owners of GPTs do not.
    await bob.refused("DELETE", f"{path}/{other['id']}", status=404)
    await ada.refused("DELETE", f"{path}/{other['id']}", status=404)
    assert (await bob.call("DELETE", f"{path}/{again['id']}", extension=True))["deleted"]
    assert (await api.call("DELETE", f"{path}/{other['id']}", extension=True))["deleted"]
    assert (await get(bob, path))["data"] == []


async def test_who_may_not_review(ada: Api, bob: Api, api: Api, keys: Keys) -> None:
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}"
    error = await ada.refused("POST", path + "/reviews", {"rating": 5}, status=403)
    assert error["code"] == "own_gpt"
    for body in ({"rating": 0}, {"rating": 6}, {"rating": 4.5}, {"rating": "5"}, {}, {"rating": 5, "text": "x" * 2001}):
        await bob.refused("POST", path + "/reviews", body)
    reader = await member(api, keys, "Reader", "read")
    await reader.refused("POST", path + "/reviews", {"rating": 5}, status=403)
    await post(ada, path, {"visibility": "private"})
    await bob.refused("POST", path + "/reviews", {"rating": 5}, status=404)
    await bob.refused("GET", path + "/reviews", status=404)
    draft = await post(ada, "/gpts", {"name": "Draft"})
    await api.refused("POST", f"/gpts/{draft['id']}/reviews", {"rating": 5})


# --- reports and decisions


async def test_reports_are_for_administrators(ada: Api, bob: Api, api: Api) -> None:
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}/reports"
    first = await post(bob, path, {"reason": "misleading", "text": "Wrong rules."})
    again = await post(bob, path, {"reason": "spam"})
    assert (again["id"], again["reason"], again["status"]) == (first["id"], "spam", "open")
    await bob.refused("POST", path, {"reason": "boring"})
    for method, where in (("GET", "/gpts/reports"), ("POST", f"/gpts/reports/{first['id']}/resolve")):
        await bob.refused(method, where, {} if method == "POST" else None, status=403)
        await ada.refused(method, where, {} if method == "POST" else None, status=403)
    (report,) = (await get(api, "/gpts/reports?status=open"))["data"]
    assert (report["gpt_name"], report["author"]) == ("Math Tutor", "Bob")
    resolved = await post(api, f"/gpts/reports/{first['id']}/resolve", {"resolution": "Told the owner."})
    assert (resolved["status"], resolved["resolution"]) == ("resolved", "Told the owner.")
    await api.refused("POST", f"/gpts/reports/{first['id']}/resolve", {}, status=404)
    assert (await get(api, "/gpts/reports?status=open"))["data"] == []
    # What was resolved stays; what is told then is new.
    assert (await post(bob, path, {"reason": "spam"}))["id"] != first["id"]
    assert len((await get(api, f"/gpts/reports?gpt_id={gpt['id']}"))["data"]) == 2


async def test_what_is_hidden_is_there_for_its_editors_only(ada: Api, bob: Api, api: Api) -> None:
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}"
    await bob.refused("POST", path + "/moderation", {"hidden": True}, status=403)
    await ada.refused("POST", path + "/moderation", {"hidden": True}, status=403)
    await api.refused("POST", path + "/moderation", {"reason": "Why"})
    await post(api, path + "/moderation", {"hidden": True, "reason": "Wrong rules."})
    for name in (path, "/gpts/math-tutor", path + "/picture", path + "/reviews"):
        await bob.refused("GET", name, status=404)
    await bob.refused("POST", "/threads/runs", {"assistant_id": gpt["id"]}, status=404)
    assert (await get(bob, "/gpts"))["data"] == []
    seen = (await get(ada, path))["moderation"]
    assert (seen["hidden"], seen["reason"]) == (True, "Wrong rules.")
    assert names(await get(api, "/gpts?scope=hidden")) == ["Math Tutor"]
    await ada.refused("GET", "/gpts?scope=hidden", status=403)
    shown = await post(api, path + "/moderation", {"hidden": False, "featured": True})
    assert (shown["moderation"]["hidden"], shown["featured"]) == (False, True)
    seen = await get(bob, path)
    assert (seen["featured"], "moderation" in seen) == (True, False)


async def test_some_stores_show_what_was_approved(ada: Api, bob: Api, api: Api, server: Server) -> None:
    server.app.state.store.gpts.approval = True
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}"
    assert gpt["moderation"]["waits"] is True
    assert (await get(bob, "/gpts"))["data"] == []
    await bob.refused("GET", path, status=404)
    await bob.refused("POST", "/threads/runs", {"assistant_id": "gpt:math-tutor"}, status=404)
    assert names(await get(api, "/gpts?scope=waiting")) == ["Math Tutor"]
    await ada.refused("POST", path + "/moderation", {"approved": True}, status=403)
    await post(api, path + "/moderation", {"approved": True})
    assert names(await get(bob, "/gpts")) == ["Math Tutor"]
    assert (await get(api, "/gpts?scope=waiting"))["data"] == []
    # With a link one needs no approval.
    link = await post(ada, "/gpts", {"name": "By link"})
    await post(ada, f"/gpts/{link['id']}/publish", {"visibility": "link"})
    assert (await get(bob, f"/gpts/{link['id']}"))["name"] == "By link"


async def test_decisions_are_in_the_audit_log(ada: Api, bob: Api, api: Api, server: Server) -> None:
    gpt = await published(ada)
    path = f"/gpts/{gpt['id']}"
    await post(api, path + "/moderation", {"hidden": True, "reason": "Spam"})
    await post(api, path + "/moderation", {"hidden": False})
    review = await post(bob, path + "/reviews", {"rating": 1})
    await api.call("DELETE", f"{path}/reviews/{review['id']}", extension=True)
    report = await post(bob, path + "/reports", {"reason": "spam"})
    await post(api, f"/gpts/reports/{report['id']}/resolve", {"resolution": "None"})
    rows = await server.app.state.store.database.rows(
        "select act, details from audit_log where resource_id = %(id)s order by position", {"id": gpt["id"]}
    )
    acts = [row[0] for row in rows]
    assert acts[-4:] == ["gpt.moderated", "gpt.moderated", "gpt.review_deleted", "gpt.report_resolved"]
    assert b"Spam" in rows[-4][1]


async def test_words_of_addresses_are_no_slugs(ada: Api) -> None:
    for slug in ("templates", "reports", "builder", "import", "people", "new"):
        await ada.refused("POST", "/gpts", {"name": "X", "slug": slug})
    gpt = await post(ada, "/gpts", {"name": "Reports"})
    assert gpt["slug"].startswith("reports-")
    await ada.refused("POST", f"/gpts/{gpt['id']}", {"slug": "templates"})


async def test_other_projects_have_their_own_store(server: Server, ada: Api, bob: Api) -> None:
    gpt = await published(ada)
    report = await post(bob, f"/gpts/{gpt['id']}/reports", {"reason": "spam"})
    review = await post(bob, f"/gpts/{gpt['id']}/reviews", {"rating": 5})
    await server.add_project("sk-other")
    other = ada.with_key("sk-other")
    for method, path in (
        ("GET", f"/gpts/{gpt['id']}/reviews"),
        ("POST", f"/gpts/{gpt['id']}/reviews"),
        ("POST", f"/gpts/{gpt['id']}/reports"),
        ("POST", f"/gpts/{gpt['id']}/moderation"),
        ("POST", f"/gpts/reports/{report['id']}/resolve"),
        ("DELETE", f"/gpts/{gpt['id']}/reviews/{review['id']}"),
    ):
        body = {"rating": 5} if path.endswith("reviews") else {"reason": "spam"} if path.endswith("reports") else {}
        await other.refused(method, path, body if method == "POST" else None, status=404)
    assert (await get(other, "/gpts/reports"))["data"] == []
    assert (await get(other, f"/gpts/reports?gpt_id={gpt['id']}"))["data"] == []


async def test_odd_words_break_nothing(ada: Api, bob: Api) -> None:
    await published(ada)
    for field in ("q", "tag", "language"):
        for value in ("'", "%25", ":*%20%26", "%5C", "%F0%9F%A6%84"):
            assert names(await get(bob, f"/gpts?{field}={value}")) in ([], ["Math Tutor"])
        await bob.refused("GET", f"/gpts?{field}=%00")
    await bob.refused("GET", "/gpts/%00/reviews", status=404)
    await bob.refused("DELETE", "/gpts/math-tutor/reviews/%00", status=404)
