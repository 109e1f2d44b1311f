"""Models as administrators see and change them: what is configured, where, and how its servers fare."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from pydantic import ValidationError

from ..errors import InvalidRequest, NotFound, Unavailable
from ..model_settings import BUILT_IN_MODELS, EMBEDDING_WEIGHTS, ModelSettings
from ..settings import Settings
from ..settings_file import TooManyModels, models_in_file, put_model, remove_model
from ..wire.configured_models import ConfiguredModel, ModelPut, ModelServer, Role
from .local.catalogue import CATALOGUE
from .models import Models
from .route import Server
from .upstream_keys import sealed

#: What a request says beside the model's settings.
_BESIDE = {"name", "default_for"}


def configured(models: Models) -> list[ConfiguredModel]:
    """All models, patterns too, sorted by name.

    Raises:
        Unavailable: the settings file cannot be read.
    """
    in_file = _in_file(models.settings)
    return [_shown(models, name, in_file) for name in sorted(models.settings.all_models())]


def one(models: Models, name: str) -> ConfiguredModel:
    """A model by its name, or by its pattern.

    Raises:
        NotFound: nothing is configured under this name.
        Unavailable: the settings file cannot be read.
    """
    if name not in models.settings.all_models():
        raise _missing(name)
    return _shown(models, name, _in_file(models.settings))


def put(settings: Settings, asked: ModelPut) -> bool:
    """Add a model to the settings file, or change it there. Servers take it up within a second.

    Blocks while the file is written.

    Returns:
        Whether it is new there.

    Raises:
        InvalidRequest: these are no settings of a model.
        Unavailable: the settings file cannot be read or written.
    """
    sent = asked.model_dump(exclude_unset=True, exclude=_BESIDE)
    _check_weights(asked)
    if sent.get("base_url") and sent.get("upstreams"):
        raise InvalidRequest("Name either 'base_url' or 'upstreams', not both.", param="upstreams")
    try:
        return put_model(
            settings,
            asked.name,
            lambda known: _revised(known, sent),
            asked.default_for,
            seal=partial(sealed, settings=settings),
        )
    except ValidationError as error:
        first = error.errors()[0]
        said = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidRequest(f"Invalid model: {said}.", param=".".join(map(str, first["loc"])) or None) from None
    except TooManyModels as error:
        raise InvalidRequest(f"The model cannot be added: {error}.", param="name") from None
    except (OSError, ValueError) as error:
        raise _unwritable(error) from None


def remove(settings: Settings, name: str) -> None:
    """Take a model out of the settings file. Blocks while that is written.

    Raises:
        NotFound: nothing is configured under this name.
        InvalidRequest: it does not stand in the settings file.
        Unavailable: that cannot be read or written.
    """
    if name not in settings.all_models():
        raise _missing(name)
    try:
        removed = remove_model(settings, name)
    except (OSError, ValueError) as error:
        raise _unwritable(error) from None
    if not removed:
        where = "comes with Retinue" if name in BUILT_IN_MODELS else "is configured in the server's environment"
        raise InvalidRequest(f"The model '{name}' {where} and cannot be removed here.", param="model")


def _missing(name: str) -> NotFound:
    return NotFound(f"No model is configured as '{name}'. GET /v1/organization/models lists those that are.")


def _in_file(settings: Settings) -> Mapping[str, Any]:
    try:
        return models_in_file(settings)
    except (OSError, ValueError) as error:
        raise _unwritable(error) from None


def _unwritable(error: Exception) -> Unavailable:
    said = error.strerror if isinstance(error, OSError) else str(error)
    return Unavailable(f"The server's settings file cannot be used: {said}. Mend it there.", retry_after=None)


def _check_weights(asked: ModelPut) -> None:
    """Paths on the server are for those who have an account there, by `retinue models add`."""
    known = {"local": tuple(CATALOGUE), "embedder": EMBEDDING_WEIGHTS}.get(asked.backend or "", ())
    if asked.weights is not None and asked.weights not in known:
        raise InvalidRequest(
            f"Invalid 'weights': with the backend `local` one of {', '.join(CATALOGUE)}; with `embedder` one of "
            f"{', '.join(EMBEDDING_WEIGHTS)}. `retinue models add` takes paths of other weights.",
            param="weights",
        )


def _revised(known: Mapping[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with what was sent; a key goes to no address that it was not given for."""
    keys = _keys(known)
    values = {name: value for name, value in {**known, **sent}.items() if value is not None}
    if sent.get("upstreams") is not None:
        values.pop("base_url", None)
        before = {one["base_url"]: one for one in known.get("upstreams", []) if one.get("base_url")}
        values["upstreams"] = [
            {k: v for k, v in {**before.get(one["base_url"], {}), **one}.items() if v is not None}
            for one in sent["upstreams"]
        ]
    elif sent.get("base_url") is not None:
        values.pop("upstreams", None)
    upstreams = values.get("upstreams") or []
    if "api_key" not in sent and not upstreams and (key := keys.get(values.get("base_url"))):
        values["api_key"] = key
    addresses = {one.get("base_url") for one in upstreams} or {values.get("base_url")}
    if "api_key" not in sent and addresses - keys.keys():
        values.pop("api_key", None)
        for one in upstreams:
            if "api_key" not in one and (key := keys.get(one.get("base_url"))):
                one["api_key"] = key
    return values


def _keys(known: Mapping[str, Any]) -> dict[str | None, str | None]:
    """The keys that are known, by address."""
    own = known.get("api_key")
    upstreams = known.get("upstreams") or ([known] if known else [])
    return {one.get("base_url", known.get("base_url")): one.get("api_key", own) for one in upstreams}


def _shown(models: Models, name: str, in_file: Mapping[str, Any]) -> ConfiguredModel:
    settings = models.settings
    model = settings.all_models()[name]
    source = "file" if name in in_file else "environment" if name in settings.models else "built_in"
    roles: list[Role] = [kind for kind in _ROLES if settings.defaults()[kind] == name]
    served = models.resolve(name)
    return ConfiguredModel(
        id=name,
        backend=model.backend,
        source=source,
        default_for=roles,
        aliases=[alias for alias in models.aliases(name) if alias not in roles],
        servers=_servers(model, served.route.servers) if model.backend == "openai" else [],
        weights=model.weights if model.backend != "openai" else None,
        state=models.state(name) if model.backend == "local" else None,
        served_name=model.served_name,
        context_length=model.context_length,
        tools=model.tools or ("prompted" if model.backend == "local" else "native"),
        vision=served.vision,
        input_price=float(model.input_price),
        cached_input_price=None if model.cached_input_price is None else float(model.cached_input_price),
        output_price=float(model.output_price),
    )


_ROLES: tuple[Role, ...] = ("default", "default-embedding", "default-reranker", "default-moderation", "default-image")


def _servers(model: ModelSettings, servers: Any) -> list[ModelServer]:
    ahead = time.time() - time.monotonic()
    return [
        ModelServer(
            base_url=settings.base_url or "",
            served_name=settings.served_name,
            weight=settings.weight,
            tier=settings.tier,
            has_api_key=settings.api_key is not None,
            health=_health(server),
            failures=server.failures,
            failed_at=round(ahead + server.failed_at) if server.failures else None,
            rests_until=round(ahead + server.rests_until) if _health(server) == "resting" else None,
        )
        for settings, server in zip(model.servers(), servers, strict=False)
    ]


def _health(server: Server) -> Any:
    if not server.failures:
        return "well"
    return "resting" if server.rests_until > time.monotonic() else "failing"
