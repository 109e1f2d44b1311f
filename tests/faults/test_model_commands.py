"""`retinue models` and `retinue doctor`: several servers, other backends than chat, a browser."""

from __future__ import annotations

import asyncio
import shutil
import socket
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults.harness import retinue
from tests.proxy import listening
from tests.scripted import ScriptedUpstream


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def models(data: Path, *arguments: str) -> str:
    """What a `retinue models` command says, which must succeed."""
    ended = retinue(data, "models", *arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_model_on_several_servers(tmp_path: Path) -> None:
    urls = [f"http://127.0.0.1:{port}/v1" for port in (9, 10, 11)]
    models(tmp_path, "add", "m", "--base-url", urls[0], "--base-url", urls[1], "--fallback-url", urls[2])
    written = tomllib.loads((tmp_path / "retinue.toml").read_text())["models"]["m"]
    assert written["upstreams"] == [{"base_url": urls[0]}, {"base_url": urls[1]}, {"base_url": urls[2], "tier": 1}]
    shown = models(tmp_path, "list")
    for tier, url in zip((0, 0, 1), urls, strict=True):
        assert f"{url} (tier {tier}, weight 1)" in shown


def test_a_model_on_one_server(tmp_path: Path) -> None:
    models(tmp_path, "add", "m", "--base-url", "http://127.0.0.1:9/v1", "--default")
    written = tomllib.loads((tmp_path / "retinue.toml").read_text())
    assert written["models"]["m"] == {"backend": "openai", "base_url": "http://127.0.0.1:9/v1"}
    assert "m (default) " in models(tmp_path, "list")


def test_models_that_do_not_chat(tmp_path: Path) -> None:
    models(tmp_path, "add", "pictures", "--weights", "/nowhere", "--backend", "diffusion")
    lines = [line.split() for line in models(tmp_path, "list").splitlines()]
    assert ["pictures", "diffusion", "/nowhere"] in lines
    name = "universal-sentence-encoder-multilingual"
    assert [name, "(default-embedding)", "embedder", name, "8192"] in lines
    assert ["text-embedding-*", name] in lines
    assert ["dall-e-*", "nothing:", "default_image_model", "is", "not", "set"] in lines


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "needs a base_url"),
        (("--base-url", "model.test"), "a base_url is http:// or https://"),
        (("--weights", "x", "--backend", "embedder"), "backend `embedder` has weights"),
        (("--backend", "diffusion"), "backend `diffusion` needs weights"),
        (("--weights", "x", "--fallback-url", "http://127.0.0.1:9/v1"), "has upstreams"),
    ],
)
def test_what_is_no_model_is_not_added(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    ended = retinue(tmp_path, "models", "add", "m", *arguments)
    assert ended.returncode == 1
    assert named in ended.stderr
    assert not (tmp_path / "retinue.toml").exists()


async def test_doctor_asks_every_server(tmp_path: Path, upstream: ScriptedUpstream, closed_port: int) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        allowed = b"Bearer right" in head
        writer.write(b"HTTP/1.1 %d -\r\ncontent-length: 0\r\n\r\n" % (200 if allowed else 401))
        writer.close()

    async with listening(refuse) as port:
        locked, closed = (f"http://127.0.0.1:{number}/v1" for number in (port, closed_port))
        (tmp_path / "retinue.toml").write_text(
            'default_model = "m"\n'
            f'[models.m]\nupstreams = [{{base_url = "{upstream.base_url}"}}, {{base_url = "{closed}", tier = 1}}]\n'
            f'[models.wrong]\nbase_url = "{locked}"\napi_key = "wrong"\n'
            f'[models.right]\nbase_url = "{locked}"\napi_key = "right"\n'
            '[models.pictures]\nbackend = "diffusion"\nweights = "/nowhere"\n'
        )
        ended = await asyncio.to_thread(retinue, tmp_path, "doctor")
    # A server that is away now may be there later.
    assert ended.returncode == 0, ended.stderr
    assert f"✓ Default model: m at {upstream.base_url}, {closed}\n" in ended.stderr
    assert f"✓ Server of m: {upstream.base_url} (tier 0, weight 1): reachable\n" in ended.stderr
    assert f"! Server of m: {closed} (tier 1, weight 1): cannot be reached" in ended.stderr
    assert f"! Server of wrong: {locked} (tier 0, weight 1): refuses the key (status 401)\n" in ended.stderr
    assert f"✓ Server of right: {locked} (tier 0, weight 1): reachable\n" in ended.stderr
    assert "! Weights of pictures: /nowhere\n" in ended.stderr
    assert upstream.requests == []


def test_doctor_tries_the_browser(tmp_path: Path) -> None:
    missing = retinue(tmp_path, "doctor", RETINUE_BROWSE_CHROMIUM="/nowhere/chromium")
    assert "! Browser for pages that need one: the page needs a browser" in missing.stderr
    assert "pip install 'retinue[browser]'" in missing.stderr
    if (chromium := shutil.which("chromium")) and find_spec("playwright"):
        there = retinue(tmp_path, "doctor", RETINUE_BROWSE_CHROMIUM=chromium)
        assert f"✓ Browser for pages that need one: {chromium} renders pages" in there.stderr


def test_doctor_knows_which_models_write_text(tmp_path: Path) -> None:
    ended = retinue(tmp_path, "doctor", RETINUE_DEFAULT_MODEL="universal-sentence-encoder-multilingual")
    assert ended.returncode == 1
    assert "does not write text" in ended.stderr
