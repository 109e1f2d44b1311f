"""What goes wrong at a model's server, in our words: may it be tried again, and what does a run end with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
import orjson

from ..errors import ContextOverflow, ModelError
from .chat import Json

#: Statuses after which the same request may succeed.
_RETRIABLE = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})

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
    message, code = _message(parsed)
    message = message or body[:200].decode("utf-8", "replace").strip() or f"status {status}"
    if status == 400 and _is_overflow(message, code):
        return ContextOverflow(f"The prompt does not fit into the model's context: {message}")
    if status == 429:
        return ModelError(
            f"The model's server is over its rate limit: {message}",
            retriable=True,
            run_code="rate_limit_exceeded",
            retry_after=_pause(headers),
        )
    if status in (401, 403):
        return ModelError(f"The model's server refused Retinue's key: {message}")
    if status in (400, 404, 413, 422):
        return ModelError(f"The model's server refused the request: {message}", run_code="invalid_prompt")
    return ModelError(
        f"The model's server answered with status {status}: {message}",
        retriable=status in _RETRIABLE,
        retry_after=_pause(headers),
    )


def from_body(body: Json) -> ModelError:
    """The error for an answer, or a chunk of one, that carries an error in a 200."""
    message, code = _message(body)
    if _is_overflow(message, code):
        return ContextOverflow(f"The prompt does not fit into the model's context: {message}")
    return ModelError(f"The model's server broke off: {message or 'no reason given'}", retriable=True)


def from_connection(error: Exception) -> ModelError:
    """The error for a connection that could not be made, fell silent or broke."""
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return ModelError("The model's server cannot be reached.", retriable=True)
    if isinstance(error, asyncio.TimeoutError):
        # Not tried again: the server may still be at work on it, and a second try would double its load.
        return ModelError("The model's server did not answer in time.")
    return ModelError("The connection to the model's server broke.", retriable=True)


def _message(body: object) -> tuple[str, str | None]:
    if not isinstance(body, dict):
        return "", None
    error: object = body.get("error", body.get("detail", body.get("message")))
    if isinstance(error, dict):
        code: object = error.get("code")
        kind: object = error.get("type")
        return str(error.get("message", "")), code if isinstance(code, str) else str(kind) if kind else None
    return str(error or ""), None


def _is_overflow(message: str, code: str | None) -> bool:
    return code in _OVERFLOW_CODES or any(words in message.lower() for words in _OVERFLOW_WORDS)


def _pause(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks to wait."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * unit)
        except (KeyError, ValueError):
            continue
    return None
