"""How many tokens OpenAI counts for the prompt of a chat request.

For messages of text these are the rules that OpenAI has published
(https://cookbook.openai.com/examples/how_to_count_tokens_with_tiktoken). For functions and calls there are only rules
that others have found by comparing with `usage`, see `functions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ...errors import InvalidRequest
from ...wire.encodings import EncodingName
from ..chat import ChatRequest, Json
from . import encodings
from .encodings import encode
from .functions import namespace
from .tokenizer import Prompt, Tokens

#: Around each message, for its name, and to begin the answer.
_MESSAGE, _NAME, _PRIMING = 3, 1, 3
#: For each call, for all functions together, for one that has to be called, and where no function may be.
_CALL, _FUNCTIONS, _CHOSEN, _NO_CALLS = 3, 9, 4, 1
#: Functions share the message of the system prompt.
_SHARED = 4


class OpenAiTokenizer:
    """One of OpenAI's encodings. A `Tokenizer`."""

    def __init__(self, encoding: EncodingName, *, estimate: bool = False) -> None:
        """`estimate`: whether it is only likely that the model uses this encoding."""
        self.encoding: EncodingName = encoding
        self.estimate = estimate

    async def texts(self, texts: Sequence[str], caller: str, *, pieces: bool = False) -> list[Tokens]:
        """See `Tokenizer.texts`."""
        found = await encode(self.encoding, texts)
        if not pieces:
            return [Tokens(ids) for ids in found]
        return [Tokens(ids, await encodings.pieces(self.encoding, ids)) for ids in found]

    async def prompt(self, request: ChatRequest, *, pieces: bool = False) -> Prompt:
        """See `Tokenizer.prompt`. The tokens themselves are not known: OpenAI tells only how many there are."""
        messages, texts, count = request.messages, list[str](), 0
        if request.tools:
            messages, shared = _padded(messages)
            count = _FUNCTIONS - (_SHARED if shared else 0)
            texts = [namespace([tool.get("function") or tool.get("custom") or {} for tool in request.tools])]
            if isinstance(request.tool_choice, dict):
                texts.append(str((request.tool_choice.get("function") or {}).get("name") or ""))
                count += _CHOSEN
            elif request.tool_choice == "none":
                count += _NO_CALLS
        if schema := _schema(request):
            texts.append(json.dumps(schema, ensure_ascii=False))
        count += _PRIMING + sum(_around(message) for message in messages)
        for position, message in enumerate(messages):
            texts += _texts(message, position)
        count += sum(map(len, await encode(self.encoding, texts)))
        unpublished = bool(request.tools or schema) or any(map(_of_tools, messages))
        return Prompt(count, self.estimate or unpublished)


def _schema(request: ChatRequest) -> Json | None:
    """The JSON schema that the answer must fit."""
    wanted = request.response_format or {}
    return wanted.get("json_schema") if wanted.get("type") == "json_schema" else None


def _padded(messages: list[Json]) -> tuple[list[Json], bool]:
    """The messages with a line's end behind the first system message, and whether there is one: functions follow it."""
    for position, message in enumerate(messages):
        if message.get("role") in ("system", "developer") and isinstance(message.get("content"), str):
            padded = {**message, "content": message["content"] + "\n"}
            return [*messages[:position], padded, *messages[position + 1 :]], True
    return messages, False


def _around(message: Json) -> int:
    return _MESSAGE + (_NAME if message.get("name") else 0) + _CALL * len(_calls(message))


def _of_tools(message: Json) -> bool:
    return message.get("role") == "tool" or bool(_calls(message))


def _texts(message: Json, position: int) -> Iterator[str]:
    yield str(message.get("role"))
    if name := message.get("name"):
        yield str(name)
    content = message.get("content") or message.get("refusal")
    parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
    for number, part in enumerate(parts):
        kind = part.get("type")
        if kind not in ("text", "refusal"):
            raise InvalidRequest(
                f"The tokens of `{kind}` parts cannot be counted: only those of text can.",
                param=f"messages[{position}].content[{number}]",
            )
        yield str(part.get(kind) or "")
    for function in _calls(message):
        yield str(function.get("name") or "")
        yield str(function.get("arguments") or function.get("input") or "")


def _calls(message: Json) -> list[Json]:
    return [call.get("function") or call.get("custom") or {} for call in message.get("tool_calls") or ()]
