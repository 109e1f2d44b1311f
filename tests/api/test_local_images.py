"""`/v1/images` with a local model: the real runtime in its real process, on a model of random weights."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest

from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..contract.spec import validate
from ..harness import KEY, Api, Server, eventually
from ..image_upstream import mask, opened, picture

tiny_diffusion = pytest.importorskip(
    "tests.tiny_diffusion",
    reason="LOCAL IMAGE MODELS ARE NOT TESTED: pip install 'retinue[images]'",
    exc_type=ImportError,
)

GENERATIONS = "/images/generations"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image model."""
    return tiny_diffusion.make(tmp_path_factory.mktemp("diffusion"))


@pytest.fixture(scope="session")
def blind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image model that cannot read images."""
    return tiny_diffusion.make(tmp_path_factory.mktemp("blind"), encoder=False)


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, weights: Path, blind: Path) -> Settings:
    """The models `tiny` and `blind`, and one whose folder is empty."""
    overrides: dict[str, Any] = {}
    model: dict[str, Any] = {"backend": "diffusion", "steps": 3}
    for mark in request.node.iter_markers("settings"):
        overrides |= mark.kwargs
    for mark in request.node.iter_markers("model_settings"):
        model |= mark.kwargs
    models = {
        "tiny": ModelSettings(weights=str(weights), **model),
        "blind": ModelSettings(weights=str(blind), **model),
        "nothing": ModelSettings(weights=str(tmp_path), **model),
    }
    return Settings(data=tmp_path, models=models, default_model="tiny", default_image_model="tiny", **overrides)


@pytest.fixture
async def client(server: Server) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client."""
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key=KEY, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


def contents(made: Any) -> list[bytes]:
    """The images of the official client's answer."""
    return [base64.b64decode(image.b64_json) for image in made.data]


def pid_of(server: Server) -> int | None:
    """The process of the only local model that was used."""
    [model] = server.app.state.images._local.values()
    return model.pid


async def failed(server: Server, **fields: Any) -> tuple[int, str]:
    """Status and message of a request that the server cannot fulfil."""
    async with (
        aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}) as session,
        session.post(f"{server.url}/v1{GENERATIONS}", json={"prompt": "a cat", **fields}) as response,
    ):
        body = await response.json()
        validate("ErrorResponse", body)
        return response.status, body["error"]["message"]


async def test_images_are_answered_as_urls_that_anybody_can_open(api: Api) -> None:
    made = await api.post(GENERATIONS, {"prompt": "a cat", "size": "72x64", "n": 2})
    assert (made["output_format"], made["background"]) == ("png", "opaque")
    async with aiohttp.ClientSession() as session:
        for image in made["data"]:
            async with session.get(image["url"]) as response:
                assert (response.status, response.content_type) == (200, "image/png")
                assert opened(await response.read()).size == (72, 64)


async def test_prompt_number_size_and_format_have_their_effect(client: openai.AsyncOpenAI) -> None:
    made = await client.images.generate(prompt="a cat", model="gpt-image-1", n=3, size="64x128", output_format="webp")  # type: ignore[call-overload]
    images = contents(made)
    assert [(opened(image).format, opened(image).size) for image in images] == [("WEBP", (64, 128))] * 3
    assert len(set(images)) == 3, "each begins with a noise of its own"
    again = await client.images.generate(prompt="a cat", model="gpt-image-1", size="64x128", output_format="webp")  # type: ignore[call-overload]
    assert contents(again)[0] not in images, "and so does each request"


async def test_compression_has_its_effect(client: openai.AsyncOpenAI) -> None:
    sizes: list[int] = []
    for compression in (0, 50, 100):
        made = await client.images.generate(
            prompt="a cat", model="gpt-image-1", output_format="jpeg", output_compression=compression
        )
        assert opened(contents(made)[0]).format == "JPEG"
        sizes.append(len(contents(made)[0]))
    assert sizes == sorted(set(sizes))


async def test_the_prompt_reaches_the_model(server: Server, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retinue.inference.diffusion.request.secrets.randbelow", lambda below: 5)

    async def image(prompt: str) -> str:
        made = await api.post(GENERATIONS, {"prompt": prompt, "size": "64x64", "response_format": "b64_json"})
        return made["data"][0]["b64_json"]

    assert await image("a cat") == await image("a cat")
    assert await image("a cat") != await image("a dog")


async def test_without_a_size_the_model_decides(client: openai.AsyncOpenAI) -> None:
    made = await client.images.generate(prompt="a cat", response_format="b64_json")
    assert opened(contents(made)[0]).size == (64, 64)


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"quality": "hd"}, "quality"),
    ({"style": "vivid"}, "style"),
    ({"background": "transparent"}, "background"),
    ({"moderation": "low"}, "moderation"),
    ({"stream": True}, "stream"),
    ({"partial_images": 1}, "partial_images"),
    ({"output_compression": 50}, "output_compression"),
    ({"size": "65x64"}, "size"),
    ({"size": "56x64"}, "size"),
    ({"size": "64x2056"}, "size"),
]


async def test_what_a_local_model_cannot_do_is_refused(server: Server, api: Api) -> None:
    for fields, param in IMPOSSIBLE:
        error = await api.refused("POST", GENERATIONS, {"prompt": "a cat", **fields})
        assert error["param"] == param, (fields, error)
    assert not [model.pid for model in server.app.state.images._local.values() if model.pid]


