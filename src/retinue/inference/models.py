"""The table of model names: which name is served by what."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import structlog
from pydantic import ValidationError

from ..errors import ModelError, ModelNotFound
from ..settings import ModelSettings, Settings, config_file
from .chat import ChatBackend, ChatEvent, ChatRequest
from .local.catalogue import weights_path
from .local.process import LocalModel
from .prompted import PromptedTools
from .upstream import Upstream

log = structlog.get_logger(__name__)

#: How many aliases may lead to each other.
_LONGEST_CHAIN = 8
#: Seconds between two looks at whether the settings file has changed.
_LOOK_EVERY = 1.0

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What a name resolves to."""

    #: The name of the model that answers: the one asked for, or the one its alias leads to.
    name: str
    backend: ChatBackend
    #: Tokens that prompt and answer may fill together.
    context_length: int
    #: Whether it sees images.
    vision: bool


class Models:
    """Finds the backend of a name. Follows changes of the settings file, so that `retinue models add` works at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._file = config_file(settings.data)
        self._stamp = self._file_stamp()
        self._looked = time.monotonic()
        self._served: dict[str, ServedModel] = {}
        self._upstreams: list[Upstream] = []
        self._processes: dict[Path, LocalModel] = {}
        self._local_backends: dict[str, LocalBackend] = {}

    async def start(self) -> None:
        """Begin to load the default model, if it is a local one whose weights are there."""
        try:
            name = self.resolve("default").name
        except ModelNotFound:
            log.warning("the default model is not configured", model=self._settings.default_model)
            return
        if (local := self._local_backends.get(name)) is not None:
            await local.prepare()

    async def close(self) -> None:
        """End the local models and close all connections."""
        for process in self._processes.values():
            await process.stop()
        for upstream in self._upstreams:
            await upstream.close()

    def names(self) -> list[str]:
        """The names of all models that are configured one by one, sorted."""
        self._follow_file()
        return sorted(name for name in self._settings.all_models() if "*" not in name)

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
        asked = name
        for _ in range(_LONGEST_CHAIN):
            if name == "default":
                name = self._settings.default_model
            if name in models:
                return self._serve(asked, name, models[name])
            if name in aliases:
                name = aliases[name]
            elif (model := _longest_match(models, name)) is not None:
                return self._serve(asked, name, model)
            elif (alias := _longest_match(aliases, name)) is not None:
                name = alias
            else:
                break
        raise ModelNotFound(asked)

    def _serve(self, asked: str, name: str, model: ModelSettings) -> ServedModel:
        sees = model.backend == "openai" if model.vision is None else model.vision
        served = self._served.get(name) or ServedModel(name, self._backend(name, model), model.context_length, sees)
        # Patterns serve any number of names; their backends hold no connection until used, but the table has an end.
        if len(self._served) < 10_000:
            self._served[name] = self._served[asked] = served
        return served

    def _backend(self, name: str, model: ModelSettings) -> ChatBackend:
        local = model.backend == "local"
        backend: ChatBackend = self._local_backend(name, model) if local else self._remote(name, model)
        if (model.tools or ("prompted" if local else "native")) == "native":
            return backend
        return PromptedTools(backend, grammar=local if model.grammar is None else model.grammar)

    def _remote(self, name: str, model: ModelSettings) -> Upstream:
        upstream = Upstream(
            model.served_name or name,
            model.base_url or "",
            api_key=model.api_key.get_secret_value() if model.api_key else None,
            connect_timeout=model.connect_timeout,
            read_timeout=model.read_timeout,
            retries=model.retries,
            concurrency=model.max_concurrency or 256,
        )
        self._upstreams.append(upstream)
        return upstream

    def _local_backend(self, name: str, model: ModelSettings) -> LocalBackend:
        weights = weights_path(model.weights or name, self._settings.models_folder)
        process = self._processes.get(weights)
        if process is None:
            process = self._processes[weights] = LocalModel(
                name,
                weights,
                context_length=model.context_length,
                slots=self._settings.local_slots,
                threads=self._settings.local_threads,
            )
        upstream = Upstream(
            name,
            "http://local/v1",
            api_key=process.api_key,
            # llama.cpp's server closes every connection after its answer.
            connector=lambda: aiohttp.UnixConnector(str(process.socket_path), limit=0, force_close=True),
            read_timeout=model.read_timeout,
            retries=model.retries,
            concurrency=model.max_concurrency or self._settings.local_slots,
            # Reports while it reads the prompt: otherwise it notices a hang-up only when it has read all of it.
            extra={"return_progress": True},
        )
        self._upstreams.append(upstream)
        backend = self._local_backends[name] = LocalBackend(process, upstream, wait=self._settings.local_load_wait)
        return backend

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
        }
        update["openai_aliases"] = fresh.openai_aliases
        self._settings = self._settings.model_copy(update=update)
        self._served.clear()
        log.info("models read again", models=sorted(fresh.models))

    def _file_stamp(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size


class LocalBackend:
    """A local model: starts its process on first use, and waits for it to be loaded. A `ChatBackend`."""

    def __init__(self, process: LocalModel, upstream: Upstream, *, wait: float) -> None:
        """`wait`: seconds that a call waits for the model to be loaded."""
        self._process = process
        self._upstream = upstream
        self._wait = wait

    async def prepare(self) -> None:
        """Begin to load the model, if that has not begun; where it has failed, try again."""
        await self._process.start()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See `ChatBackend.stream`."""
        await self.prepare()
        if self._process.state == "loading":
            await self._process.wait_ready(self._wait)
        if self._process.state == "failed":
            raise ModelError(f"The local model could not be started: {self._process.reason}")
        if self._process.state != "ready":
            raise ModelError("The local model is still being loaded. Please try again.", retriable=True, retry_after=2)
        async with aclosing(self._upstream.stream(request)) as answer:
            async for event in answer:
                yield event


def _longest_match(table: Mapping[str, V], name: str) -> V | None:
    """The value of the longest pattern (a beginning and `*`) that `name` fits."""
    fitting = [key for key in table if key.endswith("*") and name.startswith(key[:-1])]
    return table[max(fitting, key=len)] if fitting else None
