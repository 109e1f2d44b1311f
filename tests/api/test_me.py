"""`/v1/me`: who asks."""

from __future__ import annotations

import aiohttp

from retinue.accounts.sessions import csrf_token
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.people import Membership, NewPerson

from ..harness import Api, Server


async def test_a_key_is_told_its_project_and_scopes(api: Api) -> None:
    me = await api.call("GET", "/me", extension=True)
    assert me == {
        "object": "me",
        "user": None,
        "scopes": ["admin"],
        "project": DEFAULT_PROJECT,
        "projects": [
            {"id": DEFAULT_PROJECT, "object": "organization.project", "name": "Default project", "role": None}
        ],
        "csrf_token": None,
    }


async def test_a_person_is_told_their_projects_and_the_token_for_changes(server: Server) -> None:
    store = server.app.state.store
    other = (await store.accounts.add_project("Other")).id
    projects = [Membership(DEFAULT_PROJECT, "viewer"), Membership(other, "member")]
    person = await store.people.add(NewPerson("Ada", "ada.me@example.com", "reader"), projects)
    token = await server.app.state.people.sessions.begin(person.id)
    headers = {"cookie": f"retinue_session={token}", "openai-project": other}
    async with aiohttp.request("GET", f"{server.url}/v1/me", headers=headers) as response:
        me = await response.json()
    assert (me["user"]["id"], me["user"]["email"]) == (person.id, "ada.me@example.com")
    assert (me["project"], me["scopes"], me["csrf_token"]) == (other, ["write"], csrf_token(token))
    assert [(one["id"], one["role"]) for one in me["projects"]] == [(DEFAULT_PROJECT, "viewer"), (other, "member")]
