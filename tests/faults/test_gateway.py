"""Sessions in the kernels of a real Jupyter gateway: what is theirs alone, and what happens when one of both fails.

What sessions have in common, wherever they run, is in `test_sessions`.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from retinue.sandbox import remote
from retinue.sandbox.gateway import Gateway
from retinue.sandbox.gateway_session import GatewaySession
from retinue.sandbox.manager import Sandboxes
from retinue.sandbox.session import FileRefused, SandboxUnavailable
from retinue.settings import Settings
from tests.gateway import TOKEN, RunningGateway, kernel_gateway

from .sandboxes import printed, run
from .test_sandbox import descendants, until

# On first use the gateway is fetched, perhaps slowly.
pytestmark = [pytest.mark.timeout(900), pytest.mark.asyncio(loop_scope="module")]

MOST_FILE = 1024 * 1024 + 10


@asynccontextmanager
async def session_at(url: str, kernel: str | None = "alone", token: str = TOKEN) -> AsyncIterator[GatewaySession]:
    place = Gateway(url, token, kernel)
    try:
        session = await GatewaySession.start(place, 10_000, MOST_FILE)
        yield session
        await session.close()
    finally:
        await place.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(gateway: RunningGateway) -> AsyncIterator[GatewaySession]:
    async with session_at(gateway.url) as session:
        yield session


def sandboxes(gateway: RunningGateway, **settings: object) -> Sandboxes:
    own = {"sandbox_gateway": gateway.url, "sandbox_gateway_token": TOKEN, "sandbox_gateway_kernel": "alone"}
    return Sandboxes(Settings.model_validate({"sandbox_warm_sessions": 0, **own, **settings}))


async def content(session: GatewaySession, name: str, most: int = MOST_FILE) -> bytes:
    return b"".join([piece async for piece in session.read(name, most=most)])


# --- files


async def test_a_file_longer_than_a_message_goes_in_and_out(session: GatewaySession) -> None:
    long = bytes(range(256)) * 4096 + b"the end"
    await session.put("sub/long", long)
    assert await printed(session, "import os; os.path.getsize('/mnt/data/sub/long')") == str(len(long))
    assert await content(session, "sub/long") == long
    with pytest.raises(FileRefused, match="longer than 1048576 bytes"):
        await content(session, "sub/long", 1024 * 1024)


async def test_a_file_that_is_too_long_leaves_nothing(session: GatewaySession) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield bytes(MOST_FILE)
        yield b"x"

    with pytest.raises(FileRefused, match=f"longer than {MOST_FILE} bytes"):
        await session.put("too-long", pieces())
    assert "too-long" not in await printed(session, "import os; os.listdir()")
    assert not any(file.size >= 1024 * 1024 for file in await session.list() if file.name != "sub/long")


@pytest.mark.parametrize("name", ["", "..", "/etc/passwd", "../outside", "a//b", "a\0b"])
async def test_a_name_that_leads_elsewhere_is_refused(session: GatewaySession, name: str) -> None:
    with pytest.raises(FileRefused, match="not the name of a file"):
        await session.put(name, b"")
    with pytest.raises(FileRefused, match="not the name of a file"):
        await content(session, name)


async def test_what_is_no_regular_file_is_neither_listed_nor_read(session: GatewaySession) -> None:
    await run(session, "import os; os.mkfifo('fifo'); os.symlink('/etc/passwd', 'link')")
    assert not {"fifo", "link"} & {file.name for file in await session.list()}
    for name in ("fifo", "link", "sub"):
        with pytest.raises(FileRefused):
            await content(session, name)
    with pytest.raises(FileRefused, match="no file `missing`"):
        await content(session, "missing")


LIES = """
import retinue_session as own
def lie(value):
    return lambda *arguments: own.Answer({"value": value})