async def test_what_says_the_usual_is_taken(api: Api) -> None:
    usual = {"quality": "auto", "background": "auto", "moderation": "auto", "stream": False, "user": "me"}
    await api.post(GENERATIONS, {"prompt": "a cat", **usual, "partial_images": 0, "output_compression": 100})


# --- edits and variations


async def test_an_edit_without_a_mask(client: openai.AsyncOpenAI) -> None:
    image = ("a.png", picture("blue", size=(100, 70)), "image/png")
    made = await client.images.edit(image=image, prompt="a cat", response_format="b64_json")
    assert opened(contents(made)[0]).size == (96, 64), "the image's own size, on the model's grain"
    made = await client.images.edit(image=image, prompt="a cat", response_format="b64_json", size="128x64")  # type: ignore[call-overload]
    assert opened(contents(made)[0]).size == (128, 64)


async def test_an_edit_with_a_mask(client: openai.AsyncOpenAI) -> None:
    image = ("a.webp", picture("blue", "WEBP"), "image/webp")
    made = await client.images.edit(
        image=image, prompt="a cat", mask=("m.png", mask(), "image/png"), response_format="b64_json"
    )
    assert opened(contents(made)[0]).size == (64, 64)


async def test_a_variation(client: openai.AsyncOpenAI) -> None:
    image = ("a.jpg", picture("blue", "JPEG"), "image/jpeg")
    made = await client.images.create_variation(image=image, n=2, response_format="b64_json")
    assert len(set(contents(made))) == 2


IMPOSSIBLE_EDITS: list[tuple[dict[str, Any], str, str]] = [
    ({"image": [picture(), picture()]}, "image", "one image at a time"),
    ({"image": picture()[:60]}, "image", "cannot be read"),
    ({"image": picture(0, size=(8001, 8000), mode="1")}, "image", "pixels"),
    ({"image": picture(), "mask": mask((32, 32))}, "mask", "same size"),
    ({"image": picture(), "mask": picture()}, "mask", "transparent"),
    ({"image": picture(), "input_fidelity": "high"}, "input_fidelity", "local model"),
    ({"image": picture(), "model": "blind"}, "image", "from prompts only"),
]


async def test_edits_that_are_refused(client: openai.AsyncOpenAI) -> None:
    for parts, param, words in IMPOSSIBLE_EDITS:
        with pytest.raises(openai.BadRequestError, match=words) as refused:
            await client.images.edit(prompt="a cat", **parts)
        assert refused.value.param == param


async def test_a_model_that_cannot_read_images_still_makes_some(api: Api) -> None:
    await api.post(GENERATIONS, {"prompt": "a cat", "model": "blind"})


# --- the process


async def test_a_process_that_dies_is_started_again(server: Server, api: Api) -> None:
    await api.post(GENERATIONS, {"prompt": "a cat"})
    first = pid_of(server)
    assert first
    os.kill(first, signal.SIGKILL)

    async def gone() -> bool:
        return pid_of(server) is None

    await eventually(gone)
    await api.post(GENERATIONS, {"prompt": "a cat"})
    assert pid_of(server) not in (None, first)


@pytest.mark.model_settings(steps=1000)
async def test_a_process_that_dies_at_work_fails_its_job_only(server: Server, api: Api) -> None:
    await api.post(GENERATIONS, {"prompt": "a cat"})
    pid = pid_of(server)
    assert pid
    async with asyncio.TaskGroup() as group:
        job = group.create_task(failed(server, n=10, size="1024x1024"))
        await busy(server)
        os.kill(pid, signal.SIGKILL)
    status, message = job.result()
    assert status == 502
    assert "was killed by SIGKILL" in message
    await api.post(GENERATIONS, {"prompt": "a cat"})


async def busy(server: Server) -> None:
    """Return once the only local model has a job."""
    [model] = server.app.state.images._local.values()

    async def taken() -> bool:
        return model._slots._free == 0

    await eventually(taken)


@pytest.mark.model_settings(steps=1000, max_waiting=0)
async def test_jobs_have_a_time_limit_and_a_queue_of_a_size(server: Server, api: Api) -> None:
    await api.post(GENERATIONS, {"prompt": "a cat"})
    pid = pid_of(server)
    [model] = server.app.state.images._local.values()
    model._worker._timeout = 1  # which would be short for the loading of the model
    async with asyncio.TaskGroup() as group:
        job = group.create_task(failed(server, n=10, size="2048x2048"))
        await busy(server)
        status, message = await failed(server)
        assert (status, "busy" in message) == (503, True)
    status, message = job.result()
    assert (status, "image_timeout" in message) == (503, True)
    with pytest.raises(ProcessLookupError):
        os.kill(pid or 0, 0)


async def test_a_folder_without_a_model(server: Server) -> None:
    status, message = await failed(server, model="nothing")
    assert status == 502
    assert "model_index.json" in message


async def test_a_broken_model_says_why(server: Server, weights: Path, settings: Settings) -> None:
    (settings.data / "model_index.json").write_text("{}")
    status, message = await failed(server, model="nothing")
    assert status == 502
    assert "ended with status 1" in message


async def test_without_the_extra_the_error_says_what_to_install(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.inference.diffusion.process.find_spec", lambda name: None)
    assert await failed(server) == (
        502,
        "Local image models need the extra `images`: pip install 'retinue[images]'.",
    )
