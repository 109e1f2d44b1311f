"""The system calls that code in a sandbox may not make, as a filter program for the kernel.

Namespaces and missing capabilities already make most of these calls fail. The filter keeps a sandbox from reaching the
code of the kernel behind them, where most of its holes have been found, and from taking memory that no limit counts.

The kernel runs the program, in classic BPF, before every system call (seccomp(2), Documentation/userspace-api/
seccomp_filter.rst). It sees one `struct seccomp_data`: number, architecture, instruction pointer, six arguments.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import NamedTuple


class _Machine(NamedTuple):
    """What the filter has to know of a kind of processor."""

    #: `AUDIT_ARCH_...` of <linux/audit.h>: calls made in another machine's convention have other numbers.
    architecture: int
    #: Numbers of the calls in `_REFUSED` and `_ABSENT`; a call that the machine does not have is missing.
    numbers: dict[str, int]


#: Calls that administer the machine, look into other processes, or open rarely used parts of the kernel.
_REFUSED = (
    *("acct", "chroot", "delete_module", "finit_module", "init_module", "ioperm", "iopl", "kexec_file_load"),
    *("kexec_load", "mount", "pivot_root", "quotactl", "quotactl_fd", "reboot", "setns", "swapoff", "swapon"),
    *("syslog", "umount2", "unshare", "vhangup"),
    *("fsconfig", "fsmount", "fsopen", "fspick", "mount_setattr", "move_mount", "open_tree"),
    *("kcmp", "migrate_pages", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"),
    *("add_key", "keyctl", "request_key"),
    *("bpf", "fanotify_init", "lookup_dcookie", "modify_ldt", "move_pages", "name_to_handle_at", "open_by_handle_at"),
    *("perf_event_open", "personality", "userfaultfd", "vmsplice"),
)
#: Calls that answer as on a kernel without them, so that libraries take another way. The first hides its flags in
#: memory, where the filter cannot look; io_uring makes calls that no filter sees; asynchronous I/O and inotify have few
#: places, shared by the machine or an account; the others take memory that neither the limit of a process nor the size
#: of /mnt/data counts.
_ABSENT = (
    "clone3",
    *("io_uring_enter", "io_uring_register", "io_uring_setup"),
    *("inotify_init", "inotify_init1", "io_setup"),
    *("memfd_create", "memfd_secret", "msgget", "semget", "shmget"),
)
#: The first number that is younger than the kernels this table was made from (Linux 6.4). All from here on answer as
#: absent; on x86-64 that includes the x32 convention, whose numbers begin at 2**30.
_UNKNOWN = 451

#: Kinds of sockets that work, and their protocols: Unix; IPv4 and IPv6 with TCP and UDP; netlink for the one that tells
#: of network interfaces, which ZeroMQ asks for. All are confined by the namespaces. AF_VSOCK, for one, is not.
_SOCKETS = {1: (0, 1), 2: (0, 6, 17), 10: (0, 6, 17), 16: (0,)}
#: `CLONE_NEW...` of <linux/sched.h>: a process that asks for a namespace of its own.
_NEW_NAMESPACES = 0x7E020000
#: RLIMIT_CORE of <asm-generic/resource.h>, which code must leave as the launcher has set it.
_RLIMIT_CORE = 4

# fmt: off
#: Numbers that both machines share.
_COMMON = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428, "move_mount": 429,
    "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435, "pidfd_getfd": 438,
    "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447,
}
_MACHINES = {
    # <asm/unistd_64.h>
    "x86_64": _Machine(
        0xC000003E,
        {
            "shmget": 29, "socket": 41, "clone": 56, "semget": 64, "msgget": 68, "ptrace": 101, "syslog": 103,
            "personality": 135, "vhangup": 153, "modify_ldt": 154, "pivot_root": 155, "setrlimit": 160, "chroot": 161,
            "acct": 163, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "iopl": 172,
            "ioperm": 173, "init_module": 175, "delete_module": 176, "quotactl": 179, "io_setup": 206,
            "lookup_dcookie": 212, "kexec_load": 246, "add_key": 248, "request_key": 249, "keyctl": 250,
            "inotify_init": 253, "migrate_pages": 256, "unshare": 272, "vmsplice": 278, "move_pages": 279,
            "inotify_init1": 294, "perf_event_open": 298, "fanotify_init": 300, "prlimit64": 302,
            "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308, "process_vm_readv": 310,
            "process_vm_writev": 311, "kcmp": 312, "finit_module": 313, "memfd_create": 319, "kexec_file_load": 320,
            "bpf": 321, "userfaultfd": 323,
            **_COMMON,
        },
    ),
    # <asm-generic/unistd.h>
    "aarch64": _Machine(
        0xC00000B7,
        {
            "io_setup": 0, "lookup_dcookie": 18, "inotify_init1": 26, "umount2": 39, "mount": 40, "pivot_root": 41,
            "chroot": 51, "vhangup": 58, "quotactl": 60, "vmsplice": 75, "acct": 89, "personality": 92, "unshare": 97,
            "kexec_load": 104, "init_module": 105, "delete_module": 106, "syslog": 116, "ptrace": 117, "reboot": 142,
            "setrlimit": 164, "msgget": 186, "semget": 190, "shmget": 194, "socket": 198, "add_key": 217,
            "request_key": 218, "keyctl": 219, "clone": 220, "swapon": 224, "swapoff": 225, "migrate_pages": 238,
            "move_pages": 239, "perf_event_open": 241, "prlimit64": 261, "fanotify_init": 262,
            "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268, "process_vm_readv": 270,
            "process_vm_writev": 271, "kcmp": 272, "finit_module": 273, "memfd_create": 279, "bpf": 280,
            "userfaultfd": 282, "kexec_file_load": 294,
            **_COMMON,
        },
    ),
}
# fmt: on

# Instructions (<linux/bpf_common.h>): load a word of seccomp_data; jump if equal, if at least, if any bit set; return.
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_ANY, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
# Offsets in seccomp_data. Of an argument the low half, which both machines store first.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT, _THIRD_ARGUMENT = 0, 4, 16, 24, 32
# Answers (<linux/seccomp.h>); an error number goes into the low 16 bits.
_ALLOW, _FAIL, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000


class UnknownMachine(Exception):
    """There is no table of system calls for this kind of processor."""


def program(machine: str = platform.machine()) -> bytes:
    """The filter for `machine` (as uname(1) names it), in the form that `bwrap --seccomp` reads: `sock_filter` records.

    Raises UnknownMachine for any but x86_64 and aarch64.
    """
    if machine not in _MACHINES:
        raise UnknownMachine(f"There is no seccomp filter for {machine} processors.")
    architecture, numbers = _MACHINES[machine]
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_IF_EQUAL, architecture, then=1),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD, _NUMBER),
        *_fail_if(_IF_AT_LEAST, _UNKNOWN, errno.ENOSYS),
    ]
    for names, error in ((_REFUSED, errno.EPERM), (_ABSENT, errno.ENOSYS)):
        for name in names:
            if name in numbers:
                code += _fail_if(_IF_EQUAL, numbers[name], error)
    for name, body in (
        ("socket", _socket_rule()),
        ("clone", _fail_if(_IF_ANY, _NEW_NAMESPACES, errno.EPERM)),
        ("setrlimit", _fail_if(_IF_EQUAL, _RLIMIT_CORE, errno.EPERM)),
        ("prlimit64", _prlimit_rule()),
    ):
        body = [_instruction(_LOAD, _FIRST_ARGUMENT), *body, _instruction(_RETURN, _ALLOW)]
        code += [_instruction(_IF_EQUAL, numbers[name], otherwise=len(body)), *body]
    return b"".join([*code, _instruction(_RETURN, _ALLOW)])


def _socket_rule() -> list[bytes]:
    refuse, allow = _instruction(_RETURN, _FAIL | errno.EAFNOSUPPORT), _instruction(_RETURN, _ALLOW)
    code: list[bytes] = []
    for family, protocols in _SOCKETS.items():
        tests = [part for one in protocols for part in (_instruction(_IF_EQUAL, one, otherwise=1), allow)]
        body = [_instruction(_LOAD, _THIRD_ARGUMENT), *tests, refuse]
        code += [_instruction(_IF_EQUAL, family, otherwise=len(body)), *body]
    return [*code, refuse]


def _prlimit_rule() -> list[bytes]:
    """Asking for the limit, that is without a pointer to a new one, is allowed."""
    new = [
        part
        for half in (_THIRD_ARGUMENT, _THIRD_ARGUMENT + 4)
        for part in (_instruction(_LOAD, half), *_fail_if(_IF_AT_LEAST, 1, errno.EPERM))
    ]
    return [_instruction(_LOAD, _SECOND_ARGUMENT), _instruction(_IF_EQUAL, _RLIMIT_CORE, otherwise=len(new)), *new]


def _fail_if(test: int, value: int, error: int) -> list[bytes]:
    return [_instruction(test, value, otherwise=1), _instruction(_RETURN, _FAIL | error)]


def _instruction(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """One `sock_filter`; `then` and `otherwise` are the instructions that a jump skips."""
    return struct.pack("=HBBI", code, then, otherwise, value)
