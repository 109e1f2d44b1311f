"""Each test has its own application, model server and empty database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from retinue.accounts.keys import Keys
from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import OTHER_KEY, Api, Server, empty, serving
from ..scripted import ScriptedUpstream
from ..services import Provider, provider
from ..webhooks import Receiver, receiving


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    """The model's server."""
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
def settings(request: pytest.FixtureRequest, tmp_path: Path, upstream: ScriptedUpstream) -> Settings:
    """The model `scripted`, for embeddings too, and what the test's marks `settings` and `model` say otherwise."""
    overrides: dict[str, Any] = {}
    model: dict[str, Any] = {"retries": 0}
    for mark in request.node.iter_markers("settings"):
        overrides = mark.kwargs | overrides
    for mark in request.node.iter_markers("model_settings"):
        model |= mark.kwargs
    models = {"scripted": ModelSettings(base_url=upstream.base_url, **model)}
    defaults = {"models": models, "default_model": "scripted", "default_embedding_model": "scripted"}
    return Settings(data=tmp_path, **defaults | overrides)


@pytest.fixture
async def server(postgres: str, settings: Settings) -> AsyncIterator[Server]:
    """The application."""
    empty(postgres)
    async with serving(settings, postgres) as server:
        yield server


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    """A client with the first key."""
    async with aiohttp.ClientSession() as session:
        yield Api(session, server.url)


@pytest.fixture
def keys(server: Server) -> Keys:
    """The application's API keys."""
    return server.app.state.keys


async def member(api: Api, keys: Keys, name: str, *scopes: str) -> Api:
    """A client of a service account of the same project."""
    return api.with_key((await keys.create(name, scopes=scopes or ("write",)))[0])


@pytest.fixture
async def ada(api: Api, keys: Keys) -> Api:
    """Ada, who may write."""
    return await member(api, keys, "Ada")


@pytest.fixture
async def bob(api: Api, keys: Keys) -> Api:
    """Bob, who may write too."""
    return await member(api, keys, "Bob")


@pytest.fixture
async def idp() -> AsyncIterator[Provider]:
    """An OAuth provider, at which people sign in to services."""
    async with provider() as made:
        yield made


@pytest.fixture
async def v1(api: Api) -> Api:
    """A client that speaks version 1 of the Assistants API."""
    return api.with_version("v1")


@pytest.fixture
async def other(server: Server, api: Api) -> Api:
    """A client of another project."""
    await server.add_project(OTHER_KEY)
    return api.with_key(OTHER_KEY)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook's receiver."""
    async with receiving() as receiver:
        yield receiver


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "settings(**values): settings of the test's application")
    config.addinivalue_line("markers", "model_settings(**values): settings of the test's model")
