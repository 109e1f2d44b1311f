"""The embedded PostgreSQL for real: started, killed, abandoned, shared, and run as other accounts."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from retinue.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
from retinue.store.embedded_cluster import Cluster

ROOT = os.geteuid() == 0

#: A process that owns (or joins) a server until its standard input ends.
OWNER = """
import asyncio, sys
from pathlib import Path
import psycopg, uvloop
from retinue.store.embedded import EmbeddedPostgres, EmbeddedPostgresError
async def main():
    async with EmbeddedPostgres(Path(sys.argv[1])) as server:
        async with await psycopg.AsyncConnection.connect(server.conninfo):
            print(server.conninfo, flush=True)
        await asyncio.to_thread(sys.stdin.read)
try:
    uvloop.run(main())
except EmbeddedPostgresError as error:
    sys.exit(str(error))
"""


class Owner:
    """A process of `OWNER` on the data folder `data`, behind the command `prefix` if one is given."""

    def __init__(self, data: Path, prefix: tuple[str, ...] = (), python: str = sys.executable) -> None:
        paths = (Path(__file__).parents[2] / "src", sysconfig.get_path("purelib"))
        self.process = subprocess.Popen(
            [*prefix, python, "-c", OWNER, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        )

    def conninfo(self) -> str:
        """Wait until it has a server; fails with what it says if it gets none."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            pytest.fail(f"the owner ended: {self.process.communicate()[1]}")
        return line

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def finish(self) -> tuple[int, str]:
        """Let it end in order; its exit status and what it said on standard error."""
        errors = self.process.communicate(timeout=60)[1]
        return self.process.returncode, errors


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose cluster is made, to copy for the tests in which making it is not the point."""
    data = tmp_path_factory.mktemp("template")

    async def make() -> None:
        async with EmbeddedPostgres(data):
            pass

    asyncio.run(make())
    return data


@pytest.fixture
def data(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template / "postgres", tmp_path / "data" / "postgres")
    return tmp_path / "data"


@pytest.fixture
async def server(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    async with EmbeddedPostgres(data) as server:
        yield server


@pytest.fixture
def owner(data: Path) -> Iterator[Owner]:
    owner = Owner(data)
    yield owner
    owner.kill()


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.02)


async def ask(conninfo: str, query: str) -> object:
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        cursor = await connection.execute(query.encode())
        if cursor.description is None:
            return None
        row = await cursor.fetchone()
        return row and row[0]


async def until_answered(conninfo: str, query: str, expected: object = 1, seconds: float = 60) -> None:
    """Ask until a server is there and answers with what is expected."""
    deadline = time.monotonic() + seconds
    answer = None
    while answer != expected:
        assert time.monotonic() < deadline, f"no server came back, or it answered {answer}"
        try:
            answer = await ask(conninfo, query)
        except psycopg.OperationalError:
            await asyncio.sleep(0.02)


def postmaster(data: Path) -> int:
    server = Cluster(data).postmaster()
    assert server is not None
    return server.pid


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def user_of(path: Path) -> int:
    return path.stat().st_uid


def owners(pids: Collection[int]) -> set[int]:
    """The accounts that these processes run as; PostgreSQL's short-lived workers may be gone again."""
    found: set[int] = set()
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            found.add(user_of(Path(f"/proc/{pid}")))
    return found


def creations(data: Path) -> list[Path]:
    """What is there of clusters that are being made, once initdb has begun in earnest."""
    return list(data.glob("postgres/initdb-*/cluster/base"))


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_what_was_written_is_there_after_a_second_start(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path) as server:
        await ask(server.conninfo, "CREATE TABLE kept AS SELECT 'still here' AS word")
        pid = postmaster(tmp_path)
    assert not alive(pid)
    assert not Cluster(tmp_path).servers()
    async with EmbeddedPostgres(tmp_path) as server:
        assert await ask(server.conninfo, "SELECT word FROM kept") == "still here"


async def test_the_server_is_set_up_as_promised(server: EmbeddedPostgres, data: Path) -> None:
    expected = {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "fsync": "on",
        "jit": "off",
        "listen_addresses": "",
        "unix_socket_permissions": "0700",
    }
    assert {name: await ask(server.conninfo, f"SHOW {name}") for name in expected} == expected
    locale = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = current_database()"
    assert await ask(server.conninfo, locale) == "b C.UTF-8"
    assert await ask(server.conninfo, "SELECT upper('é') || lower('Ж')") == "Éж"
    assert str(data) in server.conninfo


async def test_only_its_account_can_reach_it(server: EmbeddedPostgres, data: Path) -> None:
    folder, cluster = data / "postgres", data / "postgres" / "cluster"
    for private in (folder, cluster, cluster / "pgpass", folder / ".s.PGSQL.5432", folder / "lock"):
        assert permissions(private) & 0o077 == 0, private
        assert user_of(private) == os.geteuid()
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        await ask(make_conninfo(server.conninfo, passfile=str(data / "none")), "SELECT 1")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await ask(make_conninfo(server.conninfo, password="guess"), "SELECT 1")


