"""The official Node client and the packages of Vercel, unmodified."""

from __future__ import annotations

import pytest

from .conftest import Programs

# On first use an environment is fetched, perhaps slowly.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("program", ["assistants", "vector_stores", "chat_completions", "gpts"])
def test_openai(programs: Programs, program: str) -> None:
    programs.node("openai-node", program)


def test_vercel_ai(programs: Programs) -> None:
    programs.node("vercel-ai", "vercel_ai")
