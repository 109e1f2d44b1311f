"""Completions as clients get them: official ids and fields, whichever backend they came from."""

from __future__ import annotations

from typing import Any

from ...errors import ModelError
from ...inference.chat import Json
from ...inference.models import ServedModel
from ...wire.text_completions import TextCompletionCreate
from ..stamp import Stamp, official_usage
from .logprobs import LegacyLogprobs, mean
from .request import Asked, Call

_KIND = "text_completion"
_FINISH_REASONS = frozenset({"stop", "length", "content_filter"})


class Answer:
    """One answer under way. Whole answers of servers have the shape of chunks, and are taken as such."""

    def __init__(self, request: TextCompletionCreate, asked: Asked, model: ServedModel) -> None:
        """Begin an answer to `request`, which `model` gives to what it is `asked`."""
        self._asked = asked
        self._stamp = Stamp("cmpl-", model)
        self._usage_wanted = bool(request.stream_options and request.stream_options.include_usage)
        self._prompt_length = len(request.prompt) if isinstance(request.prompt, str) else 0
        #: By call.
        self._usages: dict[int, Json] = {}
        #: By candidate.
        self._logprobs: dict[int, LegacyLogprobs] = {}
        self._ended: set[int] = set()

    @property
    def usage(self) -> Json | None:
        """What the backend counted so far; None until it has told."""
        told = list(self._usages.values())
        if len(told) < 2:
            return told[0] if told else None
        summed = {name: sum(usage[name] for usage in told) for name in ("prompt_tokens", "completion_tokens")}
        cached = sum(int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0) for usage in told)
        return official_usage({**summed, "prompt_tokens_details": {"cached_tokens": cached}})

    def batch(self, call: Call, chunks: list[Json]) -> list[Json]:
        """Chunks of the answer to a call made official, in place; those that tell clients nothing are left out.

        Raises:
            ModelError: one is not a chunk of a completion.
        """
        try:
            return [chunk for chunk in chunks if self._chunk(call, chunk)]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ModelError("The model's server sent an answer that is not a completion.") from error

    def last(self) -> Json | None:
        """The chunk after all others, if there has to be one: it tells the usage.

        Raises:
            ModelError: not all completions have ended.
        """
        self._check_ended()
        if not (self._usage_wanted and self.usage):
            return None
        chunk: Json = {"choices": []}
        self._stamp.put(chunk, _KIND)
        chunk["usage"] = self.usage
        return chunk

    def whole(self, gathered: Json) -> Json:
        """The whole answer, with the best of the candidates.

        Args:
            gathered: the chunks that `batch` returned, put together, with all candidates in order.

        Raises:
            ModelError: not all completions have ended.
        """
        self._check_ended()
        asked = self._asked
        if asked.candidates > asked.choices:
            gathered["choices"] = self._best(gathered["choices"])
        self._stamp.put(gathered, _KIND)
        if self.usage:
            gathered["usage"] = self.usage
        return gathered

    def _best(self, candidates: list[Json]) -> list[Json]:
        asked = self._asked
        chosen: list[Json] = []
        for first in range(0, len(candidates), asked.candidates):
            group = candidates[first : first + asked.candidates]
            group.sort(key=lambda candidate: mean(candidate["logprobs"]), reverse=True)
            chosen += group[: asked.choices]
        for index, choice in enumerate(chosen):
            choice["index"] = index
            if asked.logprobs is None:
                choice["logprobs"] = None
        return chosen

    def _check_ended(self) -> None:
        expected = self._asked.prompts * self._asked.candidates
        if len(self._ended) < expected:
            raise ModelError(
                f"The model's server ended {len(self._ended)} of {expected} completions: it broke off, or it ignores "
                "'n' or lists of prompts.",
                retriable=True,
            )

    def _chunk(self, call: Call, chunk: Json) -> bool:
        """Make a chunk official; False if clients need not see it."""
        if usage := chunk.pop("usage", None):
            self._usages[call.first] = _counted(usage, call)
        if "prompt_progress" in chunk or not chunk["choices"]:
            return False
        for position, choice in enumerate(chunk["choices"]):
            index = choice["index"] = call.candidate(choice.get("index", position))
            choice["text"] = choice["text"] or ""
            choice["logprobs"] = self._legacy(index, choice.get("logprobs"))
            reason = choice.get("finish_reason")
            choice["finish_reason"] = reason if not reason or reason in _FINISH_REASONS else "stop"
            if reason:
                self._ended.add(index)
        self._stamp.put(chunk, _KIND)
        if self._usage_wanted:
            chunk["usage"] = None
        return True

    def _legacy(self, candidate: int, logprobs: Any) -> Json | None:
        if not logprobs or "content" not in logprobs:
            return logprobs or None
        # Servers of llama.cpp tell them as in chat.
        if candidate not in self._logprobs:
            self._logprobs[candidate] = LegacyLogprobs(self._asked.logprobs or 0, self._prompt_length)
        return self._logprobs[candidate].read(logprobs) if logprobs["content"] else None


def _counted(usage: Json, call: Call) -> Json:
    """The usage of a call; prompts count once, as at OpenAI, however often they were read."""
    return official_usage(usage if call.new else {"completion_tokens": usage.get("completion_tokens")})
