"""The table of model names: which name is served by what."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from ..errors import ModelNotFound
from ..model_settings import ModelSettings
from ..settings import Settings, config_file
from . import servers
from .chat import ChatBackend
from .local.catalogue import weights_path
from .local.process import LocalModel, State
from .native import NativeChat
from .prompted import PromptedTools
from .route import Route

log = structlog.get_logger(__name__)

#: How many aliases may lead to each other.
_LONGEST_CHAIN = 8
#: Seconds between two looks at whether the settings file has changed.
_LOOK_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a name resolves to."""

    #: The name of the model that answers: the one asked for, or the one its alias leads to.
    name: str
    #: How it is configured.
    settings: ModelSettings
    #: The way to its servers; without any for the local backends that are no servers.
    route: Route
    #: Answers chat requests, calls of tools included.
    backend: ChatBackend
    #: Whether `backend` leads it to calls of tools by prompts.
    prompted: bool
    #: For `local`: the way to what llama.cpp serves beyond OpenAI's API, its tokenizer among it.
    llama: Route | None = None
    #: For `local`: changes when something changes that answers depend on. Remote servers tell theirs themselves.
    fingerprint: str | None = None

    @property
    def local(self) -> bool:
        """Whether it runs here, in llama.cpp."""
        return self.settings.backend == "local"

    @property
    def context_length(self) -> int:
        """Tokens that prompt and answer may fill together."""
        return self.settings.context_length

    @property
    def vision(self) -> bool:
        """Whether it sees images."""
        given = self.settings.vision
        return self.settings.backend == "openai" if given is None else given


