"""Who may do what: every route of the API with every kind of key, taken from the route table."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import openai
import pytest
from fastapi.routing import APIRoute

from retinue.accounts import answers as known_answers
from retinue.accounts.keys import Keys
from retinue.accounts.sessions import csrf_token
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.people import Membership, NewPerson

from ..harness import KEY, Api, Server, serving
from .test_isolation import all_routes

#: What somebody who only looks may send although it is a POST.
LOOKING = {("POST", "/v1/tokenize"), ("POST", "/v1/vector_stores/{vector_store_id}/search")}
#: What changes where data go, or the secrets of other services: for administrators of a project.
ADMINISTERED = ("/v1/connections", "/v1/connections/{connection_id}", "/v1/import")
#: What only administrators of a project read.
REPORTS = ("/v1/gpts/reports",)

#: Codes of errors.
NO_SCOPE, NO_CSRF = "missing_scope", "invalid_csrf_token"
#: Seconds in which every server has heard of a change: far fewer than a key is believed here without asking.
_NOTICED = 20

MakeKey = Callable[..., Awaitable[str]]
#: The headers of a request that comes with a session.
Headers = dict[str, str]


@pytest.fixture(autouse=True)
def secrets_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """For so long that whoever knows of a change has been told of it."""
    monkeypatch.setattr(known_answers, "BELIEVED", 600.0)


@pytest.fixture
def key(keys: Keys) -> MakeKey:
    """Makes a key, of the default project unless it is said otherwise."""

    async def make(*scopes: str, **options: object) -> str:
        return (await keys.create("test", scopes=scopes or ("admin",), **options))[0]  # pyright: ignore

    return make


def requests(server: Server) -> list[tuple[str, str, APIRoute]]:
    """Method, path and route of all that the API has."""
    routes = [route for route in all_routes(server.app.routes) if route.path.startswith("/v1/")]
    assert len(routes) > 100
    return [(method, route.path, route) for route in routes for method in sorted(route.methods)]


def address(path: str) -> str:
    """An address of a route, of objects that are not there."""
    return path.replace("{model:path}", "scripted").replace("{", "").replace("}", "")


def is_open(route: APIRoute) -> bool:
    """Whether a route says of itself that it needs no key."""
    return (route.openapi_extra or {}).get("security") == []


async def answer_of(server: Server, key: str | Headers, method: str, path: str) -> int | str:
    """What a route answers to a key, or to a session's headers: a status, or the code of a 403."""
    own = key if isinstance(key, dict) else {"authorization": f"Bearer {key}"} if key else {}
    headers = {"content-type": "application/json", **own}
    async with aiohttp.request(method, server.url + address(path), data=b"not json", headers=headers) as response:
        refused = (await response.json())["error"]["code"] if response.status == 403 else None
        return refused if refused in (NO_SCOPE, NO_CSRF) else response.status


async def refused(url: str, key: str | Headers) -> None:
    """A key or a session opens nothing, or soon will not."""
    headers = key if isinstance(key, dict) else {"authorization": f"Bearer {key}"}
    deadline = time.monotonic() + _NOTICED
    while True:
        async with aiohttp.request("GET", f"{url}/v1/assistants", headers=headers) as response:
            if response.status == 401:
                return
        assert time.monotonic() < deadline, "the key is still believed"
        await asyncio.sleep(0.01)


async def answers(server: Server, key: str | Headers) -> dict[tuple[str, str], int | str]:
    """What each route answers to a key, or to a session's headers."""
    return {
        (method, path): await answer_of(server, key, method, path)
        for method, path, route in requests(server)
        if not is_open(route)
    }


# --- every route


