"""Agents clone repositories from a real git server."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from aiohttp import web

from ..harness import Api
from ..scripted import Reply, ScriptedUpstream
from .extensions import get
from .test_agents import DONE, begin, content, cycles, thinks, until

BACKEND = Path("/usr/lib/git-core/git-http-backend")
pytestmark = pytest.mark.skipif(not BACKEND.exists(), reason="git-http-backend is not here: apt install git")


def git(folder: Path, *words: str) -> None:
    who = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}
    who |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in who.items() if "AUTHOR" in name}
    git_ = shutil.which("git") or "git"
    subprocess.run([git_, *words], cwd=folder, check=True, capture_output=True, env={**os.environ, **who})


@dataclass(frozen=True, slots=True)
class Repositories:
    """A folder of repositories, and where a server offers them."""

    folder: Path
    url: str
    #: Who has connected to the server.
    connected: list[str]


@pytest.fixture
async def repositories(tmp_path: Path) -> AsyncIterator[Repositories]:
    """Repositories, by git's own server."""

    async def serve(request: web.Request) -> web.Response:
        environment = {
            "GIT_PROJECT_ROOT": str(tmp_path),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.headers.get("content-type", ""),
            "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
            "PATH": os.environ["PATH"],
        }
        child = await asyncio.create_subprocess_exec(
            str(BACKEND), env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        answer, _ = await child.communicate(await request.read())
        head, _, body = answer.partition(b"\r\n\r\n")
        headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, body=body, headers=headers)

    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{tail:.*}", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    handler, connected = runner.server, list[str]()
    assert handler is not None

    def connect() -> asyncio.BaseProtocol:
        connected.append("somebody")
        return handler()

    server = await asyncio.get_running_loop().create_server(connect, "127.0.0.1", 0)
    yield Repositories(tmp_path, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", connected)
    server.close()
    await runner.cleanup()


def made(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    for number in range(2):
        for path, inside in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(inside + str(number).encode())
        git(folder, "add", ".")
        git(folder, "commit", "-qm", f"Commit {number}")


@pytest.mark.settings(egress_allow=["127.0.0.0/8"])
async def test_a_repository_is_cloned(api: Api, upstream: ScriptedUpstream, repositories: Repositories) -> None:
    folder, url = repositories.folder, repositories.url
    made(folder / "flowers", {"README.md": b"Roses", "src/rose.py": b"print('rose')#", "large.bin": b"x" * 2_000_000})
    (folder / "flowers" / "link").symlink_to("/etc/passwd")
    git(folder / "flowers", "add", ".")
    git(folder / "flowers", "commit", "-qm", "Link")
    upstream.script(thinks("clone_repository", repository_url=f"{url}/flowers", clone_path="repo"), DONE)
    agent = await until(api, await begin(api, approval="never"), "completed")
    result = (await cycles(api, agent))[0]["result"]
    assert not result["failed"], result
    files = [one["path"] for one in (await get(api, f"/agents/{agent['id']}/files"))["data"]]
    assert files == ["repo/README.md", "repo/src/rose.py"]
    assert await content(api, agent, "repo/README.md") == "Roses1"
    assert "2 files were left out" in result["text"]
    assert repositories.connected


@pytest.mark.settings(egress_allow=["127.0.0.0/8"])
async def test_what_is_no_repository_is_told(api: Api, upstream: ScriptedUpstream, repositories: Repositories) -> None:
    url = repositories.url
    for address in (f"{url}/none", "ssh://git@example.com/x", "file:///etc"):
        upstream.script(thinks("clone_repository", repository_url=address, clone_path="repo"))
    upstream.script(DONE)
    agent = await until(api, await begin(api, approval="never"), "completed")
    assert [one["result"]["failed"] for one in await cycles(api, agent)] == [True, True, True, False]


@pytest.mark.settings(egress_allow=["127.0.0.0/8"])
async def test_what_a_person_gave_is_not_overwritten_by_a_repository(
    postgres: str, api: Api, upstream: ScriptedUpstream, repositories: Repositories
) -> None:
    folder, url = repositories.folder, repositories.url
    made(folder / "flowers", {"README.md": b"Roses", "rose.py": b"print('rose')#"})
    given, gate = await api.file("Mine.", "README.md"), asyncio.Event()
    clone = thinks("clone_repository", repository_url=f"{url}/flowers", clone_path="repo")
    upstream.script(Reply(text=clone.text, delay_before=gate), DONE)
    agent = await begin(api, file_ids=[given])
    with psycopg.connect(postgres) as connection:
        connection.execute("update agent_files set path = 'repo/README.md'")
    gate.set()
    agent = await until(api, agent, "completed")
    result = (await cycles(api, agent))[0]["result"]
    assert "Not overwritten, since others have written them: repo/README.md." in result["text"]
    assert result["files"] == ["repo/rose.py"]
    assert await content(api, agent, "repo/README.md") == "Mine."


async def test_private_addresses_are_refused(api: Api, upstream: ScriptedUpstream, repositories: Repositories) -> None:
    folder, url = repositories.folder, repositories.url
    made(folder / "flowers", {"README.md": b"Roses"})
    upstream.script(thinks("clone_repository", repository_url=f"{url}/flowers", clone_path="repo"), DONE)
    agent = await until(api, await begin(api, approval="never"), "completed")
    result = (await cycles(api, agent))[0]["result"]
    assert (result["failed"], "is private or reserved" in result["text"]) == (True, True)
    # Nobody has even knocked at the server, which would have answered.
    assert repositories.connected == []
    assert (await get(api, f"/agents/{agent['id']}/files"))["data"] == []
