"""Models with odd prices, and the administrator's clients."""

from __future__ import annotations

from collections.abc import AsyncIterator

import openai
import pytest

from retinue.accounts.keys import Keys
from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ...harness import Api, Server
from ...scripted import ScriptedUpstream
from .amounts import CACHED, FILE_SEARCH, PRICES, SESSION


@pytest.fixture
def settings(settings: Settings, upstream: ScriptedUpstream) -> Settings:
    """Models with odd prices."""
    models = {
        name: ModelSettings.model_validate(
            {
                "base_url": upstream.base_url,
                "retries": 0,
                "input_price": into,
                "cached_input_price": CACHED.get(name),
                "output_price": out,
            }
        )
        for name, (into, out) in PRICES.items()
    }
    changed = {"models": models, "default_embedding_model": "vectors", "whole_files_tokens": 0}
    prices = {"code_session_price": SESSION, "file_search_price": FILE_SEARCH}
    return Settings.model_validate({**settings.model_dump(), **changed, **prices})


@pytest.fixture
def keys(server: Server) -> Keys:
    return server.app.state.keys


@pytest.fixture
async def admin(server: Server, keys: Keys) -> AsyncIterator[openai.AsyncOpenAI]:
    """The official client, which takes answers at their word."""
    value, _ = await keys.create("admin", project=None)
    async with openai.AsyncOpenAI(
        api_key="none",
        admin_api_key=value,
        base_url=server.url + "/v1",
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture
async def admin_api(api: Api, keys: Keys) -> Api:
    """The bare client with an admin key."""
    return api.with_key((await keys.create("admin", project=None))[0])