@pytest.mark.parametrize("kind", ["none", "wrong", "revoked", "expired", "of an archived project"])
async def test_no_route_opens_without_a_live_key(server: Server, keys: Keys, kind: str) -> None:
    accounts, value = server.app.state.store.accounts, ""
    if kind == "wrong":
        value = "sk-wrong"
    elif kind == "revoked":
        value, row = await keys.create("revoked")
        assert await answer_of(server, value, "GET", "/v1/assistants") == 200
        assert await accounts.revoke(DEFAULT_PROJECT, row.id)
    elif kind == "expired":
        value, _ = await keys.create("expired", expires_in=4)
        assert await answer_of(server, value, "GET", "/v1/assistants") == 200
        await asyncio.sleep(4.1)
    elif kind == "of an archived project":
        project = (await accounts.add_project("Old")).id
        value, _ = await keys.create("old", project=project)
        assert await answer_of(server, value, "GET", "/v1/assistants") == 200
        await accounts.archive_project(project)
    await refused(server.url, value)
    assert set((await answers(server, value)).values()) == {401}


async def test_routes_that_need_no_key_say_so(server: Server) -> None:
    # Browsers come back by the one, and the others are opened by the token in their path.
    found = [path for _, path, route in requests(server) if is_open(route)]
    by_token = [path for _, path, _ in requests(server) if path.startswith(("/v1/guest", "/v1/shares/"))]
    assert [path for path in found if path not in by_token] == ["/v1/oauth/callback"]
    assert [path for path in found if path in by_token] == by_token
    assert (len(by_token), all("{token}" in path for path in by_token)) == (8, True)


async def test_what_needs_no_key_answers_nothing_without_a_token(server: Server) -> None:
    for method, path, route in requests(server):
        if is_open(route) and "{token}" in path:
            body = {"text": "Hello"} if method == "POST" else None
            headers = {"authorization": f"Bearer {KEY}"}
            async with aiohttp.request(method, server.url + address(path), json=body, headers=headers) as response:
                assert response.status == 404, path


async def test_who_may_only_look_changes_nothing(server: Server, key: MakeKey) -> None:
    for (method, path), answer in (await answers(server, await key("read"))).items():
        looks = (method == "GET" or (method, path) in LOOKING) and path not in REPORTS
        allowed = looks and not path.startswith("/v1/organization/")
        assert (answer == NO_SCOPE) != allowed, (method, path, answer)


async def test_who_may_write_does_not_administer(server: Server, key: MakeKey) -> None:
    for (method, path), answer in (await answers(server, await key("write"))).items():
        administered = method != "GET" and (path in ADMINISTERED or path.startswith("/v1/webhook_endpoints"))
        administered = administered or path in REPORTS
        allowed = not administered and not path.startswith("/v1/organization/")
        assert (answer == NO_SCOPE) != allowed, (method, path, answer)


async def test_a_key_for_one_resource_opens_no_other(server: Server, key: MakeKey) -> None:
    resources = {path.split("/")[2] for _, path, _ in requests(server)} - {"organization"}
    assert len(resources) > 15
    for resource in ("assistants", "threads", "files", "connections"):
        for (method, path), answer in (await answers(server, await key(f"{resource}:admin"))).items():
            # The list of all threads' runs is of threads.
            own = path.split("/")[2].replace("runs", "threads")
            assert (answer != NO_SCOPE) == (own == resource), (resource, method, path, answer)
    for resource in resources:
        value = await key(f"{resource}:read")
        assert await answer_of(server, value, "POST", f"/v1/{resource}") == NO_SCOPE or resource == "tokenize"


async def test_the_organization_is_for_admin_keys_and_these_for_nothing_else(server: Server, key: MakeKey) -> None:
    of_admin = await answers(server, await key(project=None))
    of_project = await answers(server, KEY)
    for method, path in of_admin:
        administration = path.startswith("/v1/organization/")
        assert (of_admin[method, path] == NO_SCOPE) != administration, (method, path)
        assert (of_project[method, path] == NO_SCOPE) == administration, (method, path)


async def test_what_is_missing_is_named(api: Api, key: MakeKey) -> None:
    error = await api.with_key(await key("files:read")).refused("POST", "/files", {}, status=403)
    assert error["code"] == "missing_scope"
    assert error["message"].endswith("Missing scopes: files:write.")


# --- every route, for people