class Models:
    """Finds the backend of a name. Follows changes of the settings file, so that `retinue models add` works at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = config_file(settings.data)
        self._stamp = self._file_stamp()
        self._looked = time.monotonic()
        self._served: dict[str, ServedModel] = {}
        #: By configured name or pattern: all names that fit a pattern share its servers with their slots.
        self._ways: dict[str, _Ways] = {}
        #: Ways by earlier settings, on which calls may still be.
        self._old_ways: list[_Ways] = []
        self._processes: dict[Path, LocalModel] = {}

    async def start(self) -> None:
        """Begin to load the default model, if it is a local one whose weights are there."""
        try:
            model = self.resolve("default")
        except ModelNotFound:
            log.warning("the default model is not configured", model=self._settings.default_model)
            return
        if model.local:
            await self._process(model.name, model.settings).start()

    async def close(self) -> None:
        """End the local models and close all connections."""
        for process in self._processes.values():
            await process.stop()
        for ways in (*self._ways.values(), *self._old_ways):
            await ways.close()

    @property
    def settings(self) -> Settings:
        """The settings, with what the file says of models by now."""
        self._follow_file()
        return self._settings

    def follow(self) -> None:
        """Look now at whether the settings file has changed: it has been."""
        self._looked = -math.inf
        self._follow_file()

    def state(self, name: str) -> State:
        """How the process of a local model fares."""
        model = self.settings.all_models()[name]
        process = self._processes.get(weights_path(model.weights or name, self._settings.models_folder))
        return process.state if process else "stopped"

    def names(self) -> list[str]:
        """The names of all models that are configured one by one, sorted."""
        self._follow_file()
        return sorted(name for name in self._settings.all_models() if "*" not in name)

    def aliases(self, name: str) -> list[str]:
        """All further names that lead to a model, sorted; one that ends in `*` stands for many."""
        self._follow_file()
        names = {*self._settings.defaults(), *self._settings.all_aliases()} - {name}
        return sorted(alias for alias in names if self._leads(alias, name))

    def knows(self, name: str) -> bool:
        """Whether a name leads to a model."""
        try:
            self.resolve(name)
        except ModelNotFound:
            return False
        return True

    def _leads(self, alias: str, name: str) -> bool:
        if alias.endswith("*") and _longest_match(self._settings.all_models(), alias[:-1]):
            return False  # a model's pattern comes before an alias
        return self.knows(alias) and self.resolve(alias).name == name

    def resolve(self, name: str) -> ServedModel:
        """What serves `name`.

        An exact name comes before an alias, and a pattern's longest match before a shorter one.

        Raises:
            ModelNotFound: nothing does.
        """
        self._follow_file()
        if (served := self._served.get(name)) is not None:
            return served
        models, aliases = self._settings.all_models(), self._settings.all_aliases()
        asked, defaults = name, self._settings.defaults()
        for _ in range(_LONGEST_CHAIN):
            name = defaults.get(name) or name
            if name in models:
                return self._serve(asked, name, name, models[name])
            if name in aliases:
                name = aliases[name]
            elif pattern := _longest_match(models, name):
                return self._serve(asked, name, pattern, models[pattern])
            elif pattern := _longest_match(aliases, name):
                name = aliases[pattern]
            else:
                break
        raise ModelNotFound(asked)

    def _serve(self, asked: str, name: str, key: str, model: ModelSettings) -> ServedModel:
        served = self._served.get(name) or self._made(name, self._way(key, model))
        # Patterns serve any number of names, but the table has an end.
        if len(self._served) < 10_000:
            self._served[name] = self._served[asked] = served
        return served

    def _way(self, key: str, model: ModelSettings) -> _Ways:
        """The ways to a model that is configured under a name or pattern."""
        known = self._ways.get(key)
        if known and known.settings == model:
            return known
        if known:
            self._old_ways.append(known)
        if model.backend == "local":
            process = self._process(key, model)
            route, llama = (servers.local(key, model, process, self._settings, root) for root in ("/v1", ""))
            self._ways[key] = _Ways(model, route, llama)
        else:
            self._ways[key] = _Ways(model, servers.remote(key, model, self._settings))
        return self._ways[key]

    def _made(self, name: str, ways: _Ways) -> ServedModel:
        model = ways.settings
        local = model.backend == "local"
        route, llama = ways.route.named(name), ways.llama
        fingerprint = self._fingerprint(name, model) if local else None
        backend: ChatBackend = NativeChat(route)
        prompted = (model.tools or ("prompted" if local else "native")) == "prompted"
        if prompted:
            backend = PromptedTools(backend, grammar=local if model.grammar is None else model.grammar)
        return ServedModel(name, model, route, backend, prompted, llama, fingerprint)

    def _fingerprint(self, name: str, model: ModelSettings) -> str:
        weights = weights_path(model.weights or name, self._settings.models_folder)
        size = weights.stat().st_size if weights.exists() else 0
        parts = (version("xllamacpp"), version("retinue"), weights.name, size, model.context_length)
        return "fp_" + hashlib.sha256(repr(parts).encode()).hexdigest()[:10]

    def _process(self, name: str, model: ModelSettings) -> LocalModel:
        weights = weights_path(model.weights or name, self._settings.models_folder)
        if weights not in self._processes:
            self._processes[weights] = LocalModel(
                name,
                weights,
                context_length=model.context_length,
                slots=self._settings.local_slots,
                threads=self._settings.local_threads,
            )
        return self._processes[weights]

    def _follow_file(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        stamp = self._file_stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            fresh = Settings(data=self._settings.data)
        except (ValidationError, ValueError) as error:
            log.error("the settings file is not valid; the models stay as they were", error=str(error))
            return
        update: dict[str, Any] = {
            "models": fresh.models,
            "aliases": fresh.aliases,
            "default_model": fresh.default_model,
            "default_embedding_model": fresh.default_embedding_model,
            "default_reranker": fresh.default_reranker,
            "default_moderation_model": fresh.default_moderation_model,
            "default_image_model": fresh.default_image_model,
            "openai_aliases": fresh.openai_aliases,
        }
        self._settings = self._settings.model_copy(update=update)
        self._served.clear()
        log.info("models read again", models=sorted(fresh.models))

    def _file_stamp(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


@dataclass(frozen=True, slots=True)
class _Ways:
    """How to reach what is configured under one name."""

    settings: ModelSettings
    route: Route
    #: See `ServedModel.llama`.
    llama: Route | None = None

    async def close(self) -> None:
        await self.route.close()
        if self.llama:
            await self.llama.close()


def _longest_match(table: Iterable[str], name: str) -> str | None:
    """The longest pattern (a beginning and `*`) that `name` fits."""
    fitting = [key for key in table if key.endswith("*") and name.startswith(key[:-1])]
    return max(fitting, key=len, default=None)
