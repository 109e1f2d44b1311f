"""`/v1/models`: names, aliases, and what they lead to."""

from __future__ import annotations

import openai
import pytest

from retinue.model_settings import DEFAULT_EMBEDDING_MODEL, ModelSettings

from ..harness import KEY, Api, Server

pytestmark = pytest.mark.settings(default_embedding_model=DEFAULT_EMBEDDING_MODEL)

REMOTE = {"base_url": "http://127.0.0.1:9/v1"}


async def test_a_model_tells_what_it_is(api: Api) -> None:
    model = await api.get("/models/scripted")
    details = model.pop("retinue")
    assert model == {"id": "scripted", "object": "model", "created": model["created"], "owned_by": "retinue"}
    assert details.pop("aliases")
    assert details == {
        "serves": "scripted",
        "snapshot": "scripted",
        "backend": "openai",
        "capabilities": ["chat", "tools", "vision", "moderations"],
        "context_length": 8192,
    }


@pytest.mark.settings(aliases={"fast": "scripted", "quick*": "fast"}, default_moderation_model="scripted")
@pytest.mark.model_settings(served_name="big-2026-01-01", vision=False, context_length=4096)
async def test_an_alias_keeps_its_name_and_tells_what_serves_it(api: Api) -> None:
    for name in ("fast", "quickest", "gpt-4o", "default", "omni-moderation-latest", "scripted"):
        answer = await api.request("GET", f"/models/{name}")
        assert answer.status == 200
        assert answer.body["id"] == name
        assert answer.headers["openai-model"] == "scripted"
        details = answer.body["retinue"]
        assert (details["serves"], details["snapshot"]) == ("scripted", "big-2026-01-01")
        assert {"fast", "quick*", "gpt-4*", "default", "default-moderation"} <= set(details["aliases"])
        assert "scripted" not in details["aliases"]
        assert details["capabilities"] == ["chat", "tools", "moderations"]
        assert details["context_length"] == 4096


@pytest.mark.settings(aliases={"fast": "scripted", "loop": "loop"})
async def test_the_list_has_models_by_name(api: Api) -> None:
    models = {model["id"]: model["retinue"] for model in (await api.get("/models"))["data"]}
    assert {"scripted", "qwen2.5-coder-1.5b-instruct"} <= set(models)
    assert not {"fast", "default", "gpt-4o"} & set(models)
    assert "fast" in models["scripted"]["aliases"]
    assert models["qwen2.5-coder-1.5b-instruct"] == {
        "serves": "qwen2.5-coder-1.5b-instruct",
        "snapshot": "qwen2.5-coder-1.5b-instruct",
        "aliases": [],
        "backend": "local",
        "capabilities": ["chat", "tools"],
        "context_length": 8192,
    }


@pytest.fixture
async def various(server: Server) -> None:
    """Models of every backend, configured while the application runs."""
    models = {
        "eyes-*": ModelSettings(**REMOTE),
        "gpt-*": ModelSettings(**REMOTE),
        "words": ModelSettings(backend="embedder", weights=DEFAULT_EMBEDDING_MODEL),
        "painter": ModelSettings(backend="diffusion", weights="/models/painter"),
        "guard": ModelSettings(**REMOTE),
    }
    settings = server.app.state.models._settings
    settings.models.update(models)
    settings.default_embedding_model, settings.default_image_model = "words", "painter"
    settings.default_moderation_model = "guard"


@pytest.mark.usefixtures("various")
@pytest.mark.parametrize(
    ("name", "serves", "snapshot", "capabilities", "context"),
    [
        ("eyes-2", "eyes-2", "eyes-2", ["chat", "tools", "vision"], 8192),
        ("gpt-4o", "gpt-4o", "gpt-4o", ["chat", "tools", "vision"], 8192),
        ("text-embedding-3-small", "words", DEFAULT_EMBEDDING_MODEL, ["embeddings"], None),
        ("dall-e-3", "painter", "painter", ["images"], None),
        ("omni-moderation-latest", "guard", "guard", ["moderations"], None),
    ],
)
async def test_backends_and_patterns(
    api: Api, name: str, serves: str, snapshot: str, capabilities: list[str], context: int | None
) -> None:
    model = await api.get(f"/models/{name}")
    details = model["retinue"]
    assert (model["id"], details["serves"], details["snapshot"]) == (name, serves, snapshot)
    assert (details["capabilities"], details["context_length"]) == (capabilities, context)


@pytest.mark.usefixtures("various")
async def test_an_alias_that_a_pattern_of_a_model_covers_is_not_claimed(api: Api) -> None:
    aliases = (await api.get("/models/scripted"))["retinue"]["aliases"]
    assert "gpt-4*" not in aliases
    assert "o1*" in aliases


async def test_names_with_a_slash(api: Api, server: Server) -> None:
    server.app.state.models._settings.models["acme/big"] = ModelSettings(**REMOTE)
    model = await api.call("GET", "/models/acme/big", extension=True)
    assert model["id"] == "acme/big"


async def test_an_unknown_model_is_404(api: Api) -> None:
    for method in ("GET", "DELETE"):
        error = await api.refused(method, "/models/nope", status=404)
        assert error["code"] == "model_not_found"


@pytest.mark.parametrize("name", ["scripted", "gpt-4o"])
async def test_no_model_can_be_deleted(api: Api, name: str) -> None:
    error = await api.refused("DELETE", f"/models/{name}", status=403)
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", "model", "model_not_deletable")
    assert await api.get(f"/models/{name}")


async def test_the_official_client(server: Server) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        assert "scripted" in [model.id async for model in client.models.list()]
        model = await client.models.retrieve("gpt-4o")
        assert model.id == "gpt-4o"
        assert model.model_extra
        assert model.model_extra["retinue"]["serves"] == "scripted"
        with pytest.raises(openai.PermissionDeniedError):
            await client.models.delete("gpt-4o")
