"""Each program of a client runs against its own application, on the model of `model.py` and an empty database."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import pytest

from retinue.model_settings import ModelSettings
from retinue.settings import Settings

from ..harness import KEY, empty, in_thread, serving
from ..scripted import upstream_in_thread
from . import environments
from .model import converse

T = TypeVar("T")

PROGRAMS = Path(__file__).parent / "programs"
#: Seconds that a program may take.
PATIENCE = 120
#: The newest line of the Python client, which is installed beside Retinue; the others are known by their lists of pins.
INSTALLED = "openai-3"


@dataclass(frozen=True, slots=True)
class Programs:
    """Runs programs that assert what a client sees."""

    base_url: str
    #: A folder of the test's own.
    folder: Path

    def python(self, line: str, *modules: str) -> None:
        """Run `programs/<module>.py`, each for `unittest`, with a line of the Python client."""
        interpreter = Path(sys.executable) if line == INSTALLED else _or_skip(lambda: environments.python_with(line))
        # The clients themselves warn that Assistants are deprecated.
        quiet = ["-W", "ignore::DeprecationWarning"]
        self._run([str(interpreter), *quiet, "-m", "unittest", "--verbose", *modules], PROGRAMS)

    def node(self, packages: str, program: str) -> None:
        """Run `programs/<program>.mjs`, which is for `node:test`, with the packages of an environment."""
        node, modules = _or_skip(lambda: environments.node_with(packages))
        # Node looks for packages beside and above a program.
        (self.folder / "node_modules").symlink_to(modules)
        shutil.copy(PROGRAMS / f"{program}.mjs", self.folder)
        self._run([str(node), "--test", "--test-reporter=spec", f"{program}.mjs"], self.folder)

    def _run(self, command: list[str], cwd: Path) -> None:
        environment = {"OPENAI_BASE_URL": self.base_url, "OPENAI_API_KEY": KEY}
        failure = ""
        try:
            print(environments.run(command, cwd=cwd, timeout=PATIENCE, environment=environment))
        except environments.Failed as error:
            failure = str(error)
        if failure:
            pytest.fail(failure, pytrace=False)


def _or_skip(made: Callable[[], T]) -> T:
    """What `made` returns; the test is skipped, and says why, where the environment cannot be made."""
    try:
        return made()
    except environments.Unavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def programs(postgres: str, tmp_path: Path) -> Iterator[Programs]:
    """A running application to run programs against."""
    empty(postgres)
    # Slower than a stream may be silent, so that every client meets the comments that fill silence.
    with upstream_in_thread(lambda request: replace(converse(request), delay_before=0.05, silence=0.05)) as upstream:
        models = {"scripted": ModelSettings(base_url=upstream.base_url, retries=0)}
        # Programs receive webhooks on loopback.
        settings = Settings(
            data=tmp_path / "data",
            models=models,
            default_model="scripted",
            default_embedding_model="scripted",
            stream_keep_alive=0.01,
            egress_allow=["127.0.0.1"],
        )
        with in_thread(serving(settings, postgres)) as server:
            yield Programs(server.url + "/v1", tmp_path)
