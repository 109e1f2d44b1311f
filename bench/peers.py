"""The servers of others that Retinue is measured beside, each in an environment of its own under `.cache/bench`.

What an environment holds stands, with every version, in `peers/`; pip gets it from PyPI on first use.
"""

import asyncio
import hashlib
import json
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from servers import HERE, KEY, ServerFailed, free_port, running, until_healthy

PINS = HERE / "peers"
CACHE = HERE.parent / ".cache" / "bench"
#: Seconds for pip to install a peer, and for a peer to answer its health check.
INSTALL_PATIENCE, START_PATIENCE = 900, 180
#: The name under which ogx has the upstream; it goes before the models' names.
OGX_PROVIDER = "mock"


def version(name: str) -> str:
    """The version of a peer that is measured."""
    lines = (PINS / f"{name}.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{name}=="))


async def start_litellm(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """LiteLLM's proxy with a master key, as bench.py takes a target. Raises ServerFailed.

    It logs errors only, and reads its own table of prices instead of fetching one.
    """
    config = {
        "model_list": [
            {
                "model_name": "mock-*",
                "litellm_params": {"model": "openai/mock-*", "api_base": upstream, "api_key": "none"},
            }
        ],
        "general_settings": {"master_key": KEY},
    }
    path = _write(work / "litellm.yaml", config)
    program = (await asyncio.to_thread(environment, "litellm", (3, 11))) / "litellm"
    port, log = free_port(), work / "litellm.log"
    command = (str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(port))
    env = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    process = await stack.enter_async_context(running(log, *command, cwd=work, **env))
    await until_healthy(process, f"http://127.0.0.1:{port}/health/liveliness", log, START_PATIENCE)
    return f"litellm=http://127.0.0.1:{port}/v1,key={KEY},pid={process.pid}"


async def start_ogx(stack: AsyncExitStack, work: Path, upstream: str) -> str:
    """ogx without authentication, as bench.py takes a target. Raises ServerFailed.

    It keeps no chat completions, though its `starter` distribution does: nobody else here does. It logs warnings only.
    """
    home, port, log = work / "ogx", free_port(), work / "ogx.log"
    home.mkdir()
    inference = {"provider_id": OGX_PROVIDER, "provider_type": "remote::vllm", "config": {"base_url": upstream}}
    tables = {"conversations": "openai_conversations", "prompts": "prompts", "connectors": "connectors"}
    config = {
        "version": 2,
        "distro_name": "bench",
        "apis": ["inference"],
        "providers": {"inference": [inference]},
        "storage": {
            "backends": {
                "kv_default": {"type": "kv_sqlite", "db_path": str(home / "kvstore.db")},
                "sql_default": {"type": "sql_sqlite", "db_path": str(home / "sql_store.db")},
            },
            "stores": {
                "metadata": {"namespace": "registry", "backend": "kv_default"},
                "inference": {"table_name": "inference_store", "backend": "sql_default", "enabled": False},
                **{store: {"table_name": table, "backend": "sql_default"} for store, table in tables.items()},
            },
        },
        "registered_resources": {"models": [], "vector_stores": []},
        "server": {"host": "127.0.0.1", "port": port, "insecure": True},
    }
    path = _write(work / "ogx.yaml", config)
    program = (await asyncio.to_thread(environment, "ogx", (3, 12))) / "ogx"
    env = {"HOME": str(home), "OGX_LOGGING": "all=warning", "OTEL_SDK_DISABLED": "true"}
    process = await stack.enter_async_context(running(log, str(program), "run", str(path), cwd=work, **env))
    await until_healthy(process, f"http://127.0.0.1:{port}/v1/health", log, START_PATIENCE)
    return f"ogx=http://127.0.0.1:{port}/v1,prefix={OGX_PROVIDER}/,pid={process.pid}"


def _write(path: Path, config: dict) -> Path:
    path.write_text(json.dumps(config, indent=1))  # JSON is YAML too
    return path


def environment(name: str, oldest: tuple[int, int]) -> Path:
    """The folder of programs of a peer's environment, which is made anew when its list of packages has changed.

    Raises:
        ServerFailed: no Python from `oldest` on is there, or pip cannot install it.
    """
    pins, folder = PINS / f"{name}.txt", CACHE / name
    stamp, digest = folder / ".made-from", hashlib.sha256(pins.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        python = _python(oldest)
        if python is None:
            raise ServerFailed(f"{name} needs Python {oldest[0]}.{oldest[1]} or newer, and none was found")
        print(f"installing {name} with {python}", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        _run(name, python, "-m", "venv", str(folder))
        # The list is complete, so pip need not work out what else is wanted.
        pip = (str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-deps")
        _run(name, *pip, "--requirement", str(pins))
        stamp.write_text(digest)
    return folder / "bin"


def _run(name: str, *command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_PATIENCE)
    except subprocess.TimeoutExpired:
        raise ServerFailed(f"{name} was not installed within {INSTALL_PATIENCE} s") from None
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        raise ServerFailed(f"{name} cannot be installed: {said.strip().splitlines()[-1]}") from None


def _python(oldest: tuple[int, int]) -> str | None:
    """An interpreter of `oldest` or newer that makes environments: this one, one on the PATH, or one of pyenv's."""
    versions = sorted(Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser().glob("versions/*/bin/python3"))
    wanted = f"import ensurepip, sys, venv; sys.exit(sys.version_info < {oldest})"
    for candidate in (sys.executable, "python3", *(f"python3.{minor}" for minor in range(11, 15)), *map(str, versions)):
        try:
            if subprocess.run([candidate, "-c", wanted], capture_output=True, timeout=30).returncode == 0:
                return candidate
        except (OSError, subprocess.TimeoutExpired):
            continue
    return None
