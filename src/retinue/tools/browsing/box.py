"""Where Chromium runs: in bubblewrap, without any network.

All it has is the system's programs, fonts and a folder of a limited size in memory. Under root it runs as an account
that owns nothing. Chromium's own sandbox, which holds each page in a process that may do next to nothing, works inside.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

#: Shown read-only where they exist.
_SHOWN = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives", "/etc/fonts", "/etc/chromium.d"),
)
#: Bytes of data that each process may have, and of all files together, which lie in memory.
_DATA = 1024**3
_FILES = 256 * 1024**2
_SHARED = 64 * 1024**2
#: An account that no system assigns to anybody (systemd's table of user ids, https://systemd.io/UIDS-GIDS).
_ACCOUNT = 60700


def script(bubblewrap: str, chromium: str) -> str:
    """A shell script that is Chromium in its box: it takes the same arguments.

    Args:
        bubblewrap: path of bubblewrap.
        chromium: path of Chromium.
    """
    command = [bubblewrap, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    command += ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    for name, value in {"HOME": "/tmp", "LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}.items():  # noqa: S108 (inside)
        command += ["--setenv", name, value]
    command += ["--perms", "0755", "--dir", "/etc"]
    for path in (*_SHOWN, str(Path(chromium).resolve().parent)):
        command += ["--ro-bind-try", path, path]
    command += ["--proc", "/proc", "--dev", "/dev"]
    command += ["--perms", "1777", "--size", str(_FILES), "--tmpfs", "/tmp"]  # noqa: S108 (inside)
    command += ["--perms", "1777", "--size", str(_SHARED), "--tmpfs", "/dev/shm"]  # noqa: S108 (inside)
    command += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]  # noqa: S108 (inside)
    if os.geteuid() == 0:
        # Root's own namespaces, so that there is another account to become.
        command += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", "setpriv", f"--reuid={_ACCOUNT}"]
        command += [f"--regid={_ACCOUNT}", "--clear-groups", "--inh-caps=-all", "--no-new-privs", chromium]
    else:
        command += ["--unshare-user", "--", chromium]
    return f'#!/bin/sh\nulimit -c 0\nulimit -d {_DATA // 1024}\nexec {shlex.join(command)} "$@"\n'
