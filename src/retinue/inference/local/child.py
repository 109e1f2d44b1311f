"""The process that holds a local model: llama.cpp's own HTTP server on a Unix socket.

Run as ``python -m retinue.inference.local.child`` with a `ServerConfig` as JSON on standard input. It ends when its
parent does, and writes nothing but llama.cpp's errors, to standard error.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

#: `prctl(2)`: the signal that this process gets when its parent dies.
_PR_SET_PDEATHSIG = 1
#: Added to the kernel's score (0 to 1000) of whom to kill when memory runs out: the model rather than the server.
_OOM_SCORE = "500"
#: Tokens of a prompt between two looks at other slots and at hang-ups. With llama.cpp's 2048 a long prompt on two cores
#: held everyone up for 41 s, with this for 6 s; it took 2 to 7 % more CPU time.
_BATCH = 128
#: MiB of memory for the prefixes of earlier prompts, so that threads that take turns are not read again from the start.
_PREFIX_CACHE_MIB = 512


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What the server is told."""

    #: The name that it reports.
    name: str
    #: The GGUF file.
    weights: str
    #: The Unix socket to make; it must not exist, and must end in ``.sock``.
    socket: str
    #: What clients must send as bearer token.
    api_key: str
    #: Tokens of context of each slot.
    context_length: int
    #: Requests worked on side by side; further ones wait their turn.
    slots: int
    #: CPU threads.
    threads: int
    #: Process id of the parent.
    parent: int


def main() -> None:
    """Serve until killed; a model that cannot be loaded ends the process with status 1."""
    config = ServerConfig(**json.load(sys.stdin))
    live_under(config.parent)
    _serve(config)


def live_under(parent: int) -> None:
    """End this process when its parent ends, and offer it to the kernel when memory runs out.

    Raises:
        OSError: the kernel does not know how.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)
    with suppress(OSError):  # /proc may be read-only; then the kernel decides without our advice
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)


def _serve(config: ServerConfig) -> None:
    # llama.cpp's threads meet hundreds of times a token. Spinning there, on cores that others use too, was measured to
    # make answers many times slower. Read when the library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    xllamacpp: Any = import_module("xllamacpp")  # compiled, without types
    params = xllamacpp.CommonParams()
    params.model.path = config.weights
    params.model_alias = {config.name}
    params.n_ctx = config.context_length * config.slots
    params.n_parallel = config.slots
    params.n_batch = params.n_ubatch = _BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = config.threads
    params.use_jinja = True
    # Repacked weights take a third more memory and twice as long to load, and were hardly faster where measured.
    params.no_extra_bufts = True
    # Would load the model twice to fit it into the memory of a GPU.
    params.fit_params = False
    params.cache_ram_mib = _PREFIX_CACHE_MIB
    params.ui = False
    params.offline = True
    params.verbosity = 1  # errors
    params.hostnames = [config.socket]
    params.api_keys = [config.api_key]
    _server = xllamacpp.Server(params)  # returns when the model is loaded; its own threads answer while it exists
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