@pytest.mark.usefixtures("server")
def test_it_listens_on_its_unix_socket_and_no_network(data: Path) -> None:
    held = set[str]()
    for pid in Cluster(data).servers():
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            held |= set(re.findall(r"socket:\[(\d+)\]", str(handle.readlink()) if handle.is_symlink() else ""))
    network = {
        line.split()[9]
        for table in ("tcp", "tcp6", "udp", "udp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    }
    local = {
        fields[6]
        for fields in map(str.split, Path("/proc/net/unix").read_text().splitlines())
        if fields[-1] == str(data / "postgres" / ".s.PGSQL.5432")
    }
    assert held & local
    assert not held & network


async def test_a_killed_server_comes_back_by_itself(server: EmbeddedPostgres, data: Path) -> None:
    await ask(server.conninfo, "CREATE TABLE kept AS SELECT 7 AS number")
    for _ in range(2):
        killed = postmaster(data)
        os.kill(killed, signal.SIGKILL)
        await until(lambda killed=killed: not alive(killed))
        await until_answered(server.conninfo, "SELECT number FROM kept", 7)
        assert postmaster(data) != killed


async def test_a_killed_server_comes_back_while_one_of_its_queries_still_runs(
    server: EmbeddedPostgres, data: Path
) -> None:
    connection = await psycopg.AsyncConnection.connect(server.conninfo)
    query = asyncio.create_task(connection.execute("SELECT count(*) FROM generate_series(1, 1000000000000)"))
    busy = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate_series(1,%'"
    await until_answered(server.conninfo, f"{busy} AND pid <> pg_backend_pid()")
    os.kill(postmaster(data), signal.SIGKILL)
    with pytest.raises(psycopg.OperationalError):
        await query
    await connection.close()
    await until_answered(server.conninfo, "SELECT 1")


async def test_stopping_while_it_comes_back_leaves_nothing(data: Path) -> None:
    server = EmbeddedPostgres(data)
    await server.start()
    killed = postmaster(data)
    os.kill(killed, signal.SIGKILL)
    await until(lambda: postmaster(data) != killed)
    await server.stop()
    assert not Cluster(data).servers()


async def test_a_killed_owner_takes_its_server_along(owner: Owner, data: Path) -> None:
    owner.conninfo()
    servers = Cluster(data).servers()
    assert len(servers) > 1
    owner.kill()
    await until(lambda: not any(map(alive, servers)))
    assert not (data / "postgres" / "cluster" / "postmaster.pid").exists()  # it ended in order


async def test_a_new_owner_starts_right_after_the_killed_one(owner: Owner, data: Path) -> None:
    await ask(owner.conninfo(), "CREATE TABLE kept AS SELECT 7 AS number")
    owner.kill()
    async with EmbeddedPostgres(data) as server:
        assert await ask(server.conninfo, "SELECT number FROM kept") == 7
        assert len({postmaster(data)} & Cluster(data).servers()) == 1


async def test_a_server_that_outlived_its_owner_is_replaced(data: Path) -> None:
    cluster = Cluster(data)
    command = cluster.server_command(cluster.folder)
    if ROOT:
        command = ["unshare", "-U", "--map-user=1", *command]
    survivor = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.DEVNULL)
    await until(lambda: (found := cluster.postmaster()) and found.ready)
    async with EmbeddedPostgres(data) as server:
        assert await survivor.wait() == 0
        assert await ask(server.conninfo, "SELECT 1") == 1
        assert postmaster(data) != survivor.pid


async def test_owner_and_server_killed_together_do_not_hinder_the_next(owner: Owner, data: Path) -> None:
    await ask(owner.conninfo(), "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(owner.process.pid, signal.SIGSTOP)  # so that it cannot start the server again
    os.kill(postmaster(data), signal.SIGKILL)
    owner.kill()
    async with EmbeddedPostgres(data) as server:
        assert await ask(server.conninfo, "SELECT number FROM kept") == 7


async def test_a_second_process_joins_and_leaves_the_server_alone(owner: Owner, data: Path) -> None:
    conninfo = owner.conninfo()
    pid = postmaster(data)
    async with EmbeddedPostgres(data) as second:
        assert second.conninfo == conninfo
        assert postmaster(data) == pid
    assert await ask(conninfo, "SELECT 1") == 1
    assert owner.finish() == (0, "")
    assert not alive(pid)


async def test_two_that_start_at_once_share_one_new_server(tmp_path: Path) -> None:
    first, second = EmbeddedPostgres(tmp_path), EmbeddedPostgres(tmp_path)
    one, other = await asyncio.gather(first.start(), second.start())
    assert one == other
    await second.stop()
    await first.stop()
    assert not Cluster(tmp_path).servers()


@pytest.mark.parametrize("end", [Owner.kill, Owner.finish])
async def test_who_joined_takes_over_when_the_owner_ends(
    owner: Owner, data: Path, end: Callable[[Owner], object]
) -> None:
    owner.conninfo()
    async with EmbeddedPostgres(data) as second:
        first_pid = postmaster(data)
        await asyncio.to_thread(end, owner)
        await until(lambda: not alive(first_pid))
        await until_answered(second.conninfo, "SELECT 1")
    assert not Cluster(data).servers()


@pytest.mark.parametrize("name", ["long" * 40, 'it\'s, "odd" 名'])
async def test_any_data_path_works(template: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(template / "postgres", tmp_path / name / "postgres")
    async with EmbeddedPostgres(tmp_path / name) as server:
        assert await ask(server.conninfo, "SELECT 1") == 1
        folder = Path(str(conninfo_to_dict(server.conninfo)["host"]))
        assert permissions(folder) == 0o700
    if folder.parent == Path("/tmp"):
        os.rmdir(folder)  # noqa: PTH106 - empty, since the server has ended


async def test_a_creation_that_was_killed_is_begun_anew(tmp_path: Path) -> None:
    owner = Owner(tmp_path)
    await until(lambda: creations(tmp_path))
    owner.kill()
    assert not Cluster(tmp_path).directory.exists()
    async with EmbeddedPostgres(tmp_path) as server:
        assert await ask(server.conninfo, "SELECT 1") == 1
        assert not creations(tmp_path)


async def test_a_start_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    start = asyncio.create_task(server.start())
    await until(lambda: creations(tmp_path))
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert {entry.name for entry in (tmp_path / "postgres").iterdir()} == {"lock"}
    assert Cluster(tmp_path).try_lock() is not None


async def test_a_server_that_cannot_start_says_why(data: Path) -> None:
    with (data / "postgres" / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'many'\n")
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "shared_buffers"'):
        await EmbeddedPostgres(data).start()
    assert not Cluster(data).servers()


@pytest.mark.skipif(not ROOT, reason="needs root to mount a small disk")
@pytest.mark.parametrize("megabytes", [1, 20, 40])
def test_a_full_disk_is_named(tmp_path: Path, megabytes: int) -> None:
    mount = f'mount -t tmpfs -o size={megabytes}m none "{tmp_path}"'
    status, errors = Owner(tmp_path, prefix=("unshare", "-m", "sh", "-c", f'{mount} && exec "$0" "$@"')).finish()
    assert status == 1
    assert "The disk is full: make room" in errors


def test_a_system_without_user_namespaces_is_named(tmp_path: Path) -> None:
    limit = "echo 0 > /proc/sys/user/max_user_namespaces"
    no_namespaces = ("unshare", "-U", "--map-root-user", "sh", "-c", f'{limit} && exec "$0" "$@"')
    status, errors = Owner(tmp_path, prefix=no_namespaces).finish()
    assert status == 1
    assert "Run Retinue under an ordinary account, or set DATABASE_URL" in errors


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other accounts can reach, unlike `tmp_path`."""
    folder = Path(tempfile.mkdtemp(prefix="retinue-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def become(user: int, home: Path) -> tuple[str, ...]:
    """The beginning of a command line that runs the rest as another account."""
    # setpriv itself still finds its program with root's rights; what `env` then finds, the account can use.
    return ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "env", f"HOME={home}")


@pytest.fixture(scope="module")
def public_python() -> str:
    """A Python that every account can run, of the version for which the packages are installed."""
    for python in (sys.executable, f"/usr/bin/python{sysconfig.get_python_version()}"):
        command = [*become(65534, Path("/")), python, "-c", "import asyncio"]
        if Path(python).exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip("no Python that other accounts can run")


@pytest.mark.skipif(not ROOT, reason="needs root to become another account")
@pytest.mark.parametrize("user", [65534, 54321], ids=["ordinary", "nameless"])
async def test_it_runs_as_another_account(open_folder: Path, public_python: str, user: int) -> None:
    os.chown(open_folder, user, user)
    owner = Owner(open_folder, become(user, open_folder), public_python)
    try:
        assert await ask(owner.conninfo(), "SELECT 1") == 1
        servers = Cluster(open_folder).servers()
        assert owners(servers) == {user}
    finally:
        owner.kill()
    await until(lambda: not any(map(alive, servers)))


@pytest.mark.skipif(not ROOT, reason="needs root to become another account")
def test_a_data_folder_of_another_account_is_named(open_folder: Path, public_python: str) -> None:
    status, errors = Owner(open_folder / "data", become(65534, open_folder), public_python).finish()
    assert status == 1
    assert f"{open_folder}/data/postgres cannot be used" in errors
    assert "RETINUE_DATA" in errors
