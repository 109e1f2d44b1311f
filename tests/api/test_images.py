"""`/v1/images` with a model on a remote server."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..contract.spec import validate
from ..harness import KEY, Answer, Api, Server, eventually, parse_events, read_until
from ..image_upstream import USAGE, ImageUpstream, images_upstream, mask, opened, picture

GENERATIONS = "/images/generations"


@pytest.fixture
async def pictures() -> AsyncIterator[ImageUpstream]:
    """The image model's server."""
    async with images_upstream() as upstream:
        yield upstream


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, pictures: ImageUpstream) -> Settings:
    """The model `painter`, which OpenAI's names lead to unless the test's mark `settings` says otherwise."""
    overrides: dict[str, Any] = {"default_model": "painter", "default_image_model": "painter"}
    model: dict[str, Any] = {"retries": 0, "base_url": pictures.base_url}
    for mark in request.node.iter_markers("settings"):
        overrides |= mark.kwargs
    for mark in request.node.iter_markers("model_settings"):
        model |= mark.kwargs
    return Settings(data=tmp_path, models={"painter": ModelSettings(**model)}, **overrides)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client."""
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def decoded(image: dict[str, Any]) -> bytes:
    return base64.b64decode(image["b64_json"])


async def form(api: Api, path: str, *parts: tuple[str, Any]) -> Answer:
    """The answer to a form whose parts are text, or bytes for files."""
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in parts:
        data.add_field(name, value, filename=f"{name}.png" if isinstance(value, bytes) else None)
    payload = data()
    return await api.request("POST", path, data=payload, headers={"content-type": payload.headers["content-type"]})


# --- generations


async def test_everything_is_passed_on_and_the_answer_is_official(api: Api, pictures: ImageUpstream) -> None:
    sent = {
        "prompt": "A red square, 红色方块.",
        "n": 2,
        "size": "1024x1536",
        "quality": "high",
        "style": "natural",
        "background": "opaque",
        "moderation": "low",
        "output_format": "webp",
        "output_compression": 70,
        "user": "someone",
    }
    answer = await api.request("POST", GENERATIONS, {"model": "gpt-image-1", **sent, "partial_images": None})
    assert answer.status == 200, answer.body
    assert pictures.requests[0].fields == {"model": "painter", **sent}
    assert [opened(decoded(image)).size for image in answer.body["data"]] == [(64, 64)] * 2
    assert answer.body == {
        "created": 1_700_000_000,
        "data": answer.body["data"],
        "size": "1024x1536",
        "quality": "high",
        "background": "opaque",
        "usage": USAGE,
    }
    assert answer.headers["openai-model"] == "painter"


async def test_urls_of_the_server_are_passed_on(api: Api) -> None:
    made = await api.post(GENERATIONS, {"prompt": "A square.", "response_format": "url", "size": "512x512"})
    assert made["data"] == [{"url": "https://images.example/0.png", "revised_prompt": "A red square."}]
    assert "size" not in made, "the official answer has no name for this size"


async def test_images_get_a_url_here_where_the_server_gives_none(
    api: Api, server: Server, pictures: ImageUpstream
) -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        content = picture("blue", kind)
        pictures.answers.append((200, {"data": [{"b64_json": base64.b64encode(content).decode()}]}))
        made = await api.post(GENERATIONS, {"prompt": "A square.", "response_format": "url"})
        url = made["data"][0]["url"]
        assert url.startswith(f"{server.url}/v1/images/content/img_")
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert (response.status, response.content_type) == (200, f"image/{kind.lower()}")
            assert await response.read() == content


async def test_an_address_cannot_be_guessed_or_changed(api: Api, server: Server, pictures: ImageUpstream) -> None:
    pictures.answers.append((200, {"data": [{"b64_json": base64.b64encode(picture()).decode()}]}))
    made = await api.post(GENERATIONS, {"prompt": "A square.", "response_format": "url"})
    url: str = made["data"][0]["url"]
    expires = url.partition("expires=")[2].partition("&")[0]
    async with aiohttp.ClientSession() as session:
        for broken in (
            url[:-1] + ("0" if url[-1] != "0" else "1"),
            url.replace(expires, str(int(expires) + 1)),
            url.replace("content/img_", "content/img_0"),
            url.partition("?")[0] + f"?expires={expires}&signature=%F0%9F%98%80",
        ):
            async with session.get(broken) as response:
                assert response.status == 404, broken
                validate("ErrorResponse", await response.json())
        async with session.get(url.partition("?")[0]) as response:
            assert response.status == 401
        async with session.get(f"{server.url}/v1/images/contents/x") as response:
            assert response.status == 401


async def test_an_image_is_deleted_when_its_url_expires(
    api: Api, server: Server, pictures: ImageUpstream, settings: Settings
) -> None:
    pictures.answers.append((200, {"data": [{"b64_json": base64.b64encode(picture()).decode()}]}))
    made = await api.post(GENERATIONS, {"prompt": "A square.", "response_format": "url"})
    folder = settings.data / "blobs" / "images"
    assert len(await asyncio.to_thread(lambda: list(folder.iterdir()))) == 1
    store = server.app.state.store
    row = await store.database.row("select extract(epoch from due_at - now())::int from loose_blobs", {})
    assert 3590 <= row[0] <= 3600
    await store.database.execute("update loose_blobs set due_at = now()", {})
    await store.files.sweep()
    # The server's own sweep may be at it.
    await eventually(lambda: asyncio.to_thread(lambda: not list(folder.iterdir())))
    async with aiohttp.ClientSession() as session, session.get(made["data"][0]["url"]) as response:
        assert response.status == 404


async def test_an_expired_url_shows_nothing(server: Server) -> None:
    images = server.app.state.store.generated_images
    images._keep = -1
    address = await images.keep(picture(), "png")
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"{server.url}/v1/images/content/{address.name}?expires={address.expires}&signature={address.signature}"
        ) as response,
    ):
        assert response.status == 404


OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    ({"prompt": ""}, "prompt"),
    ({"prompt": None}, "prompt"),
    ({"prompt": "x" * 32_001}, "prompt"),
    ({"prompt": "x" * 1_001, "model": "dall-e-2"}, "prompt"),
    ({"prompt": "x" * 4_001, "model": "dall-e-3"}, "prompt"),
    ({"n": 0}, "n"),
    ({"n": 11}, "n"),
    ({"n": 1.5}, "n"),
    ({"n": 2, "model": "dall-e-3"}, "n"),
    ({"size": "1024"}, "size"),
    ({"size": "0x0"}, "size"),
    ({"size": "1792x1024", "model": "dall-e-2"}, "size"),
    ({"size": "512x512", "model": "dall-e-3"}, "size"),
    ({"quality": "best"}, "quality"),
    ({"style": "odd"}, "style"),
    ({"response_format": "png"}, "response_format"),
    ({"output_format": "gif"}, "output_format"),
    ({"output_compression": 101}, "output_compression"),
    ({"output_compression": -1}, "output_compression"),
    ({"background": "red"}, "background"),
    ({"moderation": "high"}, "moderation"),
    ({"partial_images": 4}, "partial_images"),
    ({"stream": "yes"}, "stream"),
    ({"colour": "red"}, "colour"),
]


async def test_what_is_out_of_range_is_refused(api: Api, pictures: ImageUpstream) -> None:
    for fields, param in OUT_OF_RANGE:
        error = await api.refused("POST", GENERATIONS, {"prompt": "A square.", **fields})
        assert error["param"] == param, (fields, error)
    assert not pictures.requests


async def test_prompts_may_be_as_long_as_the_model_allows(api: Api) -> None:
    for model, longest in (("dall-e-2", 1_000), ("dall-e-3", 4_000), ("gpt-image-1", 32_000)):
        await api.post(GENERATIONS, {"prompt": "x" * longest, "model": model})


@pytest.mark.settings(default_image_model=None)
async def test_without_an_image_model_the_error_says_what_to_do(api: Api) -> None:
    for named in ({}, {"model": "dall-e-3"}, {"model": "gpt-image-1"}, {"model": "none-such"}):
        error = await api.refused("POST", GENERATIONS, {"prompt": "A square.", **named}, status=404)
        assert (error["code"], error["param"]) == ("model_not_found", "model")
        assert "default_image_model" in error["message"]


async def test_a_local_chat_model_makes_no_images(api: Api) -> None:
    body = {"prompt": "A square.", "model": "qwen2.5-coder-0.5b-instruct"}
    assert (await api.refused("POST", GENERATIONS, body))["param"] == "model"


@pytest.mark.model_settings(unsupported=["style"])
async def test_what_the_server_would_ignore_is_refused(api: Api) -> None:
    error = await api.refused("POST", GENERATIONS, {"prompt": "A square.", "style": "vivid"})
    assert (error["param"], error["code"]) == ("style", "unsupported_parameter")
    await api.post(GENERATIONS, {"prompt": "A square."})


async def test_errors_of_the_server_come_with_its_status(api: Api, pictures: ImageUpstream) -> None:
    refusal = {"message": "Your request was rejected by our safety system.", "code": "moderation_blocked"}
    pictures.answers.append((400, {"error": {**refusal, "type": "image_generation_user_error", "param": "prompt"}}))
    error = await api.refused("POST", GENERATIONS, {"prompt": "A square."})
    assert "safety system" in error["message"]
    assert error["code"] == "moderation_blocked"


async def test_answers_without_images(server: Server, pictures: ImageUpstream) -> None:
    nothing: list[Any] = [{}, {"data": []}, {"data": [{}]}, {"data": [7]}, {"data": 7}, {"data": [{"b64_json": 5}]}]
    no_pictures = [{"data": [{"b64_json": text}]} for text in ("PHNjcmlwdD4=", "&&&")]
    headers = {"authorization": f"Bearer {KEY}"}
    asked = {"prompt": "A square.", "response_format": "url"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for body in nothing + no_pictures:
            pictures.answers.append((200, body))
            async with session.post(f"{server.url}/v1{GENERATIONS}", json=asked) as response:
                assert response.status == 502, body
                validate("ErrorResponse", await response.json())


# --- streams


async def test_events_of_the_server_are_passed_on(api: Api) -> None:
    async with api.open_stream(GENERATIONS, {"prompt": "A square.", "partial_images": 1}) as response:
        events = parse_events(await response.text())
    assert [event.name for event in events] == ["image_generation.partial_image", "image_generation.completed"]
    validate("ImageGenPartialImageEvent", events[0].data)
    validate("ImageGenCompletedEvent", events[1].data)


async def test_a_server_that_answers_as_a_whole_gives_no_stream(api: Api, pictures: ImageUpstream) -> None:
    pictures.whole = True
    error = await api.refused("POST", GENERATIONS, {"prompt": "A square.", "stream": True})
    assert (error["param"], error["code"]) == ("stream", "unsupported_value")


async def test_a_stream_that_breaks_ends_with_an_error(api: Api, pictures: ImageUpstream) -> None:
    pictures.breaks = asyncio.Event()
    async with api.open_stream(GENERATIONS, {"prompt": "A square."}) as response:
        text = await read_until(response.content, b"\n\n")
        pictures.breaks.set()
        events = parse_events((text + await response.read()).decode())
    assert [event.name for event in events] == ["image_generation.partial_image", "error"]
    validate("ErrorResponse", events[1].data)


async def test_edits_are_streamed_too(api: Api, pictures: ImageUpstream) -> None:
    image = "data:image/png;base64," + base64.b64encode(picture()).decode()
    body = {"prompt": "Bluer.", "images": [{"image_url": image}]}
    async with api.open_stream("/images/edits", body) as response:
        events = parse_events(await response.text())
    assert [event.name for event in events] == ["image_edit.partial_image", "image_edit.completed"]
    validate("ImageEditCompletedEvent", events[1].data)
    assert pictures.requests[0].fields == {"model": "painter", "stream": True, **body}


# --- edits and variations


async def test_an_edit_reaches_the_server_as_a_form(api: Api, pictures: ImageUpstream) -> None:
    whole, masked = picture("green"), mask()
    fields = [("prompt", "Bluer."), ("n", "2"), ("size", "64x64"), ("input_fidelity", "high"), ("user", "me")]
    answer = await form(api, "/images/edits", ("image", whole), ("mask", masked), *fields, ("model", "gpt-image-1"))
    assert answer.status == 200, answer.body
    assert len(answer.body["data"]) == 2
    sent = pictures.requests[0]
    assert sent.path == "/v1/images/edits"
    assert sent.fields == {**dict(fields), "model": "painter"}
    assert list(sent.files) == [
        ("image", "image.png", "image/png", whole),
        ("mask", "mask.png", "image/png", masked),
    ]


async def test_several_images_of_several_kinds(api: Api, pictures: ImageUpstream) -> None:
    contents = [picture("green"), picture("blue", "JPEG"), picture("red", "WEBP")]
    answer = await form(api, "/images/edits", *(("image[]", one) for one in contents), ("prompt", "Join them."))
    assert answer.status == 200, answer.body
    files = pictures.requests[0].files
    assert [(file[0], file[2], file[3]) for file in files] == [
        ("image[]", "image/png", contents[0]),
        ("image[]", "image/jpeg", contents[1]),
        ("image[]", "image/webp", contents[2]),
    ]


async def test_an_edit_in_json_names_files_and_urls(api: Api, pictures: ImageUpstream) -> None:
    file = (await api.upload(picture("green"), ("purpose", "vision"), filename="a.png")).body["id"]
    url = "data:image/webp;base64," + base64.b64encode(picture("red", "WEBP")).decode()
    images = [{"file_id": file}, {"image_url": url}]
    await api.post("/images/edits", {"prompt": "Join them.", "images": images, "mask": {"file_id": file}})
    sent = pictures.requests[0]
    assert sent.fields == {"prompt": "Join them.", "model": "painter"}
    assert [file[0] for file in sent.files] == ["image[]", "image[]", "mask"]


REFERENCES: list[tuple[list[Any], int, str | None]] = [
    ([], 400, "images"),
    ([{}], 400, "images[0]"),
    ([{"file_id": "file-none"}], 404, None),
    ([{"file_id": "file-none", "image_url": "https://a.example"}], 400, "images[0]"),
    ([{"image_url": "data:image/png;base64,&"}], 400, "images[0].image_url"),
    ([{"image_url": "data:image/png;base64,AAAA"}], 400, "images[0]"),
    ([{"image_url": "http://127.0.0.1/a.png"}], 400, None),
    ([{"image_url": "ftp://a.example/a.png"}], 400, None),
    ([{"image_url": "https://a.example/a.png"}] * 17, 400, "images"),
]


async def test_references_that_are_refused(api: Api, pictures: ImageUpstream) -> None:
    for images, status, param in REFERENCES:
        error = await api.refused("POST", "/images/edits", {"prompt": "Bluer.", "images": images}, status=status)
        assert error["param"] == param, (images, error)
    assert not pictures.requests


async def test_files_of_others_are_not_there(api: Api, other: Api) -> None:
    file = await api.file(picture())
    body = {"prompt": "Bluer.", "images": [{"file_id": file}]}
    await other.refused("POST", "/images/edits", body, status=404)
    await api.post("/images/edits", body)


IMAGE, PROMPT = ("image", picture()), ("prompt", "Bluer.")
FORMS: list[tuple[str, list[tuple[str, Any]], int, str]] = [
    ("edits", [IMAGE], 400, "prompt"),
    ("edits", [PROMPT], 400, "image"),
    ("edits", [IMAGE, ("prompt", "")], 400, "prompt"),
    ("edits", [IMAGE, PROMPT, ("n", "many")], 400, "n"),
    ("edits", [IMAGE, PROMPT, ("n", "11")], 400, "n"),
    ("edits", [IMAGE, PROMPT, ("colour", "red")], 400, "colour"),
    ("edits", [("image", "text"), PROMPT], 400, "image"),
    ("edits", [("image", b"text"), PROMPT], 400, "image"),
    ("edits", [("image", picture(kind="GIF")), PROMPT], 400, "image"),
    ("edits", [IMAGE, PROMPT, ("mask", picture(kind="JPEG"))], 400, "mask"),
    ("edits", [IMAGE, PROMPT, ("mask", mask()), ("mask", mask())], 400, "mask"),
    ("edits", [IMAGE] * 17 + [PROMPT], 400, "image"),
    ("edits", [("image", picture() + bytes(4096)), PROMPT], 413, "image"),
    ("edits", [("image[]", picture() + bytes(2000))] * 2 + [PROMPT], 413, "image"),
    ("variations", [], 400, "image"),
    ("variations", [IMAGE, IMAGE], 400, "image"),
    ("variations", [IMAGE, PROMPT], 400, "prompt"),
    ("variations", [IMAGE, ("size", "big")], 400, "size"),
    ("variations", [IMAGE, ("n", "0")], 400, "n"),
]


@pytest.mark.settings(max_image_bytes=4096)
async def test_forms_that_are_refused(api: Api, pictures: ImageUpstream) -> None:
    for path, parts, status, param in FORMS:
        answer = await form(api, f"/images/{path}", *parts)
        assert (answer.status, answer.body["error"]["param"]) == (status, param), (path, answer.body)
    assert not pictures.requests


async def test_bodies_that_are_none(api: Api) -> None:
    kinds = ("application/json", "multipart/form-data", "multipart/form-data; boundary=x", "a/b")
    bodies = (b"", b"{", b"[]", b"7", b"nonsense", b'{"prompt": "\xff"}')
    for path, kind, data in product(("edits", "variations"), kinds, bodies):
        answer = await api.request("POST", f"/images/{path}", data=data, headers={"content-type": kind})
        assert answer.status == 400, (path, kind, data)


async def test_a_variation(api: Api, pictures: ImageUpstream) -> None:
    answer = await form(api, "/images/variations", IMAGE, ("n", "3"), ("size", "256x256"))
    assert answer.status == 200, answer.body
    assert len(answer.body["data"]) == 3
    sent = pictures.requests[0]
    assert (sent.path, sent.fields) == ("/v1/images/variations", {"n": "3", "size": "256x256", "model": "painter"})


# --- the official client


async def test_the_official_client_generates(client: openai.AsyncOpenAI) -> None:
    made = await client.images.generate(prompt="A square.", model="gpt-image-1", n=2, size="1024x1024")
    assert made.data
    assert [opened(base64.b64decode(image.b64_json or "")).format for image in made.data] == ["PNG", "PNG"]
    assert made.usage
    assert made.usage.total_tokens == 109
    named = await client.images.generate(prompt="A square.", model="dall-e-3", response_format="url")
    assert named.data
    assert named.data[0].url == "https://images.example/0.png"


async def test_the_official_client_streams(client: openai.AsyncOpenAI) -> None:
    stream = await client.images.generate(prompt="A square.", model="gpt-image-1", stream=True, partial_images=1)
    kinds = [event.type async for event in stream]
    assert kinds == ["image_generation.partial_image", "image_generation.completed"]


async def test_the_official_client_streams_edits(client: openai.AsyncOpenAI) -> None:
    image = ("a.png", picture(), "image/png")
    stream = await client.images.edit(prompt="Bluer.", model="gpt-image-1", image=image, stream=True)
    assert [event.type async for event in stream] == ["image_edit.partial_image", "image_edit.completed"]


async def test_the_official_client_edits_and_varies(client: openai.AsyncOpenAI, pictures: ImageUpstream) -> None:
    image = ("a.png", picture(), "image/png")
    edited = await client.images.edit(image=[image, image], prompt="Bluer.", mask=("m.png", mask(), "image/png"))
    assert edited.data
    varied = await client.images.create_variation(image=image, n=2)
    assert varied.data
    assert len(varied.data) == 2
    assert [len(sent.files) for sent in pictures.requests] == [3, 1]


async def test_usage_is_recorded(api: Api, server: Server) -> None:
    await api.post(GENERATIONS, {"prompt": "A square.", "n": 3})
    database = server.app.state.store.database

    async def recorded() -> Any:
        return await database.row("select to_jsonb(usage_records) from usage_records", {})

    record = json.loads((await eventually(recorded))[0])
    assert record["images"] == 3
