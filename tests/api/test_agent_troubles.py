"""What goes wrong with agents: models that decline, budgets that are spent, sandboxes and drivers that break."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ..harness import Api, Json, Server, eventually
from ..scripted import Reply, ScriptedUpstream
from .extensions import get, post
from .test_agents import DONE, begin, content, cycles, thinks, until
from .test_oauth import SignedIn

OVERFLOW = Reply(status=400, error={"message": "too long", "code": "context_length_exceeded"})
DECLINED = "I'm sorry, but I can't help with that."


def said_in(request: Json) -> str:
    return "".join(message["content"] for message in request["messages"])


def leads(request: Json) -> Reply:
    """One that starts a helper and waits for it, and a helper that looks around twice."""
    said = said_in(request)
    if "1. Say hello." in said:
        return DONE if said.count("Result of") == 2 else thinks("search_files", directory="")
    if "has ended" in said:
        return DONE
    started = "works now" in said
    return thinks("do_nothing") if started else thinks("start_agent", name="Helper", task="t", prompt="Say hello.")


async def child_of(api: Api, agent: Json) -> Json:
    return (await eventually(lambda: get(api, f"/agents/{agent['id']}/agents"), lambda found: found["data"]))["data"][0]


async def test_a_model_that_declines_is_asked_again_and_heard(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(*(Reply(text=DECLINED) for _ in range(3)), DONE)
    agent = await until(api, await begin(api), "completed")
    declined, _ = await cycles(api, agent)
    # What it said is there to be read, for people and for itself.
    assert (declined["thoughts"]["text"], declined["status"]) == (DECLINED, "completed")
    assert (declined["result"]["failed"], declined["usage"]["total_tokens"]) == (True, 36)
    assert DECLINED in said_in(upstream.requests[3])


async def test_a_model_that_always_declines_ends_it(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(*(Reply(text=DECLINED) for _ in range(24)))
    agent = await until(api, await begin(api), "failed")
    assert (agent["last_error"]["code"], agent["cycles"]) == ("repetition", 8)
    assert {one["thoughts"]["text"] for one in await cycles(api, agent)} == {DECLINED}


async def test_a_model_that_says_the_same_without_end_is_broken_off(api: Api, upstream: ScriptedUpstream) -> None:
    begun = thinks("write_to_file", file="story.txt", text="Once a rose…").text.removesuffix('"}}}')
    # Its text never ends.
    upstream.script(Reply(text=begun + " The rose was red and lovely." * 40, hang=True), DONE)
    agent = await until(api, await begin(api), "completed")
    story = await content(api, agent, "story.txt")
    assert story.startswith("Once a rose… The rose was red and lovely.")
    assert story.count("The rose was red") <= 2
    assert agent["usage"]["total_tokens"] > 12


async def test_what_it_writes_anew_in_other_words_counts_as_repeated(api: Api, upstream: ScriptedUpstream) -> None:
    story = "Once there was a rose that stood in a garden by the sea, and every {} it looked at the waves. " * 3
    texts = [story.format(*[word] * 3) for word in ("morning", "evening", "day", "night")]
    upstream.script(*(thinks("write_to_file", file="story.txt", text=text) for text in texts), DONE)
    agent = await until(api, await begin(api), "completed")
    assert [one["result"]["failed"] for one in await cycles(api, agent)] == [False, False, False, True, False]
    assert await content(api, agent, "story.txt") == texts[2]


@pytest.mark.model_settings(input_price=1000, output_price=2000)
async def test_a_budget_of_dollars_ends_it_and_can_be_raised(api: Api, upstream: ScriptedUpstream) -> None:
    # 7 and 5 tokens a step: 0.017 dollars.
    upstream.script(*(thinks("write_to_file", file=f"{number}", text="x") for number in range(2)), DONE)
    agent = await until(api, await begin(api, limits={"cost": 0.02}), "incomplete")
    assert (agent["incomplete_details"], agent["cycles"]) == ({"reason": "max_cost"}, 2)
    # Besides, what its memory takes.
    assert agent["cost"]["value"] == pytest.approx(0.034, abs=0.003)
    await post(api, f"/agents/{agent['id']}", {"limits": {"cost": 1}})
    await post(api, f"/agents/{agent['id']}/resume")
    assert (await until(api, agent, "completed"))["cost"]["value"] == pytest.approx(0.051, abs=0.005)


async def test_its_time_ends_it_and_waiting_for_people_takes_none(api: Api, upstream: ScriptedUpstream) -> None:
    first = thinks("search_files", directory="")
    upstream.script(Reply(text=first.text, silence=1.1), DONE)
    agent = await until(api, await begin(api, limits={"seconds": 1}), "incomplete")
    assert (agent["incomplete_details"], agent["cycles"]) == ({"reason": "max_seconds"}, 1)
    assert agent["seconds"] >= 1


async def test_what_it_has_started_spends_its_budget(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = leads
    # Two steps of its own, and the first of its helper.
    agent = await until(api, await begin(api, limits={"tokens": 36}), "incomplete")
    child = await until(api, await child_of(api, agent), "incomplete")
    assert agent["incomplete_details"] == child["incomplete_details"] == {"reason": "max_tokens"}
    assert agent["usage"]["total_tokens"] >= 36 > child["usage"]["total_tokens"]


@pytest.mark.settings(agent_concurrency=1)
async def test_one_that_waits_for_others_takes_no_place(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = leads
    agent = await until(api, await begin(api), "completed")
    assert (await child_of(api, agent))["status"] == "completed"
    # It was woken by the end, and did nothing only once.
    assert [one["command"]["name"] for one in await cycles(api, agent)] == [
        "start_agent",
        "do_nothing",
        "task_complete",
    ]


async def test_a_pause_holds_for_what_it_has_started(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = leads
    held: list[Json] = []

    def slow(request: Json) -> Reply:
        if "1. Say hello." in said_in(request) and not held:
            held.append(request)
            return Reply(text=leads(request).text, delay_before=0.5)
        return leads(request)

    upstream.default = slow
    agent = await begin(api)
    child = await child_of(api, agent)
    await eventually(lambda: get(api, f"/agents/{agent['id']}"), lambda _: held)
    await post(api, f"/agents/{agent['id']}/pause")
    await until(api, agent, "paused")
    await until(api, child, "paused")
    await post(api, f"/agents/{agent['id']}/resume")
    await until(api, agent, "completed")
    assert (await get(api, f"/agents/{child['id']}"))["status"] == "completed"


async def test_a_pause_while_it_does_nothing_is_heard(
    api: Api, upstream: ScriptedUpstream, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wish that comes just before the commit that lets go of the agent is not lost."""
    upstream.default = leads
    agents = server.app.state.store.agents
    commit, wished = agents.commit, list[str]()

    async def commits(held: Any, owner: str, what: Any) -> Any:
        if what.rest and not wished:
            wished.append(held.agent.id)
            await post(api, f"/agents/{held.agent.id}/pause")
        return await commit(held, owner, what)

    monkeypatch.setattr(agents, "commit", commits)
    agent = await until(api, await begin(api), "paused", "completed", "failed")
    assert (agent["status"], wished) == ("paused", [agent["id"]])


