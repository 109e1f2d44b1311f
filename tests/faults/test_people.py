"""People by the command line, and what `retinue serve` asks for before it opens to others."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from retinue.cli import app
from retinue.cli.serve import _require_sign_in
from retinue.settings import Settings
from tests.browser import browsing
from tests.faults.harness import Site, environment
from tests.faults.harness import retinue as command

PASSWORD = "correct horse battery"


@pytest.fixture
def retinue(database: str, tmp_path: Path) -> Callable[..., Awaitable[str]]:
    """Runs a command on the test's database, in this process; returns what it says."""

    async def run(*arguments: str, typed: str = "", status: int = 0) -> str:
        own = environment(tmp_path / "data", DATABASE_URL=database)
        ended = await asyncio.to_thread(CliRunner().invoke, app, arguments, input=typed, env=own)
        assert ended.exit_code == status, ended.output
        assert PASSWORD not in ended.output
        return ended.output

    return run


async def test_people_by_the_command_line(retinue: Callable[..., Awaitable[str]], site: Site) -> None:
    made = await retinue("users", "create", "Ada@Example.com", "--name", "Ada", typed=PASSWORD + "\n")
    identifier = made.strip()
    assert identifier.startswith("user-")
    listed = await retinue("users", "list")
    assert re.search(rf"{identifier}\s+Ada@Example.com\s+Ada\s+reader\s+yes", listed)
    assert "There is a user" in await retinue("users", "create", "ada@example.com", typed=PASSWORD, status=1)
    assert "12 to 256" in await retinue("users", "create", "bob@example.com", typed="short", status=1)
    await retinue("users", "create", "bob@example.com", "--no-password", "--owner")
    assert "not an email" in await retinue("users", "create", "nobody", typed=PASSWORD, status=1)
    missing = await retinue("users", "create", "c@example.com", "--project", "proj_x", typed=PASSWORD, status=1)
    assert "No project found" in missing
    assert "nobody with the email" in await retinue("users", "password", "c@example.com", typed=PASSWORD, status=1)
    server = await site.serve()
    async with browsing(server.base_url.removesuffix("/v1")) as browser, asyncio.timeout(60):
        assert (await browser.sign_in("ada@example.com", PASSWORD)).location == "/"
        assert (await browser.api("POST", "/threads", {}))[0] == 200
        await retinue("users", "password", "ada@example.com", typed="x" + PASSWORD + "\n")
        while (await browser.api("GET", "/assistants"))[0] != 401:  # noqa: ASYNC110 (it is another program)
            await asyncio.sleep(0.05)
        assert (await browser.sign_in("ada@example.com", "x" + PASSWORD)).location == "/"
        await retinue("users", "delete", "ADA@example.com")
        while (await browser.api("GET", "/assistants"))[0] != 401:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert "Ada" not in await retinue("users", "list")


async def test_the_first_start_prints_a_link(site: Site, tmp_path: Path) -> None:
    server = await site.serve()
    greeting = next(site.data.parent.glob("*-serve.out")).read_text(encoding="utf-8")
    link = re.search(r"(http://127\S+)(/welcome\?token=\S+)", greeting)
    assert link
    async with browsing(link[1]) as browser:
        fields = {"name": "Ada", "email": "ada@example.com", "password": PASSWORD}
        assert (await browser.send(await browser.get(link[2]), "/welcome", **fields)).location == "/start"
        assert (await browser.api("GET", "/organization/users"))[0] == 200
        assert (await browser.get(link[2])).status == 401
    assert "welcome" not in server.log
    await server.end()
    again = await site.serve()
    greetings = sorted(site.data.parent.glob("*-serve.out"))
    assert len(greetings) == 2
    assert "welcome" not in max(greetings, key=lambda path: path.stat().st_mtime).read_text(encoding="utf-8")
    assert await again.end() == 0


async def test_pages_open_to_others_only_where_somebody_can_sign_in(
    retinue: Callable[..., Awaitable[str]], site: Site, database: str, tmp_path: Path
) -> None:
    # The port is taken, and never listened on.
    refused = await asyncio.to_thread(command, site.data, "serve", "--host", "0.0.0.0", DATABASE_URL=database)
    assert refused.returncode == 1
    for words in ("nobody can sign in yet", "retinue users create", "--no-pages"):
        assert words in refused.stderr

    async def allowed(**values: object) -> bool:
        try:
            await _require_sign_in(Settings(data=tmp_path, **values), database)  # pyright: ignore
        except typer.Exit:
            return False
        return True

    assert not await allowed(host="0.0.0.0")
    assert not await allowed(host="::")
    assert await allowed(host="0.0.0.0", pages=False)
    assert await allowed(host="0.0.0.0", oidc_issuer="https://login.example", oidc_client_id="retinue")
    for host in ("127.0.0.2", "::1", "localhost"):
        assert await allowed(host=host)
    await retinue("users", "create", "bob@example.com", "--no-password")
    assert not await allowed(host="0.0.0.0")
    await retinue("users", "create", "ada@example.com", "--owner", typed=PASSWORD)
    assert await allowed(host="0.0.0.0")
