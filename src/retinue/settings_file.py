"""The settings file, as the command line and the API change it: models come and go, and all else stays as it stands."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit import TOMLDocument

from .model_settings import ModelSettings
from .settings import Settings, config_file

#: The settings that name a model, by what leads to it.
DEFAULT_SETTINGS = {
    "default": "default_model",
    "default-embedding": "default_embedding_model",
    "default-reranker": "default_reranker",
    "default-moderation": "default_moderation_model",
    "default-image": "default_image_model",
}
#: Most models in the file.
MOST_MODELS = 1000


class TooManyModels(ValueError):
    """The file has all the models that it may have."""


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def models_in_file(settings: Settings) -> dict[str, dict[str, Any]]:
    """The models that the settings file has, with their settings as they stand there.

    Raises:
        ValueError: the file is no TOML.
    """
    return _read(config_file(settings.data)).unwrap().get("models", {})


def names_in_file(settings: Settings) -> set[str]:
    """The names of all settings that the file gives.

    Raises:
        ValueError: the file is no TOML.
    """
    return set(_read(config_file(settings.data)))


def put_model(
    settings: Settings,
    name: str,
    revise: Callable[[Mapping[str, Any]], dict[str, Any]],
    default_for: Sequence[str] = (),
    *,
    seal: Callable[[dict[str, Any]], dict[str, Any]],
) -> bool:
    """Add a model to the settings file, or change it there.

    Args:
        settings: those in force; they say where the file is.
        name: what requests carry.
        revise: from what stands there (nothing, for a new one) to what shall.
        default_for: keys of `DEFAULT_SETTINGS`.
        seal: encrypts the secrets among its settings.

    Returns:
        Whether the file did not have it.

    Raises:
        pydantic.ValidationError: these are no settings of a model.
        TooManyModels: it is one too many.
        ValueError: the file is no TOML.
        OSError: it cannot be written.
    """
    with _changing(settings) as document:
        models = document.setdefault("models", tomlkit.table())
        known = models.get(name)
        if known is None and len(models) >= MOST_MODELS:
            raise TooManyModels(f"the settings file has {MOST_MODELS} models, which is the most")
        values = revise(known.unwrap() if known is not None else {})
        ModelSettings.model_validate(values)
        models[name] = seal(values)
        for kind in default_for:
            document[DEFAULT_SETTINGS[kind]] = name
    return known is None


def remove_model(settings: Settings, name: str) -> bool:
    """Take a model out of the settings file, and let no default lead to it. Returns whether it was there.

    Raises:
        ValueError: the file is no TOML.
        OSError: it cannot be written.
    """
    with _changing(settings) as document:
        if name not in document.get("models", {}):
            return False
        del document["models"][name]
        for setting in DEFAULT_SETTINGS.values():
            if document.get(setting) == name:
                del document[setting]
    return True


@contextmanager
def _changing(settings: Settings) -> Generator[TOMLDocument]:
    """The file's content, to be changed; written unless that fails. Only one program at a time changes it."""
    path = config_file(settings.data)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        document = _read(path)
        before = tomlkit.dumps(document)
        yield document
        if (text := tomlkit.dumps(document)) != before:
            write_private(path, text)
    finally:
        os.close(folder)


def _read(path: Path) -> TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
