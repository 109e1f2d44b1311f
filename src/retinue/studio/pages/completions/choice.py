"""One choice of a completion: what a model answers, put together from its chunks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from openai.types.chat.chat_completion_chunk import Choice as ChoiceChunk

#: From which probability on a token has which shade, the likeliest first.
SHADES = ((0.9, "p4"), (0.6, "p3"), (0.3, "p2"), (0.1, "p1"), (0.0, "p0"))


class Choice:
    """What has come of a choice so far."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.text = self.thoughts = self.refusal = ""
        self.calls: dict[int, dict[str, str]] = {}
        #: Tokens with their probabilities, as the API tells them.
        self.tokens: list[dict[str, Any]] = []
        self.finish = ""

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Choice:
        """What `kept` has made of one."""
        one = cls()
        one.text, one.thoughts, one.refusal = kept["text"], kept["thoughts"], kept["refusal"]
        one.calls = dict(enumerate(kept["calls"]))
        one.tokens, one.finish = kept["tokens"], kept["finish"]
        return one

    def kept(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "text": self.text,
            "thoughts": self.thoughts,
            "refusal": self.refusal,
            "calls": self.calls_in_order(),
            "tokens": self.tokens,
            "finish": self.finish,
        }

    def take(self, chunk: ChoiceChunk) -> tuple[str, str]:
        """Take what a chunk adds; returns the new text and the new thoughts."""
        delta = chunk.delta
        text = (delta.content or "") + (delta.refusal or "")
        self.refusal += delta.refusal or ""
        self.text += delta.content or ""
        extra = delta.model_extra or {}
        thoughts = str(extra.get("reasoning_content") or extra.get("reasoning") or "")
        self.thoughts += thoughts
        for call in delta.tool_calls or []:
            known = self.calls.setdefault(call.index, {"id": "", "name": "", "arguments": ""})
            known["id"] = call.id or known["id"]
            if call.function:
                known["name"] += call.function.name or ""
                known["arguments"] += call.function.arguments or ""
        if delta.function_call:
            known = self.calls.setdefault(0, {"id": "", "name": "", "arguments": ""})
            known["name"] += delta.function_call.name or ""
            known["arguments"] += delta.function_call.arguments or ""
        if chunk.logprobs:
            told = [*(chunk.logprobs.content or []), *(chunk.logprobs.refusal or [])]
            self.tokens += [one.model_dump(include={"token", "bytes", "logprob", "top_logprobs"}) for one in told]
        self.finish = chunk.finish_reason or self.finish
        return text, thoughts

    def calls_in_order(self) -> list[dict[str, str]]:
        """The tools that are called."""
        return [self.calls[index] for index in sorted(self.calls)]

    def messages(self) -> list[dict[str, Any]]:
        """The answer as a message of the conversation, and behind it an empty output for each call."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or self.refusal}
        calls = [one for one in self.calls_in_order() if one["id"]]
        if calls:
            message["tool_calls"] = [
                {"id": one["id"], "type": "function", "function": {"name": one["name"], "arguments": one["arguments"]}}
                for one in calls
            ]
        return [message, *({"role": "tool", "content": "", "tool_call_id": one["id"]} for one in calls)]


def shaded(tokens: list[dict[str, Any]], say: str) -> list[dict[str, Any]]:
    """Tokens with their probabilities for the element `Tokens`.

    Args:
        tokens: as the API tells them.
        say: what is said of each, with ``{text}`` and ``{share}`` to fill in.
    """
    result: list[dict[str, Any]] = []
    for one in tokens:
        share = percent(one["logprob"])
        alternatives = [_alternative(other, other["token"] == one["token"]) for other in one["top_logprobs"]]
        if not any(other["taken"] for other in alternatives):
            alternatives.append(_alternative(one, True))
        shade = next(kind for least, kind in SHADES if math.exp(min(0.0, one["logprob"])) >= least)
        said = say.format(text=one["token"].replace("\n", "↵"), share=share)
        result.append({"text": one["token"], "kind": shade, "say": said, "others": alternatives})
    return result


def _alternative(one: Mapping[str, Any], taken: bool) -> dict[str, Any]:
    logprob = one["logprob"]
    return {
        "text": one["token"],
        "percent": round(math.exp(min(0.0, logprob)) * 100, 2),
        "share": percent(logprob),
        "log": f"{logprob:.3f}",
        "taken": taken,
    }


def percent(logprob: float) -> str:
    """A probability as people read it."""
    share = math.exp(min(0.0, logprob)) * 100
    return f"{share:.1f} %" if share >= 0.1 else "< 0.1 %"
