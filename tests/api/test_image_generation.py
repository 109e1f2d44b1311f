"""`image_generation`: pictures that the model has made, as files and parts of its message."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from retinue.inference.chat import Json
from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import Api, Server, eventually, text
from ..image_upstream import ImageUpstream, images_upstream, opened, picture
from ..json_upstream import running
from ..scripted import Call, Reply, ScriptedUpstream


@pytest.fixture
async def painter() -> AsyncIterator[ImageUpstream]:
    """The image model's server."""
    async with images_upstream() as upstream:
        yield upstream


@pytest.fixture
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, upstream: ScriptedUpstream, painter: ImageUpstream
) -> Settings:
    """A chat model, and two image models, of which `painter` is the default."""
    overrides: dict[str, Any] = {"default_image_model": "painter"}
    for mark in request.node.iter_markers("settings"):
        overrides |= mark.kwargs
    models = {
        "scripted": ModelSettings(base_url=upstream.base_url, retries=0),
        "painter": ModelSettings(base_url=painter.base_url, retries=0),
        "gpt-image-9": ModelSettings(base_url=painter.base_url, retries=0),
    }
    return Settings(data=tmp_path, models=models, default_model="scripted", **overrides)


def told(upstream: ScriptedUpstream) -> str:
    """What the model was last told of a call."""
    (said,) = [one["content"] for one in upstream.requests[-1]["messages"] if one["role"] == "tool"]
    return said


async def drawn(api: Api, upstream: ScriptedUpstream, model: str | None = None, **arguments: Any) -> Json:
    """A run in which the model has a picture made."""
    upstream.script(Reply(tool_calls=[Call("generate_image", arguments, id="call_a")]), Reply(text="Here it is."))
    options = {"image_generation": {"model": model}} if model else {}
    return await api.run("Draw a cat.", assistant={"tools": [{"type": "image_generation", **options}]})


async def test_the_picture_is_a_file_and_the_message_begins_with_it(
    api: Api, server: Server, upstream: ScriptedUpstream, painter: ImageUpstream
) -> None:
    run = await drawn(api, upstream, prompt="A red cat. 猫", size="512x512")
    assert run["status"] == "completed"
    asked = {"model": "painter", "prompt": "A red cat. 猫", "size": "512x512", "response_format": "b64_json"}
    assert painter.requests[0].fields == asked
    message = (await api.messages(run["thread_id"]))[-1]
    assert [part["type"] for part in message["content"]] == ["image_file", "text"]
    assert text(message) == "Here it is."
    file = message["content"][0]["image_file"]["file_id"]
    assert opened(await api.download(f"/files/{file}/content")).size == (64, 64)
    about = await api.get(f"/files/{file}")
    assert (about["purpose"], about["filename"]) == ("assistants_output", "image.png")
    step = (await api.steps(run))[0]
    (call,) = step["step_details"]["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "generate_image")
    assert json.loads(call["function"]["arguments"])["size"] == "512x512"
    assert call["function"]["output"] == told(upstream)
    assert "the user sees it" in told(upstream)
    database = server.app.state.store.database
    asked_for = "select images from usage_records where endpoint = 'images'"
    assert (await eventually(lambda: database.row(asked_for, {})))[0] == 1


async def test_the_model_that_the_tool_names(api: Api, upstream: ScriptedUpstream, painter: ImageUpstream) -> None:
    await drawn(api, upstream, "gpt-image-9", prompt="A cat.")
    assert painter.requests[0].fields == {"model": "gpt-image-9", "prompt": "A cat."}


async def test_it_can_be_demanded(api: Api, upstream: ScriptedUpstream) -> None:
    upstream.script(Reply(tool_calls=[Call("generate_image", {"prompt": "A cat."})]), Reply(text="Done."))
    run = await api.run(assistant={"tools": [{"type": "image_generation"}]}, tool_choice={"type": "image_generation"})
    assert run["status"] == "completed"
    assert upstream.requests[0]["tool_choice"] == {"type": "function", "function": {"name": "generate_image"}}


@pytest.mark.settings(egress_allow=["127.0.0.1"])
async def test_a_server_that_answers_with_an_address(
    api: Api, upstream: ScriptedUpstream, painter: ImageUpstream
) -> None:
    blue = picture("blue", "JPEG")

    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=int(request.query["status"]), body=blue if "blue" in request.path else b"<html>")

    app = web.Application()
    app.router.add_get("/{path:.*}", handler)

    async def kinds(address: str) -> list[Json]:
        painter.answers.append((200, {"data": [{"url": address, "revised_prompt": "A blue cat."}]}))
        run = await drawn(api, upstream, prompt="A cat.")
        return (await api.messages(run["thread_id"]))[-1]["content"]

    async with running(app) as base:
        shown, _ = await kinds(f"{base}/blue?status=200")
        assert told(upstream).endswith("It was drawn as: A blue cat.")
        file = shown["image_file"]["file_id"]
        assert await api.download(f"/files/{file}/content") == blue
        assert (await api.get(f"/files/{file}"))["filename"] == "image.jpeg"
        for path in ("blue?status=404", "page?status=200"):
            assert [part["type"] for part in await kinds(f"{base}/{path}")] == ["text"]
            assert told(upstream).startswith("Error: The ")


async def test_addresses_that_are_refused(api: Api, upstream: ScriptedUpstream, painter: ImageUpstream) -> None:
    painter.answers.append((200, {"data": [{"url": painter.base_url}]}))
    await drawn(api, upstream, prompt="A cat.")
    assert "private or reserved" in told(upstream)


@pytest.mark.settings(default_image_model=None)
async def test_no_image_model(api: Api, upstream: ScriptedUpstream) -> None:
    run = await drawn(api, upstream, prompt="A cat.")
    assert run["status"] == "completed"
    assert told(upstream).startswith("Error: pictures cannot be made on this server. No image model is configured.")


@pytest.mark.parametrize(
    "arguments",
    [{}, {"prompt": ""}, {"prompt": 7}, {"prompt": "A cat.", "size": "large"}, {"prompt": "a" * 32_001}],
)
async def test_arguments_that_do_not_fit(
    api: Api, upstream: ScriptedUpstream, painter: ImageUpstream, arguments: Json
) -> None:
    await drawn(api, upstream, **arguments)
    assert told(upstream).startswith("Error: 'prompt' must be a text of 1 to 32,000 characters")
    assert not painter.requests


async def test_what_goes_wrong_at_the_server(api: Api, upstream: ScriptedUpstream, painter: ImageUpstream) -> None:
    refused = {"error": {"message": "That is not allowed.", "type": "invalid_request_error"}}
    nothing = {"data": [{"b64_json": base64.b64encode(b"no picture").decode()}]}
    for status, answer, said in (
        (400, refused, "That is not allowed."),
        (500, {}, "model's server"),
        (200, {"data": [{"b64_json": "&&&"}]}, "no picture"),
        (200, nothing, "no picture"),
    ):
        painter.answers.append((status, answer))
        run = await drawn(api, upstream, prompt="A cat.")
        assert run["status"] == "completed"
        assert told(upstream).startswith("Error: ")
        assert said in told(upstream)
