"""A request for completions as calls of the model's server: what cannot be honoured is refused by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from ...errors import InvalidRequest
from ...inference.chat import Json
from ...inference.models import ServedModel
from ...wire.text_completions import TextCompletionCreate
from ..request import check_extra, check_model, check_supported
from ..sources import varied
from . import local

#: What is for Retinue and not for the model.
_OURS = frozenset({"model", "stream", "stream_options"})
#: The prompt of requests without one, by the official document: what stands between documents in training.
_NEW_DOCUMENT = "<|endoftext|>"
#: Most completions of one request, over all prompts, those included that others are chosen from.
_MOST = 2048


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the model's server, which brings some of the candidates."""

    #: What it is asked, without `model` and what says how the answer is sent.
    body: Json
    #: Which candidate its first choice is.
    first: int = 0
    #: How far it is from one of its choices to the next.
    step: int = 1
    #: Whether no earlier call has the same prompt, so that its tokens count.
    new: bool = True

    def candidate(self, index: int) -> int:
        """Which candidate the choice `index` of its answer is."""
        return self.first + index * self.step


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for completions that its model can honour. Candidates are numbered prompt by prompt."""

    calls: list[Call]
    prompts: int
    #: Completions for each prompt.
    choices: int
    #: Candidates for each prompt: where there are more of them than choices, the best are chosen.
    candidates: int
    #: How many of the most likely tokens to tell of at each place; None: no probabilities.
    logprobs: int | None
    max_tokens: int

    @property
    def tokens(self) -> int:
        """The longest completions that may come, in tokens."""
        return self.max_tokens * self.prompts * self.candidates


def prepare(request: TextCompletionCreate, raw: Json, model: ServedModel) -> Asked:
    """What to ask `model`.

    Args:
        request: the request, validated.
        raw: the same as it was sent.
        model: what will answer.

    Raises:
        InvalidRequest: parameters do not fit each other, or this model cannot honour one.
    """
    check_model(model)
    check_extra(request.__pydantic_extra__, model)
    _check_together(request)
    body = {name: value for name, value in raw.items() if value is not None and name not in _OURS}
    check_supported(body, model)
    body.setdefault("prompt", "" if model.local else _NEW_DOCUMENT)
    prompts = _prompts(body["prompt"])
    choices = request.n or 1
    candidates = max(request.best_of or 1, choices)
    if len(prompts) * candidates > _MOST:
        raise InvalidRequest(
            f"{len(prompts)} prompts with {candidates} completions each are more than {_MOST} in one request.",
            param="prompt",
        )
    if model.local:
        body = _for_one(local.adapted(body, model), chosen=candidates > choices)
        calls = [call for i, prompt in enumerate(prompts) for call in _calls(body | {"prompt": prompt}, i, candidates)]
    elif "n" in model.settings.unsupported:
        body = _for_one(body, chosen=candidates > choices)
        calls = _calls(body, 0, candidates, step=candidates)
    else:
        candidates = choices  # the server chooses
        calls = [Call(body)]
    most = local.MAX_TOKENS if request.max_tokens is None else request.max_tokens
    return Asked(calls, len(prompts), choices, candidates, request.logprobs, most)


def _for_one(body: Json, *, chosen: bool) -> Json:
    """The request for one candidate of each prompt; `chosen`: the best are chosen by their probabilities."""
    body = {name: value for name, value in body.items() if name not in ("n", "best_of")}
    return {"logprobs": 0, **body} if chosen else body


def _calls(body: Json, prompt: int, candidates: int, step: int = 1) -> list[Call]:
    """A call for each candidate of a prompt."""
    first = prompt * candidates
    return [Call(varied(body, number), first + number, step, number == 0) for number in range(candidates)]


def _prompts(prompt: str | list[str] | list[int] | list[list[int]]) -> list[str | list[int]]:
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt[0], int):
        return [cast("list[int]", prompt)]
    return cast("list[str | list[int]]", prompt)


def _check_together(request: TextCompletionCreate) -> None:
    """See to it that no parameter is without effect for want of another."""
    if request.best_of is not None and request.best_of < (request.n or 1):
        raise InvalidRequest("'best_of' must be at least as large as 'n'.", param="best_of")
    if request.stream and (request.best_of or 1) > 1:
        raise InvalidRequest("'best_of' cannot be used with 'stream': the best is known at the end.", param="best_of")
    if request.max_tokens == 0 and not request.echo:
        raise InvalidRequest("'max_tokens' may be 0 only together with 'echo'.", param="max_tokens")
    if request.stream_options is not None:
        if not request.stream:
            raise InvalidRequest("'stream_options' is only allowed when 'stream' is given.", param="stream_options")
        if request.stream_options.include_obfuscation:
            raise InvalidRequest(
                "Unsupported value: completions are not sent with 'include_obfuscation'.",
                param="stream_options.include_obfuscation",
                code="unsupported_value",
            )
