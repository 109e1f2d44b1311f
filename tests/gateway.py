"""A Jupyter Kernel Gateway, as a process of its own on loopback."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .clients import environments

TOKEN = "a-token"
_PATIENCE = 60
#: The kernels that are there, by what happens before they start. Each has a file system of its own below `/mnt`, as in
#: a container.
KERNELS = {
    "alone": "true",
    "left": "mkdir -m 1700 /mnt/data && mkdir /mnt/data/sub && touch /mnt/data/old /mnt/data/sub/old",
    "full": "mkdir /mnt/data && touch /mnt/data/other",
    "locked": "mkdir /mnt/data && set flock /mnt/data",
}
_START = 'file=$1; shift; mount -t tmpfs none /mnt && {before} && exec "$@" "$0" -m ipykernel_launcher -f "$file"'
_CONFIG = """
c.KernelGatewayApp.ip = "127.0.0.1"
c.KernelGatewayApp.auth_token = {token!r}
c.ZMQChannelsWebsocketConnection.limit_rate = False
c.MappingKernelManager.cull_idle_timeout = 10
c.MappingKernelManager.cull_interval = 1
"""


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """A running gateway."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def kernel_gateway(folder: Path) -> Iterator[RunningGateway]:
    """A gateway with `KERNELS`, which have the packages of this Python; what it says goes into the folder.

    Raises:
        environments.Unavailable: it cannot be installed here.
    """
    python = environments.python_with("jupyter-kernel-gateway")
    for name, before in KERNELS.items():
        _add_kernel(folder / "kernels" / name, before)
    config = folder / "gateway.py"
    config.write_text(_CONFIG.format(token=TOKEN))
    own = {"JUPYTER_PATH": str(folder), "JUPYTER_RUNTIME_DIR": str(folder / "runtime"), "IPYTHONDIR": str(folder / "i")}
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [str(python), "-m", "kernel_gateway", f"--config={config}"],
            env={**os.environ, **own},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield RunningGateway(_url(process, folder / "gateway.log"), process)
    finally:
        # It ends its kernels; a killed one would leave them.
        process.terminate()
        process.wait(_PATIENCE)


def _add_kernel(folder: Path, before: str) -> None:
    """A kernel as the gateway's configuration names it."""
    unshare = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    argv = [*unshare, "sh", "-c", _START.format(before=before), sys.executable, "{connection_file}"]
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({"display_name": folder.name, "language": "python", "argv": argv}))


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Where the gateway says that it listens."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := re.search(r"available at (http://127\.0\.0\.1:\d+)", said := log.read_text(encoding="utf-8"))):
        assert process.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.05)
    return found[1]