async def session(server: Server, role: str | None, organization: str = "reader") -> Headers:
    """What the browser of a new person sends, who has a role in the default project."""
    projects = [Membership(DEFAULT_PROJECT, role)] if role else []
    person = NewPerson("Ada", f"{role}.{organization}@example.com", organization)
    made = await server.app.state.store.people.add(person, projects)
    token = await server.app.state.people.sessions.begin(made.id)
    return {"cookie": f"retinue_session={token}", "x-csrf-token": csrf_token(token)}


@pytest.mark.parametrize(
    ("role", "scope"), [("viewer", "read"), ("member", "write"), ("owner", "admin")], ids=lambda value: value
)
async def test_people_may_what_their_role_says(server: Server, key: MakeKey, role: str, scope: str) -> None:
    of_person, of_key = await answers(server, await session(server, role)), await answers(server, await key(scope))
    assert of_person == of_key


async def test_owners_of_the_organization_may_everything(server: Server, key: MakeKey) -> None:
    of_owner = await answers(server, await session(server, None, "owner"))
    of_keys = (await answers(server, await key()), await answers(server, await key(project=None)))
    for (method, path), answer in of_owner.items():
        assert answer == of_keys[path.startswith("/v1/organization/")][method, path] != NO_SCOPE, (method, path)


async def test_sessions_change_nothing_without_a_csrf_token(server: Server) -> None:
    headers = await session(server, "owner", "owner")
    whole = await answers(server, headers)
    for wrong in ("", "0" * 64, "é"):
        for (method, path), answer in (await answers(server, {**headers, "x-csrf-token": wrong})).items():
            assert answer == (whole[method, path] if method == "GET" else NO_CSRF), (method, path)


@pytest.mark.settings(session_lifetime=4)
async def test_an_expired_session_opens_nothing(server: Server) -> None:
    headers = await session(server, "owner", "owner")
    assert await answer_of(server, headers, "GET", "/v1/assistants") == 200
    await asyncio.sleep(4.1)
    assert set((await answers(server, headers)).values()) == {401}


@pytest.mark.parametrize("kind", ["signed out", "password changed", "deleted", "made up"])
async def test_an_ended_session_opens_nothing(server: Server, kind: str) -> None:
    store, headers = server.app.state.store, await session(server, "owner", "owner")
    assert await answer_of(server, headers, "GET", "/v1/assistants") == 200
    person = (await store.people.page(limit=1, after=None)).rows[0].id
    if kind == "signed out":
        await server.app.state.people.sessions.end(headers["cookie"].partition("=")[2])
    elif kind == "password changed":
        await store.people.set_password(person, "another hash")
    elif kind == "deleted":
        # Some owner is always left.
        await store.people.add(NewPerson("Other", "other.owner@example.com", "owner"))
        await store.people.delete(person)
    else:
        token = "x" * 43
        headers = {"cookie": f"retinue_session={token}", "x-csrf-token": csrf_token(token)}
    await refused(server.url, headers)
    assert set((await answers(server, headers)).values()) == {401}


# --- keys


async def test_scopes_are_those_of_the_key(api: Api, key: MakeKey) -> None:
    client = api.with_key(await key("assistants:write", "threads:read"))
    assistant = (await client.post("/assistants", {"model": "scripted"}))["id"]
    assert (await client.get("/assistants"))["data"][0]["id"] == assistant
    await client.refused("POST", "/threads", {}, status=403)
    await client.refused("GET", f"/threads/{await api.thread('Hello')}/runs/run_x", status=404)


async def test_a_revoked_key_ends_at_once_on_every_server(
    postgres: str, server: Server, settings: Settings, api: Api, keys: Keys, tmp_path: Path
) -> None:
    value, row = await keys.create("short-lived")
    async with serving(settings.model_copy(update={"data": tmp_path / "second"}), postgres) as second:
        clients = [api.with_key(value), api.at(second.url).with_key(value)]
        for client in clients:
            await client.get("/assistants")
        assert await server.app.state.store.accounts.revoke(DEFAULT_PROJECT, row.id)
        await asyncio.gather(*(refused(url, value) for url in (server.url, second.url)))


