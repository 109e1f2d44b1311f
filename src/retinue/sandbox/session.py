"""What a session of the code interpreter is, wherever its code runs."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal, Protocol


class SandboxError(Exception):
    """A session cannot do what was asked; the message says why, in words for the model and the caller."""


class SandboxUnavailable(SandboxError):
    """No session can be had: isolation is not possible here, or all sessions are in use."""


class FileRefused(SandboxError):
    """A file has a name that is not allowed, is none, is too large, or does not fit."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Text that code wrote, or the value of its last expression."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that code showed."""

    #: A PNG file.
    png: bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception that ended the code."""

    #: The exception's class.
    name: str
    #: The traceback as Python prints it, without colours.
    traceback: str


Output = Logs | Image | Failure

#: How a run of code ended: by itself; with an exception; at its time limit; because `interrupt` was called; because it
#: wrote without end; with the death of the session, which cannot be used again.
Status = Literal["ok", "error", "timeout", "interrupted", "flooded", "died"]


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run of code."""

    status: Status
    #: In the order in which they came.
    outputs: tuple[Output, ...]
    #: What the model has to know beyond the outputs, or "".
    note: str = ""


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A file in `/mnt/data`."""

    #: Its path there, such as `report.csv` or `charts/one.png`.
    name: str
    #: In bytes.
    size: int
    #: When it was last changed, in nanoseconds of Unix time, as the sandbox says.
    modified: int


class Session(Protocol):
    """Python with its variables and files, isolated from everything else."""

    @property
    def id(self) -> str:
        """A name that no other session has had: a session that was replaced has another one."""
        ...

    @property
    def alive(self) -> bool:
        """Whether code can be run."""
        ...

    async def run(self, code: str, on_output: Callable[[Output], None], *, timeout: float) -> Result:  # noqa: ASYNC109
        """Run code, after any that still runs.

        Args:
            code: Python, as in a Jupyter cell.
            on_output: called with each output as it comes, in order.
            timeout: seconds of wall time; then the code is interrupted, and the session ended if that does not help.

        Cancelling it interrupts the code in the same way. Does not raise: what happens is told in the result.
        """
        ...

    def interrupt(self) -> None:
        """Have the code that runs raise KeyboardInterrupt; the session ends if that does not help within seconds."""
        ...

    async def put(self, name: str, content: bytes | AsyncIterable[bytes]) -> None:
        """Write a file to `/mnt/data`, in place of any of that name. Raises FileRefused."""
        ...

    async def list(self) -> list[FileInfo]:
        """The files in `/mnt/data`: regular ones only, no links, at most 1,000."""
        ...

    def read(self, name: str, *, most: int) -> AsyncIterator[bytes]:
        """A file in pieces. Raises FileRefused if there is none, or it is longer than `most` bytes."""
        ...

    async def close(self) -> None:
        """End it, with everything that it started. May be called at any time, and again."""
        ...