"""


async def test_a_kernel_that_lies_about_its_files_is_not_believed(gateway: RunningGateway) -> None:
    async with session_at(gateway.url) as session:
        listed = (
            '[["../up", 1, 1], ["/etc/passwd", 1, 1], ["less", -1, 1], ["one", 1], ["x", "1", 1], 5, ["good", 1, 2]]'
        )
        await run(session, f"{LIES}\nown.listed = lie({listed})")
        assert [file.name for file in await session.list()] == ["good"]
        await run(session, "own.listed = lie({})")
        assert await session.list() == []
        for piece in ("5", "'no base64'", "'QUFB' * 1_000_000"):
            await run(session, f"own.read = lie({piece})")
            with pytest.raises(FileRefused, match="does not give it"):
                await content(session, "good")
        await run(session, "own.read = lie('QUFB')")  # without end
        with pytest.raises(FileRefused, match="longer than 100 bytes"):
            await content(session, "good", 100)
        await run(session, "own.read = lambda *arguments: own.Answer({'errno': [], 'text': 'x' * 10_000})")
        with pytest.raises(FileRefused) as refused:
            await content(session, "good")
        assert len(str(refused.value)) < 400
        await run(session, "import sys; del sys.modules['retinue_session']")
        assert await session.list() == []
        with pytest.raises(FileRefused):
            await session.put("file", b"")


@pytest.mark.parametrize(("kernel", "why"), [("full", "it is not empty"), ("locked", "it belongs to another kernel")])
async def test_a_folder_that_is_not_its_own_is_refused(gateway: RunningGateway, kernel: str, why: str) -> None:
    with pytest.raises(SandboxUnavailable, match=why):
        async with session_at(gateway.url, kernel):
            pass


async def test_what_an_earlier_session_left_is_cleared_away(gateway: RunningGateway) -> None:
    async with session_at(gateway.url, "left") as session:
        assert await session.list() == []
        assert await printed(session, "import os; os.listdir('/mnt/data')") == "[]"


# --- what comes out


async def test_what_comes_between_two_runs_is_dropped_and_one_that_never_ends_ends_the_session(
    gateway: RunningGateway,
) -> None:
    async with session_at(gateway.url) as session:
        later = """
            import threading, time
            def write():
                while True:
                    print("y" * 10_000)
            timer = threading.Timer(0.1, write)
            timer.start()
        """
        assert (await run(session, later)).status == "ok"
        await until(lambda: not session.alive)
        result = await run(session, "1")
        assert result.status == "died"
        assert "ended because it wrote without end" in result.note


# --- kernels that end, gateways that fail


async def test_a_kernel_that_dies_is_replaced_and_ended(gateway: RunningGateway) -> None:
    before = descendants(gateway.process.pid)
    manager = sandboxes(gateway)
    async with manager.session("project", "thread") as first:
        await first.put("file.txt", b"lost")
        result = await run(first, "import os\nprint('last words', flush=True)\nos._exit(3)")
        assert result.status == "died"
        assert "its variables and its files are lost" in result.note
        assert await first.list() == []
        with pytest.raises(FileRefused, match="has ended"):
            await first.put("file.txt", b"")
        assert (await run(first, "1")).status == "died"
    async with manager.session("project", "thread") as second:
        assert second.id != first.id
        assert await second.list() == []
        assert await printed(second, "1") == "1"
    await manager.close()
    await until(lambda: descendants(gateway.process.pid) <= before)


async def test_an_idle_session_is_closed_at_the_gateway_too(gateway: RunningGateway) -> None:
    before = descendants(gateway.process.pid)
    manager = sandboxes(gateway, sandbox_idle=0.2)
    await manager.start()
    async with manager.session("project", "thread"):
        assert not descendants(gateway.process.pid) <= before
    await until(lambda: descendants(gateway.process.pid) <= before)
    await manager.close()


OWNER = """
import asyncio
from retinue.sandbox import gateway
from retinue.sandbox.manager import Sandboxes
from retinue.settings import Settings

gateway.SIGN, gateway.SILENCE = 0.5, 2

async def main():
    sandboxes = Sandboxes(Settings(sandbox_warm_sessions=0))
    async with sandboxes.session("project", "thread") as session:
        code = "import subprocess, time; subprocess.Popen(['sleep', '1000']); time.sleep(3)"
        assert (await session.run(code, lambda _: None, timeout=30)).status == "ok"
        print("running", flush=True)
        await session.run("while True: pass", lambda _: None, timeout=1000)

