"""GPTs made in conversation: what models are offered, and what comes of what they call for."""

# pyright: reportDeprecated=false
from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from aiohttp import web
from openai.types.beta.threads import RequiredActionFunctionToolCall
from openai.types.beta.threads.required_action_function_tool_call import Function

from retinue.studio.pages.gpts.builder import Builder

from ..building import begun, turn
from ..harness import KEY, Json, Server
from ..scripted import Call, Reply, ScriptedUpstream
from ..services import Service, document, service

pytestmark = [
    pytest.mark.settings(egress_allow=["127.0.0.1"]),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MADE: Json = {
    "name": "Game Time",
    "description": "Explains rules.",
    "category": "games",
    "instructions": "You are Game Time. You explain the rules of card games step by step.",
    "conversation_starters": ["How do I play Whist?", "Who begins?", "What is a trump?"],
}
LED = pytest.mark.model_settings(tools="prompted", grammar=False)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as made:
        yield made


@pytest.fixture
async def pets() -> AsyncIterator[Service]:
    async with service() as made:
        made.answer = lambda got: web.json_response(document({"/pets": {"get": {"operationId": "listPets"}}}, made.url))
        yield made


async def call(builder: Builder, name: str, /, **arguments: Any) -> str:
    """What a model's call comes to."""
    function = Function(name=name, arguments=json.dumps(arguments))
    return await builder.answer(RequiredActionFunctionToolCall(id="call_1", type="function", function=function))


async def made(client: openai.AsyncOpenAI, **fields: Any) -> Builder:
    """A builder with a draft."""
    builder = await begun(client, "en")
    await builder.say("I want a GPT that explains card games.")
    await call(builder, "create_gpt", **MADE, **fields)
    return builder


async def offered(builder: Builder, words: str) -> dict[str, Any]:
    """The functions that are offered for these words, and `tool_choice`."""
    await builder.say(words)
    options = await builder.options()
    functions = {one["function"]["name"]: one["function"]["parameters"] for one in options["tools"]}
    return {**functions, "": options["tool_choice"]}


def named(name: str) -> Json:
    return {"type": "function", "function": {"name": name}}


async def test_a_model_that_is_not_led_talks_and_calls_as_it_sees_fit(
    client: openai.AsyncOpenAI, upstream: ScriptedUpstream
) -> None:
    builder = await begun(client, "en")
    upstream.script(Reply(text="For whom is it?"))
    assert await turn(client, builder, "Make me a GPT.") == "For whom is it?"
    assert (builder.gpt, upstream.requests[-1].get("tool_choice", "auto")) == (None, "auto")
    longer = "You explain rules. " * 300
    upstream.script(
        Reply(tool_calls=[Call("create_gpt", {**MADE, "instructions": longer, "capabilities": ["web_browsing"]})]),
        Reply(tool_calls=[Call("update_gpt", {"category": "education"})]),
        Reply(text="It is ready, and for teachers."),
    )
    assert await turn(client, builder, "For teachers who look up rules.") == "It is ready, and for teachers."
    assert builder.gpt
    draft = builder.gpt["draft"]
    assert (draft["category"], draft["capabilities"]) == ("education", ["web_browsing"])
    assert draft["instructions"] == longer.strip()
    assert "ask or propose" in upstream.requests[-1]["messages"][-1]["content"]
    # What it may change, it is offered whatever the person says; nothing is required.
    assert (await offered(builder, "Fine."))["update_gpt"]["required"] == []


@LED
async def test_a_model_that_is_led_is_offered_what_is_spoken_of(client: openai.AsyncOpenAI) -> None:
    builder = await begun(client, "en")
    first = await offered(builder, "A GPT for card games that calculates points.")
    assert first[""] == named("create_gpt")
    # What is spoken of can be switched on at once, and nothing else.
    assert first["create_gpt"]["properties"]["capabilities"]["items"]["enum"] == ["code_interpreter"]
    assert "capabilities" in first["create_gpt"]["required"]
    await call(builder, "create_gpt", **MADE, capabilities=["code_interpreter"])
    then = await offered(builder, "It is brief: one sentence.")
    assert (list(then), then["update_gpt"]["required"]) == (["update_gpt", ""], ["instructions"])
    assert list((await offered(builder, "Rename it, please: call it Trick."))["update_gpt"]["properties"]) == ["name"]
    assert (await offered(builder, "It reads web pages."))["update_gpt"]["properties"]["capabilities"]["items"][
        "enum"
    ] == ["web_browsing", "code_interpreter"]


@LED
async def test_what_a_small_model_copies_instead_of_changing_is_changed(client: openai.AsyncOpenAI) -> None:
    builder = await made(client)
    assert builder.gpt
    await builder.say("Yes, be brief: one sentence.")
    known = builder.definition["tools"][0]["function"]["parameters"]["properties"]
    copied = {"instructions": MADE["instructions"], "description": known["description"]["description"][:40]}
    assert (await call(builder, "update_gpt", **copied)).startswith("Saved: Instructions.")
    draft = builder.gpt["draft"]
    assert draft["instructions"] == f"{MADE['instructions']}\nbe brief: one sentence."
    assert draft["description"] == MADE["description"]
    # Who wishes nothing changes nothing.
    await builder.say("Thank you, that is good now.")
    assert (await call(builder, "update_gpt", instructions=draft["instructions"])).startswith("Saved: none.")
    assert builder.gpt["draft"]["instructions"] == draft["instructions"]
    # The same draft twice is one.
    await call(builder, "create_gpt", **MADE | {"name": "Another"})
    assert builder.gpt["draft"]["name"] == MADE["name"]


@pytest.mark.parametrize("led", [pytest.param(True, marks=LED), False])
async def test_actions_are_added_by_their_address_and_chosen(
    client: openai.AsyncOpenAI, pets: Service, led: bool
) -> None:
    builder = await made(client)
    assert (builder.gpt, builder.definition["led"]) != (None, not led)
    address = f"{pets.url}/openapi.json"
    offer = await offered(builder, f"It should use this API: {address}, please.")
    assert offer["add_action"]["properties"]["document_url"]["enum"] == [address]
    assert offer[""] == (named("add_action") if led else "auto")
    # Nothing but what the person has given is fetched.
    assert "has not given" in await call(builder, "add_action", document_url=f"{pets.url}/else.json", action="Else")
    assert pets.got == []
    said = await call(builder, "add_action", document_url=address, action="Pet shop")
    assert said.startswith("Saved: Actions.")
    assert "Its operations: listPets." in said
    assert builder.gpt
    (connection,) = builder.gpt["draft"]["connections"]
    assert builder.every_name[connection] == "Pet shop"
    # It is in what the model is told, and can be left and taken up by its name.
    offer = await offered(builder, "Do not use the pet shop.")
    assert '"actions": ["Pet shop"]' in (await builder.options())["additional_instructions"]
    assert offer["use_actions"]["properties"]["actions"]["items"] == {"enum": ["Pet shop"]}
    await call(builder, "use_actions", actions=[])
    assert builder.gpt["draft"]["connections"] == []
    await call(builder, "use_actions", actions=["Pet shop", "unknown"])
    assert builder.gpt["draft"]["connections"] == [connection]
    # Without an address there is nothing to add.
    assert "add_action" not in await offered(builder, "Another API, please.")


async def test_who_may_make_no_connections_is_offered_none(client: openai.AsyncOpenAI, pets: Service) -> None:
    builder = await made(client)
    builder._visitor.me["scopes"].remove("admin")  # pyright: ignore[reportPrivateUsage]
    assert "add_action" not in await offered(builder, f"Use the API {pets.url}/openapi.json")
    assert "has not given" in await call(builder, "add_action", document_url=f"{pets.url}/openapi.json", action="Pets")


@pytest.mark.parametrize("led", [pytest.param(True, marks=LED), False])
async def test_files_are_forgotten(client: openai.AsyncOpenAI, led: bool) -> None:
    builder = await made(client)
    for name in ("whist.md", "skat.md"):
        file = await client.files.create(file=(name, b"Trumps."), purpose="assistants")
        builder.names[file.id] = name
        assert builder.gpt
        await builder.change({"knowledge": [*builder.gpt["draft"]["knowledge"], file.id]})
    offer = await offered(builder, "Forget the file about whist.")
    assert offer["forget_files"]["properties"]["files"]["items"] == {"enum": ["skat.md", "whist.md"]}
    assert offer[""] == (named("forget_files") if led else "auto")
    assert (await call(builder, "forget_files", files=["whist.md"])).startswith("Saved: Knowledge.")
    assert builder.gpt
    assert [builder.names[one] for one in builder.gpt["draft"]["knowledge"]] == ["skat.md"]
