"""OAuth 2.0 of connections: people sign in, tokens are renewed, connections have credentials of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from yarl import URL

from retinue.accounts.sessions import csrf_token
from retinue.store.accounts import DEFAULT_PROJECT
from retinue.store.people import Membership, NewPerson

from ..harness import Api, Json, Server, run_path
from ..scripted import Call, Reply, ScriptedUpstream
from ..services import CONNECTIONS, Provider, Service, action, connect, document, service

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"], public_url="https://retinue.example")
PATHS: Json = {"/me": {"get": {"operationId": "whoami"}, "post": {"operationId": "rename"}}}


@pytest.fixture
async def me(idp: Provider) -> AsyncIterator[Service]:
    """A service that says who asks, by the provider's tokens."""

    async with service() as made:
        made.answer = idp.who_asks("you")
        yield made


async def connected(api: Api, me: Service, idp: Provider, **auth: Any) -> Json:
    oauth = {
        "type": "oauth",
        "client_id": "retinue",
        "client_secret": idp.client_secret,
        "authorization_url": idp.url + "/authorize?prompt=consent",
        "token_url": idp.url + "/token",
        "scope": "read write",
        **auth,
    }
    return await connect(api, document=document(PATHS, me.url), auth=oauth)


class SignedIn(Api):
    """A client that comes with the session of a new person, a member of the default project."""

    token: str
    person: str

    @classmethod
    async def of(cls, api: Api, server: Server, name: str) -> SignedIn:
        row = NewPerson(name, f"{name}@example.com", "reader")
        made = await server.app.state.store.people.add(row, [Membership(DEFAULT_PROJECT, "member")])
        client = cls(api._session, api._url)
        client.person, client.token = made.id, await server.app.state.people.sessions.begin(made.id)
        return client

    def _headers(self) -> dict[str, str]:
        return {**self.cookie, "x-csrf-token": csrf_token(self.token), "openai-beta": "assistants=v2"}

    @property
    def cookie(self) -> dict[str, str]:
        return {"cookie": f"retinue_session={self.token}"}


async def come_back(server: Server, target: URL, **headers: str) -> tuple[int, str]:
    """What the browser shows that was sent to `target`."""
    assert str(target).startswith("https://retinue.example/v1/oauth/callback?")
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(f"{server.url}{target.path_qs}", headers=headers) as response,
    ):
        assert response.content_type == "text/html"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        return response.status, await response.text()


async def sign_in(api: Api, server: Server, idp: Provider, connection: Json, user: str) -> None:
    body = {"user": user}
    begun = await api.call("POST", f"{CONNECTIONS}/{connection['id']}/sign_in", body, extension=True)
    assert begun["object"] == "connection.sign_in"
    status, page = await come_back(server, idp.agree(begun["authorize_url"], user.upper()))
    assert (status, "You may close this window" in page) == (200, True)


async def asked(api: Api, upstream: ScriptedUpstream, connection: Json, user: str, name: str = "whoami") -> Json:
    upstream.script(Reply(tool_calls=[Call(name, {}, id="call_1")]), Reply(text="Done."))
    return await api.run("Who am I?", assistant=action(connection), metadata={"user": user})