asyncio.run(main())
"""


async def test_a_killed_owner_leaves_no_kernel(gateway: RunningGateway) -> None:
    """The kernel ends itself, busy as it is; the one that the gateway starts in its place is idle, and culled."""
    before = descendants(gateway.process.pid)
    own = {"GATEWAY": gateway.url, "GATEWAY_TOKEN": TOKEN, "GATEWAY_KERNEL": "alone"}
    environment = {f"RETINUE_SANDBOX_{name}": value for name, value in own.items()}
    owner = await asyncio.create_subprocess_exec(sys.executable, "-c", OWNER, stdout=subprocess.PIPE, env=environment)
    assert owner.stdout
    assert await owner.stdout.readline() == b"running\n"
    orphans = descendants(gateway.process.pid) - before
    assert len(orphans) >= 2  # the kernel, sleep
    owner.send_signal(signal.SIGKILL)
    await owner.wait()
    await until(lambda: not orphans & descendants(gateway.process.pid))
    await until(lambda: descendants(gateway.process.pid) <= before)


async def test_a_gateway_that_dies_in_the_middle_ends_the_session(tmp_path: Path) -> None:
    with kernel_gateway(tmp_path) as own:
        manager = sandboxes(own)
        async with manager.session("project", "thread") as session:
            begun = asyncio.Event()
            code = "import time\nprint('begun', flush=True)\ntime.sleep(60)"
            running = asyncio.create_task(session.run(code, lambda _: begun.set(), timeout=60))
            await begun.wait()
            own.process.kill()
            result = await running
            assert result.status == "died"
            assert "lost with the connection to its gateway" in result.note
        with pytest.raises(SandboxUnavailable, match="cannot be reached"):
            async with manager.session("project", "thread"):
                pass
        assert await manager.why_not() == "The Jupyter gateway cannot be reached."
        await manager.close()


async def test_a_gateway_that_refuses_is_told(gateway: RunningGateway) -> None:
    with pytest.raises(SandboxUnavailable, match=r"answered 40[13]"):
        async with session_at(gateway.url, token="wrong"):
            pass
    with pytest.raises(SandboxUnavailable, match="started no kernel"):
        async with session_at(gateway.url, "unknown"):
            pass


# --- what is no gateway


class Nonsense:
    """A server that answers a start and a connection as it is told, and keeps what it was asked to delete."""

    def __init__(
        self,
        start: Callable[[], web.StreamResponse],
        channels: Callable[[web.WebSocketResponse], Awaitable[object]] | None = None,
    ) -> None:
        self.deleted: list[str] = []
        self._start = start
        self._channels = channels

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_post("/api/kernels", self._started)
        app.router.add_get("/api/kernels/{id}/channels", self._connected)
        app.router.add_delete("/api/kernels/{id}", self._delete)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()

    async def _started(self, _: web.Request) -> web.StreamResponse:
        return self._start()

    async def _connected(self, request: web.Request) -> web.StreamResponse:
        if self._channels is None:
            return web.Response(status=503)
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        await self._channels(connection)
        return connection

    async def _delete(self, request: web.Request) -> web.StreamResponse:
        self.deleted.append(request.match_info["id"])
        return web.Response(status=204)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (lambda: web.Response(text="<html>"), "what no gateway answers"),
        (lambda: web.Response(status=302, headers={"location": "http://127.0.0.1:1/"}), "it answered 302"),
        (lambda: web.json_response([]), "what no gateway answers"),
        (lambda: web.json_response({"id": "../../secrets"}), "what no gateway answers"),
        (lambda: web.json_response({"id": 5}), "what no gateway answers"),
        (lambda: web.Response(body=b"[" * 1_000_000), "what no gateway answers"),
        (lambda: web.json_response({"id": "k"}), "it answered 503"),
    ],
)
async def test_a_server_that_is_no_gateway_is_told(answer: Callable[[], web.Response], why: str) -> None:
    async with Nonsense(answer).serving() as url:
        with pytest.raises(SandboxUnavailable, match=why):
            async with session_at(url):
                pass


async def hang_up(connection: web.WebSocketResponse) -> None:
    await connection.receive()


async def talk_nonsense(connection: web.WebSocketResponse) -> None:
    await connection.receive()
    await connection.send_str("{")
    await connection.receive()


async def say_too_much(connection: web.WebSocketResponse) -> None:
    await connection.receive()
    await connection.send_str(" " * 20_000_000)
    await connection.receive()


async def say_nothing(connection: web.WebSocketResponse) -> None:
    async for _ in connection:
        pass


@pytest.mark.parametrize("behaviour", [hang_up, talk_nonsense, say_too_much, say_nothing])
async def test_a_connection_that_is_no_kernel_ends_and_the_kernel_with_it(
    behaviour: Callable[[web.WebSocketResponse], Awaitable[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retinue.sandbox.gateway_session._START", 60.0 if behaviour is not say_nothing else 0.5)
    server = Nonsense(lambda: web.json_response({"id": "k"}), behaviour)
    async with server.serving() as url:
        with pytest.raises(SandboxUnavailable, match=r"ended while it began|was ready within"):
            async with session_at(url):
                pass
        assert server.deleted == ["k"]


async def test_a_message_that_takes_long_to_parse_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session begins although one comes first."""
    reply = """{{"channel": "shell", "header": {{"msg_type": "execute_reply"}}, "parent_header": {{"msg_id": "{}"}},
        "content": {{"user_expressions": {{"answer": {{"data": {{"application/json": {{"value": null}}}}}}}}}}}}"""

    async def answer(connection: web.WebSocketResponse) -> None:
        request = await connection.receive_json()
        await connection.send_str("[" + "[]," * 500_000 + "[]]")
        await connection.send_bytes(b"\0")
        await connection.send_str(reply.format(request["header"]["msg_id"]))
        await connection.receive()

    async with Nonsense(lambda: web.json_response({"id": "k"}), answer).serving() as url, session_at(url) as session:
        assert session.alive


async def test_kernels_of_an_old_python_can_read_what_is_sent_to_them() -> None:
    ast.parse(inspect.getsource(remote), feature_version=(3, 8))
