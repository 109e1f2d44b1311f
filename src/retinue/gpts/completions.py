"""GPTs as models of chat completions: `model: "gpt:<slug>"`."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from ..accounts.keys import Caller
from ..completions.events import DONE, encoded
from ..errors import InvalidRequest, ModelNotFound, NotFound
from ..inference.chat import Json
from ..runs import compose
from ..settings import Settings
from ..store.ids import new_id
from ..store.store import Store
from ..wire.chat import (
    AssistantMessage,
    ChatCompletionCreate,
    ImagePart,
    RefusalPart,
    SystemMessage,
    TextPart,
    UserMessage,
)
from ..wire.messages import Annotation, FileCitation, ImageUrl, ImageUrlContent, MessageCreate
from ..wire.messages import TextPart as MessageText
from ..wire.runs import CompletionUsage, Run, RunCreate
from ..wire.threads import ThreadCreate
from .asking import Asking, Ended, Piece, Told
from .registry import NAMED, Gpts

#: How models are named that are GPTs.
GPT_NAMES = (NAMED, "gpt_")
#: Parameters of chat completions that runs do not have, or that are the GPT's to say; and what says nothing.
_UNSUPPORTED: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": (),
    "functions": (),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "parallel_tool_calls": (),
    "presence_penalty": (0,),
    "seed": (),
    "stop": ([],),
    "store": (False,),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": ("medium",),
    "web_search_options": (),
}
#: Most characters of a message, and most messages.
_LONGEST, _MOST = 256_000, 1000
#: Seconds after a run's longest time at which its thread goes, should its server not live to delete it.
_SPARE = 60


@dataclass(frozen=True, slots=True)
class OpenedGpt:
    """A request to a GPT that may be worked on."""

    request: ChatCompletionCreate
    caller: Caller
    #: What answers say has answered.
    model: str
    run: RunCreate
    messages: Sequence[MessageCreate]


class GptCompletions:
    """Answers chat requests by GPTs: each with a thread of its own, which goes with the answer."""

    def __init__(self, store: Store, gpts: Gpts, asking: Asking, settings: Settings) -> None:
        self._store = store
        self._gpts = gpts
        self._asking = asking
        self._settings = settings

    async def open(self, request: ChatCompletionCreate, caller: Caller) -> OpenedGpt:
        """Look whether a request can be worked on.

        Raises:
            ModelNotFound: the caller may use no such GPT, or it is not published.
            InvalidRequest: a parameter makes no sense here.
        """
        _check(request)
        try:
            row = await self._gpts.row(caller, request.model)
        except NotFound:
            raise ModelNotFound(request.model) from None
        if row.published is None:
            raise ModelNotFound(request.model)
        instructions, messages = _messages(request)
        run = RunCreate(
            assistant_id=row.published.assistant_id,
            additional_instructions=instructions or None,
            temperature=request.temperature,
            top_p=request.top_p,
            response_format=request.response_format,
            reasoning_effort=request.reasoning_effort,
            metadata={"user": request.user} if request.user else None,
        )
        # Runs that clients create have 256 tokens at least; what is asked for here is asked for.
        most = request.max_completion_tokens or request.max_tokens
        run = run.model_copy(update={"max_completion_tokens": most})
        return OpenedGpt(request, caller, NAMED + row.slug, run, messages)

    async def whole(self, opened: OpenedGpt) -> Json:
        """The whole answer. Raises `ApiError` where there is none."""
        text: list[str] = []
        marks: list[Annotation] = []
        async with aclosing(self._told(opened)) as answer:
            async for told in answer:
                if isinstance(told, Piece):
                    text.append(told.text)
                    marks += told.annotations
                elif isinstance(told, Ended):
                    message: Json = {"role": "assistant", "content": "".join(text), "refusal": None}
                    if cited := await self._citations(opened, marks):
                        message["annotations"] = cited
                    choice = {"index": 0, "message": message, "finish_reason": told.reason, "logprobs": None}
                    return {**_stamp(opened, "chat.completion"), "choices": [choice], "usage": _usage(told.usage)}
        raise AssertionError("an answer has an end")

    async def stream(self, opened: OpenedGpt) -> AsyncGenerator[bytes]:
        """The answer as server-sent events. Raises as `whole`, also in the middle."""
        options, stamp = opened.request.stream_options, _stamp(opened, "chat.completion.chunk")
        wanted = bool(options and options.include_usage)
        obfuscated = bool(options and options.include_obfuscation)

        def chunk(delta: Json, reason: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
            made: Json = {**stamp, "choices": [choice]}
            if wanted:
                made["usage"] = None
            if obfuscated:
                made["obfuscation"] = secrets.token_urlsafe(16)[: 8 + secrets.randbelow(8)]
            return encoded([made])

        marks: list[Annotation] = []
        async with aclosing(self._told(opened)) as answer:
            async for told in answer:
                if isinstance(told, Piece):
                    marks += told.annotations
                    yield chunk({"content": told.text})
                elif isinstance(told, Ended):
                    cited = await self._citations(opened, marks)
                    yield chunk({"annotations": cited} if cited else {}, told.reason)
                    last = {**stamp, "choices": [], "usage": _usage(told.usage)}
                    yield (encoded([last]) if wanted else b"") + DONE
                else:
                    yield chunk({"role": "assistant", "content": "", "refusal": None})

    async def _told(self, opened: OpenedGpt) -> AsyncGenerator[Told]:
        """What the GPT says. Its thread goes when the run has ended, however that was."""
        store, project = self._store, opened.caller.project
        thread, _ = compose.thread(ThreadCreate(metadata={"model": opened.model}))
        messages = [compose.message(thread.id, one) for one in opened.messages]

        async def forget(run: Run | None) -> None:
            await self._asking.forget(project, thread.id)

        await store.passing.add(project, thread.id, self._settings.run_expiry + _SPARE)
        await store.threads.add(project, thread, messages)
        async with aclosing(self._asking.answer(opened.caller, thread.id, opened.run, forget)) as answer:
            async for told in answer:
                yield told

    async def _citations(self, opened: OpenedGpt, marks: Sequence[Annotation]) -> list[Json]:
        """The files that an answer cites, as official annotations: by their names, and by where they are."""
        cited = [mark for mark in marks if isinstance(mark, FileCitation)]
        if not cited:
            return []
        base, found = f"{self._settings.browser_url()}/v1/files", list[Json]()
        ids = list(dict.fromkeys(mark.file_citation.file_id for mark in cited))
        files = await self._store.files.find(opened.caller.project, ids)
        for mark in cited:
            identifier = mark.file_citation.file_id
            file = files.get(identifier)
            place = {"start_index": mark.start_index, "end_index": mark.end_index}
            title = file.filename if file else identifier
            of_url = {**place, "url": f"{base}/{identifier}/content", "title": title}
            found.append({"type": "url_citation", "url_citation": of_url})
        return found


def _stamp(opened: OpenedGpt, kind: str) -> Json:
    return {"id": new_id("chatcmpl-"), "object": kind, "created": int(time.time()), "model": opened.model}


def _usage(usage: CompletionUsage) -> Json:
    return usage.model_dump()


# --- from a chat request to a thread


def _check(request: ChatCompletionCreate) -> None:
    """See to it that no parameter is without effect.

    Raises:
        InvalidRequest: one would be.
    """
    for name in request.__pydantic_extra__ or ():
        raise InvalidRequest(f"Unrecognized request argument supplied: {name}", param=name, code="unknown_parameter")
    for name, neutral in _UNSUPPORTED.items():
        value = getattr(request, name)
        if value is not None and value not in neutral:
            raise InvalidRequest(
                f"Unsupported parameter: '{name}' is not supported with the GPT `{request.model}`.",
                param=name,
                code="unsupported_parameter",
            )
    if request.max_tokens is not None and request.max_completion_tokens is not None:
        raise InvalidRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", param="max_tokens"
        )
    for name, needed, there in (("stream_options", "stream", request.stream), ("metadata", "store", request.store)):
        if getattr(request, name) is not None and not there:
            raise InvalidRequest(f"'{name}' is only allowed when '{needed}' is given.", param=name)
    if len(request.messages) > _MOST:
        raise InvalidRequest(f"Invalid 'messages': a GPT takes at most {_MOST}.", param="messages")


def _messages(request: ChatCompletionCreate) -> tuple[str, list[MessageCreate]]:
    """What is told to the GPT beside its own instructions, and the messages of a thread.

    Raises:
        InvalidRequest: a message is of a kind that threads do not have, or too long.
    """
    instructions: list[str] = []
    made: list[MessageCreate] = []
    for number, message in enumerate(request.messages):
        param = f"messages[{number}]"
        if isinstance(message, SystemMessage):
            parts = message.content
            instructions.append(parts if isinstance(parts, str) else "\n".join(part.text for part in parts))
        elif isinstance(message, UserMessage):
            made += _of_user(message, param)
        elif isinstance(message, AssistantMessage) and not (
            message.tool_calls or message.function_call or message.audio
        ):
            made += _of_assistant(message, param)
        else:
            raise InvalidRequest(
                f"Invalid '{param}': GPTs call no functions of their callers, so there are neither calls nor outputs.",
                param=param,
                code="unsupported_value",
            )
    told = "\n\n".join(one for one in instructions if one)
    _check_length(told, "messages")
    if not made:
        raise InvalidRequest(
            "Invalid 'messages': there is nothing to answer; add a message of a user.", param="messages"
        )
    return told, made


def _of_user(message: UserMessage, param: str) -> list[MessageCreate]:
    if isinstance(message.content, str):
        return _said("user", message.content, param)
    parts: list[MessageText | ImageUrlContent] = []
    for part in message.content:
        if isinstance(part, TextPart):
            _check_length(part.text, param)
            parts.append(MessageText(type="text", text=part.text))
        elif isinstance(part, ImagePart):
            detail = "high" if part.image_url.detail == "original" else part.image_url.detail
            if len(part.image_url.url) > 20_000_000:
                raise InvalidRequest(f"Invalid '{param}': the picture is too large.", param=param)
            shown = ImageUrl(url=part.image_url.url, detail=detail)
            parts.append(ImageUrlContent(type="image_url", image_url=shown))
        else:
            raise InvalidRequest(
                f"Invalid '{param}': GPTs take text and pictures here, no '{part.type}'.",
                param=param,
                code="unsupported_value",
            )
    if len(parts) > 256:
        raise InvalidRequest(f"Invalid '{param}': at most 256 parts are allowed.", param=param)
    return [MessageCreate(role="user", content=list(parts))]


def _of_assistant(message: AssistantMessage, param: str) -> list[MessageCreate]:
    content = message.content
    if content is None or isinstance(content, str):
        return _said("assistant", content or message.refusal or "", param)
    texts = [part.refusal if isinstance(part, RefusalPart) else part.text for part in content]
    return _said("assistant", "\n".join(texts), param)


def _said(role: Any, text: str, param: str) -> list[MessageCreate]:
    _check_length(text, param)
    return [MessageCreate(role=role, content=text)] if text else []


def _check_length(text: str, param: str) -> None:
    if len(text) > _LONGEST:
        raise InvalidRequest(
            f"Invalid '{param}': string too long. Expected at most {_LONGEST:,} characters, but got {len(text):,}.",
            param=param,
            code="string_above_max_length",
        )
