"""gVisor: a sandbox as a container of `runsc`, in which code runs on a kernel of its own and not on the host's.

What it is given is a bundle of the OCI runtime specification
(https://github.com/opencontainers/runtime-spec/blob/v1.0.2/config.md). The launcher has made the parts, as for
bubblewrap: the tmpfs for all that is written, the namespaces in which `runsc` ends with all its processes, the control
groups. `runsc` must be root; it gives up its rights itself.
"""

from __future__ import annotations

import json
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retinue.sandbox.command import DATA, SCRATCH_FOLDERS

if TYPE_CHECKING:
    from retinue.sandbox.command import Sources

#: Bytes of memory, and processes and threads of the host, that gVisor has for itself and for each that it runs.
MEMORY, TASKS = 256 * 1024**2, 256
#: Limits of processes that its kernel does not have; the memory that they are about counts as the sandbox's.
WITHOUT = frozenset({"RLIMIT_MSGQUEUE", "RLIMIT_SIGPENDING"})
#: The number that the socket has inside. A container gets no other descriptors than the first three, so it comes as the
#: first, where code would find it as its input.
SOCKET = 3
_INPUT_IS_SOCKET = ("/bin/sh", "-c", f'exec "$@" {SOCKET}<&0 0</dev/null', "sh")

_READ_ONLY = ("rbind", "ro", "nosuid", "nodev")
_WRITABLE = ("rbind", "rw", "nosuid", "nodev")


def program() -> tuple[str, str] | None:
    """The program, as the folder that holds it and its name; None where there is none."""
    found = shutil.which("runsc")
    path = Path(found).resolve() if found else None
    return (str(path.parent), path.name) if path else None


def arguments(bundle: Path, sources: Sources, environment: dict[str, str], command: list[str], owner: int) -> list[str]:
    """Write a bundle, and return the arguments with which `runsc` runs it.

    Args:
        bundle: an empty folder.
        sources: what the sandbox sees.
        environment: its environment variables.
        command: what it runs, with the socket as descriptor `SOCKET`.
        owner: the account, of user and group, that the scratch folders belong to and that the command runs under.
    """
    root = bundle / "root"
    root.mkdir()
    for target, path in sources.links:
        Path(root, path.lstrip("/")).symlink_to(target)
    process = {
        "user": {"uid": owner, "gid": owner},
        "args": [*_INPUT_IS_SOCKET, *command],
        "env": [f"{name}={value}" for name, value in environment.items()],
        "cwd": DATA,
        "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")},
        "noNewPrivileges": True,
    }
    config = {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": str(root), "readonly": True},
        "hostname": "sandbox",
        "mounts": _mounts(sources),
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }
    (bundle / "config.json").write_text(json.dumps(config))
    options = ["--root", str(bundle / "state"), "--network=none", "--ignore-cgroups", "--overlay2=none"]
    # All containers of a machine have their names in common.
    return [*options, "run", "--bundle", str(bundle), f"retinue-{secrets.token_hex(8)}"]


def _mounts(sources: Sources) -> list[dict[str, Any]]:
    mounts = [
        _mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "noexec", "size=65536"),
    ]
    mounts += [
        _mount(inside, "bind", f"{sources.scratch}/{name}", *_WRITABLE) for name, inside in SCRATCH_FOLDERS.items()
    ]
    # Shorter paths first: what lies in another folder is mounted over it.
    for path, inside in sorted(sources.shown, key=lambda shown: len(shown[1])):
        mounts.append(_mount(inside, "bind", path, *_READ_ONLY))
    return mounts + [_mount(path, "tmpfs", "tmpfs", "ro", "size=4096") for path in sources.hidden]


def _mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options}
