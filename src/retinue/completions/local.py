"""Chat requests to the local model: what llama.cpp takes under other names, and what it would ignore."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InvalidRequest
from ..inference.chat import Json
from ..inference.models import ServedModel

#: Sampling parameters of llama.cpp that requests may carry.
PASSED_ON = ("top_k", "min_p", "typical_p", "repeat_penalty", "grammar", "ignore_eos")

#: What only says who asks, or that the same is asked again: llama.cpp finds by itself what it has in its cache.
_WITHOUT_EFFECT_ON_ANSWERS = ("user", "safety_identifier", "prompt_cache_key", "service_tier", "prediction")

#: What the local model can do of a parameter: values for which this says False are refused.
_POSSIBLE: dict[str, Callable[[Any], bool]] = {
    "audio": lambda value: False,
    "modalities": lambda value: value == ["text"],
    "moderation": lambda value: False,
    "prompt_cache_options": lambda value: False,
    "prompt_cache_retention": lambda value: value != "24h",
    "reasoning_effort": lambda value: value == "none",
    "verbosity": lambda value: value == "medium",
    "web_search_options": lambda value: False,
}


def adapted(body: Json, model: ServedModel) -> Json:
    """The request as llama.cpp takes it.

    Raises:
        InvalidRequest: it asks for something that the local model cannot do.
    """
    for name, possible in _POSSIBLE.items():
        if name in body and not possible(body[name]):
            raise InvalidRequest(
                f"Unsupported value: '{name}' does not support this value with the local model `{model.name}`.",
                param=name,
                code="unsupported_value",
            )
    body = {name: body[name] for name in body if name not in _POSSIBLE and name not in _WITHOUT_EFFECT_ON_ANSWERS}
    if (most := body.pop("max_completion_tokens", None)) is not None:
        body["max_tokens"] = most
    if body.get("logprobs"):
        # llama.cpp tells none for 0, and 20 where nothing is said.
        body["top_logprobs"] = max(1, body.get("top_logprobs", 0))
    adapt_sampling(body)
    if not body.get("tools", True):
        del body["tools"]
    _adapt_tools(body, model)
    body["messages"] = [_message(number, message, model) for number, message in enumerate(body["messages"])]
    return body


def adapt_sampling(body: Json) -> None:
    """Say in place as llama.cpp does what any request for text may say of its making."""
    if "logit_bias" in body:
        body["logit_bias"] = [[int(token), bias] for token, bias in body["logit_bias"].items()]
    if "seed" in body:
        body["seed"] %= 2**32
        # A prompt that is read in other portions, because some of it was in the cache, comes to slightly other numbers.
        body["cache_prompt"] = False
    if "stop" in body:
        stop: str | list[str] = body["stop"]
        # An empty text would end every answer before it begins.
        body["stop"] = [text for text in ([stop] if isinstance(stop, str) else stop) if text]


def _adapt_tools(body: Json, model: ServedModel) -> None:
    tools: list[Json] = body.get("tools", [])
    for number, tool in enumerate(tools):
        if tool["type"] != "function":
            raise _impossible(f"tools[{number}].type", "tools of type 'custom'", model)
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        names = {(tool.get("function") or {}).get("name") for tool in choice["allowed_tools"]["tools"]}
        body["tools"] = [tool for tool in tools if tool["function"]["name"] in names]
        body["tool_choice"] = choice["allowed_tools"]["mode"]
        if not body["tools"]:
            raise InvalidRequest("'allowed_tools' names none of the tools.", param="tool_choice")
    elif isinstance(choice, dict) and choice["type"] != "function":
        raise _impossible("tool_choice", "tools of type 'custom'", model)


def _message(number: int, message: Json, model: ServedModel) -> Json:
    told: Json = {name: value for name, value in message.items() if name in _TOLD and value is not None}
    if told["role"] == "developer":
        told["role"] = "system"
    content = _content(number, message, model)
    if message["role"] == "assistant":
        # A refusal is what the assistant said, too.
        content = content or message.get("refusal")
    name = message.get("name")
    if name and message["role"] in ("system", "user", "assistant"):
        # Chat templates have no place for names.
        if isinstance(content, list):
            content = [{"type": "text", "text": f"{name}:"}, *content]
        else:
            content = f"{name}: {content or ''}"
    told["content"] = content
    return told


#: What chat templates have a place for.
_TOLD = ("role", "content", "tool_calls", "tool_call_id")


def _content(number: int, message: Json, model: ServedModel) -> str | list[Json] | None:
    content: str | list[Json] | None = message.get("content")
    if not isinstance(content, list):
        return content
    parts: list[Json] = []
    for place, part in enumerate(content):
        param = f"messages[{number}].content[{place}]"
        match part["type"]:
            case "text":
                parts.append({"type": "text", "text": part["text"]})
            case "refusal":
                parts.append({"type": "text", "text": part["refusal"]})
            case "image_url" if model.vision:
                parts.append(part)
            case "image_url":
                raise _impossible(param, "pictures: it does not see", model)
            case other:
                raise _impossible(param, f"parts of type '{other}'", model)
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _impossible(param: str, what: str, model: ServedModel) -> InvalidRequest:
    return InvalidRequest(
        f"The local model `{model.name}` does not take {what}.", param=param, code="unsupported_value"
    )
