"""Groups of people by the official client, and GPTs that are shared with them."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from retinue.accounts.keys import Keys
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.people import Membership, NewPerson

from ..harness import Api, Json, Server
from .extensions import get, post
from .test_gpts import made
from .test_oauth import SignedIn


@pytest.fixture
async def admin(server: Server) -> openai.AsyncOpenAI:
    keys: Keys = server.app.state.keys
    value = (await keys.create("admin", project=None))[0]
    return openai.AsyncOpenAI(
        base_url=server.url + "/v1",
        api_key="none",
        admin_api_key=value,
        max_retries=0,
        _strict_response_validation=True,
    )


async def person(server: Server, name: str, *projects: str) -> str:
    into = [Membership(project, "member") for project in projects]
    return (await server.app.state.store.people.add(NewPerson(name, f"{name}@example.com", "reader"), into)).id


async def test_groups_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    groups = admin.admin.organization.groups
    first, second = await groups.create(name=" Sales "), await groups.create(name="数据组")
    assert (first.name, first.group_type, first.is_scim_managed) == ("Sales", "group", False)
    assert [one.id async for one in groups.list(limit=1)] == [first.id, second.id]
    assert [one.id async for one in groups.list(limit=1, order="desc")] == [second.id, first.id]
    assert (await groups.retrieve(first.id)).name == "Sales"
    assert (await groups.update(first.id, name="Support")).name == "Support"
    for name in ("数据组", "support"):
        with pytest.raises(openai.BadRequestError, match="there is a group"):
            await groups.create(name=name)
    with pytest.raises(openai.BadRequestError):
        await groups.update(first.id, name="数据组")
    for name in ("", " ", "x" * 256):
        with pytest.raises(openai.BadRequestError):
            await groups.create(name=name)
    assert (await groups.delete(second.id)).object == "group.deleted"
    for call in (groups.retrieve(second.id), groups.delete(second.id), groups.update(second.id, name="x")):
        with pytest.raises(openai.NotFoundError, match="No group found"):
            await call


async def test_their_people_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    ids = [await person(server, name) for name in ("ann", "bob")]
    group = (await admin.admin.organization.groups.create(name="Sales")).id
    users = admin.admin.organization.groups.users
    for one in (*ids, ids[0]):
        added = await users.create(group, user_id=one)
        assert (added.group_id, added.user_id) == (group, one)
    assert [one.id async for one in users.list(group, limit=1)] == ids
    assert [one.id async for one in users.list(group, limit=1, order="desc")] == ids[::-1]
    found = await users.retrieve(ids[0], group_id=group)
    assert (found.name, found.email, found.user_type) == ("ann", "ann@example.com", "user")
    assert (await users.delete(ids[0], group_id=group)).deleted
    assert [one.id async for one in users.list(group)] == [ids[1]]
    # A person who is gone is in no group.
    await server.app.state.store.people.delete(ids[1])
    assert [one async for one in users.list(group)] == []
    for call in (
        users.create(group, user_id="user-x"),
        users.create("group_x", user_id=ids[0]),
        users.delete(ids[0], group_id=group),
        users.retrieve(ids[0], group_id=group),
        users.list("group_x"),
    ):
        with pytest.raises(openai.NotFoundError):
            await call
    (made,) = (await admin.admin.organization.audit_logs.list(event_types=["group.created"])).data
    assert made.to_dict()["group.created"] == {"id": group, "data": {"group_name": "Sales"}}
    told = [one.to_dict() for one in (await admin.admin.organization.audit_logs.list()).data][::-1]
    acts: list[Any] = [one["act"] for one in told if "act" in one]
    changed = [(one["type"], one["id"], one["user_id"]) for one in acts if one["type"].startswith("group.")]
    added, removed = "group.member_added", "group.member_removed"
    assert changed == [(added, group, ids[0]), (added, group, ids[1]), (removed, group, ids[0])]


async def test_only_owners_make_groups(api: Api) -> None:
    for method, path, body in (
        ("POST", "/organization/groups", {"name": "x"}),
        ("GET", "/organization/groups", None),
    ):
        assert (await api.refused(method, path, body, status=403))["code"] == "missing_scope"


async def test_a_gpt_is_shared_with_a_group(server: Server, api: Api, admin: openai.AsyncOpenAI) -> None:
    ann, bob, eve = [await SignedIn.of(api, server, name) for name in ("ann", "bob", "eve")]
    groups: Any = admin.admin.organization.groups
    group = (await groups.create(name="Sales")).id
    await groups.users.create(group, user_id=bob.person)
    gpt = await made(ann, shared_with=[group])
    path = f"/gpts/{gpt['id']}"
    await post(ann, path + "/publish", {"visibility": "people"})

    async def may(client: Api) -> bool:
        found = (await client.request("GET", path, extension=True)).status
        run = (await client.request("POST", "/threads/runs", {"assistant_id": gpt["id"]})).status
        assert found == run
        return found == 200

    assert [await may(one) for one in (ann, bob, eve)] == [True, True, False]
    await groups.users.create(group, user_id=eve.person)
    await groups.users.delete(bob.person, group_id=group)
    assert [await may(one) for one in (bob, eve)] == [False, True]
    await groups.delete(group)
    assert (await get(ann, path))["shared_with"] == []
    assert not await may(eve)


async def test_it_is_not_shared_with_nobody(server: Server, api: Api, admin: openai.AsyncOpenAI) -> None:
    ann = await SignedIn.of(api, server, "ann")
    gone = await person(server, "gone")
    gpt = await made(ann, shared_with=[gone])
    for wrong in ("user-nobody", "group_x", "ann@example.com"):
        for path, body in (("/gpts", {"name": "X"}), (f"/gpts/{gpt['id']}", {})):
            error = await ann.refused("POST", path, {**body, "shared_with": [ann.person, wrong]})
            assert (error["param"], wrong in error["message"]) == ("shared_with", True)
    # Who was there once may stay.
    await server.app.state.store.people.delete(gone)
    changed = await post(ann, f"/gpts/{gpt['id']}", {"shared_with": [gone, ann.person]})
    assert changed["shared_with"] == [gone, ann.person]


async def test_whom_one_may_share_with(server: Server, api: Api, admin: openai.AsyncOpenAI) -> None:
    ann = await SignedIn.of(api, server, "ann")
    outside = await person(server, "outside")
    groups = admin.admin.organization.groups
    here, elsewhere = (await groups.create(name="Here")).id, (await groups.create(name="Elsewhere")).id
    await groups.users.create(here, user_id=ann.person)
    for one in (here, elsewhere):
        await groups.users.create(one, user_id=outside)

    async def listed() -> list[Json]:
        return (await get(ann, "/gpts/groups"))["data"]

    assert [(one["id"], one["users"]) for one in await listed()] == [(here, 2)]
    await server.app.state.store.members.add(DEFAULT_PROJECT, outside, "viewer")
    assert [one["name"] for one in await listed()] == ["Here", "Elsewhere"]
