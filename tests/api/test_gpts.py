"""GPTs: drafts, versions, and who may use and change them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from retinue.accounts.keys import Keys
from retinue.errors import Unavailable
from retinue.store.gpts import Change

from ..harness import Api, Json, Server, text
from ..scripted import Reply, ScriptedUpstream
from .conftest import member
from .extensions import get, post

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20


async def made(api: Api, **fields: object) -> Json:
    return await api.call("POST", "/gpts", {"name": "Math Tutor", "instructions": "Teach.", **fields}, extension=True)


async def test_a_draft_is_published_and_used(ada: Api, bob: Api, upstream: ScriptedUpstream) -> None:
    gpt = await made(ada, conversation_starters=["What is 2 + 2?"], category="education", tags=["maths", "maths"])
    assert (gpt["slug"], gpt["version"], gpt["visibility"], gpt["author"]) == ("math-tutor", None, "private", "Ada")
    assert (gpt["draft"]["instructions"], gpt["tags"], gpt["may_edit"]) == ("Teach.", ["maths"], True)
    version = await post(ada, f"/gpts/{gpt['id']}/publish", {"notes": "First.", "visibility": "store"})
    assert (version["number"], version["notes"], version["content"]["name"]) == (1, "First.", "Math Tutor")
    (found,) = (await get(bob, "/gpts"))["data"]
    assert (found["id"], found["version"], found["may_edit"]) == (gpt["id"], 1, False)
    assert not {"draft", "shared_with", "unpublished_changes"} & found.keys()
    for named in ("gpt:math-tutor", gpt["id"], f"gpt:{gpt['id']}", found["assistant_id"]):
        upstream.script(Reply(text="4"))
        thread = await bob.thread("What is 2 + 2?")
        run = await bob.until(await bob.post(f"/threads/{thread}/runs", {"assistant_id": named}), "completed")
        assert (run["assistant_id"], run["instructions"]) == (found["assistant_id"], "")
        assert text((await bob.messages(thread))[-1]) == "4"
        assert upstream.requests[-1]["messages"][0]["content"].endswith("Teach.")


async def test_nobody_else_uses_or_sees_a_private_one(ada: Api, bob: Api, api: Api) -> None:
    gpt = await made(ada)
    draft = gpt["draft"]["assistant_id"]
    await post(ada, f"/gpts/{gpt['id']}/publish")
    published = (await get(ada, f"/gpts/{gpt['id']}"))["assistant_id"]
    thread = await bob.thread("Hi")
    for name in ("math-tutor", gpt["id"]):
        await bob.refused("GET", f"/gpts/{name}", status=404)
        await bob.refused("GET", f"/gpts/{name}/picture", status=404)
        await bob.refused("POST", f"/gpts/{name}/publish", {}, status=404)
    for name in ("gpt:math-tutor", gpt["id"], draft, published):
        await bob.refused("POST", f"/threads/{thread}/runs", {"assistant_id": name}, status=404)
        await bob.refused("POST", "/threads/runs", {"assistant_id": name}, status=404)
    assert (await get(bob, "/gpts"))["data"] == (await get(bob, "/gpts?scope=mine"))["data"] == []
    # Administrators of the project may do all that owners may.
    assert (await get(api, f"/gpts/{gpt['id']}"))["draft"]["instructions"] == "Teach."


async def test_with_a_link_one_needs_the_id(ada: Api, bob: Api) -> None:
    gpt = await made(ada)
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "link"})
    assert (await get(bob, f"/gpts/{gpt['id']}"))["name"] == "Math Tutor"
    await bob.refused("GET", "/gpts/math-tutor", status=404)
    assert (await get(bob, "/gpts"))["data"] == []


async def test_it_is_shared_with_single_people(ada: Api, bob: Api, api: Api, keys: Keys) -> None:
    gpt = await made(ada)
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "people"})
    await bob.refused("GET", f"/gpts/{gpt['id']}", status=404)
    bobs = (await made(bob, name="Another"))["owner"]
    await post(ada, f"/gpts/{gpt['id']}", {"shared_with": [bobs]})
    assert (await get(bob, "/gpts/math-tutor"))["version"] == 1
    cy = await member(api, keys, "Cy")
    await cy.refused("GET", "/gpts/math-tutor", status=404)


async def test_whoever_may_use_one_may_not_change_it(ada: Api, bob: Api, api: Api) -> None:
    gpt = await made(ada)
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    path = f"/gpts/{gpt['id']}"
    for method, rest, body in (
        ("POST", "", {"name": "Mine"}),
        ("POST", "/publish", {}),
        ("GET", "/versions", None),
        ("GET", "/versions/1", None),
        ("POST", "/versions/1/restore", None),
        ("GET", "/picture?draft=true", None),
        ("DELETE", "", None),
    ):
        error = await bob.refused(method, path + rest, body, status=403)
        assert error["code"] == "not_your_gpt"
    draft = gpt["draft"]["assistant_id"]
    thread = await bob.thread("Hi")
    await bob.refused("POST", f"/threads/{thread}/runs", {"assistant_id": draft}, status=404)
    # Its assistants are no ordinary ones, for administrators neither.
    assistant = (await get(bob, path))["assistant_id"]
    assert (await api.get("/assistants"))["data"] == []
    assert (await bob.get(f"/assistants/{assistant}"))["instructions"] == ""
    for method in ("POST", "DELETE"):
        error = await api.refused(method, f"/assistants/{assistant}", {} if method == "POST" else None)
        assert error["code"] == "gpt_assistant"


async def test_versions_stay_what_they_were(ada: Api, bob: Api, upstream: ScriptedUpstream) -> None:
    gpt = await made(ada)
    path = f"/gpts/{gpt['id']}"
    await post(ada, path + "/publish", {"visibility": "store"})
    changed = await post(ada, path, {"instructions": "Sing.", "name": "Singer", "temperature": 0.5})
    assert (changed["name"], changed["draft"]["name"], changed["unpublished_changes"]) == ("Math Tutor", "Singer", True)
    upstream.script(Reply(text="la"), Reply(text="la"))
    for name, told in ((f"gpt:{gpt['slug']}", "Teach."), (changed["draft"]["assistant_id"], "Sing.")):
        run = await ada.post("/threads/runs", {"assistant_id": name})
        await ada.until(run, "completed")
        assert upstream.requests[-1]["messages"][0]["content"].endswith(told)
    await post(ada, path + "/publish", {"notes": "Sings"})
    assert [one["number"] for one in (await get(ada, path + "/versions"))["data"]] == [2, 1]
    assert (await get(bob, path))["name"] == "Singer"
    restored = await post(ada, path + "/versions/1/restore")
    assert (restored["name"], restored["draft"]["instructions"], restored["version"]) == ("Singer", "Teach.", 2)
    assert (await post(ada, path + "/publish"))["number"] == 3
    assert (await get(bob, path))["name"] == "Math Tutor"
    await ada.refused("POST", path + "/versions/9/restore", status=404)


async def test_knowledge_of_a_version_does_not_change(ada: Api, api: Api) -> None:
    one, two, three = [await ada.file(f"Fact {number}.") for number in range(3)]
    gpt = await made(ada, knowledge=[one], capabilities=["code_interpreter"])
    path = f"/gpts/{gpt['id']}"

    async def known(assistant: str) -> tuple[str, set[str], set[str]]:
        resources = (await api.get(f"/assistants/{assistant}"))["tool_resources"]
        (vector_store,) = resources["file_search"]["vector_store_ids"]
        files = (await api.get(f"/vector_stores/{vector_store}/files"))["data"]
        return vector_store, {file["id"] for file in files}, set(resources["code_interpreter"]["file_ids"])

    draft = gpt["draft"]["assistant_id"]
    first, *files = await known(draft)
    assert files == [{one}, {one}]
    await post(ada, path, {"knowledge": [one, two]})
    assert await known(draft) == (first, {one, two}, {one, two})
    await post(ada, path + "/publish")
    published = (await get(ada, path))["assistant_id"]
    await post(ada, path, {"knowledge": [two, three]})
    second, *files = await known(draft)
    assert (second != first, files) == (True, [{two, three}, {two, three}])
    assert await known(published) == (first, {one, two}, {one, two})
    # Nothing is left of stores that nobody needs.
    await post(ada, path + "/versions/1/restore")
    assert (await known(draft))[0] == first
    await api.refused("GET", f"/vector_stores/{second}", status=404)
    await post(ada, path, {"knowledge": []})
    assert (await api.get(f"/assistants/{draft}"))["tools"] == [{"type": "code_interpreter"}]
    await ada.call("DELETE", path, extension=True)
    await api.refused("GET", f"/vector_stores/{first}", status=404)
    await api.refused("GET", f"/assistants/{published}", status=404)
    assert (await ada.get(f"/files/{one}"))["id"] == one


async def known(api: Api) -> list[set[str]]:
    """Of each vector store of the project, its files."""
    stores = (await api.get("/vector_stores"))["data"]
    return [{one["id"] for one in (await api.get(f"/vector_stores/{store['id']}/files"))["data"]} for store in stores]


@pytest.mark.parametrize(("wrong", "status"), [({"connections": ["conn_x"]}, 404), ({"slug": "taken"}, 400)])
async def test_a_refused_change_leaves_the_knowledge_alone(ada: Api, api: Api, wrong: Json, status: int) -> None:
    one, two = await ada.file("One."), await ada.file("Two.")
    await made(ada, slug="taken")
    path = f"/gpts/{(await made(ada))['id']}"
    await ada.refused("POST", path, {"knowledge": [one], **wrong}, status=status)
    assert await known(api) == []
    await post(ada, path, {"knowledge": [one]})
    before = await get(ada, path)
    await ada.refused("POST", path, {"knowledge": [two], **wrong}, status=status)
    assert (await get(ada, path), await known(api)) == (before, [{one}])
    # The same without the mistake.
    await post(ada, path, {"knowledge": [two]})
    assert await known(api) == [{two}]


async def test_a_change_that_is_not_kept_drops_no_knowledge(
    ada: Api, api: Api, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await ada.file("One.")
    path = f"/gpts/{(await made(ada, knowledge=[one]))['id']}"
    gpts = server.app.state.store.gpts
    real = gpts.changing

    @asynccontextmanager
    async def breaking(*of: str) -> AsyncGenerator[Change]:
        async with real(*of) as change:
            yield change
            raise Unavailable("The database is away.")

    monkeypatch.setattr(gpts, "changing", breaking)
    await ada.refused("POST", path, {"knowledge": []}, status=503)
    assert await known(api) == [{one}]


async def test_knowledge_outlives_its_vector_store(ada: Api, api: Api) -> None:
    one, two = await ada.file("One."), await ada.file("Two.")
    gpt = await made(ada, knowledge=[one])
    await api.delete(f"/vector_stores/{gpt['draft']['vector_store_id']}")
    changed = await post(ada, f"/gpts/{gpt['id']}", {"knowledge": [one, two]})
    assert await known(api) == [{one, two}]
    assert changed["draft"]["vector_store_id"] != gpt["draft"]["vector_store_id"]


async def test_knowledge_that_stays_is_not_read_again(ada: Api, api: Api) -> None:
    one, two = await ada.file("One."), await ada.file("Two.")
    gpt = await made(ada, knowledge=[one])
    files = f"/vector_stores/{gpt['draft']['vector_store_id']}/files"
    (before,) = (await api.get(files))["data"]
    # Somebody has put it there already.
    await api.post(files, {"file_id": two})
    there = await api.get(f"{files}/{two}")
    await post(ada, f"/gpts/{gpt['id']}", {"knowledge": [two, one]})
    for file in (before, there):
        assert (await api.get(f"{files}/{file['id']}"))["created_at"] == file["created_at"]


async def test_its_picture_is_drawn_or_uploaded(ada: Api) -> None:
    gpt = await made(ada, name="<b>数据")
    drawn = await ada.download(gpt["picture_url"][3:])
    assert b"<b>" not in drawn
    assert drawn == await ada.download(gpt["picture_url"][3:])
    picture = await ada.file(PNG, "tutor.png")
    await post(ada, f"/gpts/{gpt['id']}", {"picture": picture})
    assert await ada.download(gpt["picture_url"][3:]) == PNG
    error = await ada.refused("POST", f"/gpts/{gpt['id']}", {"picture": await ada.file("<svg/>", "x.svg")})
    assert error["param"] == "picture"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": ""}, 400),
        ({"name": None}, 400),
        ({"name": "x" * 81}, 400),
        ({"slug": "No Slug"}, 400),
        ({"slug": "taken"}, 400),
        ({"model": "no-such-model"}, 404),
        ({"knowledge": ["file-x"]}, 404),
        ({"connections": ["conn_x"]}, 404),
        ({"picture": "file-x"}, 404),
        ({"capabilities": ["flying"]}, 400),
        ({"conversation_starters": ["x"] * 13}, 400),
        ({"visibility": "everybody"}, 400),
        ({"language": "not a language"}, 400),
        ({"privacy_policy_url": "javascript:alert(1)"}, 400),
        ({"owner": "me"}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(ada: Api, body: Json, status: int) -> None:
    await made(ada, slug="taken")
    gpt = await made(ada, name="Fine")
    await ada.refused("POST", f"/gpts/{gpt['id']}", body, status=status)
    assert await get(ada, f"/gpts/{gpt['id']}") == gpt
    await ada.refused("POST", "/gpts", {"name": "New", **body}, status=status)
    assert len((await get(ada, "/gpts?scope=mine"))["data"]) == 2


async def test_slugs_are_of_any_writing_and_each_there_once(ada: Api, bob: Api) -> None:
    first, second = await made(ada, name="数据 分析师!"), await made(bob, name="数据 分析师")
    assert first["slug"] == "数据-分析师"
    assert second["slug"].startswith("数据-分析师-")
    assert (await made(ada, name="***"))["slug"] == "gpt"
    assert (await get(ada, "/gpts/数据-分析师"))["id"] == first["id"]


async def test_changes_at_the_same_time_are_all_kept(ada: Api) -> None:
    gpt = await made(ada)
    path = f"/gpts/{gpt['id']}"
    files = [await ada.file(f"{number}") for number in range(4)]
    bodies: list[Json] = [{"name": "N"}, {"instructions": "I"}, {"category": "data"}, {"knowledge": files}]
    await asyncio.gather(*(post(ada, path, body) for body in bodies), *(post(ada, path + "/publish") for _ in range(3)))
    draft = (await get(ada, path))["draft"]
    assert (draft["name"], draft["instructions"], draft["category"], draft["knowledge"]) == ("N", "I", "data", files)
    assert {one["number"] for one in (await get(ada, path + "/versions"))["data"]} == {1, 2, 3}


async def test_a_list_has_pages(ada: Api) -> None:
    ids = [(await made(ada, name=f"G{number}"))["id"] for number in range(3)]
    page = await get(ada, "/gpts?scope=mine&limit=2")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([ids[2], ids[1]], True)
    page = await get(ada, f"/gpts?scope=mine&after={ids[1]}")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([ids[0]], False)
    page = await get(ada, f"/gpts?scope=mine&before={ids[0]}&limit=1")
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([ids[1]], True)
    await ada.refused("GET", "/gpts?after=gpt_x")


async def test_others_files_are_not_had_by_a_gpt(ada: Api, api: Api, keys: Keys) -> None:
    file = await ada.file("Secret.")
    gpt = await made(ada, knowledge=[file])
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    bob = await member(api, keys, "Bob")
    error = await bob.refused("POST", "/gpts", {"name": "Mine", "knowledge": [file]}, status=403)
    assert error["code"] == "confidential"
    await bob.refused("GET", f"/files/{file}/content", status=403)


async def test_keys_of_other_projects_know_nothing_of_it(server: Server, ada: Api) -> None:
    gpt = await made(ada)
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    await server.add_project("sk-other")
    other = ada.with_key("sk-other")
    for name in (gpt["id"], gpt["slug"]):
        await other.refused("GET", f"/gpts/{name}", status=404)
    await other.refused("POST", "/threads/runs", {"assistant_id": f"gpt:{gpt['slug']}"}, status=404)
    assert (await get(other, "/gpts"))["data"] == []
