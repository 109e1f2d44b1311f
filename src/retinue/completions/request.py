"""A chat request as the model's backend gets it: what cannot be honoured is refused by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import InvalidRequest
from ..inference.chat import Json
from ..inference.models import ServedModel
from ..wire.chat import ChatCompletionCreate
from . import functions, local

#: What is for Retinue and not for the model.
_OURS = frozenset({"model", "store", "metadata", "stream", "stream_options", "n"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A chat request that its model can honour."""

    #: What the model's backend is asked, without `model`, `n` and what says how the answer is sent.
    body: Json
    #: How many answers.
    choices: int
    #: Whether the backend makes them all in one call.
    choices_at_once: bool
    #: Whether the answer's calls go out as the older `function_call`.
    functions: bool
    #: Whether Retinue leads the model to calls of tools by prompts.
    prompted: bool

    @property
    def tokens(self) -> int:
        """The longest answers that may come, in tokens; 0 where nothing says."""
        most: int | None = self.body.get("max_completion_tokens") or self.body.get("max_tokens")
        return (most or 0) * self.choices


def prepare(request: ChatCompletionCreate, raw: Json, model: ServedModel) -> Asked:
    """What to ask `model`.

    Args:
        request: the request, validated.
        raw: the same as it was sent.
        model: what will answer.

    Raises:
        InvalidRequest: parameters do not fit each other, or this model cannot honour one.
    """
    body = {name: value for name, value in raw.items() if value is not None and name not in _OURS}
    check_model(model)
    check_extra(request.__pydantic_extra__, model)
    _check_together(request)
    legacy = "functions" in body
    if legacy or any(message.role in ("assistant", "function") for message in request.messages):
        functions.as_tools(body)
    _check_tool_messages(body["messages"])
    check_supported(body, model)
    if model.local:
        body = local.adapted(body, model)
    prompted = model.prompted and ("tools" in body or _tells_calls(body["messages"]))
    if prompted and "logprobs" in body:
        raise InvalidRequest(
            f"Unsupported parameter: 'logprobs' cannot be had together with tools from the model `{model.name}`.",
            param="logprobs",
            code="unsupported_parameter",
        )
    at_once = not (model.local or prompted or "n" in model.settings.unsupported)
    return Asked(body, request.n or 1, at_once, legacy, prompted)


def unsupported(name: str, model: str) -> InvalidRequest:
    """The error for a parameter that a model's server would ignore."""
    return InvalidRequest(
        f"Unsupported parameter: '{name}' is not supported with the model `{model}`.",
        param=name,
        code="unsupported_parameter",
    )


def check_model(model: ServedModel) -> None:
    """See to it that a model writes text at all.

    Raises:
        InvalidRequest: it makes embeddings or images.
    """
    if model.settings.backend not in ("local", "openai"):
        raise InvalidRequest(f"The model `{model.name}` does not write text.", param="model", code="unsupported_value")


def check_supported(body: Json, model: ServedModel) -> None:
    """See to it that the model's server knows the parameters of a request, by the model's setting `unsupported`.

    Raises:
        InvalidRequest: it would ignore one. `n` is not refused, since it can be asked several times.
    """
    for name in model.settings.unsupported:
        if name in body and name != "n":
            raise unsupported(name, model.name)


def check_extra(extra: Json | None, model: ServedModel) -> None:
    """See to it that the model takes each parameter of a request that is not OpenAI's.

    Raises:
        InvalidRequest: it does not take one.
    """
    allowed = {*model.settings.pass_on, *(local.PASSED_ON if model.local else ())}
    for name in extra or ():
        if name not in allowed:
            raise InvalidRequest(
                f"Unrecognized request argument supplied: {name}. A setting of the model, `pass_on`, "
                "lets through what its server takes beyond OpenAI's parameters.",
                param=name,
                code="unknown_parameter",
            )


def _check_together(request: ChatCompletionCreate) -> None:
    """See to it that no parameter is without effect for want of another."""
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise InvalidRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", param="max_tokens"
        )
    if request.functions is not None and request.tools is not None:
        raise InvalidRequest("'functions' and 'tools' cannot be used together.", param="functions")
    for name, needed, there in (
        ("top_logprobs", "logprobs", bool(request.logprobs)),
        ("stream_options", "stream", bool(request.stream)),
        ("metadata", "store", bool(request.store)),
        ("tool_choice", "tools", bool(request.tools)),
        ("parallel_tool_calls", "tools", bool(request.tools)),
        ("function_call", "functions", bool(request.functions)),
    ):
        if getattr(request, name) is not None and not there:
            raise InvalidRequest(f"'{name}' is only allowed when '{needed}' is given.", param=name)


def _check_tool_messages(messages: Sequence[Json]) -> None:
    """See to it that each tool message answers a call, and that each call is answered."""
    waiting: dict[str, int] = {}
    for number, message in enumerate(messages):
        if message["role"] == "tool":
            if waiting.pop(message["tool_call_id"], None) is None:
                raise InvalidRequest(
                    "Messages with role 'tool' must be a response to a preceding message with 'tool_calls' that has "
                    f"the same id, but there is no call '{message['tool_call_id'][:64]}'.",
                    param=f"messages[{number}].tool_call_id",
                )
        elif waiting:
            break
        else:
            waiting = {call["id"]: number for call in message.get("tool_calls") or ()}
    if waiting:
        raise InvalidRequest(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. These did not have response messages: {', '.join(sorted(waiting))[:500]}.",
            param=f"messages[{min(waiting.values())}].tool_calls",
        )


def _tells_calls(messages: Sequence[Json]) -> bool:
    return any(message["role"] == "tool" or message.get("tool_calls") for message in messages)
