"""`retinue models`"""

from __future__ import annotations

from typing import Annotated, Any

import tomlkit
import typer
from pydantic import ValidationError
from rich.table import Column, Table
from tomlkit import TOMLDocument

from ..settings import ModelSettings, Settings, config_file
from .common import DataOption, console, fail, load_settings, output, write_private
from .weights import fetch_weights

app = typer.Typer(help="Models: which names there are, and what serves them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The name that requests carry. May end in `*`.")]


@app.command("list")
def list_models(data: DataOption = None) -> None:
    """List the models and aliases."""
    settings = load_settings(data=data)
    table = Table(Column("name", no_wrap=True), "backend", "served by", "context", "tool calls", box=None)
    for name, model in settings.all_models().items():
        local = model.backend == "local"
        tools = model.tools or ("prompted" if local else "native")
        mark = " (default)" if name == settings.default_model else ""
        table.add_row(
            name + mark,
            model.backend,
            str(model.weights if local else model.base_url),
            str(model.context_length),
            tools,
        )
    output.print(table)
    aliases = Table(Column("alias", no_wrap=True), "leads to", box=None)
    for name, target in settings.all_aliases().items():
        aliases.add_row(name, settings.default_model if target == "default" else target)
    output.print()
    output.print(aliases)


@app.command()
def add(
    name: Name,
    base_url: Annotated[str | None, typer.Option(help="An OpenAI-compatible server's URL, ending in /v1.")] = None,
    weights: Annotated[str | None, typer.Option(help="A GGUF file, or a name of the catalogue.")] = None,
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
        "backend": "local" if weights else "openai",
        "base_url": base_url,
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
    document = _read(settings)
    document.setdefault("models", tomlkit.table())[name] = values
    if default:
        document["default_model"] = name
    _write(settings, document)
    console.print(f"{name} is added to {config_file(settings.data)}.")


@app.command()
def remove(name: Name, data: DataOption = None) -> None:
    """Remove a model that `add` has added."""
    settings = load_settings(data=data)
    document = _read(settings)
    if name not in document.get("models", {}):
        fail(f"{config_file(settings.data)} has no model {name}. `retinue models list` shows all.")
    del document["models"][name]
    if document.get("default_model") == name:
        del document["default_model"]
    _write(settings, document)
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


def _read(settings: Settings) -> TOMLDocument:
    try:
        return tomlkit.parse(config_file(settings.data).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()


def _write(settings: Settings, document: TOMLDocument) -> None:
    write_private(config_file(settings.data), tomlkit.dumps(document))
