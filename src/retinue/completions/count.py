"""How many tokens a chat request's prompt has, without asking the model for an answer."""

from __future__ import annotations

from ..inference.chat import ChatRequest, Json
from ..inference.models import ServedModel
from ..wire.chat import ChatCompletionCreate
from .functions import as_tools
from .request import prepare
from .sources import chat_request


def for_model(request: ChatCompletionCreate, raw: Json, model: ServedModel, caller: str) -> ChatRequest:
    """What `model` would be asked; arguments and errors as of `prepare`."""
    return chat_request(prepare(request, raw, model).body, caller)


def for_openai(raw: Json) -> ChatRequest:
    """What OpenAI would be asked: the request as it was sent, with functions as tools."""
    body = {name: value for name, value in raw.items() if value is not None}
    as_tools(body)
    return chat_request(body, "")