async def test_a_wish_stays_until_the_status_follows_it(
    api: Api, upstream: ScriptedUpstream, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = server.app.state.store
    commit, kept, wished = store.agents.commit, list[tuple[str | None, str | None]](), list[str]()

    async def commits(held: Any, owner: str, what: Any) -> Any:
        if not wished:
            wished.append(held.agent.id)
            await post(api, f"/agents/{held.agent.id}/pause")
        found = await commit(held, owner, what)
        row = await store.database.row("select wish from agents where id = %(id)s", {"id": held.agent.id})
        kept.append((what.patch.get("status"), row[0]))
        return found

    monkeypatch.setattr(store.agents, "commit", commits)
    upstream.script(thinks("search_files", directory=""), DONE)
    agent = await until(api, await begin(api), "paused", "completed")
    await post(api, f"/agents/{agent['id']}/resume")
    await until(api, agent, "completed")
    # Had the server died after the first of these, whoever went on would have known of it.
    assert kept[:2] == [(None, "pause"), ("paused", None)]
    assert [status for status, _ in kept].count("paused") == 1


async def test_what_a_command_asks_of_a_model_in_vain_is_told(
    api: Api, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.agents.driver._PAUSE", 0.01)
    refused = Reply(status=400, error={"message": "That is not for me."})
    improve = thinks("improve_code", suggestions="faster", code="x = 1")
    away = Reply(status=503, error="")
    upstream.script(improve, refused, improve, *[away] * 4, Reply(text="x = 2"), DONE)
    agent = await until(api, await begin(api), "completed", "failed")
    first, second, _ = [one["result"] for one in await cycles(api, agent)]
    assert first["failed"]
    assert "That is not for me." in first["text"]
    assert (second["failed"], "x = 2" in second["text"]) == (False, True)


async def test_a_prompt_that_does_not_fit_is_made_smaller(api: Api, upstream: ScriptedUpstream) -> None:
    long = await api.file("Rose. " * 20_000, "long.txt")
    upstream.script(thinks("read_file", file="long.txt"), OVERFLOW, OVERFLOW, DONE)
    agent = await until(api, await begin(api, file_ids=[long]), "completed", "failed")
    assert (agent["status"], agent["cycles"]) == ("completed", 2)
    sizes = [len(said_in(request)) for request in upstream.requests[1:]]
    assert sizes == sorted(sizes, reverse=True)
    assert len({*sizes}) == 3
    # It is not taken for a server that knows no schemas.
    assert upstream.requests[-1]["response_format"]["type"] == "json_schema"


async def test_a_prompt_that_never_fits_ends_it(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.default = lambda _: OVERFLOW
    agent = await until(api, await begin(api), "failed")
    assert agent["last_error"]["code"] == "invalid_prompt"


@pytest.mark.parametrize(
    "ends",
    [
        "update api_keys set revoked_at = now() where name = 'test'",
        "delete from service_accounts where name = 'test'",
        "delete from api_keys where name = 'test'",
        "update projects set archived_at = now()",
    ],
)
async def test_nobody_works_for_those_who_may_no_more(
    api: Api, upstream: ScriptedUpstream, server: Server, ends: str
) -> None:
    keys, store = server.app.state.keys, server.app.state.store
    gate = asyncio.Event()
    upstream.script(Reply(text=thinks("search_files", directory="").text, delay_before=gate), DONE)
    agent = await begin(api.with_key((await keys.create("test"))[0]))
    await upstream.wait_for_requests(1)
    await store.database.execute(ends, {})
    gate.set()
    (project, *_) = await store.database.row("select project_id from agents", {})

    async def now() -> Any:
        return await store.agents.get(project, agent["id"])

    ended = await eventually(now, lambda found: found.status in ("cancelled", "completed"))
    assert (ended.status, ended.cycles) == ("cancelled", 1)


async def test_nobody_works_for_people_who_are_gone(api: Api, upstream: ScriptedUpstream, server: Server) -> None:
    ada = await SignedIn.of(api, server, "ada")
    gate = asyncio.Event()
    upstream.script(Reply(text=thinks("search_files", directory="").text, delay_before=gate), DONE)
    agent = await begin(ada)
    await upstream.wait_for_requests(1)
    await server.app.state.store.database.execute("delete from people where name = 'ada'", {})
    gate.set()
    assert (await until(api, agent, "cancelled", "completed"))["status"] == "cancelled"


async def test_a_kernel_that_dies_does_not_break_the_loop(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(
        thinks("write_to_file", file="a", text="x"),
        thinks("evaluate_code", code="import os\nos._exit(1)"),
        thinks("evaluate_code", code="print(open('a').read() * 2)"),
        DONE,
    )
    agent = await until(api, await begin(api), "completed")
    _, died, again, _ = await cycles(api, agent)
    assert died["result"]["failed"]
    assert (again["result"]["failed"], again["result"]["text"]) == (False, "xx")


async def test_a_driver_that_breaks_ends_it_once(
    api: Api, upstream: ScriptedUpstream, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    broke: list[str] = []

    async def broken(identifier: str, *_: Any) -> Any:
        broke.append(identifier)
        raise RuntimeError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(server.app.state.store.agents, "last_cycles", broken)
        agent = await until(api, await begin(api), "failed")
    assert agent["last_error"] == {"code": "server_error", "message": "The agent broke. The server's log says why."}
    assert broke == [agent["id"]]
    upstream.script(DONE)
    await post(api, f"/agents/{agent['id']}/resume")
    assert (await until(api, agent, "completed"))["last_error"] is None