def told(upstream: ScriptedUpstream) -> str:
    return next(one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool")


async def approve(api: Api, run: Json, said: str = "approve") -> Json:
    body = {"tool_outputs": [{"tool_call_id": "call_1", "output": said}]}
    return await api.until(await api.post(f"{run_path(run)}/submit_tool_outputs", body))


async def test_a_run_waits_for_the_sign_in(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    connection = await connected(api, me, idp)
    run = await asked(api, upstream, connection, "ann")
    assert run["status"] == "requires_action"
    (waiting,) = (await api.call("GET", f"{run_path(run)}/consents", extension=True))["data"]
    assert waiting["reason"] == "Pets: GET /me. It needs you to sign in first."
    query = URL(waiting["authorize_url"]).query
    assert (query["scope"], query["prompt"]) == ("read write", "consent")
    assert (await come_back(server, idp.agree(waiting["authorize_url"], "ANN")))[0] == 200
    assert (await approve(api, run, "always"))["status"] == "completed"
    assert told(upstream) == '{"you":"ANN"}'
    # Signed in, reading needs no consent; changing does, whatever was said to the sign-in.
    assert (await asked(api, upstream, connection, "ann"))["status"] == "completed"
    assert (await asked(api, upstream, connection, "ann", "rename"))["status"] == "requires_action"


async def test_approved_without_a_sign_in(api: Api, me: Service, idp: Provider, upstream: ScriptedUpstream) -> None:
    connection = await connected(api, me, idp)
    run = await approve(api, await asked(api, upstream, connection, "ann"))
    assert run["status"] == "completed"
    assert told(upstream) == "Error: the user has to sign in to 'Pets' first."
    assert not me.got


async def test_two_people_have_their_own_grants(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    connection = await connected(api, me, idp)
    for user in ("ann", "bob"):
        await sign_in(api, server, idp, connection, user)
    for user in ("ann", "bob"):
        await asked(api, upstream, connection, user)
        assert told(upstream) == f'{{"you":"{user.upper()}"}}'
    path = f"{CONNECTIONS}/{connection['id']}/sign_in?user=ann"
    assert (await api.call("DELETE", path, extension=True))["object"] == "connection.sign_in.deleted"
    assert (await asked(api, upstream, connection, "ann"))["status"] == "requires_action"
    assert (await asked(api, upstream, connection, "bob"))["status"] == "completed"
    await api.refused("DELETE", path, status=404)


def calling(name: str) -> Callable[[Json], Reply]:
    """A model that calls this, and then answers."""
    call = Reply(tool_calls=[Call(name, {}, id="call_1")])
    return lambda request: Reply(text="Done.") if request["messages"][-1]["role"] == "tool" else call


async def waiting_for(api: Api, run: Json) -> Json:
    """The one call of a run that waits for a person."""
    (waiting,) = (await api.call("GET", f"{run_path(run)}/consents", extension=True))["data"]
    return waiting


async def test_nobody_gets_what_another_one_has_granted(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    connection = await connected(api, me, idp)
    assistant = await api.assistant(**action(connection))
    upstream.default = calling("whoami")
    ann, eve = await SignedIn.of(api, server, "ann"), await SignedIn.of(api, server, "eve")

    async def asked_by(client: Api, **metadata: str) -> Json:
        thread = await client.thread("Who am I?")
        body = {"assistant_id": assistant, "metadata": metadata}
        return await client.until(await client.post(f"/threads/{thread}/runs", body))

    # Where Ann signs in, nobody but Ann is told: who knew could have her finish a sign-in to an account of theirs.
    first = await asked_by(ann)
    assert (await waiting_for(eve, first))["authorize_url"] is None
    assert (await waiting_for(api, first))["authorize_url"] is None
    assert "authorize?" not in (await eve.download(f"/threads/{first['thread_id']}/export")).decode()
    # Eve sends Ann the address where Eve's sign-in goes on.
    sent = (await waiting_for(eve, await asked_by(eve)))["authorize_url"]
    back = idp.agree(sent, "ANN")
    for headers in (ann.cookie, {}, {"cookie": "retinue_session=x"}):
        status, page = await come_back(server, back, **headers)
        assert (status, "begun by somebody else" in page) == (400, True)
    # Or the address of one that a key has begun: whoever is signed in grants nothing to it.
    begun = await api.call("POST", f"{CONNECTIONS}/{connection['id']}/sign_in", {"user": "eve"}, extension=True)
    assert (await come_back(server, idp.agree(begun["authorize_url"], "ANN"), **ann.cookie))[0] == 400
    assert not idp.asked

    # Ann's own sign-in is finished in her browser, and is hers.
    run = await asked_by(ann, user="eve")
    own = idp.agree((await waiting_for(ann, run))["authorize_url"], "ANN")
    assert (await come_back(server, own, **ann.cookie))[0] == 200
    assert (await approve(ann, run))["status"] == "completed"
    assert told(upstream) == '{"you":"ANN"}'
    # Eve's, in hers.
    assert (await come_back(server, idp.agree(sent, "EVE"), **eve.cookie))[0] == 200
    assert (await asked_by(eve))["status"] == "completed"
    assert told(upstream) == '{"you":"EVE"}'
    # Who names Ann is not Ann.
    for name in (ann.person, f"user:{ann.person}"):
        assert (await asked_by(api, user=name))["status"] == "requires_action"
        assert (await asked_by(eve, user=name))["status"] == "completed"
        assert told(upstream) == '{"you":"EVE"}'
    path = f"{CONNECTIONS}/{connection['id']}/sign_in"
    assert (await eve.refused("POST", path, {"user": ann.person}))["param"] == "user"
    assert (await eve.refused("DELETE", f"{path}?user={ann.person}"))["param"] == "user"
    assert (await ann.call("DELETE", path, extension=True))["object"] == "connection.sign_in.deleted"
    assert (await asked_by(ann))["status"] == "requires_action"
    assert (await asked_by(eve))["status"] == "completed"
    # What a person was granted goes with the person.
    await server.app.state.store.people.delete(eve.person)
    assert await server.app.state.store.database.rows("select person from grants", {}) == []


async def test_consent_is_the_persons_who_is_signed_in(
    api: Api, server: Server, me: Service, upstream: ScriptedUpstream
) -> None:
    connection = await connect(api, document=document(PATHS, me.url), consent="always")
    assistant = await api.assistant(**action(connection))
    upstream.default = calling("rename")
    ann, eve = await SignedIn.of(api, server, "ann"), await SignedIn.of(api, server, "eve")

    async def asked_by(client: Api) -> Json:
        thread = await client.thread("Who am I?")
        return await client.until(await client.post(f"/threads/{thread}/runs", {"assistant_id": assistant}))

    run = await asked_by(ann)
    body = {"tool_outputs": [{"tool_call_id": "call_1", "output": "approve"}]}
    for other in (eve, api):
        for client in (other, other.with_version("v1") if other is api else other):
            error = await client.refused("POST", f"{run_path(run)}/submit_tool_outputs", body, status=403)
            assert error["code"] == "consent_of_another"
    assert not me.got
    assert (await approve(ann, run, "always"))["status"] == "completed"
    assert len(me.got) == 1
    assert (await asked_by(ann))["status"] == "completed"
    # Ann's for ever is hers; that of a key is the project's, where keys ask.
    for client in (eve, api):
        assert (await asked_by(client))["status"] == "requires_action"
    assert (await approve(api, await asked_by(api), "always"))["status"] == "completed"
    assert (await asked_by(api))["status"] == "completed"
    assert (await asked_by(eve))["status"] == "requires_action"


async def test_an_expired_token_is_renewed_once(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    connection = await connected(api, me, idp)
    idp.life = 0
    await sign_in(api, server, idp, connection, "ann")
    idp.life = 3600
    calls = [Call("whoami", {}, id=f"call_{number}") for number in range(4)]
    upstream.script(Reply(tool_calls=calls), Reply(text="Done."))
    run = await api.run("Who am I?", assistant=action(connection), metadata={"user": "ann"})
    assert run["status"] == "completed"
    outputs = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    assert outputs == ['{"you":"ANN"}'] * 4
    assert idp.asked == ["authorization_code", "refresh_token"]


async def test_a_refused_token_is_renewed(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    connection = await connected(api, me, idp)
    await sign_in(api, server, idp, connection, "ann")
    idp.valid.clear()
    await asked(api, upstream, connection, "ann")
    assert told(upstream) == '{"you":"ANN"}'
    assert [got.headers["authorization"][7:13] for got in me.got] == ["access"] * 2
    # Neither counts any more: the person has to sign in again.
    idp.valid.clear()
    idp.renewing.clear()
    await asked(api, upstream, connection, "ann")
    assert told(upstream) == "Error: the user has to sign in to 'Pets' first."
    assert (await asked(api, upstream, connection, "ann"))["status"] == "requires_action"


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_client_credentials_are_kept(
    api: Api, me: Service, idp: Provider, upstream: ScriptedUpstream, method: str
) -> None:
    connection = await connected(api, me, idp, flow="client_credentials", token_endpoint_auth_method=method)
    for _ in range(2):
        await asked(api, upstream, connection, "")
        assert told(upstream) == '{"you":"the client"}'
    assert idp.asked == ["client_credentials"]
    idp.valid.clear()
    await asked(api, upstream, connection, "")
    assert told(upstream) == '{"you":"the client"}'
    assert idp.asked == ["client_credentials"] * 2
    error = await api.refused("POST", f"{CONNECTIONS}/{connection['id']}/sign_in", {})
    assert "has no sign-in" in error["message"]


async def test_a_wrong_client_secret(api: Api, me: Service, idp: Provider, upstream: ScriptedUpstream) -> None:
    connection = await connected(api, me, idp, flow="client_credentials", client_secret="not-the-secret")
    run = await asked(api, upstream, connection, "")
    assert run["status"] == "completed"
    assert told(upstream) == "Error: The token server answered 401: invalid_client."


async def test_what_a_browser_may_come_back_with(api: Api, server: Server, me: Service, idp: Provider) -> None:
    connection = await connected(api, me, idp)
    begun = await api.call("POST", f"{CONNECTIONS}/{connection['id']}/sign_in", {}, extension=True)
    back = idp.agree(begun["authorize_url"], "ann")
    state = back.query["state"]
    status, page = await come_back(server, back.update_query(state="another"))
    assert (status, "This sign-in is not known" in page) == (400, True)
    # The code of somebody else's sign-in does not fit this one's verifier.
    other = await api.call("POST", f"{CONNECTIONS}/{connection['id']}/sign_in", {}, extension=True)
    foreign = idp.agree(other["authorize_url"], "eve").query["code"]
    status, page = await come_back(server, back.with_query(state=state, code=foreign))
    assert (status, "invalid_grant" in page) == (400, True)
    # A state counts once.
    assert (await come_back(server, back))[0] == 400
    refused = back.with_query(state=URL(other["authorize_url"]).query["state"], error="<b>denied</b>")
    status, page = await come_back(server, refused)
    assert (status, "&lt;b&gt;denied" in page, "<b>denied" in page) == (400, True, False)
    assert idp.asked == ["authorization_code"]


async def test_another_server_gets_no_tokens(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    connection = await connected(api, me, idp)
    await sign_in(api, server, idp, connection, "ann")
    path = f"{CONNECTIONS}/{connection['id']}"
    async with service() as elsewhere:
        assert (await api.refused("POST", path, {"url": elsewhere.url}))["param"] == "url"
        sent = {**connection["auth"], "client_secret": idp.client_secret}
        await api.call("POST", path, {"url": elsewhere.url, "auth": sent, "headers": {}}, extension=True)
        assert (await asked(api, upstream, connection, "ann"))["status"] == "requires_action"
        assert not elsewhere.got
