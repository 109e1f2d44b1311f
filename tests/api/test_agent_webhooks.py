"""Agents tell webhooks that they have ended, or wait for a person."""

from __future__ import annotations

import pytest

from ..harness import Api, Json, Server, eventually
from ..scripted import Reply, ScriptedUpstream
from ..webhooks import Receiver, create, deliveries, settled, unwrap
from .extensions import get, post
from .test_agents import DONE, begin, thinks, until

pytestmark = pytest.mark.settings(egress_allow=["127.0.0.1"])


async def told(api: Api, endpoint: Json, number: int) -> list[str]:
    """The types of the events that were delivered."""
    return [one["event"]["type"] for one in await settled(api, endpoint, number)]


async def test_an_agent_that_waits_and_ends_is_told(api: Api, upstream: ScriptedUpstream, receiver: Receiver) -> None:
    endpoint = await create(api, receiver.url, ["agent.*"])
    upstream.script(thinks("write_to_file", file="a", text="x"), thinks("delete_file", file="a"), DONE)
    agent = await until(api, await begin(api), "requires_action")
    (got,) = await receiver.until(1)
    event = unwrap(got, endpoint["signing_secret"]).to_dict()
    assert (event["type"], event["data"]) == ("agent.requires_action", agent)
    await post(api, f"/agents/{agent['id']}/approve", {"decision": "once"})
    agent = await until(api, agent, "completed")
    event = unwrap((await receiver.until(2))[1], endpoint["signing_secret"]).to_dict()
    # All that it took is in it, what the last step took too.
    assert (event["type"], event["data"]) == ("agent.completed", agent)
    assert event["data"]["usage"]["total_tokens"] == 36
    assert await told(api, endpoint, 2) == ["agent.requires_action", "agent.completed"]


async def test_every_end_is_told(api: Api, upstream: ScriptedUpstream, receiver: Receiver) -> None:
    endpoint = await create(api, receiver.url, ["agent.*"])
    upstream.script(Reply(status=401))
    failed = await until(api, await begin(api), "failed")
    upstream.script(thinks("search_files", directory=""), DONE)
    short = await until(api, await begin(api, limits={"cycles": 1}), "incomplete")
    await post(api, f"/agents/{short['id']}", {"limits": {}})
    await post(api, f"/agents/{short['id']}/resume")
    await until(api, short, "completed")
    upstream.script(Reply(hang=True))
    asked = len(upstream.requests)
    driven = await begin(api)
    await upstream.wait_for_requests(asked + 1)
    await post(api, f"/agents/{driven['id']}/cancel")
    await until(api, driven, "cancelled")
    upstream.script(thinks("delete_file", file="a"))
    waiting = await until(api, await begin(api), "requires_action")
    await post(api, f"/agents/{waiting['id']}/cancel")
    found = [
        (one["event"]["type"], one["event"]["data"]["id"], one["event"]["data"]["status"])
        for one in await settled(api, endpoint, 6)
    ]
    assert found == [
        ("agent.failed", failed["id"], "failed"),
        ("agent.incomplete", short["id"], "incomplete"),
        ("agent.completed", short["id"], "completed"),
        ("agent.cancelled", driven["id"], "cancelled"),
        ("agent.requires_action", waiting["id"], "requires_action"),
        ("agent.cancelled", waiting["id"], "cancelled"),
    ]


async def test_what_an_agent_has_started_is_told_only_where_it_waits_for_a_person(
    api: Api, upstream: ScriptedUpstream, receiver: Receiver
) -> None:
    def decide(request: Json) -> Reply:
        said = "".join(message["content"] for message in request["messages"])
        if "1. Say hello." in said:
            return DONE if "Result of" in said else thinks("delete_file", file="a")
        if "has ended" in said:
            return DONE
        return (
            thinks("do_nothing")
            if "works now" in said
            else thinks("start_agent", name="Helper", task="help", prompt="Say hello.")
        )

    upstream.default = decide
    endpoint = await create(api, receiver.url, ["agent.*"])
    agent = await begin(api)
    await receiver.until(1)
    (child,) = (await get(api, f"/agents/{agent['id']}/agents"))["data"]
    await post(api, f"/agents/{child['id']}/approve", {"decision": "once"})
    await until(api, agent, "completed")
    events = [one["event"] for one in await settled(api, endpoint, 2)]
    assert [(one["type"], one["data"]["id"], one["data"]["parent_id"]) for one in events] == [
        ("agent.requires_action", child["id"], agent["id"]),
        ("agent.completed", agent["id"], None),
    ]


async def test_what_is_told_of_an_agent_goes_with_a_person_who_is_erased(
    api: Api, upstream: ScriptedUpstream, receiver: Receiver, server: Server
) -> None:
    receiver.open.clear()
    endpoint = await create(api, receiver.url, ["agent.*"])
    upstream.script(DONE, DONE)
    await until(api, await begin(api, metadata={"user": "ada"}), "completed")
    other = await until(api, await begin(api), "completed")
    assert len(await deliveries(api, endpoint)) == 2
    store = server.app.state.store
    erasure = await store.erasures.add(None, "ada")
    await eventually(lambda: store.erasures.get(erasure.id), lambda now: now.status == "completed")
    assert [one["event"]["data"]["id"] for one in await deliveries(api, endpoint)] == [other["id"]]
    receiver.open.set()
