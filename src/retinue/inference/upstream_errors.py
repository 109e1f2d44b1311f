"""What goes wrong at a model's server, in our words: may it be tried again, and what does a run end with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
import orjson

from ..errors import ContextOverflow, ModelError
from .chat import Json

#: Statuses after which the same request may succeed.
_RETRIABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})

#: Seconds: the longest that a server may ask to wait.
_DAY = 86_400.0

#: How servers say that the prompt is too long: OpenAI, llama.cpp, vLLM, others.
_OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error"})
_OVERFLOW_WORDS = ("context length", "context size", "context window", "maximum context", "too many tokens")


def from_response(status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """The error for an answer that is not 200.

    Args:
        status: the HTTP status.
        headers: the answer's headers; `retry-after` and `retry-after-ms` are heeded.
        body: the answer's beginning.
    """
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    error = _read(parsed)
    message = error.message or body[:200].decode("utf-8", "replace").strip() or f"status {status}"
    if status == 400 and _is_overflow(message, error.code):
        return ContextOverflow(f"The prompt does not fit into the model's context: {message}")
    refused, run_code = f"The model's server answered with status {status}", "server_error"
    if status == 429:
        refused, run_code = "The model's server is over its rate limit", "rate_limit_exceeded"
    elif status in (401, 403):
        refused = "The model's server refused Retinue's key"
    elif status == 407:
        # Of no concern to the client, whose own proxy would be meant.
        refused = "The proxy on the way to the model's server refused Retinue"
    elif status in (400, 404, 413, 422):
        refused, run_code = "The model's server refused the request", "invalid_prompt"
    return ModelError(
        f"{refused}: {message}",
        status=status if 400 <= status <= 599 and status != 407 else 502,
        type=error.type,
        param=error.param,
        code=error.code or ("rate_limit_exceeded" if status == 429 else None),
        retriable=status in _RETRIABLE,
        run_code=run_code,
        retry_after=_pause(headers),
    )


def from_body(body: Json) -> ModelError:
    """The error for an answer, or a chunk of one, that carries an error in a 200."""
    error = _read(body)
    if _is_overflow(error.message, error.code):
        return ContextOverflow(f"The prompt does not fit into the model's context: {error.message}")
    return ModelError(f"The model's server broke off: {error.message or 'no reason given'}", retriable=True)


def from_connection(error: Exception) -> ModelError:
    """The error for a connection that could not be made, fell silent or broke."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return ModelError(
            f"The proxy on the way to the model's server answered with status {error.status}.", retriable=True
        )
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return ModelError("The model's server cannot be reached.", retriable=True)
    if isinstance(error, asyncio.TimeoutError):
        # Not tried again: the server may still be at work on it, and a second try would double its load.
        return ModelError("The model's server did not answer in time.")
    return ModelError("The connection to the model's server broke.", retriable=True)


class _Told(NamedTuple):
    """What a server's error says."""

    message: str = ""
    type: str | None = None
    param: str | None = None
    code: str | None = None


def _read(body: object) -> _Told:
    if not isinstance(body, dict):
        return _Told()
    error: object = body.get("error", body.get("detail", body.get("message")))
    if not isinstance(error, dict):
        return _Told(str(error or ""))
    kind, param, code = (value if isinstance(value := error.get(name), str) else None for name in _TEXTS)
    # llama.cpp says in `type` what OpenAI says in `code`.
    return _Told(str(error.get("message", "")), kind, param, code or (kind if kind in _OVERFLOW_CODES else None))


_TEXTS = ("type", "param", "code")


def _is_overflow(message: str, code: str | None) -> bool:
    return code in _OVERFLOW_CODES or any(words in message.lower() for words in _OVERFLOW_WORDS)


def _pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            # A server may write `inf`.
            return min(max(0.0, float(headers[name]) * unit), _DAY)
        except (KeyError, ValueError):
            continue
    return None
