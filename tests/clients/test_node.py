"""The official Node client, unmodified."""

from __future__ import annotations

import pytest

from .conftest import Programs

# On first use an environment is fetched, perhaps slowly.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("program", ["assistants", "vector_stores"])
def test_version_2(programs: Programs, program: str) -> None:
    programs.node(program)
