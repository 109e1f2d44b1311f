"""The program that starts a sandbox: prepares what root alone or a new namespace can, then runs bubblewrap
or, with `runsc`, gVisor.

Run as ``python -P -m retinue.sandbox.launch SPEC`` with a `Spec` as JSON. It needs a process of its own, because it
changes its namespaces and its account. It imports nothing but the standard library and files like itself.

bubblewrap makes the sandbox. What it cannot do, and this does before:

- one tmpfs with an exact size and number of files for everything that the sandbox may write. It exists in memory only,
  on no path of the host; whoever holds its descriptor reaches it, and it is gone with the last who does;
- leave root for an account that owns nothing, though root's files (a Python below `/root`) are still to be shown;
- enter a control group;
- end without exception together with its owner.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from retinue.sandbox import runsc, seccomp
from retinue.sandbox.command import SCRATCH_FOLDERS, Sources, bubblewrap_arguments
from retinue.store.embedded_launch import die_with

#: Where the tmpfs and the sources are mounted, in this process's own mount namespace. Any folder that exists will do.
_STAGE = Path("/tmp")  # noqa: S108 - not the host's: a fresh tmpfs hides that
#: Added to the kernel's score of whom to kill when memory runs out: a sandbox first.
_OOM_SCORE = "1000"
#: Bytes of what a sandbox wrote to standard error last that are passed on.
_TAIL = 4096
#: <linux/sched.h>, <linux/prctl.h>, <linux/mount.h>
_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
_PR_SET_PDEATHSIG = 1
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Spec:
    """One sandbox to be."""

    #: Process id of the owner, with whom the sandbox dies.
    owner: int
    #: Number of the inherited socket on which the descriptor of the tmpfs is sent, and which the program inside gets.
    socket: int
    #: The account to become where this one is root.
    account: int
    #: What makes the sandbox: `bubblewrap` or `runsc`.
    runtime: str
    #: Folder with that program, and the program's path in it.
    program: tuple[str, str]
    #: What the sandbox sees of the host, read-only: (path there, path inside).
    shown: list[tuple[str, str]]
    #: Links inside: (target, path).
    links: list[tuple[str, str]]
    #: Folders inside that are to look empty, though they lie in something shown.
    hidden: list[str]
    #: Environment variables inside, and the command to run.
    environment: dict[str, str]
    command: list[str]
    #: Bytes and number of files that the sandbox may write.
    disk_bytes: int
    disk_files: int
    #: `cgroup.procs` files of the control groups to enter.
    groups: list[str]


def main() -> None:
    """Do all of it, and end as bubblewrap does; with a message on standard error where it fails."""
    spec = Spec(**json.loads(sys.argv[1]))
    try:
        program, arguments = _prepared(spec)
        die_with(spec.owner, signal.SIGKILL)
        sys.exit(_run(program, arguments, spec))
    except (OSError, seccomp.UnknownMachine) as error:
        sys.exit(str(error))


def _run(program: str, arguments: list[str], spec: Spec) -> int:
    """Run the program as the first process of a process namespace; returns its status as shells do. SIGTERM ends it.

    With the first process of a namespace the kernel ends all others. bubblewrap makes such a namespace too, but where
    it is killed in the middle of its own start, its child waits for it for ever.
    """
    alive, witness = os.pipe()
    heard, words = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        os.close(witness)
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if select.select([alive], [], [], 0)[0]:  # its end: the parent died before the kernel was asked
            os._exit(1)
        os.set_inheritable(spec.socket, True)
        if spec.runtime == "runsc":
            os.dup2(spec.socket, 0)
            # It looks for its processes there by the numbers that they have in their namespace.
            _mount("proc", Path("/proc"), "proc", "")
        os.dup2(words, 2)
        # The environment that a program was started with shows in /proc: not the owner's, with its keys.
        os.execve(program, arguments, {})  # noqa: S606 - no shell is wanted
    # Whoever ends the sandbox tells this process, so that it takes the dead child's status: init may not.
    signal.signal(signal.SIGTERM, lambda _number, _frame: os.kill(child, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    os.close(spec.socket)
    os.close(words)
    _pass_on_the_end(heard)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _pass_on_the_end(words: int) -> None:
    """Read what the sandbox writes to standard error until all of it has ended, then write the end of it to ours.

    So a sandbox that writes without end keeps this process busy, and not its owner.
    """
    tail = b""
    while piece := os.read(words, 65536):
        tail = (tail + piece)[-_TAIL:]
    os.write(2, tail)


def _prepared(spec: Spec) -> tuple[str, list[str]]:
    """Prepare everything; returns the program to execute and its arguments."""
    for group in spec.groups:
        Path(group).write_text("0")
    with suppress(OSError):  # /proc may be read-only; then the kernel decides without our advice
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
    # Not 0: the kernel then still starts the program that the host may have for crashes, as root. See core(5) and
    # do_coredump in its fs/coredump.c.
    core = min(1, resource.getrlimit(resource.RLIMIT_CORE)[1] % 2**64)
    resource.setrlimit(resource.RLIMIT_CORE, (core, core))
    root = os.geteuid() == 0
    _new_namespaces(root)
    # Opened before anything is mounted over them.
    opened = [os.open(path, os.O_PATH | os.O_CLOEXEC) for path, _ in ((spec.program[0], ""), *spec.shown)]
    _mount("tmpfs", _STAGE, "tmpfs", "size=1m,nr_inodes=1k,mode=0755")
    scratch = _scratch(spec, spec.account if root else os.geteuid())
    staged = [_bind(source, _STAGE / str(number)) for number, source in enumerate(opened)]
    with socket.socket(fileno=os.dup(spec.socket)) as channel:
        descriptor = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        socket.send_fds(channel, [b"\0"], [descriptor])
    sources = Sources(
        scratch=str(scratch),
        shown=[(str(path), inside) for path, (_, inside) in zip(staged[1:], spec.shown, strict=True)],
        links=spec.links,
        hidden=spec.hidden,
    )
    program = str(staged[0] / spec.program[1])
    if spec.runtime == "runsc":
        bundle = _STAGE / "bundle"
        bundle.mkdir()
        return program, [program, *runsc.arguments(bundle, sources, spec.environment, spec.command, spec.account)]
    filter_file = _inherited_file("seccomp", seccomp.program())
    if root:
        os.setgroups([])
        os.setresgid(spec.account, spec.account, spec.account)
        os.setresuid(spec.account, spec.account, spec.account)
    return program, [program, *bubblewrap_arguments(sources, spec.environment, filter_file), "--", *spec.command]


def _new_namespaces(root: bool) -> None:
    """A mount namespace, a process namespace for the child; for an ordinary account in a user namespace."""
    user, group = os.geteuid(), os.getegid()
    kinds = _CLONE_NEWNS | _CLONE_NEWPID | (0 if root else _CLONE_NEWUSER)
    _check(_libc.unshare(kinds), "The kernel refuses namespaces")
    if not root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "The mounts cannot be made private")


def _scratch(spec: Spec, account: int) -> Path:
    """The tmpfs for all that the sandbox writes, so that one size bounds it."""
    scratch = _STAGE / "scratch"
    scratch.mkdir()
    _mount("scratch", scratch, "tmpfs", f"size={spec.disk_bytes},nr_inodes={spec.disk_files},mode=0755")
    for name in SCRATCH_FOLDERS:
        folder = scratch / name
        folder.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(folder, account, account)
    return scratch


def _bind(source: int, target: Path) -> Path:
    """Mount what is open as descriptor `source` on `target`, with all that is mounted in it."""
    path = Path(f"/proc/self/fd/{source}")
    if path.is_dir():
        target.mkdir()
    else:
        target.touch()
    _check(
        _libc.mount(bytes(path), bytes(target), None, _MS_BIND | _MS_REC, None), f"{path.readlink()} cannot be shown"
    )
    os.close(source)
    return target


def _mount(name: str, target: Path, kind: str, options: str) -> None:
    result = _libc.mount(name.encode(), bytes(target), kind.encode(), _MS_NOSUID | _MS_NODEV, options.encode())
    _check(result, f"The kernel refuses to mount a {kind}")


def _inherited_file(name: str, content: bytes) -> int:
    """A file in memory with `content`, open at its beginning; returns its descriptor, which the next program gets."""
    descriptor = os.memfd_create(name, 0)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


if __name__ == "__main__":
    main()
