"""Completions by the local model, with what llama.cpp does not do by itself: `echo`, `suffix`, OpenAI's `logprobs`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ...errors import InvalidRequest, ModelError
from ...inference.chat import Json
from ...inference.models import ServedModel
from ...inference.native import COMPLETIONS
from .. import local
from ..sources import STREAMED
from .logprobs import LegacyLogprobs

Prompt = str | list[int]

#: The official default of `max_tokens`.
MAX_TOKENS = 16

#: What stands between documents in the training of models that have no token for the beginning of one.
_BETWEEN_DOCUMENTS = "<|endoftext|>"
#: What is between the marks of a prompt for filling in.
_BEFORE, _BEHIND = "BEFORE", "BEHIND"


def adapted(body: Json, model: ServedModel) -> Json:
    """The request as `LocalCompletions` takes it, but for `n` and `best_of` and the number of prompts.

    Raises:
        InvalidRequest: it asks for something that the local model cannot do.
    """
    if body.get("echo") and "logprobs" in body:
        raise InvalidRequest(
            f"Unsupported parameter: 'logprobs' cannot be had together with 'echo' from the local model "
            f"`{model.name}`, which tells no probabilities of prompts.",
            param="logprobs",
            code="unsupported_parameter",
        )
    body = {name: value for name, value in body.items() if name != "user"}
    local.adapt_sampling(body)
    return body


@dataclass(frozen=True, slots=True)
class _Marks:
    """What stands around the texts in a prompt for filling in."""

    before: list[int]
    between: str
    after: str


class LocalCompletions:
    """Answers completions of one prompt and one choice on local models."""

    def __init__(self) -> None:
        #: By the fingerprint of the model.
        self._marks: dict[str | None, _Marks] = {}

    async def chunks(self, body: Json, model: ServedModel, caller: str) -> AsyncGenerator[list[Json], None]:
        """The completion in chunks, those that came together in one list.

        Args:
            body: a request for one completion, as `adapted` left it.
            model: what answers.
            caller: whose call this is.

        Raises:
            InvalidRequest: the model cannot fill in.
            ModelError: the model's server refused or broke.
        """
        asked = {name: value for name, value in body.items() if name not in ("echo", "suffix")}
        top: int | None = body.get("logprobs")
        if top is not None:
            # 0 would mean none at all.
            asked["logprobs"] = max(1, top)
        if suffix := body.get("suffix"):
            asked["prompt"] = await self._around(body["prompt"], suffix, model, caller)
        elif not body["prompt"]:
            asked["prompt"] = await _beginning(model, caller)
        asked.setdefault("max_tokens", MAX_TOKENS)
        reader: _Reader | None = None
        async with aclosing(model.route.chunks(COMPLETIONS, asked | STREAMED, caller)) as answer:
            async for batch in answer:
                if reader is None:
                    # Not before the server has found the tokens valid: /detokenize breaks on others.
                    needed = body.get("echo") or top is not None
                    text = await _text(body["prompt"], model, caller) if needed else ""
                    reader = _Reader(LegacyLogprobs(top or 0, len(text)), silent=not asked["max_tokens"])
                    if body.get("echo"):
                        yield [{"choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": None}]}]
                for chunk in batch:
                    reader.read(chunk)
                yield batch

    async def _around(self, prompt: Prompt, suffix: str, model: ServedModel, caller: str) -> list[int]:
        """The prompt for what stands between `prompt` and `suffix`.

        llama.cpp's own /infill would cut both to what fits into a batch, so it only tells how such a prompt looks.
        """
        marks = self._marks.get(model.fingerprint)
        if marks is None:
            marks = self._marks[model.fingerprint] = await _marks(model, caller)
        if isinstance(prompt, str):
            return marks.before + await _tokens(prompt + marks.between + suffix + marks.after, model, caller)
        return marks.before + prompt + await _tokens(marks.between + suffix + marks.after, model, caller)


class _Reader:
    """Puts the chunks of one completion into OpenAI's shape, in place."""

    def __init__(self, logprobs: LegacyLogprobs, *, silent: bool) -> None:
        """`silent`: nothing was to be written; llama.cpp writes at least one token."""
        self._logprobs = logprobs
        self._silent = silent

    def read(self, chunk: Json) -> None:
        for choice in chunk["choices"]:
            if choice.get("logprobs"):
                choice["logprobs"] = self._logprobs.read(choice["logprobs"])
            if self._silent:
                choice["text"] = ""
                choice["finish_reason"] = choice["finish_reason"] and "length"
        if self._silent and chunk.get("usage"):
            chunk["usage"]["completion_tokens"] = 0


async def _beginning(model: ServedModel, caller: str) -> str:
    """A prompt for the beginning of a document, which must not be without any token."""
    return "" if await _tokens("", model, caller, whole=True) else _BETWEEN_DOCUMENTS


async def _text(prompt: Prompt, model: ServedModel, caller: str) -> str:
    if isinstance(prompt, str):
        return prompt
    return _told(await _llama(model, "/detokenize", {"tokens": prompt}, caller), "content", str)


async def _tokens(text: str, model: ServedModel, caller: str, *, whole: bool = False) -> list[int]:
    """`whole`: with the tokens that stand at the beginning and end of every text of the model."""
    body = {"content": text, "add_special": whole, "parse_special": True}
    return _told(await _llama(model, "/tokenize", body, caller), "tokens", list)


async def _marks(model: ServedModel, caller: str) -> _Marks:
    body = {"input_prefix": _BEFORE, "input_suffix": _BEHIND, "n_predict": 0, "response_fields": ["prompt"]}
    try:
        prompt = _told(await _llama(model, "/infill", body, caller), "prompt", str)
    except ModelError as error:
        if error.status != 501:
            raise
        raise InvalidRequest(
            f"Unsupported parameter: 'suffix' is not supported with the model `{model.name}`, which has not learnt to "
            "fill in.",
            param="suffix",
            code="unsupported_parameter",
        ) from error
    before, _, rest = prompt.partition(_BEFORE)
    between, _, after = rest.partition(_BEHIND)
    # llama.cpp names a repository and a file first, each on a line, which there are not.
    mark = before.rpartition("\n")[2]
    return _Marks(await _tokens(mark, model, caller), between, after)


async def _llama(model: ServedModel, path: str, body: Json, caller: str) -> Json:
    assert model.llama  # noqa: S101 (the model is local)
    return await model.llama.post(path, body, caller)


def _told(answer: Json, name: str, kind: type[Any]) -> Any:
    if not isinstance(answer.get(name), kind):
        raise ModelError(f"The local model's server answered without '{name}'.")
    return answer[name]