async def test_the_header_of_another_project_is_refused(server: Server, api: Api) -> None:
    other = (await server.app.state.store.accounts.add_project("Other")).id
    for project, status in ((DEFAULT_PROJECT, 200), ("proj_of_openai", 200), (other, 401)):
        answer = await api.request(
            "GET", "/assistants", headers={"openai-project": project, "openai-organization": "x"}
        )
        assert answer.status == status, project
    assert answer.body["error"]["code"] == "mismatched_project"


# --- the official client


async def test_the_organization_by_the_official_client(server: Server, api: Api, key: MakeKey) -> None:
    options = {"base_url": server.url + "/v1", "max_retries": 0, "_strict_response_validation": True}
    client = openai.AsyncOpenAI(api_key=KEY, admin_api_key=await key(project=None), **options)  # pyright: ignore
    projects = client.admin.organization.projects
    project = await projects.create(name="Team A")
    assert (await projects.update(project.id, name="Team B")).name == "Team B"
    assert [one.id async for one in await projects.list(limit=1)] == [DEFAULT_PROJECT, project.id]
    account = await projects.service_accounts.create(project.id, name="bot")
    assert account.api_key
    member = openai.AsyncOpenAI(api_key=account.api_key.value, **options)  # pyright: ignore
    assistant = await member.beta.assistants.create(model="scripted")
    assert [one.id async for one in await client.beta.assistants.list()] == []
    made = await projects.service_accounts.api_keys.create(
        account.id, project_id=project.id, name="reader", scopes=["assistants:read"]
    )
    reader = openai.AsyncOpenAI(api_key=made.value, **options)  # pyright: ignore
    assert [one.id async for one in await reader.beta.assistants.list()] == [assistant.id]
    with pytest.raises(openai.PermissionDeniedError, match="assistants:write"):
        await reader.beta.assistants.delete(assistant.id)
    listed = [one async for one in await projects.api_keys.list(project.id)]
    assert [one.name for one in listed] == ["Secret Key", "reader"]
    assert all(one.last_used_at for one in listed)
    assert listed[0].owner.service_account
    assert listed[0].owner.service_account.id == account.id
    assert account.api_key.value not in listed[0].to_json()
    await projects.api_keys.delete(made.id, project_id=project.id)
    await refused(server.url, made.value)
    with pytest.raises(openai.AuthenticationError):
        await reader.beta.assistants.list()
    await projects.service_accounts.delete(account.id, project_id=project.id)
    await refused(server.url, account.api_key.value)
    with pytest.raises(openai.AuthenticationError):
        await member.beta.assistants.list()
    assert (await projects.archive(project.id)).status == "archived"
    assert [one.id async for one in await projects.list()] == [DEFAULT_PROJECT]
    assert len([one async for one in await projects.list(include_archived=True)]) == 2
    with pytest.raises(openai.NotFoundError):
        await projects.service_accounts.create(project.id, name="late")
    admins = client.admin.organization.admin_api_keys
    second = await admins.create(name="second", expires_in_seconds=3600)
    assert second.expires_at
    assert second.value.startswith("sk-admin-")
    assert len([one async for one in await admins.list()]) == 2
    assert (await admins.retrieve(second.id)).name == "second"
    assert (await admins.delete(second.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await admins.retrieve(second.id)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"scopes": ["everything"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["files:delete"]}, "scopes"),
        ({"expires_in_seconds": 0}, "expires_in_seconds"),
        ({"name": ""}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"more": 1}, "more"),
    ],
)
async def test_keys_that_make_no_sense(server: Server, api: Api, key: MakeKey, body: dict, param: str) -> None:
    account = await server.app.state.store.accounts.add_service_account(DEFAULT_PROJECT, "bot")
    admin = api.with_key(await key(project=None))
    path = f"/organization/projects/{DEFAULT_PROJECT}/service_accounts/{account.id}/api_keys"
    error = await admin.refused("POST", path, body)
    assert error["param"].startswith(param)
    for missing in ("/organization/projects/proj_x/service_accounts", "/organization/projects/proj_x/archive"):
        await admin.refused("POST", missing, {"name": "x"}, status=404)
