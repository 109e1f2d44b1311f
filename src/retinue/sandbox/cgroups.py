"""Control groups: limits on a whole sandbox, where the system lets us set them.

Limits of a process (setrlimit(2)) hold everywhere but count each process for itself. A control group counts all of a
sandbox together. It can be had as root, and where the service manager has delegated a subtree (systemd: `Delegate=yes`
with `DelegateSubgroup=`); elsewhere sandboxes do without.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")
#: Groups of ours are called this, the process id of their owner, and something random.
_NAME = "retinue-sandbox-"

#: Files that not every kernel has.
_OPTIONAL = ("memory.swap.max", "memory.oom.group", "memory.memsw.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Group:
    """The control groups of one sandbox: one in version 2, one for each controller in version 1, or none."""

    folders: tuple[Path, ...] = ()

    def entrances(self) -> list[str]:
        """The files that a process writes itself into to enter."""
        return [str(folder / "cgroup.procs") for folder in self.folders]

    def remove(self) -> bool:
        """Remove the groups, if all their processes have ended; returns whether they are gone."""
        for folder in self.folders:
            with suppress(OSError):
                folder.rmdir()
        return not any(folder.exists() for folder in self.folders)


def make(memory: int, processes: int) -> Group:
    """Groups for a sandbox that may use so many bytes and processes; an empty one where none can be had.

    In a group, all its processes together get as much of a busy processor as one other process or group.
    """
    name = f"{_NAME}{os.getpid()}-{secrets.token_hex(4)}"
    own = _own()
    if "" in own:  # version 2 has one hierarchy, without a name
        limits = {"memory.max": memory, "memory.swap.max": 0, "memory.oom.group": 1, "pids.max": processes}
        # A group with processes of its own has no limited children: then the group above it may be ours as well.
        for parent in (own[""], own[""].parent):
            for controller in ("memory", "pids", "cpu"):
                with suppress(OSError):
                    (parent / "cgroup.subtree_control").write_text(f"+{controller}")
            if folder := _made(parent / name, limits):
                return Group((folder,))
    by_controller = {
        "memory": {"memory.limit_in_bytes": memory, "memory.memsw.limit_in_bytes": memory},
        "pids": {"pids.max": processes},
        "cpu": {},
    }
    folders = [
        folder
        for controller, limits in by_controller.items()
        if controller in own and (folder := _made(own[controller] / name, limits))
    ]
    return Group(tuple(folders))


def sweep() -> None:
    """Remove groups that an owner left which has been killed: one in this process's group, or in one beside it."""
    for parent in {own.parent for own in _own().values()}:
        for folder in (*parent.glob(f"{_NAME}*"), *parent.glob(f"*/{_NAME}*")):
            owner = folder.name.removeprefix(_NAME).partition("-")[0]
            if not Path("/proc", owner).exists():
                with suppress(OSError):
                    folder.rmdir()


def _own() -> dict[str, Path]:
    """The folder of this process's group by controller; that of version 2 under ""."""
    found: dict[str, Path] = {}
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            for controller in controllers.split(","):
                folder = (_MOUNT / controller if controller else _MOUNT) / path.lstrip("/")
                if (folder / ("cgroup.procs" if controller else "cgroup.controllers")).exists():
                    found[controller] = folder
    return found


def _made(folder: Path, limits: dict[str, int]) -> Path | None:
    try:
        folder.mkdir()
    except OSError:
        return None
    try:
        for name, value in limits.items():
            if name not in _OPTIONAL or (folder / name).exists():
                (folder / name).write_text(str(value))
    except OSError:
        folder.rmdir()
        return None
    return folder
