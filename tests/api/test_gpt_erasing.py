"""Erasing a person takes what is known of them in GPTs; GPTs stay."""

from __future__ import annotations

import pytest

from retinue.accounts.keys import Keys

from ..dump import tables_with
from ..harness import Api, Server
from ..scripted import ScriptedUpstream
from .extensions import get, post
from .test_erasures import erase
from .test_gpt_feedback import answered, said
from .test_gpts import made
from .test_oauth import SignedIn

#: Where a person is known by whoever administers people. `retinue users delete` ends it.
ACCOUNT = {"people", "members", "browser_sessions", "audit_log"}


@pytest.fixture
async def admin(server: Server, api: Api) -> Api:
    keys: Keys = server.app.state.keys
    return api.with_key((await keys.create("admin", project=None))[0])


async def test_erasing_a_person(
    server: Server, api: Api, admin: Api, upstream: ScriptedUpstream, postgres: str
) -> None:
    ann, bob = await SignedIn.of(api, server, "ann"), await SignedIn.of(api, server, "bob")
    gpts = [await made(one, shared_with=[ann.person, bob.person]) for one in (ann, bob)]
    for client, gpt in zip((ann, bob), gpts, strict=True):
        await post(client, f"/gpts/{gpt['id']}/publish", {"visibility": "store", "notes": "Mine."})
        for user in (ann, bob):
            message = await answered(user, upstream, gpt, "Am I known?", "No.")
            body = said(message, "up", comment=f"From {user.person}", share_conversation=True)
            await post(user, f"/gpts/{gpt['id']}/feedback", body)
    # The test can fail: they are in all these places.
    for person in (ann.person, bob.person):
        planted = tables_with(postgres, person)
        assert planted >= {"gpts", "gpt_versions", "gpt_feedback", "gpt_runs", "runs"}, planted

    erasure = await erase(admin, user=ann.person)

    assert tables_with(postgres, ann.person) - ACCOUNT == set()
    wanted = {"gpts": 2, "gpt_versions": 1, "gpt_runs": 2, "threads": 2}
    assert {name: erasure["counts"].get(name) for name in wanted} == wanted
    # Bob finds all that is his, and the project's administrators what was Ann's.
    theirs, own = [await get(api, f"/gpts/{gpt['id']}") for gpt in gpts]
    assert (theirs["owner"], theirs["author"], theirs["shared_with"]) == (None, None, [bob.person])
    assert (own["owner"], own["shared_with"]) == (bob.person, [bob.person])
    assert (await get(bob, f"/gpts/{gpts[0]['id']}"))["name"] == "Math Tutor"
    assert (await ann.refused("POST", f"/gpts/{gpts[0]['id']}", {"name": "x"}, status=403))["code"] == "not_your_gpt"
    for gpt in gpts:
        said_of_it = (await get(api, f"/gpts/{gpt['id']}/feedback"))["data"]
        assert [one["comment"] for one in said_of_it] == [f"From {bob.person}"]
        # That it was used is known still.
        total = (await get(api, f"/gpts/{gpt['id']}/analytics"))["total"]
        assert (total["runs"], total["conversations"], total["users"], total["thumbs_up"]) == (2, 2, 1, 1)
