"""Chunks of a streamed answer, put together to the whole answer."""

from __future__ import annotations

from typing import Any, cast

from ..inference.chat import Json

#: What belongs to a chunk and not to the answer.
_OF_CHUNKS = ("choices", "obfuscation")


class Gathered:
    """An answer as far as its chunks have come."""

    def __init__(self) -> None:
        self._choices: dict[int, Json] = {}
        #: What the chunks say beside their choices, such as the model's name.
        self._about: Json = {}

    def add(self, chunk: Json) -> None:
        """Add a chunk; it is not changed."""
        for name, value in chunk.items():
            if name not in _OF_CHUNKS and value is not None:
                self._about[name] = value
        for piece in chunk.get("choices") or ():
            if "message" in piece:
                # A server that does not stream sends its answer whole.
                self._choices[piece.get("index", 0)] = dict(piece)
                continue
            index = piece.get("index", 0)
            choice = self._choices.setdefault(index, {"index": index, "message": {}, "finish_reason": None})
            _merge(choice["message"], piece.get("delta") or {})
            if logprobs := piece.get("logprobs"):
                merge_lists(choice.setdefault("logprobs", {}), logprobs)
            if reason := piece.get("finish_reason"):
                choice["finish_reason"] = reason

    def whole(self) -> Json:
        """The answer, with its choices in order."""
        choices = [self._choices[index] for index in sorted(self._choices)]
        for choice in choices:
            for call in choice["message"].get("tool_calls") or ():
                call.pop("index", None)
        return {**self._about, "choices": choices}


def _merge(message: Json, delta: Json) -> None:
    """Texts are continued, lists of calls are merged by index, everything else is set."""
    for name, value in delta.items():
        known = message.get(name)
        if name == "tool_calls":
            _merge_calls(message.setdefault(name, []), value or [])
        elif isinstance(value, str) and isinstance(known, str) and name not in ("role", "id", "type"):
            message[name] = known + value
        elif isinstance(value, dict) and isinstance(known, dict):
            _merge(cast(Json, known), cast(Json, value))
        elif isinstance(value, list) and isinstance(known, list):
            message[name] = [*cast(list[Any], known), *cast(list[Any], value)]
        elif value is not None or name not in message:
            message[name] = dict(cast(Json, value)) if isinstance(value, dict) else value


def _merge_calls(calls: list[Json], pieces: list[Json]) -> None:
    for piece in pieces:
        place = piece.get("index", 0)
        call = next((call for call in calls if call.get("index", 0) == place), None)
        if call is None:
            call = {"index": place}
            calls.append(call)
        for name, value in piece.items():
            if name == "function":
                _merge(call.setdefault("function", {}), {k: v for k, v in value.items() if k == "arguments"})
                call["function"] |= {k: v for k, v in value.items() if k != "arguments" and v is not None}
            elif value is not None:
                call[name] = value


def merge_lists(known: Json, more: Json) -> None:
    """Continue the lists of `known` by those of `more`, in place."""
    for name, value in more.items():
        if isinstance(value, list):
            known[name] = [*(known.get(name) or ()), *cast(list[Any], value)]
        else:
            known.setdefault(name, value)
