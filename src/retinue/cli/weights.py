"""Fetching weights before a server starts, with a progress bar."""

from __future__ import annotations

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ..inference.local.catalogue import CATALOGUE, weights_path
from ..inference.local.fetch import FetchError, fetch
from ..settings import Settings
from .common import console, fail


def fetch_default(settings: Settings) -> None:
    """Fetch the default model's weights if it is a local one of the catalogue and they are not there."""
    model = settings.all_models().get(settings.default_model)
    if model is not None and model.backend == "local" and model.weights:
        fetch_weights(settings, model.weights)


def fetch_weights(settings: Settings, weights: str) -> Path:
    """The file with these weights, fetched if need be; ends with a clear message if they cannot be had.

    Args:
        settings: where to keep them, and where from.
        weights: a name of the catalogue, or the path of a GGUF file.
    """
    entry = CATALOGUE.get(weights)
    if entry is None:
        path = weights_path(weights, settings.models_folder)
        if not path.is_file():
            fail(f"there is no file {path}. Name a GGUF file, or one of the catalogue: {', '.join(CATALOGUE)}.")
        return path
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    try:
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(f"Fetching {entry.name}", total=entry.size, visible=False)

            def show(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total, visible=True)

            return fetch(entry, settings.models_folder, settings.model_source, show)
    except FetchError as error:
        fail(str(error))
