"""`retinue models`"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Column, Table

from ..inference.upstream_keys import sealed
from ..model_settings import ModelSettings
from ..settings import config_file
from ..settings_file import put_model, remove_model
from .common import DataOption, console, fail, load_settings, output
from .weights import fetch_weights

app = typer.Typer(help="Models: which names there are, and what serves them.", no_args_is_help=True)

#: What an alias leads to when the setting that it stands for is not set.
_NOWHERE = {
    "default-moderation": "the default model, which is asked to judge",
    "default-reranker": "nothing: default_reranker is not set",
    "default-image": "nothing: default_image_model is not set",
}

Name = Annotated[str, typer.Argument(help="The name that requests carry. May end in `*`.")]


@app.command("list")
def list_models(data: DataOption = None) -> None:
    """List the models and aliases."""
    settings = load_settings(data=data)
    table = Table(Column("name", no_wrap=True), "backend", "served by", "context", "tool calls", box=None)
    defaults = settings.defaults()
    marks = {target: f" ({kind})" for kind, target in defaults.items()}
    for name, model in settings.all_models().items():
        first, *others = _served_by(model)
        chats = model.backend in ("local", "openai")
        tools = model.tools or ("prompted" if model.backend == "local" else "native")
        context = str(model.context_length) if model.backend != "diffusion" else ""
        table.add_row(name + marks.get(name, ""), model.backend, first, context, tools if chats else "")
        for other in others:
            table.add_row("", "", other, "", "")
    output.print(table)
    aliases = Table(Column("alias", no_wrap=True), "leads to", box=None)
    for name, target in settings.all_aliases().items():
        aliases.add_row(name, defaults.get(target, target) or _NOWHERE[target])
    output.print()
    output.print(aliases)


def _served_by(model: ModelSettings) -> list[str]:
    """The weights, or the servers in the order in which they are called, with what tells them apart."""
    if model.backend != "openai":
        return [str(model.weights)]
    servers = sorted(model.servers(), key=lambda server: server.tier)
    if len(servers) == 1:
        return [str(servers[0].base_url)]
    return [f"{server.base_url} (tier {server.tier}, weight {server.weight:g})" for server in servers]


@app.command()
def add(
    name: Name,
    base_url: Annotated[
        list[str] | None,
        typer.Option(help="An OpenAI-compatible server's URL, ending in /v1. May be repeated: they share the calls."),
    ] = None,
    fallback_url: Annotated[
        list[str] | None, typer.Option(help="The URL of a server to call when none of the others can answer.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="A GGUF file, a name of the catalogue, or the folder of an image model.")
    ] = None,
    backend: Annotated[
        str | None, typer.Option(help="With --weights: `local`, `embedder` or `diffusion`. Default: `local`.")
    ] = None,
    api_key: Annotated[str | None, typer.Option(envvar="RETINUE_UPSTREAM_KEY", help="The key to send.")] = None,
    served_name: Annotated[str | None, typer.Option(help="The name to send, if it is another.")] = None,
    context_length: Annotated[int | None, typer.Option(help="Tokens of prompt and answer together.")] = None,
    tools: Annotated[str | None, typer.Option(help="`native` or `prompted` tool calls.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Make it the default model.")] = False,
    data: DataOption = None,
) -> None:
    """Add a model, or replace one of the same name. A running server takes it up within a second."""
    settings = load_settings(data=data)
    values: dict[str, Any] = {
        "backend": backend or ("local" if weights else "openai"),
        **_servers(base_url or [], fallback_url or []),
        "weights": weights,
        "api_key": api_key,
        "served_name": served_name,
        "context_length": context_length,
        "tools": tools,
    }
    values = {key: value for key, value in values.items() if value is not None}
    try:
        ModelSettings.model_validate(values)
    except ValidationError as error:
        fail("; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors()))
    with _told():
        seal = partial(sealed, settings=settings)
        put_model(settings, name, lambda _: values, ["default"] if default else [], seal=seal)
    console.print(f"{name} is added to {config_file(settings.data)}.")


def _servers(base_urls: list[str], fallback_urls: list[str]) -> dict[str, Any]:
    """The settings of a model with these servers."""
    if len(base_urls) == 1 and not fallback_urls:
        return {"base_url": base_urls[0]}
    upstreams = [{"base_url": url} for url in base_urls] + [{"base_url": url, "tier": 1} for url in fallback_urls]
    return {"upstreams": upstreams or None}


@app.command()
def remove(name: Name, data: DataOption = None) -> None:
    """Remove a model that `add` has added."""
    settings = load_settings(data=data)
    with _told():
        removed = remove_model(settings, name)
    if not removed:
        fail(f"{config_file(settings.data)} has no model {name}. `retinue models list` shows all.")
    console.print(f"{name} is removed.")


@app.command()
def fetch(name: Name, data: DataOption = None) -> None:
    """Fetch the weights of a local model now."""
    settings = load_settings(data=data)
    model = settings.all_models().get(name)
    if model is None or model.backend != "local":
        fail(f"{name} is not a local model. `retinue models list` shows all.")
    path = fetch_weights(settings, model.weights or name)
    console.print(f"The weights are in {path}.")


@contextmanager
def _told() -> Generator[None]:
    """Ends with a clear message if the settings file cannot be changed."""
    try:
        yield
    except (ValueError, OSError) as error:
        fail(f"the settings file was not changed: {error}")
