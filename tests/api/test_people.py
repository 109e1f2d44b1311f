"""People: the official administration API, links, passwords, sessions, and the pages for all that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import openai
import pytest
from argon2 import PasswordHasher, Type

from retinue.accounts import answers, passwords
from retinue.accounts.keys import Keys
from retinue.accounts.people import People, first_link
from retinue.errors import AuthenticationFailed, InvalidRequest
from retinue.settings import Settings
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.people import NewPerson

from ..browser import Browser, browsing
from ..harness import KEY, Api, Server, eventually, serving

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that take no time: what is tested here is what is done with them."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._nobodys.cache_clear()


@pytest.fixture
def people(server: Server) -> People:
    return server.app.state.people


@pytest.fixture
async def browser(server: Server) -> AsyncIterator[Browser]:
    async with browsing(server.url) as browser:
        yield browser


@pytest.fixture
async def owner(server: Server, settings: Settings, browser: Browser) -> Browser:
    """The browser of the first owner, who has come by the link."""
    link = await first_link(server.app.state.store, settings)
    assert link
    page = await browser.get(link)
    page = await browser.send(page, "/welcome", name="Ada <b>", email="ada@example.com", password=PASSWORD)
    assert page.location == "/start"
    return browser


@pytest.fixture
async def admin(server: Server) -> openai.AsyncOpenAI:
    """The official client, strict, with an admin key."""
    keys: Keys = server.app.state.keys
    options: dict[str, Any] = {"max_retries": 0, "_strict_response_validation": True}
    value = (await keys.create("admin", project=None))[0]
    return openai.AsyncOpenAI(base_url=server.url + "/v1", api_key=KEY, admin_api_key=value, **options)


# --- the official administration API


async def test_users_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    users, store = admin.admin.organization.users, server.app.state.store
    made = [(await store.people.add(NewPerson(name, f"{name}@Example.com", "reader"))).id for name in ("ada", "bob")]
    assert [one.id async for one in await users.list(limit=1)] == made
    assert [one.email async for one in await users.list(emails=["BOB@example.com"])] == ["bob@Example.com"]
    assert (await users.retrieve(made[0])).role == "reader"
    assert (await users.update(made[0], role="owner")).role == "owner"
    assert (await users.update(made[0])).role == "owner"
    await store.people.add(NewPerson("Cy", "cy@example.com", "owner"))
    assert (await users.delete(made[0])).deleted
    for call in (users.retrieve(made[0]), users.delete(made[0]), users.update(made[0], role="reader")):
        with pytest.raises(openai.NotFoundError):
            await call
    with pytest.raises(openai.BadRequestError):
        await users.update(made[1], role="king")


async def test_people_in_projects_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    projects, store = admin.admin.organization.projects, server.app.state.store
    users = projects.users
    ids = [(await store.people.add(NewPerson(name, f"{name}@example.com", "reader"))).id for name in ("ada", "bob")]
    project = (await projects.create(name="Team")).id
    assert (await users.create(project, role="owner", user_id=ids[0])).email == "ada@example.com"
    assert (await users.create(project, role="viewer", email="BOB@example.com")).id == ids[1]
    assert [one.id async for one in await users.list(project, limit=1)] == ids
    assert (await users.update(ids[1], project_id=project, role="member")).role == "member"
    assert (await users.retrieve(ids[1], project_id=project)).role == "member"
    assert (await users.delete(ids[0], project_id=project)).deleted
    assert [one.id async for one in await users.list(project)] == [ids[1]]
    for call in (
        users.create(project, role="member", user_id="user-x"),
        users.create(project, role="member", email="nobody@example.com"),
        users.create("proj_x", role="member", user_id=ids[0]),
        users.retrieve(ids[0], project_id=project),
        users.list("proj_x"),
    ):
        with pytest.raises(openai.NotFoundError):
            await call
    for body in ({"user_id": ids[1]}, {}, {"user_id": ids[0], "email": "ada@example.com"}):
        with pytest.raises(openai.BadRequestError):
            await users.create(project, role="member", **body)


async def test_invites_by_the_official_client(server: Server, admin: openai.AsyncOpenAI) -> None:
    invites = admin.admin.organization.invites
    first = await invites.create(email="ada@example.com", role="reader")
    assert (first.status, [(one.id, one.role) for one in first.projects]) == ("pending", [(DEFAULT_PROJECT, "member")])
    second = await invites.create(email="bob@example.com", role="owner", projects=[])
    assert second.projects == []
    assert [one.id async for one in await invites.list(limit=1)] == [first.id, second.id]
    shown = await invites.retrieve(first.id)
    assert "accept_url" not in shown.to_json()
    for email in ("ADA@example.com", "no address", "a@b@c", "x" * 255 + "@example.com", "é\n@example.com"):
        with pytest.raises(openai.BadRequestError):
            await invites.create(email=email, role="reader")
    with pytest.raises(openai.NotFoundError):
        await invites.create(email="x@example.com", role="reader", projects=[{"id": "proj_x", "role": "member"}])
    assert (await invites.delete(second.id)).deleted
    with pytest.raises(openai.NotFoundError):
        await invites.delete(second.id)


# --- links


async def test_the_first_owner_comes_by_a_link_that_is_good_once(
    server: Server, settings: Settings, owner: Browser
) -> None:
    status, body = await owner.api("GET", "/organization/users")
    assert (status, body["data"][0]["role"], body["data"][0]["email"]) == (200, "owner", "ada@example.com")
    shown = (await owner.get("/account")).text
    assert "Ada &lt;b&gt;" in shown
    assert "<b>" not in shown
    assert '<a href="/">Back to the studio</a>' in shown
    assert await first_link(server.app.state.store, settings) is None


async def test_of_many_first_owners_one_is_made(server: Server, settings: Settings, people: People) -> None:
    links = [await first_link(server.app.state.store, settings) for _ in range(4)]
    tokens = [str(link).partition("token=")[2] for link in links]
    made = await asyncio.gather(
        *(people.accept(token, "A", f"a{number}@example.com", PASSWORD) for number, token in enumerate(tokens)),
        return_exceptions=True,
    )
    assert [isinstance(one, str) for one in made].count(True) == 1
    assert len((await server.app.state.store.people.page(limit=9, after=None)).rows) == 1
    with pytest.raises(Exception, match="not good"):
        await people.welcome(tokens[0])


async def test_looking_at_a_link_does_not_use_it_up(server: Server, settings: Settings, browser: Browser) -> None:
    link = str(await first_link(server.app.state.store, settings))
    page = await browser.get(link)
    for wrong in ({"password": "short"}, {"email": "none"}, {"name": " "}, {"name": "a\x00"}, {"csrf": "0" * 64}):
        fields = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD} | wrong
        refused = await browser.send(page, "/welcome", **fields)
        assert refused.status in (400, 403), wrong
        assert refused.told, wrong
    assert (await browser.get("/welcome?token=wrong")).status == 401
    assert (await browser.get(link)).status == 200


async def test_an_invite_is_accepted_once(server: Server, owner: Browser) -> None:
    status, invite = await owner.api("POST", "/organization/invites", {"email": "bob@example.com", "role": "reader"})
    assert status == 200
    link = invite["accept_url"].partition("8000")[2]
    async with browsing(server.url) as bob:
        page = await bob.get(link)
        # The address is the invite's, whatever the form says.
        fields = {"name": "Bob", "email": "eve@example.com", "password": PASSWORD}
        assert (await bob.send(page, "/welcome", **fields)).location == "/start"
        assert (await bob.send(page, "/welcome", **fields)).status == 401
        assert "bob@example.com" in (await bob.get("/account")).text
        assert (await bob.api("POST", "/assistants", {"model": "scripted"}))[0] == 200
        assert (await bob.api("GET", "/organization/users"))[0] == 403
    assert (await owner.api("GET", f"/organization/invites/{invite['id']}"))[1]["status"] == "accepted"
    assert (await owner.api("DELETE", f"/organization/invites/{invite['id']}"))[0] == 400


@pytest.mark.settings(invite_expiry=60)
async def test_an_invite_that_was_withdrawn_is_not_good(server: Server, owner: Browser, browser: Browser) -> None:
    _, invite = await owner.api("POST", "/organization/invites", {"email": "bob@example.com", "role": "reader"})
    assert invite["expires_at"] - invite["created_at"] == 60
    assert (await owner.api("DELETE", f"/organization/invites/{invite['id']}"))[0] == 200
    assert (await browser.get(invite["accept_url"].partition("8000")[2])).status == 401


# --- passwords


async def test_signing_in_and_out(server: Server, owner: Browser) -> None:
    assert (await owner.get("/sign-in")).location == "/"
    before = owner.cookies["retinue_session"]
    page = await owner.get("/account")
    assert (await owner.send(page, "/sign-out")).location == "/sign-in"
    assert "retinue_session" not in owner.cookies
    assert (await owner.get("/account")).location == "/sign-in"
    assert (await owner.get("/account", cookie=f"retinue_session={before}")).location == "/sign-in"
    assert (await owner.sign_in(" ADA@example.com", PASSWORD)).location == "/"
    assert (await owner.api("GET", "/assistants"))[0] == 200


async def test_after_signing_in_people_go_on_where_they_wanted(server: Server, owner: Browser) -> None:
    path = "/account?lang=en&of=%E4%BD%A0&to=a/b"
    query = urlencode({"next": path})
    assert (await owner.get(f"/sign-in?{query}")).location == path
    await owner.send(await owner.get("/account"), "/sign-out")
    page = await owner.get(f"/sign-in?{query}")
    assert page.form("/sign-in")["next"] == path
    # The other language's page goes on there, too; and so does a second try.
    assert f'href="/sign-in?{urlencode({"next": path, "lang": "zh"}).replace("&", "&amp;")}"' in page.text
    page = await owner.send(page, "/sign-in", email="ada@example.com", password="wrong")
    assert (await owner.send(page, "/sign-in", email="ada@example.com", password=PASSWORD)).location == path


async def test_nobody_is_sent_to_another_server(server: Server, owner: Browser) -> None:
    hosts = ["//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:x"]
    for elsewhere in [*hosts, "account", "/a\\b", "/é", "/" + "x" * 2000, "/\r\nset-cookie: a=b", "/ /", ""]:
        query = urlencode({"next": elsewhere})
        assert (await owner.get(f"/sign-in?{query}")).location == "/"
        await owner.send(await owner.get("/account"), "/sign-out")
        page = await owner.get(f"/sign-in?{query}")
        assert "next" not in page.form("/sign-in")
        sent = await owner.send(page, "/sign-in", email="ada@example.com", password=PASSWORD, next=elsewhere)
        assert sent.location == "/"


async def test_password_managers_know_whose_password_is_changed(owner: Browser) -> None:
    page = await owner.get("/account")
    assert page.form("/account")["username"] == "ada@example.com"
    assert 'autocomplete="username"' in page.text
    assert "Current password" in page.text
    changed = await owner.send(page, "/account", old=PASSWORD, password=PASSWORD + "!")
    assert changed.told == "Your password was changed."


async def test_cookies_are_out_of_reach(server: Server, owner: Browser) -> None:
    await owner.send(await owner.get("/account"), "/sign-out")
    told = (await owner.sign_in("ada@example.com", PASSWORD)).headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=lax" in told
    assert "path=/" in told
    assert "secure" not in told
    # The database holds no token.
    async with server.app.state.store.database.connection() as connection:
        rows = await (await connection.execute("select browser_sessions::text from browser_sessions")).fetchall()
    assert rows
    assert all(owner.cookies["retinue_session"].encode().hex() not in row[0] for row in rows)


async def test_passwords_go_by_https_only(server: Server, owner: Browser) -> None:
    async with browsing(server.url) as other:
        assert "HTTPS" in (await other.get("/sign-in", host="retinue.example")).told
        page = await other.get("/sign-in")
        fields = page.form("/sign-in") | {"email": "ada@example.com", "password": PASSWORD}
        refused = await other.request("POST", "/sign-in", data=fields, headers={"host": "retinue.example"})
        assert refused.status == 403
        by_proxy = {"host": "retinue.example", "x-forwarded-proto": "https"}
        let_in = await other.request("POST", "/sign-in", data=fields, headers=by_proxy)
        assert "secure" in let_in.headers["set-cookie"].lower()


async def test_a_wrong_password_and_an_unknown_address_look_the_same(
    server: Server, owner: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.app.state.store.people.add(NewPerson("Eve", "eve@example.com", "owner", password=None))
    hashes: list[str] = []
    verify = passwords._verify
    monkeypatch.setattr(passwords, "_verify", lambda known, typed: hashes.append(known) or verify(known, typed))
    async with browsing(server.url) as other:
        told = set[tuple[int, str]]()
        for email in ("ada@example.com", "nobody@example.com", "eve@example.com", "nul\x00@example.com"):
            page = await other.sign_in(email, "wrong password")
            told.add((page.status, page.told))
    assert len(told) == 1
    # The same work for each: one hash with the same parameters.
    assert len(hashes) == 4
    assert len({known.rpartition("$")[0].rpartition("$")[0] for known in hashes}) == 1


def test_passwords_are_hashed_with_argon2id() -> None:
    strict = PasswordHasher()
    assert (strict.memory_cost, strict.time_cost, strict.type) == (65536, 3, Type.ID)
    assert passwords.hash_password(PASSWORD).startswith("$argon2id$")
    # The same letters, put together in two ways.
    assert passwords._verify(passwords.hash_password("é" * 12), "e\u0301" * 12)
    assert not passwords._verify(passwords.hash_password("é" * 12), "e" * 12)


@pytest.mark.settings(sign_in_attempts=3, sign_in_address_attempts=5)
async def test_tries_are_counted_by_all_servers_together(
    postgres: str, server: Server, settings: Settings, owner: Browser, tmp_path: Path
) -> None:
    async with (
        serving(settings.model_copy(update={"data": tmp_path / "second"}), postgres) as second,
        browsing(server.url) as here,
        browsing(second.url) as there,
    ):
        assert [(await one.sign_in("ada@example.com", "wrong")).status for one in (here, there, here)] == [401] * 3
        page = await there.sign_in("Ada@Example.com", PASSWORD)
        assert page.status == 429
        assert "Too many" in page.told
        # Another account is tried from the same address, which has one more try.
        assert [(await here.sign_in("bob@example.com", "wrong")).status for _ in range(2)] == [401, 429]


@pytest.mark.settings(sign_in_attempts=2)
async def test_many_tries_at_once_are_no_more_than_allowed(server: Server, owner: Browser, people: People) -> None:
    tries = [people.sign_in("ada@example.com", "wrong", "192.0.2.1") for _ in range(6)]
    told = [type(one).__name__ for one in await asyncio.gather(*tries, return_exceptions=True)]
    assert sorted(told) == ["AuthenticationFailed"] * 2 + ["RateLimited"] * 4


@pytest.mark.settings(sign_in_attempts=1, sign_in_window=2)
async def test_tries_are_forgotten_in_time(owner: Browser, people: People) -> None:
    for _ in range(2):
        # Whoever signs in has all tries again.
        assert await people.sign_in("ada@example.com", PASSWORD, "192.0.2.1")
    with pytest.raises(Exception, match="wrong"):
        await people.sign_in("ada@example.com", "wrong", "192.0.2.1")
    with pytest.raises(Exception, match="Too many"):
        await people.sign_in("ada@example.com", PASSWORD, "192.0.2.1")
    await asyncio.sleep(2.1)
    assert await people.sign_in("ada@example.com", PASSWORD, "192.0.2.1")


async def test_another_password_ends_all_other_sessions_on_every_server(
    postgres: str, server: Server, settings: Settings, owner: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever knows of the change has been told of it.
    monkeypatch.setattr(answers, "BELIEVED", 600.0)
    async with (
        serving(settings.model_copy(update={"data": tmp_path / "second"}), postgres) as second,
        browsing(second.url) as there,
    ):
        await there.sign_in("ada@example.com", PASSWORD)
        assert (await there.api("GET", "/assistants"))[0] == 200
        page = await owner.get("/account")
        assert (await owner.send(page, "/account", old="wrong", password="x" * 12)).status == 401
        assert (await owner.send(page, "/account", old=PASSWORD, password="short")).status == 400
        changed = await owner.send(page, "/account", old=PASSWORD, password="another " + PASSWORD)
        assert changed.told == "Your password was changed."
        assert (await owner.api("GET", "/assistants"))[0] == 200
        status, _ = await eventually(lambda: there.api("GET", "/assistants"), lambda answer: answer[0] == 401)
        assert status == 401
        assert (await there.sign_in("ada@example.com", PASSWORD)).status == 401
        assert (await there.sign_in("ada@example.com", "another " + PASSWORD)).location == "/"


async def test_a_password_that_is_changed_meanwhile_opens_nothing(
    server: Server, owner: Browser, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = server.app.state.store
    verify = people._passwords.verify

    async def slowly(known: str | None, password: str) -> bool:
        right = await verify(known, password)
        await store.people.set_password((await store.people.page(limit=1, after=None)).rows[0].id, "another")
        return right

    monkeypatch.setattr(people._passwords, "verify", slowly)
    with pytest.raises(AuthenticationFailed):
        await people.sign_in("ada@example.com", PASSWORD, "192.0.2.1")


# --- sessions in the API


async def test_a_session_works_in_the_projects_of_the_person(server: Server, owner: Browser, api: Api) -> None:
    assistant = await api.assistant()
    assert (await owner.api("GET", "/assistants"))[1]["data"][0]["id"] == assistant
    _, project = await owner.api("POST", "/organization/projects", {"name": "Other"})
    for named, status, number in ((DEFAULT_PROJECT, 200, 1), (project["id"], 200, 0), ("proj_x", 401, 0)):
        found, body = await owner.api("GET", "/assistants", **{"openai-project": named})
        assert (found, len(body.get("data", []))) == (status, number)
    # A key that is sent counts, whoever is signed in.
    assert (await owner.api("GET", "/assistants", authorization="Bearer wrong"))[0] == 401
    await owner.api("POST", f"/organization/projects/{project['id']}/archive")
    await eventually(
        lambda: owner.api("GET", "/assistants", **{"openai-project": project["id"]}), lambda answer: answer[0] == 401
    )


async def test_another_role_counts_at_once(server: Server, owner: Browser, people: People) -> None:
    store = server.app.state.store
    person = await store.people.add(NewPerson("Bob", "bob@example.com", "reader"))
    async with browsing(server.url) as bob:
        cookie = {"cookie": f"retinue_session={await people.sessions.begin(person.id)}"}
        status, body = await bob.api("GET", "/assistants", **cookie)
        assert (status, body["error"]["message"][:19]) == (403, "You are in no proje")
        await owner.api(
            "POST", f"/organization/projects/{DEFAULT_PROJECT}/users", {"role": "viewer", "user_id": person.id}
        )
        await eventually(lambda: bob.api("GET", "/assistants", **cookie), lambda answer: answer[0] == 200)
        await owner.api("DELETE", f"/organization/projects/{DEFAULT_PROJECT}/users/{person.id}")
        await eventually(lambda: bob.api("GET", "/assistants", **cookie), lambda answer: answer[0] == 403)


async def test_some_owner_is_always_left(server: Server, owner: Browser, people: People) -> None:
    (ada,) = (await owner.api("GET", "/organization/users"))[1]["data"]
    path = f"/organization/users/{ada['id']}"
    for refused in (("POST", path, {"role": "reader"}), ("DELETE", path)):
        status, body = await owner.api(*refused)
        assert (status, body["error"]["code"]) == (400, "last_owner")
    assert (await owner.api("POST", path, {"role": "owner"}))[0] == 200
    bob = await server.app.state.store.people.add(NewPerson("Bob", "bob@example.com", "owner"))
    both = [server.app.state.store.people.set_role(person, "reader") for person in (ada["id"], bob.id)]
    ended = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(isinstance(one, InvalidRequest) for one in ended) == [False, True]


@pytest.mark.settings(session_idle=2)
async def test_a_session_that_is_used_goes_on(server: Server, owner: Browser, people: People) -> None:
    async with browsing(server.url) as idle:
        await idle.sign_in("ada@example.com", PASSWORD)
        for _ in range(8):
            await asyncio.sleep(0.3)
            assert (await owner.api("GET", "/assistants"))[0] == 200
        assert (await idle.api("GET", "/assistants"))[0] == 401


# --- the pages


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/account", "/welcome"])
async def test_forms_that_make_no_sense_are_refused(browser: Browser, path: str) -> None:
    await browser.get("/sign-in")
    many = "&".join(f"a{number}=b" for number in range(50))
    for body in ("", "csrf=é", "email=%00%ff&csrf=%00", many, "csrf=x&" + "a" * 20_000):
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data", "application/json"):
            page = await browser.request("POST", path, data=body.encode(), headers={"content-type": kind})
            assert 400 <= page.status < 500, (body[:20], kind)


async def test_forms_from_other_sites_are_refused(owner: Browser) -> None:
    page = await owner.get("/account")
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        refused = await owner.request("POST", "/sign-out", data=page.form("/sign-out"), headers=headers)
        assert refused.status == 403
    assert (await owner.request("POST", "/sign-out", data={"csrf": "0" * 64})).status == 403
    assert (await owner.get("/account")).status == 200


async def test_pages_speak_english_and_chinese(browser: Browser, owner: Browser) -> None:
    for accepted, language in (("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("de, en;q=0.5, zh;q=0.3", "en"), (";q=x,", "en")):
        assert f'<html lang="{language}">' in (await browser.get("/account", accept_language=accepted)).text
    assert "我的账号" in (await browser.get("/account?lang=zh")).text
    assert "我的账号" in (await browser.get("/account")).text
    page = await browser.get("/account")
    assert (await browser.send(page, "/account", old="wrong", password="x" * 12)).told == "邮箱或密码不正确。"


@pytest.mark.settings(pages=False)
async def test_without_pages_only_the_api_is_served(browser: Browser, api: Api) -> None:
    for path in ("/", "/sign-in", "/welcome", "/account"):
        assert (await browser.get(path)).status == 404
    assert await api.assistant()


# --- the audit log


async def test_what_people_do_stands_in_the_audit_log(
    server: Server, admin: openai.AsyncOpenAI, owner: Browser
) -> None:
    organization = admin.admin.organization
    (ada,) = [one.id async for one in await organization.users.list()]
    await owner.send(await owner.get("/account"), "/sign-out")
    for password in ("wrong horse battery", PASSWORD):
        await owner.send(await owner.get("/sign-in"), "/sign-in", email="ada@example.com", password=password)
    invite = await organization.invites.create(email="bob@example.com", role="reader")
    await organization.invites.delete(invite.id)
    users = organization.projects.users
    project = (await organization.projects.create(name="Team")).id
    await users.create(project, role="viewer", user_id=ada)
    await users.update(ada, project_id=project, role="member")
    await users.delete(ada, project_id=project)
    await organization.projects.rate_limits.update_rate_limit("rl-*", project_id=project, max_requests_per_1_minute=9)
    await organization.projects.spend_limit.update(project, threshold_amount=500, currency="USD", interval="month")
    await server.app.state.store.people.add(NewPerson("Cy", "cy@example.com", "owner"))
    await organization.users.update(ada, role="reader")
    await organization.users.delete(ada)

    log = [entry async for entry in await organization.audit_logs.list(limit=100)][::-1]
    sessions = [(one, one.actor.session) for one in log if one.actor and one.actor.session]
    by_person = [(one, session) for one, session in sessions if session.user and session.user.id == ada]
    did = ["user.added", "login.succeeded", "logout.succeeded", "login.succeeded"]
    assert [one.type for one, _ in by_person] == did
    assert {session.ip_address for _, session in by_person} == {"127.0.0.1"}
    assert by_person[0][0].user_added
    failed = next(one for one in log if one.type == "login.failed")
    assert failed.login_failed
    assert failed.login_failed.error_code == "wrong_credentials"
    administered = [one for one in log if one.actor and one.actor.api_key]
    assert [one.type for one in administered] == [
        *("invite.sent", "invite.deleted", "project.created"),
        *("role.assignment.created", "role.assignment.created", "role.assignment.deleted"),
        *("rate_limit.updated", "project.updated", "user.updated", "user.deleted"),
    ]
    limit = administered[6].rate_limit_updated
    assert limit
    assert (limit.id, limit.changes_requested.max_requests_per_1_minute if limit.changes_requested else 0) == (
        "rl-*",
        9,
    )
    assert administered[7].to_dict()["act"] == {"type": "spend_limit.updated", "id": project, "threshold_amount": 500}
    assert PASSWORD not in str([one.to_dict() for one in log])
