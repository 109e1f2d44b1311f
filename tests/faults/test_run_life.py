"""Run life as a property: whatever clients do and whichever servers die, in any order, each run keeps to its table.

CI plays the same examples every time. `RUN_LIFE_EXAMPLES=500` plays that many new ones instead, and shrinks what fails.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from .run_life.machine import RunLife
from .run_life.site import site

_EXPLORE = os.environ.get("RUN_LIFE_EXAMPLES")

PROFILE = settings(
    max_examples=int(_EXPLORE or 20),
    stateful_step_count=30,
    deadline=None,
    database=None,
    derandomize=not _EXPLORE,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.generate, *([Phase.shrink] if _EXPLORE else [])],
)


@pytest.mark.timeout(0 if _EXPLORE else 300)
def test_run_life(database: str, tmp_path: Path) -> None:
    loop = asyncio.new_event_loop()
    place = site(database, tmp_path)
    RunLife.site, RunLife.loop = loop.run_until_complete(place.__aenter__()), loop
    try:
        run_state_machine_as_test(RunLife, settings=PROFILE)
    except BaseException:
        print(RunLife.site.servers.logs)
        raise
    finally:
        loop.run_until_complete(place.__aexit__(None, None, None))
        loop.close()
