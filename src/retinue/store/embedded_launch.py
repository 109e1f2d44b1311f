"""The program that becomes a PostgreSQL program: leaves root, ties itself to its owner, and executes the command.

Run as ``python -I -S embedded_launch.py OWNER_PID PROGRAM ARGUMENT...``. It stands alone (standard library only) and
runs in a process of its own, because neither step may be taken in the owner: code between fork and exec can deadlock
in a program with threads, and a program that has several cannot enter a user namespace.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

#: Exit status that says: PostgreSQL does not run under this account, and the kernel refuses user namespaces.
NO_NAMESPACE = 81

_CLONE_NEWUSER = 0x10000000  # <linux/sched.h>
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_libc = ctypes.CDLL(None, use_errno=True)


def needs_namespace(user: int, named: set[int]) -> bool:
    """Whether PostgreSQL refuses to run as user id `user`: it does for root, and where the account has no name.

    `named` are the ids in the password database. A container told to run as any number has such a nameless account.
    """
    return user == 0 or user not in named


def become_unprivileged(named: set[int]) -> None:
    """Enter a user namespace in which this account is one of `named` and not root.

    There it has none of root's capabilities, yet its files stay its own, so no second account is needed. Raises
    OSError where the kernel refuses, or no account but root has a name.
    """
    inside = min(named - {0}, default=None)
    if inside is None:
        raise OSError("no account but root has a name")
    user, group = os.geteuid(), os.getegid()
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{inside} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{inside} {group} 1")


def die_with(owner: int, number: signal.Signals = signal.SIGINT) -> None:
    """Have the kernel send signal `number` to this process when process `owner` ends (SIGINT: PostgreSQL stops fast).

    Strictly it is the end of the owner's *thread* that started this process. Comes after the namespace, because
    entering one clears the request. Exits where the owner is already gone.
    """
    if _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != owner:
        sys.exit("The process that started this one has ended.")


def main() -> None:
    """Do all of it, then become the command that the arguments name."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    owner, command = int(sys.argv[1]), sys.argv[2:]
    named = {account.pw_uid for account in pwd.getpwall()}
    if needs_namespace(os.geteuid(), named):
        try:
            become_unprivileged(named)
        except OSError as error:
            print(error, file=sys.stderr)
            sys.exit(NO_NAMESPACE)
    die_with(owner)
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
