"""Guests: people outside the project who talk with a GPT by a link."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import psycopg
import pytest

from retinue.accounts.keys import Keys
from retinue.store.store import Store
from retinue.tools.tool import Toolbox

from ..harness import Answer, Api, Json, Server, eventually, read_until, text
from ..scripted import Call, Reply, ScriptedUpstream
from .conftest import member
from .extensions import get, post
from .test_consent import Shop
from .test_gpts import PNG, made


async def published(api: Api, **fields: object) -> Json:
    gpt = await made(api, conversation_starters=["What is 2 + 2?"], description="Helps.", **fields)
    await post(api, f"/gpts/{gpt['id']}/publish")
    return gpt


async def linked(api: Api, gpt: Json | None = None, **options: object) -> Json:
    gpt = gpt or await published(api)
    return await post(api, f"/gpts/{gpt['id']}/links", options)


class Guest:
    """A guest with a link."""

    def __init__(self, url: str, token: str) -> None:
        self.base = f"{url}/v1/guest/{token}"
        self.id = self.secret = ""

    async def ask(self, method: str, path: str, body: Json | None = None, **headers: str) -> Answer:
        own = {"authorization": f"Bearer {self.secret}"} if self.secret else {}
        async with aiohttp.request(method, self.base + path, json=body, headers={**own, **headers}) as response:
            content = await response.read()
            return Answer(response.status, response.headers, json.loads(content) if content else None)

    async def begin(self) -> Guest:
        answer = await self.ask("POST", "/conversations")
        assert answer.status == 200, answer.body
        self.id, self.secret = answer.body["id"], answer.body["secret"]
        return self

    async def say(self, said: str, **body: object) -> Answer:
        return await self.ask("POST", f"/conversations/{self.id}/messages", {"text": said, **body})

    async def messages(self) -> list[Json]:
        answer = await self.ask("GET", f"/conversations/{self.id}/messages")
        assert answer.status == 200, answer.body
        return answer.body["data"]


def refused(answer: Answer, status: int, code: str) -> None:
    assert (answer.status, answer.body["error"]["code"]) == (status, code)


@pytest.fixture
def guest(server: Server) -> Callable[[Json], Guest]:
    return lambda link: Guest(server.url, link["token"])


MakeGuest = Callable[[Json], Guest]


async def test_a_guest_talks_with_a_gpt(api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    gpt = await published(api)
    link = await linked(api, gpt, name="Website")
    assert link["url"].endswith(f"/g/{link['token']}")
    visitor = guest(link)
    profile = (await visitor.ask("GET", "")).body
    assert (profile["name"], profile["conversation_starters"]) == ("Math Tutor", ["What is 2 + 2?"])
    await visitor.begin()
    upstream.script(Reply(text="It is 4."), Reply(text="It is still 4."))
    answer = (await visitor.say("What is 2 + 2?")).body
    assert (answer["role"], answer["text"], answer["finish_reason"]) == ("assistant", "It is 4.", "stop")
    await visitor.say("Sure?")
    assert [one["content"] for one in upstream.requests[-1]["messages"][1:]] == ["What is 2 + 2?", "It is 4.", "Sure?"]
    assert [(one["role"], one["text"]) for one in await visitor.messages()] == [
        ("user", "What is 2 + 2?"),
        ("assistant", "It is 4."),
        ("user", "Sure?"),
        ("assistant", "It is still 4."),
    ]
    # What was said is the project's.
    (thread,) = (await get(api, f"/threads?metadata[guest_link]={link['id']}"))["data"]
    assert text((await api.messages(thread["id"]))[-1]) == "It is still 4."
    (listed,) = (await get(api, f"/gpts/{gpt['id']}/links"))["data"]
    assert (listed["token"], listed["name"]) == (link["token"], "Website")
    assert listed["used"] == {"conversations": 1, "messages_today": 2, "spent_today": 0}


async def test_answers_come_as_events(server: Server, api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    visitor = await guest(await linked(api)).begin()
    upstream.script(Reply(text="It is 4."))
    address, headers = (
        visitor.base + f"/conversations/{visitor.id}/messages",
        {"authorization": f"Bearer {visitor.secret}"},
    )
    async with aiohttp.request("POST", address, json={"text": "Hi", "stream": True}, headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = parse_raw(await response.text())
    assert [name for name, _ in events] == ["delta"] * (len(events) - 1) + ["done"]
    assert "".join(data["text"] for name, data in events if name == "delta") == "It is 4."
    assert events[-1][1] == {"finish_reason": "stop"}


def parse_raw(text: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for event in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in event.split("\n") if not line.startswith(":"))
        found.append((lines["event"], json.loads(lines["data"])))
    return found


async def test_a_guest_is_told_nothing_else(api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    file = await api.file("The trick goes to the highest trump. " * 400, "secret-name.txt")
    gpt = await published(api, knowledge=[file])
    assistant = (await get(api, f"/gpts/{gpt['id']}"))["assistant_id"]
    (store,) = (await api.get(f"/assistants/{assistant}"))["tool_resources"]["file_search"]["vector_store_ids"]
    await api.settled(f"/vector_stores/{store}")
    visitor = guest(await linked(api, gpt))
    said = [(await visitor.ask("GET", "")).body]
    await visitor.begin()
    for _ in range(2):
        upstream.script(
            Reply(tool_calls=[Call("file_search", {"query": "trick"})]),
            Reply(text="To the highest trump【0:0†secret-name.txt】. And so on."),
        )
    answer = (await visitor.say("Who wins?")).body
    assert answer["text"] == "To the highest trump. And so on."
    streamed = (await visitor.ask("POST", f"/conversations/{visitor.id}/messages", {"text": "Who?"})).body
    said += [answer, streamed, *(await visitor.messages())]
    whole = json.dumps(said)
    for hidden in (file, gpt["id"], assistant, store, "secret-name", "Teach", "asst_", "thread_", "run_", "msg_"):
        assert hidden not in whole
    # Its secret is no key, and keys are no secrets of conversations.
    for path in ("/threads", "/assistants", f"/gpts/{gpt['id']}", "/me"):
        await api.with_key(visitor.secret).refused("GET", path, status=401)
    visitor.secret = "sk-test-first-key"
    refused(await visitor.say("Hi"), 404, "conversation_not_found")


async def test_guests_do_not_see_each_other(api: Api, guest: MakeGuest) -> None:
    gpt = await published(api)
    one, other = await linked(api, gpt), await linked(api, gpt)
    ada, bob = await guest(one).begin(), await guest(one).begin()
    await ada.say("I am Ada.")
    assert await bob.messages() == []
    bob.id = ada.id
    refused(await bob.say("Hi"), 404, "conversation_not_found")
    assert (await bob.ask("GET", f"/conversations/{ada.id}/messages")).status == 404
    # Not by another link either.
    stranger = guest(other)
    stranger.id, stranger.secret = ada.id, ada.secret
    refused(await stranger.say("Hi"), 404, "conversation_not_found")
    stranger.secret = ""
    assert (await stranger.say("Hi")).status == 401


async def test_a_deleted_or_expired_link_opens_nothing(
    postgres: str, api: Api, guest: MakeGuest, upstream: ScriptedUpstream
) -> None:
    gpt = await published(api)
    link, expired = await linked(api, gpt), await linked(api, gpt, expires_in=3600)
    assert expired["expires_at"] > link["created_at"] + 3000
    visitors = [await guest(one).begin() for one in (link, expired)]
    await api.call("DELETE", f"/gpts/{gpt['id']}/links/{link['id']}", extension=True)
    with psycopg.connect(postgres) as connection:
        connection.execute("update gpt_links set expires_at = now() where id = %s", (expired["id"],))
    for visitor in visitors:
        refused(await visitor.say("Hi"), 404, "guest_link_not_valid")
        refused(await visitor.ask("GET", ""), 404, "guest_link_not_valid")
        assert (await visitor.ask("GET", "/picture")).status == 404
    assert upstream.requests == []
    with psycopg.connect(postgres) as connection:
        acts = {row[0] for row in connection.execute("select act from audit_log").fetchall()}
    assert {"gpt_link.created", "gpt_link.deleted"} <= acts


async def test_what_is_hidden_answers_no_guests(api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    gpt = await published(api)
    visitor = await guest(await linked(api, gpt)).begin()
    await post(api, f"/gpts/{gpt['id']}/moderation", {"hidden": True, "reason": "Wrong rules."})
    refused(await visitor.say("Hi"), 404, "guest_link_not_valid")
    refused(await visitor.ask("GET", ""), 404, "guest_link_not_valid")
    assert upstream.requests == []
    await post(api, f"/gpts/{gpt['id']}/moderation", {"hidden": False})
    assert (await visitor.say("Hi")).status == 200


async def test_limits_of_a_link(api: Api, guest: MakeGuest) -> None:
    gpt = await published(api)
    visitor = guest(await linked(api, gpt, max_conversations=1))
    await visitor.begin()
    refused(await visitor.ask("POST", "/conversations"), 429, "guest_limit")
    visitor = await guest(await linked(api, gpt, max_messages=1)).begin()
    assert (await visitor.say("One")).status == 200
    refused(await visitor.say("Two"), 429, "conversation_full")
    link = await linked(api, gpt, max_messages_per_day=2)
    ada, bob = await guest(link).begin(), await guest(link).begin()
    assert [(await one.say("Hi")).status for one in (ada, bob, ada)] == [200, 200, 429]


@pytest.mark.model_settings(input_price=1_000_000)
async def test_guests_spend_no_more_than_they_may(api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    gpt = await published(api)
    link = await linked(api, gpt, max_spend_per_day=10.0)
    visitor = await guest(link).begin()
    upstream.script(*(Reply(text="4", usage=(6, 1)) for _ in range(3)))
    assert [(await visitor.say("Hi")).status for _ in range(3)] == [200, 200, 429]
    (listed,) = (await get(api, f"/gpts/{gpt['id']}/links"))["data"]
    assert listed["used"]["spent_today"] == 12


@pytest.mark.settings(guest_messages_per_minute=3, guest_max_characters=100)
async def test_limits_of_an_address_and_of_a_message(api: Api, guest: MakeGuest) -> None:
    visitor = await guest(await linked(api)).begin()
    refused(await visitor.say("x" * 101), 400, "string_above_max_length")
    assert (await visitor.say("  ")).status == 400
    assert [(await visitor.say("Hi")).status for _ in range(3)] == [200, 200, 429]
    answer = await guest(await linked(api, await published(api, slug="other"))).ask("POST", "/conversations")
    refused(answer, 429, "guest_limit")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.settings(guest_max_characters=100)
async def test_who_has_no_key_sends_no_large_bodies(api: Api, guest: MakeGuest) -> None:
    """As JSON may write it, a character takes up to twelve bytes."""
    visitor = await guest(await linked(api)).begin()
    assert (await visitor.say("\N{GRINNING FACE}" * 100)).status == 200
    assert (await visitor.say("x" * 5_000)).status == 413
    strangers = {"authorization": "", "content-length": "5000"}
    for path in ("/guest/x/conversations", "/shares/x/messages"):
        answer = await api.request("POST", path, data=b"x" * 5_000, headers=strangers, extension=True)
        assert answer.status == 413, path


async def test_one_answer_at_a_time_and_none_for_who_has_gone(
    api: Api, guest: MakeGuest, upstream: ScriptedUpstream
) -> None:
    visitor = await guest(await linked(api)).begin()
    upstream.script(Reply(text="It is going to", hang=True), Reply(text="Yes."))
    address, headers = (
        visitor.base + f"/conversations/{visitor.id}/messages",
        {"authorization": f"Bearer {visitor.secret}"},
    )
    async with aiohttp.request("POST", address, json={"text": "Hi", "stream": True}, headers=headers) as response:
        await read_until(response.content, b"going")
        refused(await visitor.say("Quick"), 429, "conversation_busy")
        response.close()
    answer = await eventually(lambda: visitor.say("Still there?"), lambda one: one.status != 429)
    assert answer.body["text"] == "Yes."
    (thread,) = (await get(api, "/threads"))["data"]
    runs = (await api.get(f"/threads/{thread['id']}/runs"))["data"]
    assert [one["status"] for one in runs] == ["completed", "cancelled"]


async def test_failures_are_not_told_in_detail(api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    visitor = await guest(await linked(api)).begin()
    upstream.script(Reply(status=401, error={"message": "Incorrect API key sk-inside"}), Reply(text="Back."))
    answer = await visitor.say("Hi")
    refused(answer, 503, "guest_not_answered")
    assert "inside" not in json.dumps(answer.body)
    assert (await visitor.say("Hi?")).body["text"] == "Back."


async def test_calls_that_need_consent_are_denied(
    server: Server, api: Api, guest: MakeGuest, upstream: ScriptedUpstream
) -> None:
    shop = Shop(server)
    server.app.state.engine._toolbox = Toolbox([shop])
    gpt = await published(api, capabilities=["web_browsing"])
    visitor = await guest(await linked(api, gpt)).begin()
    upstream.script(Reply(tool_calls=[Call("buy", {"what": "tea"})]), Reply(text="I may not."))
    assert (await visitor.say("Order!")).body["text"] == "I may not."
    assert "did not allow this call" in upstream.requests[-1]["messages"][-1]["content"]
    upstream.script(Reply(tool_calls=[Call("buy", {"what": "tea"})]), Reply(text="I may not."))
    body = {"model": gpt["id"], "messages": [{"role": "user", "content": "Order!"}]}
    answer = await api.post("/chat/completions", body)
    assert answer["choices"][0]["message"]["content"] == "I may not."
    assert "did not allow this call" in upstream.requests[-1]["messages"][-1]["content"]
    assert shop.calls == []


async def test_pages_of_other_sites_are_refused(server: Server, api: Api, guest: MakeGuest) -> None:
    link = await linked(api, sites=["https://Example.com/", "https://example.com", "http://localhost:8080"])
    assert link["sites"] == ["https://example.com", "http://localhost:8080"]
    visitor = guest(link)
    for origin, status in (
        ("https://example.com", 200),
        ("http://localhost:8080", 200),
        (server.url, 200),
        ("https://evil.example", 403),
        ("http://example.com", 403),
        ("https://example.com.evil.example", 403),
        ("null", 403),
        ("http://[", 403),
        ("nonsense", 403),
        ("", 403),
    ):
        answer = await visitor.ask("GET", "", origin=origin)
        assert answer.status == status, origin
        assert (await visitor.ask("POST", "/conversations", origin=origin)).status == status, origin
    assert answer.body["error"]["code"] == "origin_not_allowed"


@pytest.mark.settings(public_url="https://chat.example:8443/")
async def test_the_servers_own_pages_ask_by_its_public_address(api: Api, guest: MakeGuest) -> None:
    visitor = guest(await linked(api))
    for origin, status in (
        ("https://chat.example:8443", 200),
        ("https://chat.example", 403),
        ("http://chat.example:8443", 403),
    ):
        assert (await visitor.ask("GET", "", origin=origin)).status == status, origin


@pytest.mark.parametrize(
    "options",
    [
        {"sites": ["example.com"]},
        {"sites": ["https://example.com/path"]},
        {"sites": ["https://*.example.com"]},
        {"sites": ["https://a.example; script-src *"]},
        {"sites": ["javascript:alert(1)"]},
        {"expires_in": 1},
        {"max_messages": 0},
        {"max_spend_per_day": 0},
        {"token": "mine"},
    ],
)
async def test_what_makes_no_sense_is_refused(api: Api, options: Json) -> None:
    gpt = await published(api)
    await api.refused("POST", f"/gpts/{gpt['id']}/links", options)


async def test_who_may_make_links(api: Api, keys: Keys) -> None:
    ada, bob = await member(api, keys, "Ada"), await member(api, keys, "Bob")
    gpt = await made(ada)
    path = f"/gpts/{gpt['id']}/links"
    error = await api.refused("POST", path, {})
    assert error["code"] == "gpt_not_published"
    await post(ada, f"/gpts/{gpt['id']}/publish", {"visibility": "store"})
    error = await ada.refused("POST", path, {}, status=403)
    assert error["code"] == "guest_links_not_allowed"
    for method in ("POST", "GET"):
        error = await bob.refused(method, path, {} if method == "POST" else None, status=403)
        assert error["code"] == "not_your_gpt"
    link = await post(api, path)
    # Whose GPT it is sees and closes what others have opened.
    assert [one["id"] for one in (await get(ada, path))["data"]] == [link["id"]]
    await bob.refused("DELETE", f"{path}/{link['id']}", status=403)
    await ada.call("DELETE", f"{path}/{link['id']}", extension=True)
    await ada.refused("DELETE", f"{path}/{link['id']}", status=404)


@pytest.mark.settings(guest_links="editors")
async def test_editors_may_make_links_where_the_server_says_so(api: Api, keys: Keys) -> None:
    ada = await member(api, keys, "Ada")
    assert (await linked(ada))["token"]


@pytest.mark.settings(guest_links="nobody")
async def test_nobody_makes_or_opens_links_where_the_server_says_so(
    server: Server, api: Api, guest: MakeGuest, upstream: ScriptedUpstream
) -> None:
    gpt = await published(api)
    await api.refused("POST", f"/gpts/{gpt['id']}/links", {}, status=403)
    server.app.state.settings.guest_links = "administrators"
    link = await linked(api, gpt)
    server.app.state.settings.guest_links = "nobody"
    refused(await guest(link).ask("POST", "/conversations"), 404, "guest_link_not_valid")


async def test_conversations_go_when_their_time_has_come(
    server: Server, postgres: str, api: Api, guest: MakeGuest
) -> None:
    visitor = await guest(await linked(api)).begin()
    await visitor.say("Hi")
    store: Store = server.app.state.store
    await store.passing.sweep()
    assert await visitor.messages()
    with psycopg.connect(postgres) as connection:
        connection.execute("update passing_threads set due_at = now()")
    await store.passing.sweep()
    refused(await visitor.say("Hi"), 404, "conversation_not_found")
    assert (await get(api, "/threads"))["data"] == []


async def test_pictures_and_new_versions_are_seen(api: Api, guest: MakeGuest) -> None:
    gpt = await published(api)
    visitor = guest(await linked(api, gpt))
    path = f"/gpts/{gpt['id']}"
    await post(api, path, {"name": "Singer", "picture": await api.file(PNG, "x.png")})
    assert (await visitor.ask("GET", "")).body["name"] == "Math Tutor"
    await post(api, path + "/publish")
    assert (await visitor.ask("GET", "")).body["name"] == "Singer"
    async with aiohttp.request("GET", visitor.base + "/picture") as response:
        assert (await response.read(), response.headers["content-type"]) == (PNG, "image/png")


async def test_what_guests_use_is_the_projects(api: Api, guest: MakeGuest, upstream: ScriptedUpstream) -> None:
    visitor = await guest(await linked(api)).begin()
    upstream.script(Reply(text="4", usage=(6, 1)))
    await visitor.say("Hi")
    (thread,) = (await get(api, "/threads"))["data"]
    (run,) = (await api.get(f"/threads/{thread['id']}/runs"))["data"]
    assert run["usage"]["prompt_tokens"] == 6
    assert thread["metadata"]["guest_link"] == run["metadata"]["guest_link"]


async def test_many_at_once_are_counted_exactly(api: Api, guest: MakeGuest) -> None:
    link = await linked(api, max_conversations=3)
    answers = await asyncio.gather(*(guest(link).ask("POST", "/conversations") for _ in range(8)))
    assert sorted(one.status for one in answers) == [200] * 3 + [429] * 5
