"""A GPT with an Action against a real service, with OAuth: two people use it with grants of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from ..harness import Api, Json, Server, run_path, text
from ..scripted import Call, Reply, ScriptedUpstream
from ..services import CONNECTIONS, Provider, Service, service
from .extensions import get, post
from .test_gpts import made
from .test_oauth import SignedIn, approve, come_back, connected, waiting_for

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"], public_url="https://retinue.example")


@pytest.fixture
async def me(idp: Provider) -> AsyncIterator[Service]:
    """A service that says who asks, by the provider's tokens."""

    async with service() as made:
        made.answer = idp.who_asks("orders_of")
        yield made


def reading_out(name: str) -> Callable[[Json], Reply]:
    """A model that calls this, and then repeats what it was told."""

    def reply(request: Json) -> Reply:
        last = request["messages"][-1]
        return (
            Reply(text=last["content"]) if last["role"] == "tool" else Reply(tool_calls=[Call(name, {}, id="call_1")])
        )

    return reply


async def asked(client: Api, gpt: Json) -> Json:
    """A run of a GPT, in a new thread, when it has ended or waits."""
    thread = await client.thread("What have I ordered?")
    return await client.until(await client.post(f"/threads/{thread}/runs", {"assistant_id": f"gpt:{gpt['slug']}"}))


async def answer_of(client: Api, run: Json) -> str:
    assert run["status"] == "completed"
    return text((await client.messages(run["thread_id"]))[-1])


async def test_two_people_use_it_with_their_own_grants(
    api: Api, server: Server, me: Service, idp: Provider, upstream: ScriptedUpstream
) -> None:
    # An administrator makes the connection; Cy makes a GPT with it, and Ada and Bob find that in the store.
    connection = await connected(api, me, idp)
    cy, ada, bob = [await SignedIn.of(api, server, name) for name in ("cy", "ada", "bob")]
    gpt = await made(cy, name="Orders", connections=[connection["id"]])
    await post(cy, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    upstream.default = reading_out("whoami")

    # Each is asked to sign in, at an address that only they are told.
    runs = {client.person: await asked(client, gpt) for client in (ada, bob)}
    for client, other in ((ada, bob), (bob, ada)):
        assert [one["id"] for one in (await get(client, "/gpts"))["data"]] == [gpt["id"]]
        run = runs[client.person]
        assert run["status"] == "requires_action"
        assert (await waiting_for(other, run))["authorize_url"] is None
        assert (await waiting_for(client, run))["authorize_url"].startswith(idp.url)
    assert not me.got

    # Each signs in at the service as somebody there, and gets what is theirs.
    for client, name in ((bob, "BOB"), (ada, "ADA")):
        run = runs[client.person]
        back = idp.agree((await waiting_for(client, run))["authorize_url"], name)
        assert (await come_back(server, back, **client.cookie))[0] == 200
        # It is not for others to go on with it.
        other = ada if client is bob else bob
        output = {"tool_outputs": [{"tool_call_id": "call_1", "output": "approve"}]}
        refused = await other.refused("POST", f"{run_path(run)}/submit_tool_outputs", output, status=403)
        assert refused["code"] == "consent_of_another"
        assert await answer_of(client, await approve(client, run)) == f'{{"orders_of":"{name}"}}'
    assert idp.asked == ["authorization_code"] * 2

    # From now on nobody is asked, and nobody gets what is another's: not the GPT's maker either.
    for client, name in ((ada, "ADA"), (bob, "BOB"), (ada, "ADA")):
        assert await answer_of(client, await asked(client, gpt)) == f'{{"orders_of":"{name}"}}'
    for client in (cy, api):
        assert (await asked(client, gpt))["status"] == "requires_action"
    tokens = [got.headers["authorization"] for got in me.got]
    assert len(set(tokens)) == 2

    # Ada signs out: she is asked again, and only she.
    path = f"{CONNECTIONS}/{connection['id']}/sign_in"
    assert (await ada.call("DELETE", path, extension=True))["object"] == "connection.sign_in.deleted"
    assert (await asked(ada, gpt))["status"] == "requires_action"
    assert await answer_of(bob, await asked(bob, gpt)) == '{"orders_of":"BOB"}'

    # A further version needs no further sign-in; and no grant is in what anybody exports or reads.
    await post(cy, f"/gpts/{gpt['id']}/publish", {"notes": "Again."})
    assert await answer_of(bob, await asked(bob, gpt)) == '{"orders_of":"BOB"}'
    for client in (ada, bob, cy):
        seen = str(await get(client, f"/gpts/{gpt['id']}")) + str(await get(client, "/runs?limit=100"))
        assert not [token for token in idp.given if token in seen]
