"""Asking a model's servers something short, each of them, to see whether they answer and how fast."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ..errors import ApiError, InvalidRequest, ModelError
from ..wire.configured_models import ModelTest, ModelTrial, TrialKind
from .chat import Json
from .embeddings import Embedders
from .listing import describe
from .models import Models, ServedModel
from .native import CHAT
from .route import Server

#: Seconds that a server has.
_PATIENCE = 60.0
#: Characters that are told of an answer, or of an error.
_TOLD = 300
#: What is asked where, and what is told of the answer.
_QUESTIONS: dict[TrialKind, tuple[str, Json, Callable[[Any], str]]] = {
    "chat": (
        CHAT,
        {"messages": [{"role": "user", "content": "Answer with the word OK."}]},
        lambda answer: str(answer["choices"][0]["message"].get("content") or ""),
    ),
    "embeddings": (
        "/embeddings",
        {"input": ["OK"]},
        lambda answer: str(len(answer["data"][0]["embedding"])),
    ),
    "reranking": (
        "/rerank",
        {"query": "OK", "documents": ["OK", "no"]},
        lambda answer: str(answer["results"][0]["relevance_score"]),
    ),
    "moderations": ("/moderations", {"input": "OK"}, lambda answer: str(answer["results"][0]["flagged"]).lower()),
}
#: A chat is kept this short; by a server that does not know the parameter, as short as it likes.
_MOST_TOKENS = 16
#: Statuses by which servers refuse parameters.
_REFUSED = (400, 422)


async def try_model(models: Models, embedders: Embedders, name: str, kind: TrialKind | None = None) -> ModelTest:
    """Ask every server of a model something short, all at once. How they fare counts for their health.

    Args:
        models: the table of names.
        embedders: the embedding models.
        name: a model, or an alias.
        kind: what to ask for; None: what the settings say that it does.

    Raises:
        ModelNotFound: there is no such model.
        InvalidRequest: the name is a pattern, or the model makes pictures, which takes long and costs.
    """
    if name.endswith("*"):
        raise InvalidRequest(f"'{name}' stands for many models. Test one that begins so.", param="model")
    model, does = models.resolve(name), _kind(models, name)
    if kind and kind != does and model.settings.backend != "openai":
        raise InvalidRequest(f"The model '{name}' can be tested for {does} only.", param="kind")
    kind = kind or does
    if model.settings.backend == "embedder":
        results = [await _timed(None, lambda: _embedded(embedders, name))]
    else:
        results = await asyncio.gather(*(_server(model, server, kind) for server in model.route.servers))
    return ModelTest(model=model.name, kind=kind, ok=all(one.ok for one in results), results=list(results))


def _kind(models: Models, name: str) -> TrialKind:
    capabilities = describe(models, name).retinue.capabilities
    for kind in _QUESTIONS:
        if kind in capabilities:
            return kind
    raise InvalidRequest("A model that makes pictures is not tested: it takes long, and may cost.", param="model")


async def _server(model: ServedModel, server: Server, kind: TrialKind) -> ModelTrial:
    path, body, told = _QUESTIONS[kind]

    async def ask() -> str:
        began = time.monotonic()
        try:
            answer = await _asked(server, model.name, path, body)
        except ModelError as error:
            server.noted(began, error)
            raise
        server.succeeded(began)
        try:
            return told(answer)
        except (LookupError, TypeError, AttributeError):
            raise ModelError("The model's server sent an answer of another shape than OpenAI's.") from None

    return await _timed(None if model.local else server.upstream.base_url, ask)


async def _asked(server: Server, model: str, path: str, body: Json) -> Json:
    if path != CHAT:
        return await server.upstream.post(model, path, body)
    try:
        return await server.upstream.post(model, path, {**body, "max_tokens": _MOST_TOKENS})
    except ModelError as error:
        if error.status not in _REFUSED:
            raise
    return await server.upstream.post(model, path, body)


async def _embedded(embedders: Embedders, name: str) -> str:
    embedded = await embedders.find(name).embed(["OK"], caller="", input_type="query")
    return str(embedded.vectors.shape[1])


async def _timed(base_url: str | None, ask: Callable[[], Awaitable[str]]) -> ModelTrial:
    began, answer, error = time.monotonic(), None, None
    try:
        async with asyncio.timeout(_PATIENCE):
            answer = await ask()
    except ApiError as failure:
        error = failure.message
    except TimeoutError:
        error = f"No answer within {_PATIENCE:.0f} seconds."
    took = round((time.monotonic() - began) * 1000)
    return ModelTrial(
        base_url=base_url,
        ok=error is None,
        latency_ms=took,
        answer=answer[:_TOLD] if answer is not None else None,
        error=error[:_TOLD] if error else None,
    )
