"""The answer as clients get it: official ids and fields, whichever backend it came from."""

from __future__ import annotations

import secrets
from typing import Any

from ..errors import ModelError
from ..inference.chat import Json
from ..inference.models import ServedModel
from ..inference.tokens import estimate_tokens
from ..wire.chat import ChatCompletionCreate
from .functions import as_function_call
from .request import Asked
from .stamp import Stamp, official_usage

_FINISH_REASONS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


class Answer:
    """One answer under way."""

    def __init__(self, request: ChatCompletionCreate, asked: Asked, model: ServedModel) -> None:
        """Begin an answer to `request`, which `model` gives to what it is `asked`."""
        stamp = self._stamp = Stamp("chatcmpl-", model)
        self.id = stamp.id
        #: What the backend counted; None until it has told.
        self.usage: Json | None = None
        self._asked = asked
        options = request.stream_options
        self._usage_wanted = bool(options and options.include_usage)
        self._obfuscated = bool(options and options.include_obfuscation)
        self._tier = "default" if request.service_tier and model.local else None
        self._predicted = request.prediction is not None and model.local
        self._top = request.top_logprobs or 0
        #: The choices that have begun, and those that have ended.
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        #: Pieces of text and calls that have come: about as many as there were tokens.
        self._pieces = 0

    def used(self, prompt_tokens: int) -> Json | None:
        """What to put on the books: what the backend counted, or an estimate where it told nothing.

        `prompt_tokens`: an estimate of the prompt's length. None if there has been no answer.
        """
        if self.usage or not self._pieces:
            return self.usage
        return {"prompt_tokens": prompt_tokens, "completion_tokens": self._pieces}

    def whole(self, answer: Json) -> Json:
        """A whole answer made official, in place.

        Raises:
            ModelError: it is not a chat completion.
        """
        try:
            self._read_usage(answer)
            for index, choice in enumerate(answer["choices"]):
                choice.setdefault("index", index)
                choice["finish_reason"] = self._reason(choice.get("finish_reason") or "stop")
                choice["logprobs"] = self._logprobs(choice.get("logprobs"))
                message = choice["message"]
                message["role"] = "assistant"
                message.setdefault("content", None)
                message.setdefault("refusal", None)
                self._fix_calls(message)
                if self.usage is None:
                    self._pieces += estimate_tokens(message["content"] or "")
        except (AttributeError, KeyError, TypeError) as error:
            raise _nonsense() from error
        if len(answer["choices"]) < self._asked.choices:
            raise ModelError(
                f"The model's server gave {len(answer['choices'])} of {self._asked.choices} answers: it seems to "
                "ignore 'n'. Name it in the model's setting `unsupported`, and Retinue asks several times."
            )
        self._finish(answer, "chat.completion")
        if self.usage:
            answer["usage"] = self.usage
        return answer

    def batch(self, chunks: list[Json]) -> list[Json]:
        """Chunks made official, in place; those that tell clients nothing are left out.

        Raises:
            ModelError: one is not a chunk of a chat completion.
        """
        try:
            return [chunk for chunk in chunks if self._chunk(chunk)]
        except (AttributeError, KeyError, TypeError) as error:
            raise _nonsense() from error

    def last(self) -> Json | None:
        """The chunk after all others, if there has to be one: it tells the usage.

        Raises:
            ModelError: not all choices have ended.
        """
        if len(self._ended) < self._asked.choices:
            raise ModelError("The model's server broke off in the middle of its answer.", retriable=True)
        if not (self._usage_wanted and self.usage):
            return None
        chunk: Json = {"choices": []}
        self._finish(chunk, "chat.completion.chunk")
        chunk["usage"] = self.usage
        return chunk

    def _chunk(self, chunk: Json) -> bool:
        """Make a chunk official; False if clients need not see it."""
        if "usage" in chunk:
            self._read_usage(chunk)
        if "prompt_progress" in chunk or not chunk["choices"]:
            return False
        self._pieces += len(chunk["choices"])
        for choice in chunk["choices"]:
            if "message" in choice:
                choice["delta"] = choice.pop("message")
                choice["finish_reason"] = choice.get("finish_reason") or "stop"
                # Calls of a whole message have no index; those of a stream are told apart by it.
                for number, call in enumerate(choice["delta"].get("tool_calls") or ()):
                    call.setdefault("index", number)
            index, delta = choice["index"], choice["delta"]
            if index not in self._begun:
                self._begun.add(index)
                delta.setdefault("role", "assistant")
                if delta.get("content") is None:
                    delta["content"] = None if "tool_calls" in delta else ""
            if reason := choice.setdefault("finish_reason", None):
                choice["finish_reason"] = self._reason(reason)
                self._ended.add(index)
            if choice.get("logprobs"):
                choice["logprobs"] = self._logprobs(choice["logprobs"])
            if "tool_calls" in delta:
                self._fix_calls(delta)
        self._finish(chunk, "chat.completion.chunk")
        if self._usage_wanted:
            chunk["usage"] = None
        if self._obfuscated:
            chunk["obfuscation"] = secrets.token_urlsafe(16)[: 8 + secrets.randbelow(8)]
        return True

    def _finish(self, answer: Json, kind: str) -> None:
        """What is the same in all chunks of an answer."""
        self._stamp.put(answer, kind)
        if self._tier:
            answer["service_tier"] = self._tier

    def _reason(self, reason: str) -> str:
        if self._asked.functions and reason == "tool_calls":
            return "function_call"
        return reason if reason in _FINISH_REASONS else "stop"

    def _fix_calls(self, part: Json) -> None:
        if self._asked.functions:
            as_function_call(part)
        elif not part.get("tool_calls", True):
            # Some servers send an empty list where there are none.
            del part["tool_calls"]

    def _logprobs(self, value: Any) -> Json | None:
        """Probabilities in the official shape: llama.cpp adds ids and more tokens, and leaves `refusal` out."""
        if not value or value.get("content") is None:
            return None
        for token in value["content"]:
            token.pop("id", None)
            others = token["top_logprobs"] = (token.get("top_logprobs") or [])[: self._top]
            for other in others:
                other.pop("id", None)
        value.setdefault("refusal", None)
        return value

    def _read_usage(self, answer: Json) -> None:
        usage: Json | None = answer.pop("usage", None)
        if not usage:
            return
        self.usage = official_usage(usage)
        if self._predicted:
            details = {"accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0}
            self.usage["completion_tokens_details"] = {**(usage.get("completion_tokens_details") or {}), **details}


def _nonsense() -> ModelError:
    return ModelError("The model's server sent an answer that is not a chat completion.")
